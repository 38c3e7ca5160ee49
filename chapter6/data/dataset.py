"""DogCat：训练、验证、测试共用的数据集。图片在文件夹或 zip 里，标签就在文件名里，如 cat.0.jpg。"""

import csv
import hashlib
import io
import os
import re
from pathlib import Path

import numpy as np
import torch as t
from PIL import Image
from torch.utils.data import Dataset

from data.pictures import SUFFIXES, fingerprint, open_picture
from utils.files import UserError, legible, quote, say

from .places import in_threads, list_files, read_file, size_of

CLASSES = ("cat", "dog")    # 标签是次序：cat 为 0，dog 为 1
MAX_ASPECT = 4 / 3          # 长边超过短边这么多倍的，裁去两头
TRAIN_SHARE = 0.7           # 没有 sources.csv 时，每一类拿出多少来训练，其余验证


class DogCat(Dataset):
    """几处图片。每一处是一个文件夹或 zip，几处之间用逗号隔开。

    split 为 "train"、"val" 时，其中的图片叫 <类别>.<号码>.jpg，两者各取一部分，互不重叠；第 i 项是
    (图, 标签)。split 为 "test" 时，叫 <号码>.jpg，按号码排列，第 i 项是 (图, 号码)。
    图是 (4, S, S) 的 uint8 张量：红绿蓝和不透明度，见 fit。增强在成批以后做，见 augment.py。

    划分与文件的列出次序无关，各处分别划分。文件夹的上一级有 sources.csv 且写明了每个文件的 fold 时，fold 等于 val_fold 的
    归验证；否则每一类按文件名的哈希排队，前 70% 训练，后 30% 验证。一处后面写 :3，训练时其中每张用三次。
    """

    def __init__(self, roots: str, split: str, image_size: int, val_fold: int = 0, cache_mb: int = 0):
        self.image_size, self.places = image_size, []
        self.files, self.targets, self.origin = [], [], []      # origin[i]：第 i 张是第几处的
        for number, (place, times) in enumerate(split_roots(str(roots))):
            names = find_images(place, by_number=split == "test")
            if split == "test":
                items = [(name, int(Path(name).stem)) for name in names]
            else:
                items = divide(place, label_names(place, names), split, val_fold) * (times if split == "train" else 1)
            self.places.append(legible(place))
            self.files += [(place, name) for name, _ in items]
            self.targets += [target for _, target in items]
            self.origin += [number] * len(items)
        self.paths = [place / name for place, name in self.files]
        self.cache = None
        different = list(dict.fromkeys(self.files))
        if len(different) * 3 * image_size ** 2 <= cache_mb * 2 ** 20:      # 不透明的只留红绿蓝
            read = in_threads(self.read, different, "读图")
            self.cache = {file: image if image[3].min() < 255 else image[:3].clone() for file, image in zip(different, read)}

    def read(self, file: tuple[Path, str]) -> t.Tensor:
        """files 里的一项 → (4, S, S)。"""
        place, name = file
        image = open_picture(read_file(place, name), (place / name).as_posix(), 2 * self.image_size, alpha=True)
        return fit(image, self.image_size)

    def __getitem__(self, index: int) -> tuple[t.Tensor, int]:
        image = self.read(self.files[index]) if self.cache is None else self.cache[self.files[index]]
        if len(image) == 3:
            image = t.cat([image, t.full_like(image[:1], 255)])
        return image, self.targets[index]

    def __len__(self) -> int:
        return len(self.files)

    def fingerprint(self) -> str:
        """数据的指纹，见 data.pictures.fingerprint。"""
        return fingerprint((path.name for path in self.paths), (size_of(*file) for file in self.files))


def split_roots(roots: str) -> list[tuple[Path, int]]:
    """ "a,b.zip:3" → [(a, 1), (b.zip, 3)]；每一处都要有。名字里本来就有逗号、冒号的文件夹照原样。"""
    found = []
    for text in [roots] if Path(roots).exists() else roots.split(","):
        repeated = re.fullmatch(r"(.+):([1-9]\d*)", text)
        name, times = repeated.groups() if repeated and not Path(text).exists() else (text, 1)
        place = Path(name).expanduser()
        if not name or not place.exists():
            raise UserError(f"找不到图片文件夹或 zip {legible(name or roots)}：检查 --train-data-root 和 --test-data-root，或先运行 python main.py prepare")
        found.append((place, int(times)))
    return found


def find_images(place: Path, by_number: bool = False) -> list[str]:
    """place 里名字合规的图片，按名字（by_number 时按号码）排列；其余文件跳过，并说一声。"""
    names = r"\d+" if by_number else "(" + "|".join(map(re.escape, CLASSES)) + r")\.\d+"
    files = list_files(place)
    good = [name for name in files if Path(name).suffix.lower() in SUFFIXES and re.fullmatch(names, Path(name).stem)]
    stray = sorted(set(files) - set(good))
    if stray:
        shown = legible("、".join(stray[:3])) + ("……" if len(stray) > 3 else "")
        say(f"跳过 {legible(place)} 里名字不合规的 {len(stray)} 个：{shown}")
    if not good:
        raise UserError(f"{legible(place)} 里没有图片，文件名要像 {'0.jpg' if by_number else CLASSES[0] + '.0.jpg'}；"
                        f"别的放法先用 python main.py prepare --source={quote(place)} 整理")
    first = {}
    for name in good if by_number else ():
        if first.setdefault(int(Path(name).stem), name) != name:
            raise UserError(f"{legible(place)} 里的 {legible(first[int(Path(name).stem)])} 和 {legible(name)} 号码相同，结果分不清是谁的：改一个名字")
    return sorted(good, key=lambda name: (int(Path(name).stem), name) if by_number else name)


def label_names(place: Path, names: list[str]) -> list[tuple[str, int]]:
    """各文件名和它的标签；一类也不能没有。"""
    items = [(name, CLASSES.index(Path(name).name.split(".")[0])) for name in names]
    empty = [name for i, name in enumerate(CLASSES) if i not in {label for _, label in items}]
    if empty:
        raise UserError(f"{legible(place)} 里没有 {'、'.join(empty)} 的图片，文件名要像 {empty[0]}.0.jpg")
    return items


def divide(root: Path, items: list, split: str, val_fold: int) -> list:
    """(文件名, 标签) 里属于 split（"train" 或 "val"）的部分。"""
    folds = read_folds(root)
    unknown = [name for name, _ in items if name not in folds]
    if folds and unknown:
        say(f"{legible(root.resolve().parent / 'sources.csv')} 里没有写明 {legible(unknown[0])} 等 {len(unknown)} 张的 fold，改按文件名划分")
    if not unknown:
        if not any(folds[name] == str(val_fold) for name, _ in items):
            raise UserError(f"--val-fold={val_fold}：{legible(root)} 没有这一折，可选 {'、'.join(sorted(set(folds.values())))}")
        return [item for item in items if (folds[item[0]] == str(val_fold)) == (split == "val")]
    part = []
    for label in range(len(CLASSES)):
        queue = sorted((item for item in items if item[1] == label),
                       key=lambda item: hashlib.sha256(os.fsencode(Path(item[0]).name)).digest())
        if len(queue) < 2:
            raise UserError(f"{legible(root)} 里 {CLASSES[label]} 只有一张：至少要两张，一张训练，一张验证")
        cut = max(1, min(len(queue) - 1, round(TRAIN_SHARE * len(queue))))
        part += queue[:cut] if split == "train" else queue[cut:]
    return sorted(part)


def read_folds(root: Path) -> dict[str, str]:
    """上一级的 sources.csv 里，root 中各文件的 fold；没有这个文件、没有这一列时为空。"""
    return {Path(row["file"]).name: row["fold"] for row in read_rows(root) if row.get("fold")}


def read_rows(root: Path) -> list[dict]:
    """上一级的 sources.csv 里关于 root 中各文件的行。别人写的、列名不同的 sources.csv 不理会。"""
    root = root.resolve()
    path = root.parent / "sources.csv"
    if not path.is_file():
        return []
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            text = file.read()
        delimiter = max(",;\t", key=text.partition("\n")[0].count)             # 有的电子表格存成分号隔开的
        rows = [{name.strip(): value.strip() for name, value in row.items() if isinstance(name, str) and isinstance(value, str)}
                for row in csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)]
        return [row for row in rows if row.get("file", "").startswith(root.name + "/")]
    except (UnicodeDecodeError, csv.Error):
        raise UserError(f"{legible(path)} 读不出来：另存为 UTF-8 的 CSV") from None


def read_image(path: str | Path, size: int) -> t.Tensor:
    """读一张图，得到 (4, size, size) 的 uint8，见 fit。"""
    return fit(open_picture(path, draft=2 * size, alpha=True), size)


def fit(image: Image.Image, size: int) -> t.Tensor:
    """RGBA 的图 → (4, size, size) 的 uint8。太长、太宽的裁去两头，再缩成正方形。

    整张都要看见：只取正中的正方形，站在一边的猫就不见了。
    """
    image = image.resize((size, size), Image.Resampling.BILINEAR, seen_box(image))
    return t.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def seen_box(image: Image.Image) -> tuple[float, float, float, float]:
    """fit 要看的那一块：左、上、右、下，像素。"""
    shape = [min(side, MAX_ASPECT * min(image.size)) for side in image.size]
    start = [(whole - part) / 2 for whole, part in zip(image.size, shape)]
    return (*start, *(begin + part for begin, part in zip(start, shape)))
