"""test_reliability.py 里的事故，在这个项目里用哪些命令和文件试。"""

import hashlib
import json
import os
from pathlib import Path

import pytest
from conftest import DATA, TINY
from helpers import PROJECT, fake_npm, write_tgz

ENV = "caption"
TRAIN = [*TINY, "--plot-every=2"]
WORKERS = ["--batch-size=2", "--num-workers=2"]
PICTURE = "data/images/train5.jpg"
WEIGHTS = [["train", "--resume"], ["train", *DATA, "--batch-size=8", "--model-path=evil.pth"],
           ["generate", f"--test-img={PICTURE}", "--model-path=evil.pth"], ["test", *DATA, "--model-path=evil.pth"]]
# (要读的文件, 读它的命令)
DATA_FILES = [("data/features/train.npy", ["train", *TRAIN]), ("data/train.json", ["train", *TRAIN]),
              (PICTURE, ["generate", f"--test-img={PICTURE}"])]
HTML = b"<html>404</html>"
HALF = (PROJECT / "data/examples" / sorted(os.listdir(PROJECT / "data/examples"))[0]).read_bytes()[:300]
FEATURES = b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f2', 'fortran_order': False, 'shape': (24, 4, 1728), }".ljust(117) + b"\n"
UNREADABLE = [(PICTURE, content, words) for content in (HTML, HALF) for words in (
    ["train", *TRAIN, "--img-feature-path=fresh"], ["train", *TRAIN, "--img-feature-path=fresh", *WORKERS],
    ["generate", f"--test-img={PICTURE}"])]
UNREADABLE += [("data/val.json", content, ["train", *TRAIN]) for content in (b'[{"image_id":', "[]".encode("utf-16"), b"")]
UNREADABLE += [("data/features/train.npy", content, ["train", *TRAIN]) for content in
               (b"", HTML, FEATURES, FEATURES.replace(b"(24, 4, 1728)", b"(1, 4, 2)    ") + bytes(16))]
UNREADABLE += [("data/features/train.json", content, ["train", *TRAIN]) for content in (HTML, b"{}", b"[]")]
UNWRITABLE = [("runs", ["train", *TRAIN]), ("fresh", ["train", *TRAIN, "--img-feature-path=fresh"]),
              ("out", ["generate", f"--test-img={PICTURE}", "--picture=out/a.png"])]
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


READERS = []
