"""一堆没有标签的图片：一个文件夹（含子文件夹），或一个 zip。"""

import hashlib
import io
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch as t
from PIL import Image, ImageOps
from torch.utils.data import Dataset
from tqdm import tqdm

from utils import UserError

CHUNK = 500                 # 一次读多少个文件
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"}

UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)     # Pillow 读坏图时会抛出的


class Avatars(Dataset):
    """path 里的全部图片，第 i 项是 (3, S, S) 的 uint8 张量；下标给一个列表时是 (B, 3, S, S)。

    解码后不超过 cache_mb 就一次读进一个 uint8 张量，此后每轮都不再解码；放不下则用到才读，交给 DataLoader 的进程。
    大小和模式（灰度、调色板、带透明）不限：透明处衬白，短边缩到 S 后取正中。读不出来的图片抛出 UserError，说出名字。
    """

    def __init__(self, path: str, image_size: int, cache_mb: int = 0):
        self.path, self.image_size = Path(path), image_size
        self.names = list_images(self.path)
        self.cache = None
        size = 3 * image_size ** 2
        if len(self.names) * size <= cache_mb * 2 ** 20:
            self.cache = t.empty(len(self.names), 3, image_size, image_size, dtype=t.uint8)
            bar = tqdm(total=len(self.names), desc="读图", unit="张", leave=False, delay=1)
            for start in range(0, len(self.names), CHUNK):
                indices = list(range(start, min(start + CHUNK, len(self.names))))
                self.cache[start:start + CHUNK] = self._read(indices)
                bar.update(len(indices))
            bar.close()

    def _read(self, indices: list[int]) -> t.Tensor:
        names = [self.names[i] for i in indices]
        titles = [f"{self.path.as_posix()} 里的 {name}" for name in names]
        sizes = [self.image_size] * len(names)
        with ThreadPoolExecutor() as pool:                      # 解码时放开解释器锁，几个线程能同时进行
            return t.stack(list(pool.map(decode, read_files(self.path, names), sizes, titles)))

    def __getitem__(self, index: int | list[int]) -> t.Tensor:
        return self.__getitems__([index])[0] if isinstance(index, int) else self.__getitems__(index)

    def __getitems__(self, indices: list[int]) -> t.Tensor:
        """DataLoader 一次要一批；在内存里时只是一次取下标。"""
        return self.cache[indices] if self.cache is not None else self._read(indices)

    def __len__(self) -> int:
        return len(self.names)

    def fingerprint(self) -> str:
        """数据的指纹：各图片的名字依次相接的哈希。"""
        return hashlib.sha256("\n".join(self.names).encode()).hexdigest()


def list_images(path: Path) -> list[str]:
    """文件夹或 zip 里全部图片的名字（相对路径），按名字排列，与列目录的次序无关。"""
    if path.is_dir():
        names = [file.relative_to(path).as_posix() for file in path.rglob("*") if file.suffix.lower() in SUFFIXES]
    elif path.is_file():
        with open_zip(path) as archive:
            names = [name for name in archive.namelist() if Path(name).suffix.lower() in SUFFIXES]
    else:
        raise UserError(f"找不到 {path.as_posix()}：--data-path 要一个图片文件夹或 zip；自带的是 data/avatars.zip")
    names = [name for name in names if not Path(name).name.startswith(".")]
    if not names:
        raise UserError(f"{path.as_posix()} 里没有图片（{'、'.join(sorted(SUFFIXES))}）")
    return sorted(names)


def read_files(path: Path, names: list[str]):
    """依次给出各文件的内容。"""
    if path.is_dir():
        yield from ((path / name).read_bytes() for name in names)
    else:
        with open_zip(path) as archive:
            for name in names:
                try:
                    yield archive.read(name)
                except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError):    # 损坏、加了密
                    yield b""                                   # decode 会说出是哪一张


def open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError):
        raise UserError(f"{path.as_posix()} 不是 zip 文件，或没有下载完整") from None


def decode(content: bytes, size: int, name: str) -> t.Tensor:
    """图片文件的内容 → (3, size, size) 的 uint8。name 用在出错的话里。"""
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.draft("RGB", (2 * size, 2 * size))            # JPEG 可以直接解码成小图
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith("I"):                      # 16 位灰度：Pillow 直接转换会把大数截成白色
                image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
            image = image.convert("RGBA")
    except UNREADABLE:
        raise UserError(f"{name} 读不出来：不是图片，或文件已损坏；换掉或删去它") from None
    white = Image.new("RGBA", image.size, "white")
    image = Image.alpha_composite(white, image).convert("RGB")
    image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    return t.from_numpy(np.array(image)).permute(2, 0, 1)


def collate(images: t.Tensor) -> t.Tensor:
    """一批已经是一个张量，原样交出。"""
    return images


def to_input(images: t.Tensor) -> t.Tensor:
    """uint8 的 0 到 255 → 网络用的 -1 到 1。"""
    return images.float().div_(127.5).sub_(1)


def to_picture(images: t.Tensor) -> t.Tensor:
    """网络的 -1 到 1 → uint8 的 0 到 255。"""
    return images.float().add(1).mul(127.5).round().clamp(0, 255).byte()
