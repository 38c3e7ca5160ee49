"""命令行：每种错误输入都是一行话、状态 2、什么也不丢。"""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
import torch as t
from conftest import FIRST, OWN, SECOND, SMALL, TEST, TINY, TRAIN
from helpers import call, fails, program, spawn

from config import Config
from utils.checkpoint import load_checkpoint, save_checkpoint
from utils.options import BaseConfig


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """训练一步得到的 SqueezeNet。"""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("tiny"))
        call("train", TRAIN, *TINY, "--max-steps=1", "--env=tiny")
        return Path("runs/tiny/last.pth").resolve()


@pytest.mark.parametrize("words, says", [
    (["tran"], ["tran", "train"]),
    (["train", "--max-epochs=3"], ["--max-epochs", "--max-epoch"]),
    (["train", "--epoch=3"], ["--epoch", "已改名", "--max-epoch"]),
    (["train", "--load-model-path=x"], ["--load-model-path", "已改名", "--model-path"]),
    (["train", "--print-freq=3"], ["--print-freq", "已改名", "--plot-every"]),
    (["train", "--train-root=x"], ["--train-data-root"]),
    (["train", "--max-epoch", "=", "20"], ["等号", "--max-epoch=20"]),
    (["predict", "photo.jpg"], ["photo.jpg", "--选项=值"]),
    (["train", "--max-epoch=many"], ["--max-epoch", "整数", "many"]),
    (["train", "--lr=fast"], ["--lr", "数"]),
    (["train", "--use-gpu=maybe"], ["--use-gpu", "True"]),
    (["train", "--batch-size=1"], ["--batch-size", "≥ 2"]),
    (["train", "--lr-decay=1.5"], ["--lr-decay", "≤ 1"]),
    (["train", "--model=ResNet50"], ["ResNet50", "AlexNet、EfficientNetLite0、ResNet34、SqueezeNet"]),
    (["train", "--model=nn"], ["nn", "ResNet34"]),
    (["train", "--model=AlexNet", "--image-size=32"], ["--image-size=32", "63"]),
    (["train", "--train-data-root=nowhere"], ["nowhere", "--train-data-root"]),
    (["train", f"--train-data-root={SMALL / 'train'},nowhere"], ["nowhere", "--train-data-root"]),
    (["train", f"--train-data-root={SMALL / 'train'},"], ["找不到"]),
    (["train", f"--train-data-root={SMALL / 'train'}:0"], ["train:0"]),
    (["train", f"--train-data-root={Path(__file__)}"], ["test_commands.py", "zip"]),
    (["test", "--test-data-root=nowhere"], ["nowhere", "--test-data-root"]),
    (["train", "--batch-size=1000"], ["--batch-size=1000", "样本"]),
    (["train", "--resume"], ["last.pth", "--resume"]),
    (["val", "--model-path=nowhere.pth"], ["nowhere.pth"]),
    (["train", "--model-path=nowhere.pth"], ["nowhere.pth"]),
    (["predict", "--path=nowhere"], ["nowhere"]),
    (["prepare", "--source=nowhere"], ["nowhere"]),
])
def test_wrong_options(capsys, workdir, words, says):
    if words[0] in ("train", "val", "test"):            # 重复的选项以后面的为准
        words = [words[0], TRAIN, TEST, *[OWN] * (words[0] == "test"), *words[1:]]
    message = fails(capsys, *words)
    assert all(part in message for part in says), message
    assert list(workdir.iterdir()) == []


@pytest.mark.parametrize("spoil, says", [
    (lambda root: [path.unlink() for path in root.iterdir()], "没有图片"),
    (lambda root: [path.unlink() for path in root.glob(f"{SECOND}.*")], f"{SECOND}.0.jpg"),
])
def test_bad_training_folder(capsys, pictures, monkeypatch, spoil, says):
    monkeypatch.chdir(pictures)
    spoil(pictures / "train")
    assert says in fails(capsys, "train", "--train-data-root=train", *TINY)
    assert not (pictures / "runs").exists()


def test_a_zip_without_pictures(capsys, pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    with zipfile.ZipFile("notes.zip", "w") as archive:
        archive.writestr("a/notes.txt", f"{FIRST}.0.jpg")
    for words in (["train", "--train-data-root=train,notes.zip", *TINY], ["test", OWN, "--test-data-root=notes.zip"],
                  ["prepare", "--source=notes.zip"]):
        assert "notes.zip" in fails(capsys, *words)
    assert not Path("runs").exists() and not Path("result.csv").exists()


def test_one_bad_picture_does_not_hide_the_others(capsys, pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    content = Path("test/3.jpg").read_bytes()
    Path("test/3.jpg").write_bytes(content[:len(content) // 2])
    Path("test/._1.jpg").write_bytes(b"?")
    Path("test/12.heic").write_bytes(b"?")
    with pytest.raises(SystemExit) as stop:
        call("predict", OWN, "--path=test", "--picture=out/grid.png", "--doubt=0", "--batch-size=4")
    shown = capsys.readouterr()
    assert stop.value.code == 2 and "3.jpg" in shown.err and ".heic" in shown.out and "._1" not in shown.out
    assert [line.split("/")[-1] for line in shown.out.splitlines() if "%" in line] == [f"{i}.jpg" for i in range(1, 13) if i != 3]
    assert Path("out/grid.png").exists()
    with pytest.raises(SystemExit) as stop:
        call("test", OWN, "--test-data-root=test", "--batch-size=4")
    assert stop.value.code == 2 and "3.jpg" in capsys.readouterr().err
    rows = Path("result.csv").read_text(encoding="utf-8").splitlines()
    assert [row.split(",")[0] for row in rows] == ["id", *(str(i) for i in range(1, 13) if i != 3)]


def test_results_do_not_fall_on_pictures(capsys, pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    before = Path("test/3.jpg").read_bytes()
    assert "test/3.jpg" in fails(capsys, "predict", OWN, "--path=test", "--picture=test/3.jpg")
    assert "test" in fails(capsys, "test", OWN, "--test-data-root=test", "--result-file=test")
    assert "test/3.jpg" in fails(capsys, "test", OWN, "--test-data-root=test", "--result-file=test/3.jpg")
    assert Path("test/3.jpg").read_bytes() == before


def test_files_of_the_reader_in_the_place_of_a_result_are_kept(capsys, pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    for name in ("mine.csv", "mine.csv.tmp", "mine.jpg", "mine.jpg.tmp"):
        Path(name).write_bytes(b"id,label\r\n1,0.5\r\n")
    for _ in range(2):                                              # 第二次盖掉的是上次写的
        call("test", OWN, "--test-data-root=test", "--result-file=mine.csv")
        call("predict", OWN, "--path=test/1.jpg", "--picture=mine.jpg", "--doubt=0")
    assert capsys.readouterr().out.count("移到") == 2
    assert sum(path.is_file() and path.read_bytes() == b"id,label\r\n1,0.5\r\n" for path in pictures.iterdir()) == 4
    assert len(Path("mine.csv").read_bytes().splitlines()) == 13
    assert "文件名" in fails(capsys, "test", OWN, "--test-data-root=test", "--result-file=new/")


def test_one_number_twice_and_one_picture_of_a_kind(capsys, pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    shutil.copy("test/1.jpg", "test/01.png")
    assert "01.png" in fails(capsys, "test", OWN, "--test-data-root=test") and not Path("result.csv").exists()
    for path in list(Path("train").glob(f"{SECOND}.*"))[1:]:
        path.unlink()
    assert f"{SECOND} 只有一张" in fails(capsys, "train", "--train-data-root=train", *TINY)


def test_what_predict_cannot_read_or_draw(capsys, workdir):
    (workdir / "empty").mkdir()
    assert "empty" in fails(capsys, "predict", "--path=empty")
    assert "grid.xyz" in fails(capsys, "predict", f"--path={SMALL / 'test/1.jpg'}", "--picture=grid.xyz")


def test_checkpoint_of_another_model(capsys, workdir, tiny):
    for words in (["val", TRAIN], ["train", TRAIN]):
        message = fails(capsys, *words, f"--model-path={tiny}", "--model=ResNet34")
        assert "SqueezeNet" in message and "ResNet34" in message
    save_checkpoint("gan.pth", {"project": "gan", "model": {"weight": t.zeros(2)}})
    assert "gan.pth" in fails(capsys, "val", TRAIN, "--model-path=gan.pth")
    content = load_checkpoint(tiny, program.PROJECT)
    save_checkpoint("three.pth", content | {"classes": ["a", "b", "c"]})
    assert "a、b、c" in fails(capsys, "val", TRAIN, "--model-path=three.pth")
    save_checkpoint("cut.pth", content | {"model": {}})
    assert "cut.pth" in fails(capsys, "val", TRAIN, "--model-path=cut.pth")


def test_without_shipped_weights_it_is_said_where_to_get_some(capsys, workdir, monkeypatch):
    monkeypatch.setattr("classifier.SHIPPED", workdir / "checkpoints" / f"{program.PROJECT}.pth")
    for words in (["val", TRAIN], ["test", TEST], ["predict", f"--path={SMALL / 'test'}"]):
        message = fails(capsys, *words, "--env=mine")
        assert "--model-path=runs/mine/best.pth" in message and f"checkpoints/{program.PROJECT}.pth" in message
    Path("checkpoints").mkdir()
    shutil.copy(SMALL / "tiny.pth", f"checkpoints/{program.PROJECT}.pth")
    call("predict", f"--path={SMALL / 'test'}", "--doubt=0")
    assert capsys.readouterr().out.count("%") == 12


def test_broken_checkpoint(capsys, workdir, tiny):
    (workdir / "half.pth").write_bytes(tiny.read_bytes()[:5000])
    assert "half.pth" in fails(capsys, "val", "--model-path=half.pth")
    (workdir / "text.pth").write_text("not a checkpoint", encoding="utf-8")
    assert "text.pth" in fails(capsys, "val", "--model-path=text.pth")


def test_resume_with_other_data_or_options(capsys, workdir, tiny):
    shutil.copytree(tiny.parent, workdir / "runs/tiny")
    assert "另一份数据" in fails(capsys, "train", "--resume", "--env=tiny", f"--train-data-root={make_less(workdir)}")
    shutil.copytree(SMALL / "train", workdir / "train")
    (workdir / f"train/{FIRST}.3.jpg").write_bytes((SMALL / "test/1.jpg").read_bytes() + b" ")
    assert "另一份数据" in fails(capsys, "train", "--resume", "--env=tiny", "--train-data-root=train")
    assert "val_fold" in fails(capsys, "train", "--resume", "--env=tiny", "--val-fold=1")
    assert "ResNet34" in fails(capsys, "train", "--resume", "--env=tiny", "--model=ResNet34")
    assert (workdir / "runs/tiny/last.pth").read_bytes() == tiny.read_bytes()


def make_less(folder):
    less = folder / "less"
    less.mkdir()
    for path in sorted((SMALL / "train").glob("*.1?.jpg")):
        shutil.copy(path, less)
    return less


def test_training_again_keeps_the_previous_run(capsys, workdir, tiny):
    shutil.copytree(tiny.parent, workdir / "runs/tiny")
    call("train", TRAIN, *TINY, "--max-steps=1", "--env=tiny", "--seed=1")
    kept, = (path for path in (workdir / "runs").iterdir() if path.name.startswith("tiny-"))
    assert (kept / "last.pth").read_bytes() == tiny.read_bytes()
    assert kept.name in capsys.readouterr().out


def test_pretrained_download_fails_in_one_line(capsys, workdir, monkeypatch):
    def no_network(*_, **__):
        raise OSError("no network")
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", no_network)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", no_network)
    message = fails(capsys, "train", TRAIN, *TINY, "--pretrained")
    assert "squeezenet1_1" in message and "--pretrained" in message


def test_help_shows_every_option(capsys, workdir):
    call("help")
    shown = capsys.readouterr().out
    for name, default, comment in Config.describe():
        assert f"--{name.replace('_', '-')} " in shown and default in shown and comment in shown
    assert len(Config.describe()) == len(Config.__dataclass_fields__)
    assert all(comment for _, _, comment in Config.describe())


def test_config_is_typed():
    assert issubclass(Config, BaseConfig)
    opt = Config().parse({"lr": "1e-3", "resume": "true", "path": "123"})
    assert (opt.lr, opt.resume, opt.path, opt.max_epoch) == (1e-3, True, "123", Config().max_epoch)
    json.dumps(vars(Config()))                          # 全是可以写进断点的简单类型


def test_no_traceback_on_the_real_command_line(workdir):
    process = spawn("val", "--max-epoch", "=", "20", cwd=workdir)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 2
    assert out == "" and err.count("\n") == 1 and err.startswith("错误：")
