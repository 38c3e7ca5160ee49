"""把场景画成图片：背景用几何图形和随机的颜色画，东西从精灵图（data/sprites/*.webp）里剪下来贴上去。"""

import colorsys
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageDraw

from .scenes import SIDE, Scene, concepts

SPRITES = Path(__file__).parent / "sprites"
CELL, COLUMNS = 80, 15                  # 精灵图里每格的边长（像素），一行几格
HUES = {"红": 0.98, "黄": 0.13, "绿": 0.35, "蓝": 0.6, "紫": 0.77}


@cache
def sheet(style: str) -> Image.Image:
    return Image.open(SPRITES / f"{style}.webp").convert("RGBA")


@cache
def sprite(style: str, name: str, color: str = "") -> Image.Image:
    """一种东西的图，RGBA，去掉四周的空白；color 非空时把它的主色换成这种颜色。"""
    index = list(concepts()).index(name)
    x, y = index % COLUMNS * CELL, index // COLUMNS * CELL
    image = sheet(style).crop((x, y, x + CELL, y + CELL))
    image = image.crop(image.getbbox())
    return paint(image, HUES[color]) if color else image


def paint(image: Image.Image, hue: float) -> Image.Image:
    """把最多的那种鲜艳颜色换成 hue（0–1 的色相），深浅不变；其余颜色（车窗、叶子……）照旧。"""
    hsv = np.array(image.convert("RGB").convert("HSV"))
    vivid = (hsv[..., 1] > 70) & (hsv[..., 2] > 60) & (np.array(image)[..., 3] > 60)
    counts = np.bincount(hsv[..., 0][vivid] // 8, minlength=32)
    main = int(np.argmax(counts + np.roll(counts, 1) + np.roll(counts, -1))) * 8 + 4
    distance = np.abs((hsv[..., 0].astype(int) - main + 128) % 256 - 128)
    chosen = vivid & (distance < 26)
    hsv[..., 0][chosen] = round(hue * 255)
    painted = Image.fromarray(hsv, "HSV").convert("RGB")
    painted.putalpha(image.getchannel("A"))
    return painted


def draw(scene: Scene, random: Random) -> Image.Image:
    """画出场景，RGB，SIDE×SIDE。random 只管背景的细节和东西的左右朝向。"""
    canvas = BACKGROUND_PAINTERS[scene.background](random).convert("RGBA")
    flips = {thing.name: random.random() < 0.5 for thing in scene.things}
    for thing in sorted(scene.things, key=lambda thing: max(box[3] for box in thing.boxes)):    # 近的盖住远的
        picture = sprite(scene.style, thing.name, thing.color)
        if flips[thing.name]:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        for left, _, right, bottom in thing.boxes:
            zoom = (right - left) / max(picture.size)
            small = picture.resize([max(1, round(side * zoom)) for side in picture.size], Image.Resampling.LANCZOS)
            # 窄的居中，扁的贴着底边
            canvas.alpha_composite(small, ((left + right - small.width) // 2, bottom - small.height))
    return canvas.convert("RGB")


def shade(random: Random, hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    """给定的颜色（HSV，各 0–1），稍微变一变，返回 RGB。"""
    hsv = (hue + random.uniform(-0.02, 0.02)) % 1, *(min(1, max(0, part + random.uniform(-0.07, 0.07)))
                                                     for part in (saturation, value))
    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(*hsv))


def layers(*bands: tuple[int, tuple, tuple]) -> Image.Image:
    """从上到下几条色带，每条 (到多高为止, 上端的颜色, 下端的颜色)，带内渐变。"""
    rows, top = [], 0
    for bottom, first, last in bands:
        rows.append(np.linspace(first, last, bottom - top))
        top = bottom
    column = np.concatenate(rows).round().astype(np.uint8)          # (SIDE, 3)
    return Image.fromarray(np.repeat(column[:, None], SIDE, axis=1))


def grass(random: Random) -> Image.Image:
    horizon = random.randint(58, 72)
    sky, ground = shade(random, 0.55, 0.35, 0.95), shade(random, 0.28, 0.5, 0.72)
    image = layers((horizon, sky, shade(random, 0.55, 0.15, 0.98)), (SIDE, ground, shade(random, 0.3, 0.6, 0.6)))
    pen = ImageDraw.Draw(image)
    for _ in range(40):
        x, y = random.randint(0, SIDE), random.randint(horizon + 4, SIDE)
        pen.line((x, y, x + random.randint(-2, 2), y - random.randint(2, 5)), shade(random, 0.3, 0.65, 0.5))
    return image


def seaside(random: Random) -> Image.Image:
    horizon, shore = random.randint(42, 50), random.randint(84, 90)
    image = layers((horizon, shade(random, 0.55, 0.4, 0.95), shade(random, 0.54, 0.15, 0.98)),
                   (shore, shade(random, 0.57, 0.75, 0.7), shade(random, 0.5, 0.5, 0.8)),
                   (SIDE, shade(random, 0.12, 0.3, 0.93), shade(random, 0.1, 0.4, 0.85)))
    pen = ImageDraw.Draw(image)
    for _ in range(8):
        x, y = random.randint(0, SIDE - 12), random.randint(horizon + 4, shore - 4)
        pen.line((x, y, x + random.randint(5, 12), y), (225, 240, 245))
    pen.line([(x, shore + random.randint(-1, 2)) for x in range(0, SIDE + 8, 8)], (250, 250, 245), 2)
    return image


def night(random: Random) -> Image.Image:
    horizon = random.randint(84, 92)
    image = layers((horizon, shade(random, 0.66, 0.75, 0.18), shade(random, 0.7, 0.5, 0.36)),
                   (SIDE, shade(random, 0.6, 0.4, 0.2), shade(random, 0.6, 0.4, 0.13)))
    pen = ImageDraw.Draw(image)
    for _ in range(35):
        pen.point((random.randrange(SIDE), random.randrange(horizon)), (225, 225, random.randint(160, 240)))
    left = random.randint(-30, 60)
    pen.ellipse((left, horizon - 9, left + 90, horizon + 24), shade(random, 0.6, 0.4, 0.2))
    return image


def snow(random: Random) -> Image.Image:
    horizon = random.randint(60, 74)
    image = layers((horizon, shade(random, 0.58, 0.2, 0.75), shade(random, 0.58, 0.1, 0.88)),
                   (SIDE, (245, 248, 252), shade(random, 0.58, 0.09, 0.9)))
    pen = ImageDraw.Draw(image)
    left = random.randint(-40, 60)
    pen.ellipse((left, horizon - 10, left + 100, horizon + 30), (243, 246, 251))
    for _ in range(30):
        x, y = random.randrange(SIDE), random.randrange(horizon)
        pen.ellipse((x, y, x + 1, y + 1), "white")
    return image


def street(random: Random) -> Image.Image:
    horizon = random.randint(74, 82)
    image = layers((horizon, shade(random, 0.56, 0.25, 0.9), shade(random, 0.56, 0.1, 0.95)),
                   (SIDE, shade(random, 0.6, 0.06, 0.5), shade(random, 0.6, 0.06, 0.42)))
    pen = ImageDraw.Draw(image)
    x = -random.randint(0, 15)
    while x < SIDE:
        width, top = random.randint(16, 30), random.randint(26, 56)
        pen.rectangle((x, top, x + width, horizon), shade(random, random.random(), 0.12, 0.75))
        for window in range(top + 5, horizon - 6, 9):
            pen.rectangle((x + 4, window, x + width - 4, window + 3), shade(random, 0.57, 0.1, 0.87))
        x += width + random.randint(0, 4)
    pen.rectangle((0, horizon, SIDE, horizon + 5), (176, 174, 168))
    for x in range(random.randint(-10, 0), SIDE, 26):
        pen.rectangle((x, 105, x + 12, 107), (225, 222, 205))
    return image


def indoors(random: Random) -> Image.Image:
    floor, hue = random.randint(78, 88), random.random()
    image = layers((floor, shade(random, hue, 0.12, 0.9), shade(random, hue, 0.15, 0.86)),
                   (SIDE, shade(random, 0.08, 0.42, 0.66), shade(random, 0.08, 0.45, 0.56)))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, floor - 3, SIDE, floor), (240, 238, 232))
    for y in range(floor + 9, SIDE, 10):
        pen.line((0, y, SIDE, y), (128, 96, 66))
    x, y = random.randint(6, 84), random.randint(8, 18)
    pen.rectangle((x, y, x + 34, y + 38), (245, 243, 238))
    pen.rectangle((x + 3, y + 3, x + 31, y + 35), shade(random, 0.55, 0.3, 0.93))
    pen.rectangle((x + 16, y, x + 18, y + 38), (245, 243, 238))
    return image


BACKGROUND_PAINTERS = {"草地": grass, "海边": seaside, "夜空": night, "雪地": snow, "街道": street, "室内": indoors}
