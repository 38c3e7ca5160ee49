"""predict 和 test 用到的：找图片、找已知的答案、把判断画成一张图。"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from data import CLASSES
from data.dataset import SUFFIXES, read_rows
from utils import UserError

CELL, CAPTION, COLUMNS = 96, 18, 10     # 每格图的边长、说明的高度（像素），一行几格
RIGHT, WRONG, UNKNOWN = "#1a7f37", "#cf222e", "#333333"


def images_at(path: str) -> list[Path]:
    """path 是图片时就是它，是文件夹时是里面的图片（按号码或名字排列）。"""
    place = Path(path)
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise UserError(f"--path={path} 不存在：给出一张图片，或一个装着图片的文件夹")
    found = [file for file in place.iterdir() if file.suffix.lower() in SUFFIXES]
    if not found:
        raise UserError(f"{path} 里没有图片（{'、'.join(sorted(SUFFIXES))}）")
    return sorted(found, key=lambda file: (not file.stem.isdigit(), len(file.stem) if file.stem.isdigit() else 0,
                                           file.name))


def known_answers(root: str) -> dict[str, str]:
    """自带的图片有答案：文件名 → 类别，写在上一级的 sources.csv 里。别的文件夹没有，返回空。"""
    return {Path(row["file"]).name: row["label"] for row in read_rows(Path(root))}


def draw_grid(paths: list[Path], results: list[list[float]], target: str) -> None:
    """把图片拼成一张，下面写判断和概率；答案已知时，对的绿，错的红。"""
    columns = min(COLUMNS, len(paths))
    rows = -(-len(paths) // columns)
    sheet = Image.new("RGB", (columns * CELL, rows * (CELL + CAPTION)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    answers = {folder: known_answers(str(folder)) for folder in {path.parent for path in paths}}
    for i, (path, row) in enumerate(zip(paths, results)):
        x, y = i % columns * CELL, i // columns * (CELL + CAPTION)
        with Image.open(path) as image:
            image = image.convert("RGBA")
            image.thumbnail((CELL - 8, CELL - 8))
            sheet.paste(image, (x + (CELL - image.width) // 2, y + (CELL - image.height) // 2), image)
        best = max(range(len(CLASSES)), key=row.__getitem__)
        answer = answers[path.parent].get(path.name)
        color = UNKNOWN if answer is None else RIGHT if answer == CLASSES[best] else WRONG
        pen.text((x + CELL / 2, y + CELL), f"{CLASSES[best]} {row[best]:.0%}", color, font, anchor="ma")
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    try:
        sheet.save(target)
    except ValueError:
        raise UserError(f"--picture={target} 的扩展名不认识：用 .png 或 .jpg") from None
