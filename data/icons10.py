"""Icons10：与 CIFAR-10 同名十类、同样大小、同样接口的小数据集，随仓库提供，不需要网络。"""
import csv
import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

SIDE = 32
GRID = {"train": (50, 100), "test": (20, 50)}       # 拼图的（行数, 列数），每格一张小图
PIXEL_SHA256 = {                                    # 拼图解码成 RGB 之后的 sha256
    "train": "1e7268cf2afabad82572a0055958989f5658dffad68cbfcc0f882307923952a8",
    "test": "8156c65d27a1721b4ad8b2a8e9aaf0c1d56e74af70dd9f23b5f695816e811caf",
}


class Icons10(Dataset):
    """训练集 5000 张、测试集 1000 张 32×32 彩图，十类各占一成。

    图由 135 套图标画成；测试集所用的图标出自训练集里没有的图标集，测的是「没见过的画法」。
    接口与 ``torchvision.datasets.CIFAR10`` 相同，可以互换。

    参数
        root: 数据目录，里面有 ``icons10/train.webp`` 与 ``icons10/test.webp``；默认是本文件所在的目录
        train: True 取训练集，False 取测试集
        transform: 作用于图像（PIL，32×32，RGB）的函数
        target_transform: 作用于类别（int，0 到 9）的函数
    属性
        data: (N, 32, 32, 3) uint8
        targets: 长 N 的 int 列表
        icons: 长 N 的字符串列表，每张图是由哪个图标画成的（「图标集:图标」）；同一个图标画出的图彼此很像
        classes: 十个类名；class_to_idx: 类名 → 类别
    异常
        FileNotFoundError: 缺少数据文件；RuntimeError: 文件损坏
    """

    classes = ["airplane", "automobile", "bird", "cat", "deer",
               "dog", "frog", "horse", "ship", "truck"]

    def __init__(self, root: str | Path | None = None, train: bool = True,
                 transform: Callable | None = None, target_transform: Callable | None = None):
        self.root = Path(__file__).resolve().parent if root is None else Path(root)
        self.train = train
        self.transform = transform
        self.target_transform = target_transform
        self.class_to_idx = {name: index for index, name in enumerate(self.classes)}
        self.data = read_sheet(self.root / "icons10", "train" if train else "test")
        self.targets = [index % len(self.classes) for index in range(len(self.data))]
        self.icons = read_icons(self.root / "icons10", "train" if train else "test", len(self.data))

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int):
        """返回 (图像, 类别)；没有 transform 时图像是 PIL.Image，大小 32×32。"""
        image, target = Image.fromarray(self.data[index]), self.targets[index]
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __repr__(self) -> str:
        return f"Icons10(split={'train' if self.train else 'test'!r}, images={len(self)})"


def shares(icons: list[dict], total: int, key: str) -> list[dict]:
    """把 total 张图分给这些图标，每个分到的张数至多差一；顺序由 key 决定。"""
    order = list(icons)
    random.Random(key).shuffle(order)
    return [order[index % len(order)] for index in range(total)]


def read_icons(folder: Path, split: str, count: int) -> list[str]:
    """count 张图各由哪个图标画成；次序与 read_sheet 返回的图相同。"""
    path = folder / "sources.csv"
    if not path.is_file():
        raise FileNotFoundError(f"缺少数据文件 {path}；它不能重新生成，请从仓库里取回")
    with path.open(encoding="utf-8", newline="") as file:
        sources = [row for row in csv.DictReader(file) if row["split"] == split]
    columns = []
    for name in Icons10.classes:
        rows = [row for row in sources if row["class"] == name]
        drawn = shares(rows, count // len(Icons10.classes), f"icons10/{split}/{name}")
        columns.append([f"{row['set']}:{row['icon']}" for row in drawn])
    return [icon for ten in zip(*columns, strict=True) for icon in ten]


def read_sheet(folder: Path, split: str) -> np.ndarray:
    """读一张拼图，切成小图，返回 (N, 32, 32, 3) uint8；第 i 张属于第 i % 10 类。"""
    path = folder / f"{split}.webp"
    remedy = "请在仓库根目录运行 python data/build.py icons10 重新生成"
    if not path.is_file():
        raise FileNotFoundError(f"缺少数据文件 {path}；{remedy}")
    try:
        with Image.open(path) as image:
            sheet = np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise RuntimeError(f"数据文件 {path} 已损坏（{error}）；{remedy}") from None
    if hashlib.sha256(sheet.tobytes()).hexdigest() != PIXEL_SHA256[split]:
        raise RuntimeError(f"数据文件 {path} 已损坏（校验和不符）；{remedy}")
    return split_sheet(sheet, split)


def split_sheet(sheet: np.ndarray, split: str) -> np.ndarray:
    """(行·32, 列·32, 3) → (N, 32, 32, 3)。拼图里同一类的图排在相邻几行，这里改为十类轮流。"""
    rows, columns = GRID[split]
    tiles = sheet.reshape(rows, SIDE, columns, SIDE, 3).swapaxes(1, 2)      # (行, 列, 32, 32, 3)
    by_class = tiles.reshape(10, rows * columns // 10, SIDE, SIDE, 3)       # (10, N/10, 32, 32, 3)
    return np.ascontiguousarray(by_class.swapaxes(0, 1)).reshape(-1, SIDE, SIDE, 3)


def join_sheet(images: np.ndarray, split: str) -> np.ndarray:
    """split_sheet 的逆运算：(N, 32, 32, 3) → (行·32, 列·32, 3)。"""
    rows, columns = GRID[split]
    by_class = images.reshape(-1, 10, SIDE, SIDE, 3).swapaxes(0, 1)         # (10, N/10, 32, 32, 3)
    tiles = by_class.reshape(rows, columns, SIDE, SIDE, 3).swapaxes(1, 2)
    return tiles.reshape(rows * SIDE, columns * SIDE, 3)
