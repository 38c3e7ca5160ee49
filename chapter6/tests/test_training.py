import shutil

import pytest
import torch as t
from conftest import TINY, TRAIN
from helpers import call, spawn

from models import EfficientNetLite0
from utils.checkpoint import load_checkpoint


def last(env="dogcat"):
    return load_checkpoint(f"runs/{env}/last.pth", "dogcat")


def same_weights(one, two):
    assert one.keys() == two.keys()
    return all(t.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("model, lr", [("ResNet34", 1e-3), ("EfficientNetLite0", 1e-3)])
def test_learns_a_few_pictures(pictures, monkeypatch, capsys, model, lr):
    monkeypatch.chdir(pictures)
    call("train", "--train-data-root=train", f"--model={model}", "--image-size=32", "--batch-size=14",
         "--max-epoch=12", "--env=few", f"--lr={lr}", "--backbone-lr=1")
    rows = [line for line in capsys.readouterr().out.splitlines() if "验证准确率" in line]
    losses = [float(row.split("损失 ")[1].split("，")[0]) for row in rows]
    assert len(rows) == 12 and "混淆矩阵 [[" in rows[0] and "张/秒" in rows[0]
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])     # 每轮只有两三批，一轮的损失起伏很大，四轮一起比
    assert last("few")["best"] >= 0.65
    assert list((pictures / "runs/few").glob("events.out.tfevents.*"))


def test_resume_inside_an_epoch_and_across_epochs(pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    options = ["--train-data-root=train", "--model=EfficientNetLite0", "--image-size=32", "--batch-size=8",
               "--max-epoch=3", "--lr-decay=0.1", "--freeze-bn=False"]      # 每轮 3 批
    call("train", *options, "--env=whole")
    for stop in (2, 3, 7):                              # 轮中、轮末、第三轮中
        call("train", *options, "--env=parts", f"--max-steps={stop}")
        call("train", "--env=parts", "--resume")
        one, two = last("whole"), last("parts")
        assert two["step"] == one["step"] == 9
        assert same_weights(one["model"], two["model"])
        assert one["optimizer"]["param_groups"][0]["lr"] == two["optimizer"]["param_groups"][0]["lr"]


def test_learning_rate_decays_when_the_loss_stops_falling(pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    call("train", "--train-data-root=train", *TINY, "--max-epoch=8", "--lr=1e-12", "--lr-decay=0.5")
    groups = last()["optimizer"]["param_groups"]        # 几乎不学，损失只随增强起伏，总有一轮不降
    assert groups[0]["lr"] in [1e-12 / 2 ** times for times in range(1, 8)]


def test_two_processes_equal_one(pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    options = ["--train-data-root=train", "--image-size=32", "--batch-size=8", "--max-epoch=2",
               "--channels-last=False"]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    together = spawn("train", *options, "--env=two", cwd=pictures, launcher=launcher)
    out, err = together.communicate(timeout=600)
    assert together.returncode == 0, err
    assert out.count("完成") == 1                       # 只有 0 号进程说话
    call("train", *options, "--env=one")
    one, two = last("one"), last("two")
    assert one["best"] == two["best"] and one["step"] == two["step"] == 6
    assert one["previous_loss"] == pytest.approx(two["previous_loss"], rel=1e-3)
    assert not any(name.startswith("module.") for name in two["model"])
    for name, weight in one["model"].items():
        t.testing.assert_close(two["model"][name], weight, atol=2e-3, rtol=1e-2, msg=name)


def test_debug_file_enters_ipdb(pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    entered = []
    monkeypatch.setattr("ipdb.set_trace", lambda frame: entered.append(frame.f_code.co_name))
    options = ["--train-data-root=train", *TINY, "--max-steps=2"]
    call("train", *options)
    assert entered == []
    (pictures / "debug_dogcat").touch()
    call("train", *options)
    assert entered == ["train", "train"]                 # 停在 train 里，看得到它的变量


def test_fine_tuning_starts_from_the_given_weights(pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    options = ["--train-data-root=train", *TINY, "--max-steps=1"]
    call("train", *options, "--env=base")
    call("train", *options, "--env=tuned", "--model-path=runs/base/best.pth", "--lr=1e-12")
    base, tuned = (last(env)["model"] for env in ("base", "tuned"))
    assert all(t.allclose(base[name], tuned[name], atol=1e-6) for name in base)


def test_layout_in_memory_does_not_change_the_result(pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    for flag in (True, False):
        call("train", "--train-data-root=train", *TINY, "--max-steps=3", f"--channels-last={flag}", f"--env={flag}")
    one, two = (last(str(flag))["model"] for flag in (True, False))
    assert all(t.allclose(one[name], two[name], atol=1e-3) for name in one)


def test_every_model_trains_a_step(workdir):
    for model, size in (("AlexNet", 64), ("ResNet34", 32)):
        call("train", TRAIN, f"--model={model}", f"--image-size={size}", "--batch-size=4", "--max-steps=1",
             f"--env={model}")
        assert last(model)["step"] == 1
        shutil.rmtree(workdir / "runs" / model)         # AlexNet 的断点近 700 MB


def test_workers_give_the_same_training(pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    options = ["--train-data-root=train", *TINY, "--max-steps=3"]
    call("train", *options, "--env=cached")
    call("train", *options, "--env=workers", "--cache-mb=0", "--num-workers=1")
    assert same_weights(last("cached")["model"], last("workers")["model"])


def test_several_places_are_reported_apart(pictures, monkeypatch, capsys):
    monkeypatch.chdir(pictures)
    shutil.copytree("train", "more")
    for path in pictures.glob("more/*.1?.jpg"):
        path.unlink()
    shutil.make_archive("more", "zip", "more")
    options = ["--train-data-root=train:2,more.zip", *TINY, "--max-epoch=3", "--lr-schedule=cosine", "--val-every=2"]
    call("train", *options, "--env=whole")
    first, second, third = (line for line in capsys.readouterr().out.splitlines() if line.startswith("第 "))
    assert "验证" not in first and all("train " in line and "more.zip " in line for line in (second, third))
    assert third.split("学习率 ")[1].startswith("0.0e+00") or float(third.split("学习率 ")[1].split("，")[0]) < 1e-4
    call("train", *options, "--env=parts", "--max-steps=5")
    call("train", "--env=parts", "--resume")
    one, two = last("whole"), last("parts")
    assert same_weights(one["model"], two["model"]) and one["temperature"] == two["temperature"]
    capsys.readouterr()
    call("val", "--train-data-root=train,more.zip", "--model-path=runs/whole/last.pth")
    shown = capsys.readouterr().out
    assert [line.split(" ")[0] for line in shown.splitlines() if "准确率" in line] == ["验证集", "train", "more.zip"]
    assert shown.count("对数损失") == shown.count("校准误差") == 3


def test_early_layers_stay_as_they_are(pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    options = ["--train-data-root=train", "--image-size=32", "--batch-size=8", "--max-steps=2"]
    call("train", *options, "--freeze-early=True", "--cpu-bf16=True")
    learned, start = last()["raw"], EfficientNetLite0.imagenet_weights()
    moved = {name for name, value in learned.items() if not t.equal(value, start[name]) and "_fc" not in name}
    assert moved and not any(name.startswith(EfficientNetLite0.early) for name in moved)
    assert any(name.startswith("_blocks.5.") for name in moved)


def test_a_new_learning_rate_is_used_on_resume(pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    for schedule in ("plateau", "cosine"):
        options = ["--train-data-root=train", *TINY, "--max-epoch=9", f"--env={schedule}", f"--lr-schedule={schedule}"]
        call("train", *options, "--max-steps=2")
        call("train", f"--env={schedule}", "--resume", "--max-steps=4", "--lr=1e-9", "--weight-decay=0.5")
        groups = last(schedule)["optimizer"]["param_groups"]
        assert all(group["lr"] <= 1e-9 and group["weight_decay"] == 0.5 for group in groups)
