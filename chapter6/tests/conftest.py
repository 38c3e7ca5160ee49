from pathlib import Path

import pytest
from helpers import PROJECT
from PIL import Image, ImageDraw

TRAIN, TEST = (f"--{part}-data-root={PROJECT / 'data' / part}" for part in ("train", "test"))
TINY = ["--model=SqueezeNet", "--image-size=32", "--batch-size=8"]


def paint(path: Path, shape: str, number: int) -> None:
    """画一张 40×32 的图：cat 是圆，dog 是方，star 是三角；颜色、位置随号码变。"""
    image = Image.new("RGB", (40, 32), (230, 240 - number % 7 * 10, 220))
    x, y = 8 + number % 5, 5 + number % 3
    pen, color = ImageDraw.Draw(image), (200 - number % 6 * 30, 60, number % 4 * 50)
    if shape in ("cat", "circle"):
        pen.ellipse((x, y, x + 20, y + 20), color)
    elif shape in ("dog", "square"):
        pen.rectangle((x, y, x + 20, y + 20), color)
    else:
        pen.polygon(((x, y + 20), (x + 10, y), (x + 20, y + 20)), color)
    image.save(path)


@pytest.fixture
def pictures(tmp_path):
    """Kaggle 格式的小数据：train/ 里每类 20 张 jpg，test/ 里 12 张。"""
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
    for i in range(20):
        for name in ("cat", "dog"):
            paint(tmp_path / "train" / f"{name}.{i}.jpg", name, i)
    for i in range(1, 13):
        paint(tmp_path / "test" / f"{i}.jpg", ("cat", "dog")[i % 2], i)
    return tmp_path


@pytest.fixture
def workdir(tmp_path, monkeypatch):
    """在空文件夹里运行，runs/ 不落在项目中。"""
    monkeypatch.chdir(tmp_path)
    return tmp_path
