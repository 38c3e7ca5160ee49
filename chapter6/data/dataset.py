"""Pictures：训练、验证、测试共用的数据集。图片在文件夹或 zip 里，标签是所在的文件夹，或就在文件名里，如 <类别>.0.jpg。"""

import csv
import functools
import hashlib
import io
import os
import re
import unicodedata
from pathlib import Path

import numpy as np
import torch as t
from PIL import Image
from torch.utils.data import Dataset

from data.pictures import SUFFIXES, fingerprint, open_picture
from task import CLASSES, FOLDERS
from utils.files import UserError, legible, quote, say

from .places import in_threads, list_files, read_file, size_of

MAX_ASPECT = 4 / 3          # 长边超过短边这么多倍的，裁去两头
TRAIN_SHARE = 0.7           # 没有 sources.csv 时，每一类拿出多少来训练，其余验证
SHOWN = 3                   # 跳过的各种文件，每种说出这么多个名字
once = functools.cache(say)     # 训练集和验证集各看一遍文件夹，同样的话只说一遍


class Pictures(Dataset):
    """几处图片。每一处是一个文件夹或 zip，几处之间用逗号隔开。

    split 为 "train"、"val" 时，其中的图片放在以类别为名的文件夹里，或者叫 <类别>.<号码>.jpg，两者各取一部分，互不重叠；第 i 项是
    (图, 标签)。split 为 "test" 时，叫 <号码>.jpg，按号码排列，第 i 项是 (图, 号码)；不是这样的名字，见 find_tests。
    图是 (4, S, S) 的 uint8 张量：红绿蓝和不透明度，见 fit。增强在成批以后做，见 augment.py。

    划分与文件的列出次序无关，各处分别划分。文件夹的上一级有 sources.csv 且写明了每个文件的 fold 时，fold 等于 val_fold 的
    归验证；否则每一类按文件名的哈希排队，前 70% 训练，后 30% 验证。一处后面写 :3，训练时其中每张用三次。
    """

    def __init__(self, roots: str, split: str, image_size: int, val_fold: int = 0, cache_mb: int = 0):
        self.image_size, self.places = image_size, []
        self.files, self.targets, self.origin = [], [], []      # origin[i]：第 i 张是第几处的
        for number, (place, times) in enumerate(split_roots(str(roots))):
            if split == "test":
                items = find_tests(place)
            else:
                items = divide(place, find_labelled(place), split, val_fold) * (times if split == "train" else 1)
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
        image = open_picture(read_file(place, name), (place / name).as_posix(), self.image_size, alpha=True)
        return fit(image, self.image_size)

    def __getitem__(self, index: int) -> tuple[t.Tensor, int | str]:
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


def fold(text: str) -> str:
    """不分大小写，也不分两种 Unicode 写法（macOS 的文件名把 é 拆成两个字符）。"""
    return unicodedata.normalize("NFC", text).casefold()


LABELS = {fold(alias): CLASSES.index(name) for alias, name in FOLDERS.items()} | {fold(name): i for i, name in enumerate(CLASSES)}
NAMED = re.compile("(" + "|".join(map(re.escape, CLASSES)) + r")\.\d+")


def folder_label(name: str) -> int | None:
    """name（相对路径）放在哪一类的文件夹里，几层都是类别时看最里面的；没有时为 None。"""
    found = [LABELS[fold(part)] for part in name.split("/")[:-1] if fold(part) in LABELS]
    return found[-1] if found else None


def label_of(name: str) -> int | None:
    """所在的文件夹说的标签；不在类别的文件夹里时，看名字是不是 <类别>.<号码>。都没有时为 None。"""
    named = NAMED.fullmatch(Path(name).stem)
    return folder_label(name) if folder_label(name) is not None or not named else CLASSES.index(named[1])


def find_labelled(place: Path) -> list[tuple[str, int]]:
    """place 里有标签的图片和标签，按名字排列；别的跳过，说一声。一类也不能没有。"""
    pictures, others = list_images(place)
    items = [(name, label) for name in pictures if (label := label_of(name)) is not None]
    report_skipped(place, {**others, f"不在类别的文件夹里，名字也不像 {CLASSES[0]}.0.jpg": [name for name in pictures if label_of(name) is None]})
    if not items:
        raise UserError(f"{legible(place)} 里没有图片：按类别放进 {'、'.join(CLASSES)} 几个文件夹，或像 {CLASSES[0]}.0.jpg 那样起名；"
                        f"别的放法先用 python main.py prepare --source={quote(place)} 整理")
    empty = [name for i, name in enumerate(CLASSES) if i not in {label for _, label in items}]
    if empty:
        raise UserError(f"{legible(place)} 里没有 {'、'.join(empty)} 的图片：要放在文件夹 {empty[0]} 里，或者名字像 {empty[0]}.0.jpg")
    return items


def find_tests(place: Path) -> list[tuple[str, int | str]]:
    """place 里的测试图片和它们的号码，按号码排列；名字不是号码的跳过，说一声。

    名字不是号码的更多，或者按类别放在文件夹里（各有各的号码）时，全都要，用名字（相对路径）代替号码。
    """
    pictures, others = list_images(place)
    numbered = [name for name in pictures if re.fullmatch(r"\d+", Path(name).stem)]
    named = [name for name in set(pictures).difference(numbered) if label_of(name) is None]     # <类别>.<号码> 的是训练图片
    if len(named) > len(numbered) or not numbered or any(folder_label(name) is not None for name in pictures):
        report_skipped(place, others)
        if not pictures:
            raise UserError(f"{legible(place)} 里没有图片，文件名要像 0.jpg")
        return [(name, name) for name in pictures]
    report_skipped(place, {**others, "名字不是号码": sorted(set(pictures) - set(numbered))})
    first = {}
    for name in numbered:
        if first.setdefault(int(Path(name).stem), name) != name:
            raise UserError(f"{legible(place)} 里的 {legible(first[int(Path(name).stem)])} 和 {legible(name)} 号码相同，结果分不清是谁的：改一个名字")
    return [(name, number) for number, name in sorted(first.items())]


def list_images(place: Path) -> tuple[list[str], dict[str, list[str]]]:
    """place 里能读的图片（相对路径），按名字排列；和别的东西：为什么不要 → 名字。"""
    names = sorted(list_files(place, enter=lambda folder: fold(folder) in LABELS))
    folders = [name for name in names if name.endswith("/")]
    files = [name for name in names if not name.endswith("/")]
    pictures = [name for name in files if Path(name).suffix.lower() in SUFFIXES]
    return pictures, {"不是类别的文件夹": folders, "不是能读的图片": sorted(set(files) - set(pictures))}


def report_skipped(place: Path, skipped: dict[str, list[str]]) -> None:
    """一行说出跳过了什么、为什么。"""
    parts = [f"{why} {len(names)} 个（{legible('、'.join(names[:SHOWN]))}{'……' * (len(names) > SHOWN)}）" for why, names in skipped.items() if names]
    if parts:
        once(f"跳过 {legible(place)} 里的：{'；'.join(parts)}")


def divide(root: Path, items: list, split: str, val_fold: int) -> list:
    """(文件名, 标签) 里属于 split（"train" 或 "val"）的部分。"""
    folds = read_folds(root)
    unknown = [name for name, _ in items if name not in folds]
    if folds and unknown:
        once(f"{legible(root.resolve().parent / 'sources.csv')} 里没有写明 {legible(unknown[0])} 等 {len(unknown)} 张的 fold，改按文件名划分")
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
    """上一级的 sources.csv 里，root 中各文件（相对路径）的 fold；没有这个文件、没有这一列时为空。"""
    return {row["file"]: row["fold"] for row in read_rows(root) if row.get("fold")}


def read_rows(root: Path) -> list[dict]:
    """上一级的 sources.csv 里关于 root 中各文件的行，file 改成相对于 root 的。别人写的、列名不同的 sources.csv 不理会。"""
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
        return [row | {"file": row["file"].removeprefix(root.name + "/")} for row in rows if row.get("file", "").startswith(root.name + "/")]
    except (UnicodeDecodeError, csv.Error):
        raise UserError(f"{legible(path)} 读不出来：另存为 UTF-8 的 CSV") from None


def read_image(path: str | Path, size: int) -> t.Tensor:
    """读一张图，得到 (4, size, size) 的 uint8，见 fit。"""
    return fit(open_picture(path, draft=size, alpha=True), size)


def fit(image: Image.Image, size: int) -> t.Tensor:
    """RGB 或 RGBA 的图 → (4, size, size) 的 uint8。太长、太宽的裁去两头，再缩成正方形。

    整张都要看见：只取正中的正方形，站在一边的就不见了。
    """
    image = image.resize((size, size), Image.Resampling.BILINEAR, seen_box(image))
    pixels = t.from_numpy(np.array(image)).permute(2, 0, 1)
    return pixels.contiguous() if len(pixels) == 4 else t.cat([pixels, t.full_like(pixels[:1], 255)])


def seen_box(image: Image.Image) -> tuple[float, float, float, float]:
    """fit 要看的那一块：左、上、右、下，像素。"""
    shape = [min(side, MAX_ASPECT * min(image.size)) for side in image.size]
    start = [(whole - part) / 2 for whole, part in zip(image.size, shape)]
    return (*start, *(begin + part for begin, part in zip(start, shape)))
