"""Photos：从一个文件夹的照片里随机裁出的方块。"""

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch as t
from PIL import Image
from torch.utils.data import Dataset

from data.pictures import find_pictures, fingerprint, open_picture

from .images import fit_within, to_tensor

SMALLEST_CROP = 1 / 3   # 裁出的正方形至少有照片短边的这么大：再小，常常只剩一片天，没有东西可学
CACHED_SIDE = 640       # 留在内存里的照片，最长边不超过这么多像素


class Photos(Dataset):
    """root（含子文件夹）里的照片，每轮每张取 repeat 次，每次裁一块不同的、可能翻转的 (3, S, S) uint8。

    裁哪一块只由 (seed, 轮, 下标) 决定，与取数进程的个数无关，所以断点续训能接得上；轮数用 set_epoch 告知。
    """

    def __init__(self, root: str, image_size: int, repeat: int = 1, seed: int = 0, cache_mb: int = 0):
        self.paths = find_pictures(root, "--data-root")
        self.root, self.image_size, self.repeat, self.seed, self.epoch = Path(root), image_size, repeat, seed, 0
        self.cache = None
        if len(self.paths) * CACHED_SIDE * CACHED_SIDE * 0.75 * 3 <= cache_mb * 2 ** 20:    # 照片多是 4:3
            with ThreadPoolExecutor() as pool:
                self.cache = list(pool.map(lambda path: fit_within(open_picture(path), CACHED_SIDE), self.paths))

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.paths) * self.repeat

    def __getitem__(self, index: int) -> t.Tensor:
        number = index % len(self.paths)
        image = self.cache[number] if self.cache else open_picture(self.paths[number], draft=2 * self.image_size)
        return random_crop(image, self.image_size, np.random.default_rng((self.seed, self.epoch, index)))

    def fingerprint(self) -> str:
        """数据的指纹，见 data.pictures.fingerprint；名字是相对 root 的。"""
        names = {path.relative_to(self.root).as_posix(): path for path in self.paths}
        return fingerprint(sorted(names), (names[name].stat().st_size for name in sorted(names)))


def random_crop(image: Image.Image, size: int, random: np.random.Generator) -> t.Tensor:
    """随机裁一个正方形，缩放到 size，一半的机会左右翻转 → (3, size, size) 的 uint8。

    正方形的边长从照片短边的 SMALLEST_CROP（看得见细节）到整个短边（照顾全局）之间按对数均匀取，
    网络于是见过疏密不同的画面。照片小时至少裁 size：放大的小块是糊的，学不到细节该怎样画。
    """
    short = min(image.size)
    smallest = max(short * SMALLEST_CROP, min(short, size))
    side = round(math.exp(random.uniform(math.log(smallest), math.log(short))))
    left, top = (int(random.integers(length - side + 1)) for length in image.size)
    image = image.resize((size, size), Image.Resampling.BICUBIC, (left, top, left + side, top + side))
    crop = to_tensor(image)
    return crop.flip(2) if random.random() < 0.5 else crop
