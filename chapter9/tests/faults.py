"""test_reliability.py 里的事故，在这个项目里用哪些命令和文件试。"""

import gzip
import hashlib
import json
import shutil
from pathlib import Path

import pytest
from conftest import TINY
from helpers import PROJECT, Config, call, fake_npm, program, write_tgz

from data import load_poems
from poet import load_model

ENV = "poet"
TRAIN = ["--data-path=small.tsv", *TINY, "--batch-size=8", "--warmup-steps=5", "--plot-every=3"]
WORKERS = ["--num-workers=2"]
WEIGHTS = [["train", "--resume"], ["train", "--data-path=small.tsv", "--model-path=evil.pth"],
           ["gen", "--model-path=evil.pth"], ["test", "--data-path=small.tsv", "--model-path=evil.pth"]]
# (要读的文件, 读它的命令)。书中的数据是 tang.npz，从前会照读里面的 pickle
DATA_FILES = [("tang.npz", ["train", "--data-path=tang.npz"]), ("poems.tsv", ["train", "--data-path=poems.tsv"]),
              ("poet.tang.tsv.gz", ["train", "--data-path=."])]
UNREADABLE = [("poems.tsv", b"\xff\xff\xff\t\t", ["train", "--data-path=poems.tsv"]),
              ("poet.tang.tsv.gz", (PROJECT / "data/poet.tang.tsv.gz").read_bytes()[:1000], ["train", "--data-path=."])]
UNWRITABLE = [("runs", ["train", *TRAIN])]
BAD_NAMES = ["../quantangshi/poet.tang.9.json", "package/quantangshi/poet.tang.9.json -> ../../../../stolen/a",
             "package/quantangshi/poet.x/../../../../poet.tang.9.json"]
GOOD_MEMBERS = [("package/quantangshi/poet.tang.0.json", "", json.dumps([
    {"author": "李白", "title": "靜夜思", "paragraphs": ["床前看月光，疑是地上霜。", "舉頭望山月，低頭思故鄉。"]}]).encode())]


@pytest.fixture
def place(workdir, small_file):
    """当前文件夹，里面有训练用的小数据。其中没有样诗的开头字，训练中就不写样诗，快得多。"""
    rows = [row for row in small_file.read_text(encoding="utf-8").splitlines(True) if not set(row) & set(program.SAMPLE_HEADS)]
    (workdir / "small.tsv").write_text("".join(rows), encoding="utf-8")
    return workdir


def give_archives(folder: Path, members: list[tuple], monkeypatch):
    """依次做出 prepare 读的每种压缩包，给出 --source 的值。"""
    monkeypatch.setattr("data.prepare.HERE", folder)
    write_tgz(folder / "chinese-poetry-2.0.1.tgz", members)
    fake_npm(monkeypatch, folder / "chinese-poetry-2.0.1.tgz")
    monkeypatch.setattr("data.prepare.PACKAGE_SHA256", "0" * 64)
    yield "npm"                                         # 校验和不对，不解开
    monkeypatch.setattr("data.prepare.PACKAGE_SHA256", hashlib.sha256(
        (folder / "chinese-poetry-2.0.1.tgz").read_bytes()).hexdigest())
    yield "npm"                                         # 校验和也对上了


def write_weights() -> None:
    call("train", *TRAIN, "--max-steps=1")


# (文件名, 写出一个好的, 读它)：test_mutated_files 用
READERS = [("poems.txt", lambda: Path("poems.txt").write_text("床前明月光，疑是地上霜。\n青山\n", encoding="utf-8"), lambda: load_poems("poems.txt")),
           ("poems.tsv", lambda: shutil.copy("small.tsv", "poems.tsv"), lambda: load_poems("poems.tsv")),
           ("poet.tang.tsv.gz", lambda: Path("poet.tang.tsv.gz").write_bytes(gzip.compress(Path("small.tsv").read_bytes())),
            lambda: load_poems(".")),
           ("runs/poet/best.pth", write_weights, lambda: load_model(Config(model_path="runs/poet/best.pth"), "cpu"))]
