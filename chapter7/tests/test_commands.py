"""命令行：每种错误输入都是一行话、状态 2、什么也不丢。"""

import json
import shutil
from pathlib import Path

import pytest
import torch as t
from conftest import DATA, TINY
from helpers import call, fails, spawn
from PIL import Image

from config import Config
from gan import SHIPPED
from models import VGG16
from utils.checkpoint import save_checkpoint


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """训练两步得到的小网络：文件夹 runs/tiny。"""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("tiny")
        patch.chdir(folder)
        (folder / "faces").mkdir()
        for i in range(16):
            Image.new("RGB", (64, 64), (i * 10, 100, 200)).save(folder / "faces" / f"{i}.png")
        call("train", "--data-path=faces", *TINY, "--max-steps=2", "--env=tiny")
        return (folder / "runs/tiny").resolve()


def paths(tiny):
    return [f"--netg-path={tiny / 'netg.pth'}", f"--netd-path={tiny / 'netd.pth'}"]


@pytest.mark.parametrize("words, says", [
    (["tran"], ["tran", "train"]),
    (["generat"], ["generat", "generate"]),
    (["train", "--max-epochs=3"], ["--max-epochs", "--max-epoch"]),
    (["train", "--epoch=3"], ["--epoch", "已改名", "--max-epoch"]),
    (["train", "--gpu=True"], ["--gpu", "已改名", "--use-gpu"]),
    (["train", "--vis=False"], ["--vis", "python main.py help"]),
    (["train", "--net-g-path=x"], ["--net-g-path", "--netg-path"]),
    (["train", "--lr1", "=", "1e-4"], ["等号"]),
    (["train", "--lr1=fast"], ["--lr1", "数"]),
    (["train", "--beta1=1"], ["--beta1", "≤ 0.999"]),
    (["train", "--batch-size=1"], ["--batch-size", "≥ 2"]),
    (["train", "--d-every=0"], ["--d-every", "≥ 1"]),
    (["train", "--image-size=100"], ["--image-size", "64、96、128"]),
    (["train", "--loss=wgan"], ["--loss", "r1、bce、wgan-gp、hinge"]),
    (["train", "--arch=vgg"], ["--arch", "dcgan、residual"]),
    (["train", "--data-path=nowhere"], ["nowhere", "--data-path"]),
    (["train", "--batch-size=5000"], ["--batch-size=5000", "3000"]),
    (["train", "--resume"], ["last.pth", "--resume"]),
    (["train", "--netg-path=nowhere.pth"], ["nowhere.pth", "--netg-path"]),
    (["generate", "--netd-path=nowhere.pth"], ["nowhere.pth", "--netd-path"]),
    (["generate", "--gen-num=65", "--gen-search-num=64"], ["--gen-num=65", "--gen-search-num=64"]),
    (["generate", "--gen-std=0"], ["--gen-std", "> 0"]),
    (["generate", "--nz=50"], ["nz", "100", "50"]),
    (["generate", "--ngf=32"], ["ngf", "64", "32"]),
    (["generate", "--image-size=128"], ["image_size", "96", "128"]),
    (["generate", "avatar.png"], ["avatar.png", "--选项=值"]),
    (["evaluate", "--ref-path=nowhere"], ["nowhere"]),
    (["evaluate", "--eval-num=5"], ["--eval-num", "≥ 10"]),
    (["evaluate", "--save-ref=known.pth"], ["--save-ref", "--ref-path"]),
    (["evaluate", "--ref-path=nowhere.pth"], ["nowhere.pth", "--ref-path"]),
    (["evaluate", "--vgg-path=nowhere.pth"], ["nowhere.pth", "--vgg-path"]),
    (["prepare", "--num=2000000"], ["--num=2000000"]),
])
def test_wrong_options(capsys, workdir, words, says):
    if words[0] in ("train", "evaluate") and not any(word.startswith("--data-path") for word in words):
        words = [words[0], DATA, "--cache-mb=0", *words[1:]]
    message = fails(capsys, *words)
    assert all(part in message for part in says), message
    assert list(workdir.iterdir()) == []


def test_networks_mixed_up(capsys, workdir, tiny):
    netg, netd = (str(tiny / name) for name in ("netg.pth", "netd.pth"))
    message = fails(capsys, "generate", f"--netg-path={netd}", f"--netd-path={netd}")
    assert "netd.pth 是判别器，不是生成器" in message and "--netg-path" in message
    message = fails(capsys, "generate", f"--netg-path={netg}", f"--netd-path={netg}")
    assert "netg.pth 是生成器，不是判别器" in message and "--netd-path" in message
    assert "训练的断点" in fails(capsys, "generate", f"--netg-path={tiny / 'last.pth'}")
    # 形状不同的一对：判别器看 64×64，自带的生成器画 96×96
    assert "image_size" in fails(capsys, "generate", f"--netd-path={netd}")
    assert "image_size" in fails(capsys, "train", DATA, f"--netg-path={SHIPPED['netg']}", f"--netd-path={netd}")


def test_broken_checkpoint(capsys, workdir, tiny):
    content = (tiny / "netg.pth").read_bytes()
    (workdir / "half.pth").write_bytes(content[:len(content) // 2])
    assert "half.pth 损坏" in fails(capsys, "generate", "--netg-path=half.pth")
    (workdir / "text.pth").write_text("not a checkpoint", encoding="utf-8")
    assert "text.pth 损坏" in fails(capsys, "generate", "--netg-path=text.pth")
    save_checkpoint("poet.pth", {"project": "poet", "model": {"weight": t.zeros(2)}})
    message = fails(capsys, "generate", "--netg-path=poet.pth")
    assert "poet.pth 不是本项目" in message and "--netg-path" in message
    changed = t.load(tiny / "netg.pth", weights_only=True)
    changed["config"]["ngf"] = 8
    save_checkpoint("changed.pth", changed)
    assert "changed.pth" in fails(capsys, "generate", "--netg-path=changed.pth")


def test_resume_with_other_data_or_options(capsys, tiny, monkeypatch, tmp_path):
    monkeypatch.chdir(tiny.parent.parent)
    before = (tiny / "last.pth").read_bytes()
    shutil.copytree("faces", tmp_path / "namesakes", dirs_exist_ok=True)
    Image.new("RGB", (60, 50), "red").save(tmp_path / "namesakes" / "3.png")
    for words, says in (([DATA, "--cache-mb=0"], "另一份数据"), ([f"--data-path={tmp_path / 'namesakes'}"], "另一份数据"), (["--ngf=8"], "ngf"), (["--loss=bce"], "loss")):
        assert says in fails(capsys, "train", "--resume", "--env=tiny", *words)
    assert (tiny / "last.pth").read_bytes() == before


def test_a_picture_of_an_unknown_kind_cannot_be_saved(capsys, workdir, tiny):
    few = [*paths(tiny), "--gen-num=4", "--gen-search-num=4"]
    assert "result.xyz" in fails(capsys, "generate", *few, "--gen-img=result.xyz")
    assert list(workdir.iterdir()) == []


def test_generate_keeps_the_best(workdir, tiny, capsys):
    call("generate", *paths(tiny), "--gen-search-num=30", "--gen-num=9", "--gen-img=out/nine.png")
    assert Image.open("out/nine.png").size == (3 * 66 + 2,) * 2
    call("generate", *paths(tiny), "--gen-search-num=30", "--gen-num=9", "--gen-img=again.png")
    assert Path("again.png").read_bytes() == Path("out/nine.png").read_bytes()
    call("generate", *paths(tiny), "--gen-search-num=30", "--gen-num=9", "--gen-img=other.png", "--seed=1")
    assert Path("again.png").read_bytes() != Path("other.png").read_bytes()


def test_interpolate(workdir, tiny):
    call("generate", *paths(tiny), "--gen-search-num=8", "--gen-num=4", "--interpolate=6", "--gen-img=walk.png")
    assert Image.open("walk.png").size == (6 * 66 + 2, 68)
    with Image.open("walk.gif") as animation:
        assert animation.n_frames > 1 and animation.size == (64, 64)


def test_evaluate(workdir, tiny, capsys):
    faces, netg = tiny.parent.parent / "faces", f"--netg-path={tiny / 'netg.pth'}"
    call("evaluate", netg, f"--data-path={faces}", f"--ref-path={faces}", "--eval-num=12", "--save-ref=known.pth")
    shown = capsys.readouterr().out
    assert "12 张生成的" in shown and "FID" in shown and "召回率" in shown
    assert "没训练过的 0.0" in shown                                # 对照就是训练集时，距离为 0
    assert Path("nearest.png").is_file()
    call("evaluate", netg, f"--data-path={faces}", "--ref-path=known.pth")
    again = capsys.readouterr().out
    fid = next(line for line in shown.splitlines() if "FID" in line)
    assert fid in again and "召回率" not in again                   # 没有图片，FID 照样算得出来
    save_checkpoint("vgg16.pth", {"project": "vgg16", "model": VGG16().state_dict()})
    assert "known.pth 里没有 VGG16" in fails(capsys, "evaluate", netg, f"--data-path={faces}", "--ref-path=known.pth", "--vgg-path=vgg16.pth")
    before = (tiny / "netg.pth").read_bytes()
    assert "--save-ref" in fails(capsys, "evaluate", netg, f"--ref-path={faces}", f"--save-ref={tiny / 'netg.pth'}")
    assert (tiny / "netg.pth").read_bytes() == before


def test_help_shows_every_option(capsys, workdir):
    call("help")
    shown = capsys.readouterr().out
    for name, default, comment in Config.describe():
        assert f"--{name.replace('_', '-')} " in shown and default in shown and comment in shown
    assert len(Config.describe()) == len(Config.__dataclass_fields__)
    json.dumps(vars(Config()))


def test_no_traceback_on_the_real_command_line(workdir):
    process = spawn("generate", "--gen-num=100", "--gen-search-num=10", cwd=workdir)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 2
    assert out == "" and err.count("\n") == 1 and err.startswith("错误：")


@pytest.mark.parametrize("words, says", [
    (["--gen-img=a.gif", "--interpolate=4"], ["a.gif", "盖掉"]), (["--gen-img=a.psd"], ["a.psd", "扩展名"]),
    (["--gen-img=a.webp", "--gen-num=64000", "--gen-search-num=64000"], ["a.webp", "16383"])])
def test_pictures_that_cannot_be_saved_are_refused_before_the_work(workdir, tiny, capsys, monkeypatch, words, says):
    monkeypatch.setattr("main.sample", None)
    message = fails(capsys, "generate", *paths(tiny), *words)
    assert all(part in message for part in says) and list(workdir.iterdir()) == []


def test_files_of_the_reader_in_the_place_of_a_result_are_kept(pictures, tiny, capsys):
    for name in ("a.png", "a.gif", "a.png.tmp", "nearest.jpg", "known.pth"):
        Path(name).write_bytes(b"mine")
    for _ in range(2):                                              # 第二次盖掉的是上次写的
        call("generate", *paths(tiny), "--gen-search-num=4", "--gen-num=4", "--interpolate=3", "--gen-img=a.png")
        call("evaluate", paths(tiny)[0], "--data-path=faces", "--ref-path=faces", "--eval-num=10", "--nearest-img=nearest.jpg", "--save-ref=known.pth")
    assert capsys.readouterr().out.count("移到") == 4
    assert sum(path.is_file() and path.read_bytes() == b"mine" for path in pictures.iterdir()) == 5 and Image.open("nearest.jpg").width > 64


def test_samples_do_not_get_among_the_training_pictures(pictures, capsys):
    before = sorted(pictures.rglob("*"))
    for place in ("faces", "faces/samples", "x/../faces/"):
        assert "混进去" in fails(capsys, "train", "--data-path=faces", *TINY, f"--save-path={place}")
    assert sorted(pictures.rglob("*")) == before


def test_evaluate_does_not_replace_a_training_picture(pictures, tiny, capsys):
    before = (pictures / "faces/3.png").read_bytes()
    message = fails(capsys, "evaluate", paths(tiny)[0], "--data-path=faces", "--ref-path=faces", "--eval-num=10", "--nearest-img=faces/3.png")
    assert "faces/3.png" in message and (pictures / "faces/3.png").read_bytes() == before
