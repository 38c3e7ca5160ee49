"""测试怎样运行这个项目的命令，和给它看的压缩包。五个项目相同（make sync-utils）。"""

import inspect
import io
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import torch as t

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))
t.set_num_threads(1)            # 网络很小，多线程反而慢；也与 spawn 的进程一样，结果才逐位相同

import main as program  # noqa: E402

from config import Config  # noqa: E402
from utils.options import run  # noqa: E402

COMMANDS = {name: item for name, item in vars(program).items() if inspect.isfunction(item)
            and item.__module__ == "main" and list(inspect.signature(item).parameters) == ["opt"]}


def call(*words):
    """像命令行那样运行一条命令（在本进程内）。"""
    run(COMMANDS, Config, [str(word) for word in words])


def fails(capsys, *words) -> str:
    """运行 words，确认以状态 2 结束且只说了一行话，返回这行话。"""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        call(*words)
    assert stop.value.code == 2
    return one_line(capsys.readouterr().err)


def one_line(said: str) -> str:
    """标准错误里擦掉了的进度条之后，应当只有一行话；返回它。"""
    message = said.rpartition("\r")[2].replace("\x1b[A", "").strip()
    assert message.startswith("错误：") and "\n" not in message and "Traceback" not in said, said
    return message


def spawn(*words, cwd, launcher=(), project=PROJECT):
    """另起一个进程运行 main.py。"""
    env = {**os.environ, "PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, *launcher, str(project / "main.py"), *map(str, words)], cwd=cwd,
                            env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")


def write_zip(path: Path, members: list[tuple]) -> None:
    """members 是 (名字, 链接到哪里或 "", 可选的内容)。"""
    with zipfile.ZipFile(path, "w") as archive:
        for name, link, *content in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK if link else stat.S_IFREG | 0o644) << 16
            archive.writestr(info, link or (content or [b"evil"])[0])


def write_tgz(path: Path, members: list[tuple]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, link, *content in members:
            info, content = tarfile.TarInfo(name), (content or [b"evil"])[0]
            if link:
                info.type, info.linkname = tarfile.SYMTYPE, link
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def fake_npm(monkeypatch, archive: Path) -> None:
    """npm pack 交出的是 archive。"""
    monkeypatch.setattr("shutil.which", lambda _: "npm")
    monkeypatch.setattr("subprocess.run", lambda *_, cwd, **__: (
        shutil.copy(archive, cwd), subprocess.CompletedProcess([], 0, "", ""))[1])
