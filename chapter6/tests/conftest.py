import atexit
import shutil
import tempfile
from pathlib import Path

import pytest
from helpers import program  # noqa: F401               # 先导入它，下面才找得到 models、task
from PIL import Image, ImageDraw

from models import SqueezeNet
from task import CLASSES, PROJECT
from utils.checkpoint import save_checkpoint

FIRST, SECOND = CLASSES[:2]
TINY = ["--model=SqueezeNet", "--image-size=32", "--batch-size=8"]


def paint(path: Path, kind: int, number: int) -> None:
    """画一张 40×32 的图：第 0 类是圆，第 1 类是方，以后各类是三角、五边、六边……，底色不同；颜色、位置随号码变。"""
    image = Image.new("RGB", (40, 32), (230 - 60 * max(0, kind - 1), 240 - number % 7 * 10, 220))
    x, y = 8 + number % 5, 5 + number % 3
    pen, color = ImageDraw.Draw(image), (200 - number % 6 * 30, 60, number % 4 * 50)
    if kind == 0:
        pen.ellipse((x, y, x + 20, y + 20), color)
    elif kind == 1:
        pen.rectangle((x, y, x + 20, y + 20), color)
    else:
        pen.regular_polygon((x + 10, y + 10, 10), kind + 1 + (kind > 2), fill=color)
    image.save(path)


def paint_set(folder: Path) -> None:
    """Kaggle 格式的小数据：train/ 里每类 20 张 jpg，test/ 里 12 张。"""
    for part in ("train", "test"):
        (folder / part).mkdir(parents=True)
    for i in range(20):
        for kind, name in enumerate(CLASSES):
            paint(folder / "train" / f"{name}.{i}.jpg", kind, i)
    for i in range(1, 13):
        paint(folder / "test" / f"{i}.jpg", i % len(CLASSES), i)


def write_weights(path: Path) -> None:
    save_checkpoint(path, {"project": PROJECT, "model_name": "SqueezeNet", "model": SqueezeNet(len(CLASSES)).state_dict(),
                           "classes": list(CLASSES), "image_size": 32, "temperature": 1.5})


SMALL = Path(tempfile.mkdtemp())
atexit.register(shutil.rmtree, SMALL, ignore_errors=True)
paint_set(SMALL)
write_weights(SMALL / "tiny.pth")
TRAIN, TEST = (f"--{part}-data-root={SMALL / part}" for part in ("train", "test"))
OWN = f"--model-path={SMALL / 'tiny.pth'}"              # 随机的权重：这些测试不靠自带的


@pytest.fixture
def pictures(tmp_path):
    """paint_set 画的小数据。"""
    paint_set(tmp_path)
    return tmp_path


@pytest.fixture
def workdir(tmp_path, monkeypatch):
    """在空文件夹里运行，runs/ 不落在项目中。"""
    monkeypatch.chdir(tmp_path)
    return tmp_path
