"""test_reliability.py 里的事故，在这个项目里用哪些命令和文件试。"""

import hashlib
import io
import json
import tempfile
import zipfile
from pathlib import Path

import pytest
import torch as t
from conftest import TINY, paint
from helpers import Config, fake_npm, write_tgz, write_zip

from classifier import load_model
from data import DogCat
from data.prepare import list_source
from models import SqueezeNet
from utils.checkpoint import save_checkpoint

ENV = "dogcat"
TRAIN = ["--train-data-root=train", *TINY, "--plot-every=1"]
WORKERS = ["--batch-size=2", "--num-workers=2", "--cache-mb=0"]
WEIGHTS = [["train", "--resume"], ["train", *TRAIN, "--model-path=evil.pth"],
           ["val", "--train-data-root=train", "--model-path=evil.pth"],
           ["test", "--test-data-root=test", "--model-path=evil.pth"], ["predict", "--path=test", "--model-path=evil.pth"]]
# (要读的文件, 读它的命令)
DATA_FILES = [("train/cat.3.jpg", ["train", *TRAIN]), ("test/3.jpg", ["test", "--test-data-root=test"]),
              ("mine.png", ["predict", "--path=mine.png"])]


def picture(shape: str, share: float = 1) -> bytes:
    """一张图的文件内容；share 小于 1 时截断。"""
    with tempfile.TemporaryDirectory() as folder:
        paint(Path(folder, "a.jpg"), shape, 3)
        content = Path(folder, "a.jpg").read_bytes()
    return content[:int(share * len(content))]


def zip_of_a_picture(broken: bool) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train/cat.0.jpg", picture("cat"))
    content = bytearray(file.getvalue())
    content[100] ^= broken                              # 与记下的校验和不符
    return bytes(content)


HTML = b"<html>404</html>"
UNREADABLE = [("train/cat.3.jpg", content, ["train", *TRAIN, *more]) for content in (HTML, picture("cat", 0.5))
              for more in (["--cache-mb=512"], ["--cache-mb=0"], WORKERS)]
UNREADABLE += [("test/3.jpg", HTML, ["test", "--test-data-root=test"]), ("letter.jpg", HTML, ["predict", "--path=letter.jpg"]),
               ("cut.zip", zip_of_a_picture(False)[:-50], ["prepare", "--source=cut.zip"]),
               ("broken.zip", zip_of_a_picture(True), ["prepare", "--source=broken.zip"])]
UNWRITABLE = [("runs", ["train", *TRAIN]), ("out", ["test", "--test-data-root=test", "--result-file=out/result.csv"]),
              ("out", ["predict", "--path=test", "--picture=out/grid.png"])]
BAD_NAMES = ["../../train/cat.7.jpg", "{root}/train/cat.7.jpg", "train/cat.7.jpg -> ../../../../stolen/a",
             "..\\..\\train\\cat.7.jpg"]
ICON = {"icons": {"x": {"body": '<path d="M0 0h9v9z"/>'}}}
GOOD_MEMBERS = [("train/cat.0.jpg", "", picture("cat")), ("train/dog.0.jpg", "", picture("dog")),
                ("package/json/mini.json", "", json.dumps(ICON).encode())]


@pytest.fixture
def place(pictures, monkeypatch):
    """当前文件夹，里面有训练用的小数据。"""
    monkeypatch.chdir(pictures)
    monkeypatch.setattr("data.prepare.HERE", pictures / "data")
    return pictures


def give_archives(folder: Path, members: list[tuple], monkeypatch):
    """依次做出 prepare 读的每种压缩包，给出 --source 的值。"""
    for module in ("prepare", "icons"):
        monkeypatch.setattr(f"data.{module}.HERE", folder)
    write_zip(folder / "kaggle.zip", members)
    yield "kaggle.zip"
    write_zip(folder / "nested.zip", [("train.zip", "", (folder / "kaggle.zip").read_bytes())])
    yield "nested.zip"
    row = {"file": "train/cat.0.png", "label": "cat", "fold": "0", "family": "x", "set": "mini", "icon": "x", "sha256": ""}
    (folder / "sources.csv").write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n", encoding="utf-8")
    monkeypatch.setattr("data.icons.SOURCES", folder / "sources.csv")
    write_tgz(folder / "json.tgz", members)
    fake_npm(monkeypatch, folder / "json.tgz")
    yield "npm"                                         # 校验和不对，不读
    monkeypatch.setattr("data.icons.PACKAGE_SHA256", hashlib.sha256((folder / "json.tgz").read_bytes()).hexdigest())
    yield "npm"                                         # 校验和也对上了



def write_photos() -> None:
    with zipfile.ZipFile("photos.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(3):
            for name in ("cat", "dog"):
                archive.write(f"train/{name}.{i}.jpg")


def write_weights() -> None:
    save_checkpoint("tiny.pth", {"project": "dogcat", "model_name": "SqueezeNet", "model": SqueezeNet(2).state_dict(),
                                 "classes": ["cat", "dog"], "image_size": 32, "temperature": 1.5})


# (文件名, 写出一个好的, 读它)：test_mutated_files 用
READERS = [("train/cat.3.jpg", lambda: None, lambda: DogCat("train", "val", 32, cache_mb=10)),
           ("photos.zip", write_photos, lambda: DogCat("photos.zip", "train", 32, cache_mb=10)),
           ("photos.zip", write_photos, lambda: list_source(Path("photos.zip"))),
           ("sources.csv", lambda: Path("sources.csv").write_text("file,fold\ntrain/cat.0.jpg,0\n", encoding="utf-8"),
            lambda: DogCat("train", "val", 32)),
           ("tiny.pth", write_weights, lambda: load_model(Config(model_path="tiny.pth"), t.device("cpu")))]
