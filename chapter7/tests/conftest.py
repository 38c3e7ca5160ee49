import numpy as np
import pytest
from helpers import PROJECT
from PIL import Image, ImageDraw

DATA = f"--data-path={PROJECT / 'data' / 'avatars.zip'}"
TINY = ["--image-size=64", "--ngf=4", "--ndf=4", "--nz=8", "--batch-size=8"]


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """faces/ 里 20 张 64×64 的橙色图，各有一个深色方块，大小和位置不同；当前文件夹是它的上一级，runs/ 也落在那里。"""
    (tmp_path / "faces").mkdir()
    for i in range(20):
        image = Image.new("RGB", (64, 64), (250, 140 + i, 20))
        ImageDraw.Draw(image).rectangle((i * 2, i * 3 % 30, i * 2 + 10 + i % 7, i * 3 % 30 + 20), (90, 40, i * 9))
        image.save(tmp_path / "faces" / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def workdir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def noise_picture(side: int = 64, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8))
