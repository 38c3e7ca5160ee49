"""随书的权重：达到它自己写明的成绩。"""

import csv
import json

import pytest
import torch as t
from conftest import TEST, TRAIN
from helpers import PROJECT, call
from main import evaluate

from classifier import load_model, make_dataset
from config import Config
from data import DogCat, read_image
from data.icons import read_sources
from evaluation import Part
from stranger import is_drawn
from utils.files import UserError
from utils.runtime import setup

WEIGHTS = PROJECT / "checkpoints" / "dogcat.pth"
STORY = json.loads(WEIGHTS.with_suffix(".json").read_text(encoding="utf-8"))


def test_small_and_half_precision():
    assert WEIGHTS.stat().st_size < 10e6
    content = t.load(WEIGHTS, weights_only=True)
    assert {value.dtype for value in content["model"].values() if value.is_floating_point()} == {t.float16}


def test_validation_accuracy_is_the_stated_one():
    model, size, _ = load_model(Config(), t.device("cpu"))
    opt = Config(train_data_root=str(PROJECT / "data/train"))
    part, = evaluate(model, make_dataset(opt, "val", size), opt, setup(False))
    assert part.accuracy == pytest.approx(STORY["metrics"]["val_accuracy"], abs=0.025)


def test_result_csv(workdir, capsys):
    call("test", TEST)
    shown = capsys.readouterr().out
    with open("result.csv", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["id", "label"]
    answers = {row["file"].split("/")[1].split(".")[0]: row["label"] for row in read_sources() if row["fold"] == "test"}
    assert [row[0] for row in rows] == sorted(answers, key=int)
    assert all(0 <= float(p) <= 1 for _, p in rows)
    right = sum((float(p) > 0.5) == (answers[number] == "dog") for number, p in rows)     # 写的是狗的概率
    assert right / len(rows) == pytest.approx(STORY["metrics"]["test_accuracy"], abs=0.025)
    assert f"准确率 {right / len(rows):.2%}" in shown


def test_val_shows_the_confusion_matrix(workdir, capsys):
    call("val", TRAIN)
    shown = capsys.readouterr().out
    assert "验证集 47 张" in shown and "真实＼判断" in shown


def test_predict_a_file_and_a_folder(workdir, capsys):
    cat, dog = (next(row["file"] for row in read_sources() if row["label"] == label and row["family"] == "fluent")
                for label in ("cat", "dog"))
    for name, label in ((cat, "cat"), (dog, "dog")):
        call("predict", f"--path={PROJECT / 'data' / name}")
        assert capsys.readouterr().out.startswith(label)
    call("predict", f"--path={PROJECT / 'data/test'}", "--picture=out/grid.png")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 60 and lines[10].endswith("/test/10.png") and (workdir / "out/grid.png").is_file()


def test_free_photos(workdir, capsys):
    """照片认得出；别的动物、风车说都不像；图标从不怀疑。"""
    call("predict", f"--path={PROJECT / 'data/photos'}")
    lines = {line.split("/")[-1].split(".webp")[0]: line for line in capsys.readouterr().out.splitlines() if ".webp" in line}
    for name in ("cat.0", "cat.1", "dog.0"):
        assert lines[name].startswith(name[:3]) and "都不像" not in lines[name]
    for name, like in (("jaguar", ""), ("panda", "giant panda"), ("sheep", "ram"), ("windmill", "")):
        assert "都不像" in lines[name] and like in lines[name]
    call("predict", f"--path={PROJECT / 'data/photos/panda.webp'}", "--doubt=0")
    assert "都不像" not in capsys.readouterr().out
    icons = DogCat(PROJECT / "data/train", "val", 128)
    assert is_drawn(t.stack([icons[i][0] for i in range(len(icons))])).all()
    photos = [read_image(path, 128) for path in sorted((PROJECT / "data/photos").iterdir())]
    assert not is_drawn(t.stack(photos)).any()


def test_without_the_imagenet_weights_nothing_is_doubted(workdir, capsys, monkeypatch):
    def missing():
        raise UserError("缺少 ImageNet 权重")
    monkeypatch.setattr("models.EfficientNetLite0.imagenet_weights", missing)
    call("predict", f"--path={PROJECT / 'data/photos/panda.webp'}")
    shown = capsys.readouterr().out
    assert "缺少 ImageNet 权重" in shown and "%" in shown and "都不像" not in shown


def test_probabilities_are_calibrated(workdir, capsys):
    scores = t.randn(4000, 2, generator=t.Generator().manual_seed(0), dtype=t.float64)
    targets = t.multinomial(scores.softmax(1), 1, generator=t.Generator().manual_seed(1))[:, 0]     # 照着概率取的答案
    part = Part("", 3 * scores, targets)                    # 过于自信三倍
    assert part.fit_temperature() == pytest.approx(3, rel=0.1)
    assert part.calibration_error(3) < 0.03 < part.calibration_error(1)
    assert part.log_loss(3) < part.log_loss(1) and part.accuracy == Part("", scores, targets).accuracy
