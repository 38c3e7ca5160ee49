"""DogCat：训练、验证、测试共用的数据集。图片是文件夹里的文件，标签就在文件名里，如 cat.0.jpg。"""

import csv
import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch as t
from PIL import Image, ImageOps
from torch.utils.data import Dataset

from utils import UserError

CLASSES = ("cat", "dog")    # 标签是次序：cat 为 0，dog 为 1
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
TRAIN_SHARE = 0.7           # 没有 sources.csv 时，每一类拿出多少来训练，其余验证


class DogCat(Dataset):
    """一个文件夹里的图片。

    split 为 "train"、"val" 时，文件夹里是 <类别>.<号码>.jpg，两者各取一部分，互不重叠；第 i 项是
    (图, 标签)。split 为 "test" 时，文件夹里是 <号码>.jpg，按号码排列，第 i 项是 (图, 号码)。
    图是 (4, S, S) 的 uint8 张量：红绿蓝和不透明度，短边缩到 S 后取正中。增强在成批以后做，见 augment.py。

    划分与文件的列出次序无关。上一级文件夹有 sources.csv 且写明了每个文件的 fold 时，fold 等于 val_fold 的
    归验证；否则每一类按文件名的哈希排队，前 70% 训练，后 30% 验证。
    """

    def __init__(self, root: str, split: str, image_size: int, val_fold: int = 0, cache_mb: int = 0):
        self.image_size = image_size
        found = find_images(root, by_number=split == "test")
        if split == "test":
            items = [(path, int(path.stem)) for path in found]
        else:
            items = [(path, CLASSES.index(path.name.split(".")[0])) for path in found]
            counts = {name: sum(label == i for _, label in items) for i, name in enumerate(CLASSES)}
            empty = [name for name, count in counts.items() if not count]
            if empty:
                raise UserError(f"{root} 里没有 {'、'.join(empty)} 的图片，文件名要像 {empty[0]}.0.jpg")
            items = divide(Path(root), items, split, val_fold)
        self.paths = [path for path, _ in items]
        self.targets = [target for _, target in items]
        self.cache = None
        if len(items) * 4 * image_size ** 2 <= cache_mb * 2 ** 20:
            with ThreadPoolExecutor() as pool:      # 解码时放开解释器锁，几个线程能同时进行
                self.cache = list(pool.map(self._read, self.paths))

    def _read(self, path: Path) -> t.Tensor:
        return read_image(path, self.image_size)

    def __getitem__(self, index: int) -> tuple[t.Tensor, int]:
        image = self.cache[index] if self.cache is not None else self._read(self.paths[index])
        return image, self.targets[index]

    def __len__(self) -> int:
        return len(self.paths)

    def fingerprint(self) -> str:
        """数据的指纹：各文件名依次相接的哈希。"""
        return hashlib.sha256("\n".join(path.name for path in self.paths).encode()).hexdigest()


def find_images(root: str, by_number: bool = False) -> list[Path]:
    """root 里名字合规的图片，按名字（by_number 时按号码）排列；其余文件跳过，并说一声。"""
    folder = Path(root)
    if not folder.is_dir():
        raise UserError(f"找不到图片文件夹 {root}：检查 --train-data-root 和 --test-data-root，或先运行 python main.py prepare")
    names = r"\d+" if by_number else "(" + "|".join(map(re.escape, CLASSES)) + r")\.\d+"
    files = [path for path in folder.iterdir() if not path.name.startswith(".")]
    good = [path for path in files if path.suffix.lower() in SUFFIXES and re.fullmatch(names, path.stem)]
    stray = sorted(path.name for path in set(files) - set(good))
    if stray:
        shown = "、".join(stray[:3]) + ("……" if len(stray) > 3 else "")
        print(f"跳过 {root} 里名字不合规的 {len(stray)} 个：{shown}")
    if not good:
        raise UserError(f"{root} 里没有图片，文件名要像 {'0.jpg' if by_number else CLASSES[0] + '.0.jpg'}")
    return sorted(good, key=lambda path: (int(path.stem), path.name) if by_number else path.name)


def divide(root: Path, items: list, split: str, val_fold: int) -> list:
    """(路径, 标签) 里属于 split（"train" 或 "val"）的部分。"""
    folds = read_folds(root)
    if all(path.name in folds for path, _ in items):
        if not any(folds[path.name] == str(val_fold) for path, _ in items):
            raise UserError(f"--val-fold={val_fold}：{root} 没有这一折，可选 {'、'.join(sorted(set(folds.values())))}")
        return [item for item in items if (folds[item[0].name] == str(val_fold)) == (split == "val")]
    part = []
    for label in range(len(CLASSES)):
        queue = sorted((item for item in items if item[1] == label),
                       key=lambda item: hashlib.sha256(item[0].name.encode()).digest())
        cut = max(1, min(len(queue) - 1, round(TRAIN_SHARE * len(queue))))
        part += queue[:cut] if split == "train" else queue[cut:]
    return sorted(part, key=lambda item: item[0].name)


def read_folds(root: Path) -> dict[str, str]:
    """上一级的 sources.csv 里，root 中各文件的 fold；没有这个文件时为空。"""
    return {Path(row["file"]).name: row["fold"] for row in read_rows(root)}


def read_rows(root: Path) -> list[dict]:
    root = root.resolve()
    path = root.parent / "sources.csv"
    if not path.is_file():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["file"].startswith(root.name + "/")]


def read_image(path: str | Path, size: int) -> t.Tensor:
    """读一张图，短边缩到 size 后取正中，得到 (4, size, size) 的 uint8。读不出来时抛出 UserError。"""
    try:
        with Image.open(path) as image:
            image.draft("RGB", (2 * size, 2 * size))        # JPEG 可以直接解码成小图
            image = ImageOps.fit(ImageOps.exif_transpose(image).convert("RGBA"), (size, size),
                                 Image.Resampling.BILINEAR)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise UserError(f"{Path(path).as_posix()} 读不出来：不是图片，或文件已损坏；换掉或删去它") from None
    return t.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
