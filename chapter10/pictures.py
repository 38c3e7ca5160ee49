"""把图片和描述画在一起。图上的汉字用随书的思源黑体（Noto Sans SC）子集，只含常用字。"""

import io
import re
from itertools import accumulate
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from captioner import Captioner
from data import Scene, join, names_all_right, read_image
from data.pictures import open_picture, save_picture
from describing import Described

FONT = Path(__file__).parent / "data" / "font" / "NotoSansSC-subset.otf"
PICTURE, WIDTH, LINE, COLUMNS = 176, 232, 20, 4     # 成绩单：图的边长、格宽、行高（像素），一行几格
PANEL, PANELS = 96, 10                              # 注意力图：每格的边长（像素），一行几格
ROW = PANEL + 2 * LINE                              # 一行格子连同下面的词和概率，多高
DOUBT = 0.3                                         # 概率低于它的词，是拿不准的
RIGHT, WRONG, UNKNOWN = "#1a7f37", "#cf222e", "#333333"
SHOWN = 24                                          # 成绩单上至多几张图


def font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(io.BytesIO(FONT.read_bytes()), size)      # 不给路径：系统的编码只有 ASCII 时，Pillow 打不开有汉字的路径


def draw_sheet(paths: list[Path], written: list[list[str]], scenes: list[Scene] | None, target: str) -> None:
    """从测试集里均匀取出 SHOWN 张，图下写描述；有剧本时，每样东西都说对的绿，否则红。"""
    picked = range(0, len(paths), max(1, len(paths) // SHOWN))[:SHOWN]
    columns = min(COLUMNS, len(picked))
    height = PICTURE + 3 * LINE + 14
    sheet = Image.new("RGB", (columns * WIDTH, -(-len(picked) // columns) * height), "white")
    pen, letters = ImageDraw.Draw(sheet), font(15)
    for place, i in enumerate(picked):
        x, y = place % columns * WIDTH, place // columns * height
        image = open_picture(paths[i], draft=PICTURE)
        image = image.resize([max(1, round(side * PICTURE / max(image.size))) for side in image.size],
                             Image.Resampling.BICUBIC)
        sheet.paste(image, (x + (WIDTH - image.width) // 2, y + 8))
        sentence = join(written[i])
        right = scenes and names_all_right(sentence, scenes[i])
        color = UNKNOWN if not scenes else RIGHT if right else WRONG
        for row, line in enumerate(wrap(sentence, letters, WIDTH - 16)[:3]):
            pen.text((x + WIDTH / 2, y + PICTURE + 10 + row * LINE), line, color, letters, anchor="ma")
    save_picture(sheet, target, "--picture", paths)


def wrap(sentence: str, letters: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """按宽度折行；英文的词不拆开，标点不放在行首。"""
    lines = [""]
    for part in re.findall(r"[^\W\u2e80-\uffff]+\W?|.", sentence):
        if lines[-1] and letters.getlength(lines[-1] + part.rstrip()) > width and part not in "，、。":
            lines.append("")
        lines[-1] += part
    return lines


def draw_looks(described: list[tuple[Captioner, Described]], target: str) -> None:
    """每张图一段：先是原图，然后每个词一格，越亮的地方写这个词时看得越多。没有注意力的网络只画原图和整句。

    画一段贴一段：几千张时，各段一起留着，比整张图还占内存。
    """
    heights = [strip_height(one) for _, one in described]
    sheet = Image.new("RGB", (PANELS * PANEL, sum(heights)), "white")
    for y, (captioner, one) in zip(accumulate(heights, initial=0), described):
        sheet.paste(strip(captioner, one), (0, y))
    save_picture(sheet, target, "--picture", [one.path for _, one in described])


def strip_height(described: Described) -> int:
    """strip 画的一段有多高，像素。"""
    cells = 1 + min(len(described.candidates[0].looks), len(described.probs))       # 原图，和每个词一格
    return LINE + 8 + -(-cells // PANELS) * ROW


def strip(captioner: Captioner, described: Described) -> Image.Image:
    """一张图的一段，每个词下面是它的概率，不到 DOUBT 的是红字。"""
    image, panels = looks(captioner, described)
    whole = Image.new("RGB", (PANELS * PANEL, strip_height(described)), "white")
    pen, letters, small = ImageDraw.Draw(whole), font(15), font(12)
    pen.text((4, 4), join(captioner.vocabulary.decode(described.candidates[0].ids)), UNKNOWN, letters)
    for place, (panel, word, prob) in enumerate([(image, "", 1), *panels]):
        x, y = place % PANELS * PANEL, LINE + 8 + place // PANELS * ROW
        whole.paste(panel, (x + 1, y))
        pen.text((x + PANEL / 2, y + PANEL), word, UNKNOWN, letters, anchor="ma")
        if word:
            pen.text((x + PANEL / 2, y + PANEL + LINE), f"{prob:.0%}", WRONG if prob < DOUBT else UNKNOWN, small, anchor="ma")
    return whole


def looks(captioner: Captioner, described: Described) -> tuple[Image.Image, list[tuple[Image.Image, str, float]]]:
    """网络看的那一块图，和最好的一句里每个词的 (写它时看的地方, 词, 概率)。没有注意力的网络，后者是空的。"""
    best, words = described.candidates[0], captioner.vocabulary.decode(described.candidates[0].ids)
    pixels = read_image(described.path, captioner.scale_size, captioner.img_size).permute(1, 2, 0).numpy()      # (S, S, 3)
    image = Image.fromarray(pixels).resize((PANEL, PANEL), Image.Resampling.BICUBIC)
    return image, [(lit(image, look), word, prob) for look, word, prob in zip(best.looks, words, described.probs)]


def smallest(count: int) -> tuple[int, int]:
    """draw_looks 画 count 张图至少多大（宽、高，像素）：动手之前就看存不存得下。"""
    return PANELS * PANEL, count * (LINE + 8 + ROW)


def lit(image: Image.Image, look: list[float]) -> Image.Image:
    """按权重照亮图的各处；look 是从左到右、从上到下各格的权重。"""
    side = round(len(look) ** 0.5)
    weights = np.array(look, np.float32).reshape(side, side) / max(look)
    light = Image.fromarray(weights).resize(image.size, Image.Resampling.BICUBIC)
    bright = 0.2 + 0.8 * np.clip(np.array(light), 0, 1)[..., None]
    return Image.fromarray((np.array(image) * bright).astype(np.uint8)).resize((PANEL - 2, PANEL - 2))
