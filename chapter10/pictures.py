"""找图片，把图片和描述画在一起。图上的汉字用随书的思源黑体（Noto Sans SC）子集，只含常用字。"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from data import Scene, Vocabulary, names_all_right
from data.features import SUFFIXES, read_image
from search import Candidate
from utils import UserError

FONT = Path(__file__).parent / "data" / "font" / "NotoSansSC-subset.otf"
PICTURE, WIDTH, LINE, COLUMNS = 176, 232, 20, 4     # 成绩单：图的边长、格宽、行高（像素），一行几格
PANEL, PANELS = 96, 10                              # 注意力图：每格的边长（像素），一行几格
RIGHT, WRONG, UNKNOWN = "#1a7f37", "#cf222e", "#333333"
SHOWN = 24                                          # 成绩单上至多几张图


def images_at(path: str) -> list[Path]:
    """path 是图片时就是它，是文件夹时是里面的图片，按名字排列。"""
    place = Path(path)
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise UserError(f"--test-img={path} 不存在：给出一张图片，或一个装着图片的文件夹")
    found = sorted(file for file in place.iterdir() if file.suffix.lower() in SUFFIXES)
    if not found:
        raise UserError(f"{path} 里没有图片（{'、'.join(sorted(SUFFIXES))}）")
    return found


def font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT), size)


def draw_sheet(paths: list[Path], written: list[list[str]], scenes: list[Scene] | None, target: str) -> None:
    """从测试集里均匀取出 SHOWN 张，图下写描述；有剧本时，每样东西都说对的绿，否则红。"""
    picked = range(0, len(paths), max(1, len(paths) // SHOWN))[:SHOWN]
    columns = min(COLUMNS, len(picked))
    height = PICTURE + 3 * LINE + 14
    sheet = Image.new("RGB", (columns * WIDTH, -(-len(picked) // columns) * height), "white")
    pen, letters = ImageDraw.Draw(sheet), font(15)
    for place, i in enumerate(picked):
        x, y = place % columns * WIDTH, place // columns * height
        with Image.open(paths[i]) as image:
            image = image.convert("RGB")
            image = image.resize([max(1, round(side * PICTURE / max(image.size))) for side in image.size],
                                 Image.Resampling.BICUBIC)
        sheet.paste(image, (x + (WIDTH - image.width) // 2, y + 8))
        sentence = "".join(written[i])
        right = scenes and names_all_right(sentence, scenes[i])
        color = UNKNOWN if not scenes else RIGHT if right else WRONG
        for row, line in enumerate(wrap(sentence, letters, WIDTH - 16)[:3]):
            pen.text((x + WIDTH / 2, y + PICTURE + 10 + row * LINE), line, color, letters, anchor="ma")
    save(sheet, target)


def wrap(sentence: str, letters: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """按宽度折行；标点不放在行首。"""
    lines = [""]
    for char in sentence:
        if letters.getlength(lines[-1] + char) > width and char not in "，、。":
            lines.append("")
        lines[-1] += char
    return lines


def draw_looks(paths: list[Path], candidates: list[Candidate], vocabulary: Vocabulary, scale_size: int, img_size: int,
               target: str) -> None:
    """每张图一段：先是原图，然后每个词一格，越亮的地方写这个词时看得越多。没有注意力的网络只画原图和整句。"""
    strips = [strip(read_image(path, scale_size, img_size).permute(1, 2, 0).numpy(), candidate, vocabulary)
              for path, candidate in zip(paths, candidates)]
    sheet = Image.new("RGB", (max(part.width for part in strips), sum(part.height for part in strips)), "white")
    y = 0
    for part in strips:
        sheet.paste(part, (0, y))
        y += part.height
    save(sheet, target)


def strip(pixels: np.ndarray, candidate: Candidate, vocabulary: Vocabulary) -> Image.Image:
    """一张图的一段。pixels 是 (S, S, 3) 的 uint8。"""
    image = Image.fromarray(pixels).resize((PANEL, PANEL), Image.Resampling.BICUBIC)
    words = vocabulary.decode(candidate.ids)
    panels = [(lit(image, look), word) for look, word in zip(candidate.looks, words)]
    rows, height = max(1, -(-(len(panels) + 1) // PANELS)), PANEL + LINE + 4
    whole = Image.new("RGB", (PANELS * PANEL, LINE + 8 + rows * height), "white")
    pen, letters = ImageDraw.Draw(whole), font(15)
    pen.text((4, 4), "".join(words), UNKNOWN, letters)
    for place, (panel, word) in enumerate([(image, ""), *panels]):
        x, y = place % PANELS * PANEL, LINE + 8 + place // PANELS * height
        whole.paste(panel, (x + 1, y))
        pen.text((x + PANEL / 2, y + PANEL), word, UNKNOWN, letters, anchor="ma")
    return whole


def lit(image: Image.Image, look: list[float]) -> Image.Image:
    """按权重照亮图的各处；look 是从左到右、从上到下各格的权重。"""
    side = round(len(look) ** 0.5)
    weights = np.array(look, np.float32).reshape(side, side) / max(look)
    light = Image.fromarray(weights).resize(image.size, Image.Resampling.BICUBIC)
    bright = 0.2 + 0.8 * np.clip(np.array(light), 0, 1)[..., None]
    return Image.fromarray((np.array(image) * bright).astype(np.uint8)).resize((PANEL - 2, PANEL - 2))


def save(image: Image.Image, target: str) -> None:
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    try:
        image.save(target)
    except ValueError:
        raise UserError(f"--picture={target} 的扩展名不认识：用 .png 或 .jpg") from None
