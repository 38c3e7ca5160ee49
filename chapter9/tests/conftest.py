import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch as t

PROJECT = Path(__file__).resolve().parent.parent
t.set_num_threads(1)                # 网络很小，多线程反而慢；也与 spawn 的进程一样
sys.path.insert(0, str(PROJECT))

import main as program  # noqa: E402

from config import Config  # noqa: E402
from data import Vocabulary, load_poems  # noqa: E402
from utils import run  # noqa: E402

COMMANDS = {name: getattr(program, name) for name in ("train", "gen", "test", "prepare")}
TINY = ["--embedding-dim=16", "--hidden-dim=16", "--dropout=0.1"]


@pytest.fixture(scope="session")
def poems():
    return load_poems(str(PROJECT / "data"))


@pytest.fixture(scope="session")
def vocabulary(poems):
    return Vocabulary.build(poem.text for poem in poems)


@pytest.fixture(scope="session")
def small_file(poems, tmp_path_factory):
    """一个只有 300 首诗的数据文件。"""
    path = tmp_path_factory.mktemp("data") / "small.tsv"
    rows = [f"{p.author}\t{p.title}\t{p.text}\n" for p in poems[::160][:300]]
    path.write_text("".join(rows), encoding="utf-8")
    return path


@pytest.fixture
def workdir(tmp_path, monkeypatch):
    """在空文件夹里运行，runs/ 不落在项目中。"""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*words):
    """像命令行那样运行一条命令（在本进程内）。"""
    run(COMMANDS, Config, list(words))


def fails(capsys, *words) -> str:
    """运行 words，确认以状态 2 结束且只说了一行话，返回这行话。"""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        call(*words)
    assert stop.value.code == 2
    message = capsys.readouterr().err.rpartition("\r")[2].replace("\x1b[A", "").strip()     # 前面可能有擦掉了的进度条
    assert message.startswith("错误：") and "\n" not in message, message
    return message


def spawn(*words, cwd, launcher=()):
    """另起一个进程运行 main.py。"""
    env = {**os.environ, "PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, *launcher, str(PROJECT / "main.py"), *map(str, words)], cwd=cwd,
                            env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
