import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch as t
from PIL import Image, ImageDraw

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))
t.set_num_threads(1)            # 与 spawn 的进程一样，结果才逐位相同

import main as program  # noqa: E402

from config import Config  # noqa: E402
from utils import run  # noqa: E402

COMMANDS = {name: getattr(program, name) for name in ("train", "generate", "evaluate", "prepare")}
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
