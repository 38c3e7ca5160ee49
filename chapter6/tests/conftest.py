import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch as t
from PIL import Image, ImageDraw

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))
t.set_num_threads(1)            # 与 spawn 的进程一样，结果才逐位相同

import main as program  # noqa: E402

from config import Config  # noqa: E402
from utils import run  # noqa: E402

COMMANDS = {name: getattr(program, name) for name in ("train", "val", "test", "predict", "prepare")}
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


def call(*words):
    """像命令行那样运行一条命令（在本进程内）。"""
    run(COMMANDS, Config, [str(word) for word in words])


def fails(capsys, *words) -> str:
    """运行 words，确认以状态 2 结束且只说了一行话，返回这行话。"""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        call(*words)
    assert stop.value.code == 2
    message = capsys.readouterr().err.rpartition("\r")[2].replace("\x1b[A", "").strip()     # 前面可能有擦掉了的进度条
    assert message.startswith("错误：") and "\n" not in message, message
    return message


def spawn(*words, cwd, launcher=(), project=PROJECT):
    """另起一个进程运行 main.py。"""
    env = {**os.environ, "PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, *launcher, str(project / "main.py"), *map(str, words)], cwd=cwd,
                            env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
