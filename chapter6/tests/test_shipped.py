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
from data.icons import read_sources
from utils import setup

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
