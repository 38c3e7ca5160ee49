"""一堆没有标签的图片：一个文件夹（含子文件夹），或一个 zip。"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch as t
from PIL import Image, ImageOps
from torch.utils.data import Dataset
from tqdm import tqdm

from data.pictures import (
    choose_pictures,
    find_pictures,
    fingerprint,
    open_picture,
    opened_zip,
    read_member,
)
from utils.files import UserError, legible

CHUNK = 500                 # 一次读多少个文件


class Avatars(Dataset):
    """path 里的全部图片，第 i 项是 (3, S, S) 的 uint8 张量；下标给一个列表时是 (B, 3, S, S)。

    解码后不超过 cache_mb 就一次读进一个 uint8 张量，此后每轮都不再解码；放不下则用到才读，交给 DataLoader 的进程。
    大小和模式（灰度、调色板、带透明）不限：透明处衬白，短边缩到 S 后取正中。读不出来的图片抛出 UserError，说出名字。
    """

    def __init__(self, path: str, image_size: int, cache_mb: int = 0, option: str = "--data-path"):
        self.path, self.image_size = Path(path), image_size
        self.names = list_images(self.path, option)
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
        titles = [f"{legible(self.path)} 里的 {legible(name)}" for name in names]
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
        """数据的指纹，见 data.pictures.fingerprint。"""
        entries = {} if self.path.is_dir() else opened_zip(self.path)[1]
        sizes = (entries[name].file_size if entries else (self.path / name).stat().st_size for name in self.names)
        return fingerprint(self.names, sizes)


def list_images(path: Path, option: str = "--data-path") -> list[str]:
    """文件夹或 zip 里全部图片的名字（相对路径），按名字排列，与列目录的次序无关。"""
    if path.is_dir():
        return [file.relative_to(path).as_posix() for file in find_pictures(path, option)]
    if not path.is_file():
        raise UserError(f"找不到 {legible(path)}：{option} 要一个图片文件夹或 zip；自带的是 data/avatars.zip")
    return choose_pictures(opened_zip(path)[1], f"{option}={legible(path)}")


def read_files(path: Path, names: list[str]):
    """依次给出各文件的内容；zip 里解不开的是 b""，读图时会说出是哪一张。"""
    if path.is_dir():
        yield from ((path / name).read_bytes() for name in names)
        return
    archive, entries = opened_zip(path)
    for name in names:
        try:
            yield read_member(archive, entries[name])
        except UserError:
            yield b""


def decode(content: bytes, size: int, name: str) -> t.Tensor:
    """图片文件的内容 → (3, size, size) 的 uint8。name 用在出错的话里。"""
    image = open_picture(content, name, draft=2 * size)
    return t.from_numpy(np.array(ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS))).permute(2, 0, 1)


def collate(images: t.Tensor) -> t.Tensor:
    """一批已经是一个张量，原样交出。"""
    return images


def to_input(images: t.Tensor) -> t.Tensor:
    """uint8 的 0 到 255 → 网络用的 -1 到 1。"""
    return images.float().div_(127.5).sub_(1)


def to_picture(images: t.Tensor) -> t.Tensor:
    """网络的 -1 到 1 → uint8 的 0 到 255。"""
    return images.float().add(1).mul(127.5).round().clamp(0, 255).byte()
