"""test_reliability.py 里的事故，在这个项目里用哪些命令和文件试。"""

import hashlib
import json
import os
from pathlib import Path

import pytest
import torch as t
from conftest import DATA, TINY
from helpers import PROJECT, call, fake_npm, write_tgz

from captioner import load_captioner
from config import Config
from data import load_annotations, read_image
from data.features import Features, check_place, complaint, recipe
from data.prepare import load_scenes, read_official, render_split
from utils.files import UserError

ENV = "caption"
TRAIN = [*TINY, "--plot-every=2"]
WORKERS = ["--batch-size=2", "--num-workers=2"]
PICTURE = "data/images/train5.jpg"
GENERATE = ["generate", f"--test-img={PICTURE}", "--model=AttentionCaptionModel"]
WEIGHTS = [["train", "--resume"], ["train", *DATA, "--batch-size=8", "--model-path=evil.pth"],
           ["generate", f"--test-img={PICTURE}", "--model-path=evil.pth"], ["test", *DATA, "--model-path=evil.pth"]]
# (要读的文件, 读它的命令)
DATA_FILES = [("data/features/train.npy", ["train", *TRAIN]), ("data/train.json", ["train", *TRAIN]),
              (PICTURE, GENERATE)]
HTML = b"<html>404</html>"
HALF = (PROJECT / "data/examples" / sorted(os.listdir(PROJECT / "data/examples"))[0]).read_bytes()[:300]
FEATURES = b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f2', 'fortran_order': False, 'shape': (24, 4, 1728), }".ljust(117) + b"\n"
UNREADABLE = [(PICTURE, content, words) for content in (HTML, HALF) for words in (
    ["train", *TRAIN, "--img-feature-path=fresh"], ["train", *TRAIN, "--img-feature-path=fresh", *WORKERS],
    GENERATE)]
UNREADABLE += [("data/val.json", content, ["train", *TRAIN]) for content in (b'[{"image_id":', "[]".encode("utf-16"), b"")]
UNREADABLE += [("data/features/train.npy", content, ["train", *TRAIN]) for content in
               (b"", HTML, FEATURES, FEATURES.replace(b"(24, 4, 1728)", b"(1, 4, 2)    ") + bytes(16))]
UNREADABLE += [("data/features/train.json", content, ["train", *TRAIN]) for content in (HTML, b"{}", b"[]")]
UNWRITABLE = [("runs", ["train", *TRAIN]), ("fresh", ["train", *TRAIN, "--img-feature-path=fresh"]),
              ("out", [*GENERATE, "--picture=out/a.png"])]
BAD_NAMES = ["package/../../icons.json", "package/sprites/noto.webp -> ../../../stolen/a"]
ICONS = {"icons": {"x": {"body": '<path d="M0 0h9v9z"/>'}}}
GOOD_MEMBERS = [("package/icons.json", "", json.dumps(ICONS).encode())]


@pytest.fixture
def place(folder):
    """当前文件夹，里面有训练用的小数据。"""
    return folder


def give_archives(folder: Path, members: list[tuple], monkeypatch):
    """依次做出 prepare 读的每种压缩包，给出 --source 的值。"""
    monkeypatch.setattr("data.sprites.HERE", folder)
    monkeypatch.setattr("data.sprites.SPRITES", folder / "sprites")
    monkeypatch.setattr("data.prepare.SPLITS", ())      # 只重画精灵图，不接着画场景
    (folder / "concepts.csv").write_text("noto,fluent,twemoji\nx,x,x\n", encoding="utf-8")
    write_tgz(folder / "icons.tgz", members)
    fake_npm(monkeypatch, folder / "icons.tgz")
    yield "npm"                                         # 校验和不对，不读
    digest = hashlib.sha256((folder / "icons.tgz").read_bytes()).hexdigest()
    monkeypatch.setattr("data.sprites.PACKAGES", {style: ("x", digest) for style in ("noto", "fluent", "twemoji")})
    yield "npm"                                         # 校验和也对上了


def write_coco() -> None:
    content = {"images": [{"id": i, "file_name": f"{i}.jpg"} for i in range(6)],
               "annotations": [{"image_id": i % 6, "caption": f"第{i}句，一只猫"} for i in range(12)]}
    Path("coco.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def write_weights() -> None:
    call("train", *TRAIN, "--max-steps=1")


def read_recipe() -> None:
    check_place("data/features", "train")
    problem = complaint("data/features", "train", recipe(Path("data/train.json"), "EfficientNetLite0", 64, 64), 24)
    if problem:
        raise UserError(problem)


# (文件名, 写出一个好的, 读它)：test_mutated_files 用
READERS = [("data/train.json", lambda: None, lambda: load_annotations("data/train.json")),
           ("coco.json", write_coco, lambda: read_official(Path("coco.json"))),
           ("val_scenes.json", lambda: render_split("val", Path(), Path("scenes"), 3), lambda: load_scenes("", "val", load_annotations("val.json"))),
           ("data/features/train.npy", lambda: None, lambda: Features(Path("data/features/train.npy")).sample(2)),
           ("data/features/train.json", lambda: None, read_recipe),
           ("runs/caption/best.pth", write_weights, lambda: load_captioner(Config(model_path="runs/caption/best.pth"), t.device("cpu"))),
           (PICTURE, lambda: None, lambda: read_image(PICTURE, 64, 64))]
