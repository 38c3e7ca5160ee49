"""训练：损失下降，中断后接着训练与没有中断过完全相同。"""

import torch as t
from conftest import TRAIN
from helpers import call, spawn
from PIL import Image

from utils.checkpoint import load_checkpoint


def last(env="style"):
    return load_checkpoint(f"runs/{env}/last.pth", "style")


def same(one, two):
    """断点里除用时以外的一切都相同。"""
    for part in ("net", "average"):
        assert one[part].keys() == two[part].keys()
        assert all(t.equal(one[part][name], two[part][name]) for name in one[part]), part
    for key, state in one["optimizer"]["state"].items():
        assert all(t.equal(t.as_tensor(value), t.as_tensor(two["optimizer"]["state"][key][name]))
                   for name, value in state.items())
    return one["step"] == two["step"]


def test_loss_falls_and_everything_is_saved(pictures, random_vgg, capsys):
    call("train", *TRAIN, "--width=8", "--max-epoch=14", "--lr=5e-3", "--env=few", "--ema=0.5")
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("第 ")]
    assert len(rows) == 14 and all("张/秒" in row for row in rows)
    style = [float(row.split("风格 ")[1].split("，")[0]) for row in rows]
    assert sum(style[-3:]) < 0.95 * sum(style[:3])
    folder = pictures / "runs/few"
    assert {"last.pth", "style.pth", "samples"} <= {path.name for path in folder.iterdir()}
    assert list(folder.glob("events.out.tfevents.*"))
    samples = sorted((folder / "samples").iterdir())
    assert len(samples) == 14 and samples[0].name == "epoch_001.png"
    assert Image.open(samples[0]).size == (4 * 132 - 4, 2 * 132 - 4)    # 四张照片一行，四张画一行
    saved = load_checkpoint(folder / "style.pth", "style")
    assert {value.dtype for value in saved["model"].values()} == {t.float16}
    assert saved["config"]["style_path"] == "painting.png" and saved["step"] == 56
    call("stylize", "--content-path=photos/1.png", "--model-path=runs/few/style.pth")
    assert Image.open("result.png").size == (90, 70)


def test_resume_inside_an_epoch_and_across_epochs(pictures, random_vgg):
    options = [*TRAIN, "--max-epoch=3", "--tv-weight=0.1"]          # 每轮 4 批
    call("train", *options, "--env=whole")
    for stop in (1, 4, 6):                                          # 轮中、轮末、第二轮中
        call("train", *options, "--env=parts", f"--max-steps={stop}")
        call("train", "--env=parts", "--resume")
        assert same(last("whole"), last("parts"))
    assert (pictures / "runs/whole/style.pth").read_bytes() == (pictures / "runs/parts/style.pth").read_bytes()


def test_two_processes_equal_one(pictures, random_vgg, project_copy):
    options = [*TRAIN, "--max-steps=4", "--channels-last=False"]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    together = spawn("train", *options, "--env=two", cwd=pictures, launcher=launcher, project=project_copy)
    out, err = together.communicate(timeout=600)
    assert together.returncode == 0, err
    assert out.count("完成") == 1                                   # 只有 0 号进程说话
    call("train", *options, "--env=one")
    one, two = last("one"), last("two")
    assert one["step"] == two["step"] == 4
    assert not any(name.startswith("module.") for name in two["net"])
    for name, weight in one["net"].items():
        # Adam 的头几步只看梯度的符号，求和次序不同造成的微小误差会放大到学习率的量级
        t.testing.assert_close(two["net"][name], weight, atol=1e-3, rtol=1e-2, msg=name)


def test_starting_from_another_style(pictures, random_vgg):
    call("train", *TRAIN, "--max-steps=2", "--env=base", "--ema=0")
    options = [option for option in TRAIN if not option.startswith("--width")]
    call("train", *options, "--max-steps=1", "--env=tuned", "--lr=1e-12", "--ema=0", "--model-path=runs/base/style.pth",
         "--style-weight=7")
    base, tuned = last("base"), last("tuned")
    assert tuned["config"]["width"] == 4 and tuned["config"]["style_weight"] == 7       # 网络是它的，损失是自己的
    for name, weight in base["net"].items():
        t.testing.assert_close(tuned["net"][name], weight, atol=1e-3, rtol=1e-2)


def test_workers_give_the_same_training(pictures, random_vgg):
    call("train", *TRAIN, "--max-steps=5", "--env=cached")
    call("train", *TRAIN, "--max-steps=5", "--env=workers", "--cache-mb=0", "--num-workers=2")
    assert same(last("cached"), last("workers"))


def test_weights_change_the_result(pictures, random_vgg, capsys):
    """只要内容时内容损失降得更低，只要风格时风格损失降得更低。"""
    def final(*words):
        call("train", *TRAIN, "--max-epoch=16", "--lr=5e-3", "--ema=0", *words)
        row = [line for line in capsys.readouterr().out.splitlines() if line.startswith("第 ")][-1]
        return float(row.split("内容 ")[1].split("，")[0]), float(row.split("风格 ")[1].split("，")[0])
    content, style = final("--style-weight=0"), final("--content-weight=0")
    assert content[0] < 0.9 * style[0] and style[1] < 0.95 * content[1]


def test_debug_file_enters_ipdb(pictures, random_vgg, monkeypatch):
    entered = []
    monkeypatch.setattr("ipdb.set_trace", lambda frame: entered.append(frame.f_code.co_name))
    call("train", *TRAIN, "--max-steps=2")
    assert entered == []
    (pictures / "debug_style").touch()
    call("train", *TRAIN, "--max-steps=2")
    assert entered == ["train", "train"]                 # 停在 train 里，看得到它的变量
    kept, = (pictures / "runs").glob("style-*")                     # 上一次训练的结果改名留着
    assert (kept / "last.pth").exists()


def test_layout_in_memory_does_not_change_the_result(pictures, random_vgg):
    for layout in (True, False):
        call("train", *TRAIN, "--max-steps=3", f"--channels-last={layout}", f"--env={layout}")
    one, two = last("True")["net"], last("False")["net"]
    assert all(t.allclose(one[name], two[name], atol=1e-3) for name in one)
