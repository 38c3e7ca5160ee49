"""predict 和 test 用到的：找图片、逐批判断、找已知的答案、把判断画成一张图。"""

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import torch as t
from PIL import Image, ImageDraw, ImageFont
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from classifier import shares
from config import Config
from data import CLASSES
from data.dataset import read_rows
from data.pictures import find_pictures, open_picture, save_picture
from models.basic_module import BasicModule
from utils.files import UserError, legible, replacing
from utils.loading import batches
from utils.runtime import Runtime

CELL, CAPTION, COLUMNS = 112, 18, 9     # 每格图的边长、说明的高度（像素），一行几格
RIGHT, WRONG, UNKNOWN = "#1a7f37", "#cf222e", "#333333"


def images_at(path: str) -> list[Path]:
    """path 是图片时就是它，是文件夹（连同子文件夹）时是里面的图片，按号码或名字排列。"""
    by_number = lambda file: (not file.stem.isdigit(), len(file.stem) if file.stem.isdigit() else 0)  # noqa: E731
    return sorted(find_pictures(path, "--path"), key=lambda file: (file.parent, *by_number(file), file.name))


class Readable(Dataset):
    """第 i 项是 (第 i 张图, 空的)；读不出来的是 (一张空白, 说它怎么了的一句话)，不耽误别的图。read 读 files 里的一项。"""

    def __init__(self, files: list, read: Callable, size: int):
        self.files, self.read, self.size = files, read, size

    def __getitem__(self, index: int) -> tuple[t.Tensor, str]:
        try:
            return self.read(self.files[index]), ""
        except UserError as error:
            return t.zeros(4, self.size, self.size, dtype=t.uint8), str(error)

    def __len__(self) -> int:
        return len(self.files)


def judge(images: Readable, model: BasicModule, temperature: float, opt: Config, runtime: Runtime) -> Iterator[tuple]:
    """逐批给出 (图 (B, 4, S, S)，各类的概率 (B, 类别数)，各张读不出来的话；读得出来的为空)。"""
    loader = DataLoader(images, opt.batch_size, num_workers=opt.num_workers)
    for batch, problems in tqdm(batches(loader), "判断", len(loader), leave=False, delay=1):
        yield batch, shares(model, batch, temperature, opt, runtime), problems


def write_table(rows: list[tuple[int, list[float]]], path: str) -> None:
    """rows 是一张张图的（号码，各类的概率），写成 csv。两类时像 Kaggle 要的那样只写一列：后一类（狗）的概率；更多类时各写一列。"""
    header, first = (["id", "label"], 1) if len(CLASSES) == 2 else (["id", *CLASSES], 0)
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(header)
    writer.writerows([number, *(f"{p:.6f}" for p in row[first:])] for number, row in rows)
    with replacing(path, is_table) as file:
        file.write(table.getvalue().encode())
    print(f"{len(rows)} 张的结果写入 {legible(path)}")


def is_table(path: Path) -> bool:
    """path 是不是 write_table 写的：读者自己的 csv 也可能叫这个名字。"""
    return re.fullmatch(rb"id,[^\r\n]+\r\n(\d+(,[01]\.\d{6})+\r\n)*", path.read_bytes()) is not None


def known_answers(root: str | Path) -> dict[str, str]:
    """文件名 → 类别，自带的图标写在上一级的 sources.csv 里。没有这个文件时为空。"""
    return {Path(row["file"]).name: row["label"] for row in read_rows(Path(root)) if row.get("label") in CLASSES}


def grid_size(count: int) -> tuple[int, int]:
    """count 张图拼成一张的宽和高，像素。"""
    return min(COLUMNS, count) * CELL, -(-count // COLUMNS) * (CELL + CAPTION)


def draw_grid(results: list[tuple[Path, str, float]], target: str) -> None:
    """results 是 (图片, 判断, 概率)；都不像的，判断为空。拼成一张，下面写判断和概率；答案已知时，对的绿，错的红。"""
    sheet = Image.new("RGB", grid_size(len(results)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    answers = {folder: known_answers(folder) for folder in {path.parent for path, *_ in results}}
    for i, (path, guess, share) in enumerate(results):
        x, y = i % COLUMNS * CELL, i // COLUMNS * (CELL + CAPTION)
        image = open_picture(path, draft=CELL, alpha=True)
        image.thumbnail((CELL - 8, CELL - 8))
        sheet.paste(image, (x + (CELL - image.width) // 2, y + (CELL - image.height) // 2), image)
        named = path.name.split(".")[0]                         # cat.0.jpg 这样的名字就是答案
        answer = answers[path.parent].get(path.name, named if named in CLASSES else None)
        text = f"{guess} {share:.0%}" if guess else "neither"
        color = UNKNOWN if answer is None else RIGHT if answer == guess else WRONG
        pen.text((x + CELL / 2, y + CELL), text, color, font, anchor="ma")
    save_picture(sheet, target, "--picture", [path for path, *_ in results])
