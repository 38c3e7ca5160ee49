"""图片放在哪里：一个文件夹，或一个 zip（不必解开）。"""

import functools
import os
import zipfile
import zlib
from pathlib import Path

from utils import UserError


def list_files(place: Path) -> list[str]:
    """place 里各文件的名字（相对路径）。文件夹只看它自己，zip 看其中的每一层。以点开头的不算。"""
    if place.is_dir():
        names = [path.name for path in place.iterdir()]
    else:
        names = [name for name in open_zip(place, os.getpid()).namelist() if not name.endswith("/")]
    return [name for name in names if not Path(name).name.startswith(".")]


def read_file(place: Path, name: str) -> bytes:
    """place 里 name 的内容；zip 里损坏、加了密的，当作空的。"""
    if place.is_dir():
        return (place / name).read_bytes()
    try:
        return open_zip(place, os.getpid()).read(name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        return b""


@functools.lru_cache(8)
def open_zip(path: Path, process: int) -> zipfile.ZipFile:
    """打开着的 zip；每个进程各开各的，免得争同一个读写位置。"""
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError):
        raise UserError(f"{path.as_posix()} 不是 zip 文件，或没有下载完整") from None
