import json
import shutil
from pathlib import Path

import pytest
from helpers import call
from PIL import Image, ImageDraw

from config import Config
from utils.runtime import setup

DATA = ["--caption-data-path=data", "--img-path=data/images", "--img-feature-path=data/features",
        "--scale-size=64", "--img-size=64"]
TINY = [*DATA, "--embedding-dim=16", "--rnn-hidden=16", "--batch-size=8", "--warmup-steps=5", "--dropout=0.1"]
COLORS = {"红": (200, 40, 40), "绿": (40, 160, 60), "蓝": (50, 80, 200)}
SHAPES = ("圆", "方块")
COUNTS = {"train": 24, "val": 6, "test": 6}


def paint(path: Path, color: str, shape: str, number: int) -> None:
    """画一张 80×72 的图：浅色的底，一个圆或方块。"""
    image = Image.new("RGB", (80, 72), (230, 235, 225))
    box = (10 + number % 9, 8 + number % 5, 60, 58)
    (ImageDraw.Draw(image).ellipse if shape == "圆" else ImageDraw.Draw(image).rectangle)(box, COLORS[color])
    image.save(path)


def write_folder(root: Path) -> Path:
    """AI Challenger 格式的小数据：root/data 里有三个标注和 images/。"""
    data = root / "data"
    (data / "images").mkdir(parents=True)
    for split, count in COUNTS.items():
        rows = []
        for i in range(count):
            color, shape = list(COLORS)[i % 3], SHAPES[i // 3 % 2]
            name = f"{split}{i}.jpg"
            paint(data / "images" / name, color, shape, i)
            rows.append({"url": "", "image_id": name,
                         "caption": [f"一个{color}色的{shape}", f"图中有一个{color}色的{shape}。"]})
        (data / f"{split}.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """小数据，特征已提取；只读。"""
    root = write_folder(tmp_path_factory.mktemp("prepared"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        from data.prepare import load_split
        opt = Config().parse({word[2:].split("=")[0].replace("-", "_"): word.split("=")[1] for word in DATA})
        for split in COUNTS:
            load_split(opt, split, setup(False))
    return root


@pytest.fixture(scope="session")
def tiny_run(prepared, tmp_path_factory):
    """训练三步得到的小网络，在 runs/tiny/；只读。"""
    root = tmp_path_factory.mktemp("tiny")
    shutil.copytree(prepared / "data", root / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        call("train", *TINY, "--max-steps=3", "--env=tiny")
    return root


@pytest.fixture
def workdir(tmp_path, monkeypatch):
    """空文件夹，runs/ 不落在项目中。"""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def folder(prepared, workdir):
    """小数据的一份，可以改动；当前目录就在它的上一级。"""
    shutil.copytree(prepared / "data", workdir / "data")
    return workdir
