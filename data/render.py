"""把图标集里的 SVG 图标画成小彩图：icons10 与 dogcat 两份数据共用。

每张图的颜色、位置、角度都由图标名与序号决定的随机数给出，所以重画一次得到同样的像素。
"""
import colorsys
import io
import random

import numpy as np
from PIL import Image

OVERSAMPLE = 4                      # 先画大 4 倍再求均值，得到平滑的边缘
STEP = 5                            # 像素值取 5 的倍数：肉眼看不出，文件小两成
RGB = tuple[float, float, float]


def luminance(color: RGB) -> float:
    """人眼感到的亮度，0 黑到 1 白。"""
    return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]


def random_color(rng: random.Random, low: float, high: float) -> RGB:
    """一种亮度在 [low, high] 之间的随机颜色，各分量 0 到 1。"""
    while True:
        color = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.05, 0.7), rng.uniform(0.1, 1.0))
        if low <= luminance(color) <= high:
            return color


def pick_colors(rng: random.Random, monochrome: bool) -> tuple[RGB, RGB]:
    """(图标颜色, 背景颜色)；两者亮度相差足够，图标总看得清。彩色图标只用到背景颜色。"""
    if not monochrome:
        return (0.1, 0.1, 0.1), random_color(rng, 0.55, 0.95)
    if rng.random() < 0.6:
        return random_color(rng, 0.02, 0.35), random_color(rng, 0.65, 0.97)
    return random_color(rng, 0.7, 0.98), random_color(rng, 0.05, 0.4)


def hex_color(color: RGB) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in color)


def background(rng: random.Random, color: RGB, height: int, width: int) -> np.ndarray:
    """(height, width, 3) float64，0 到 255：半数为纯色，半数上下略有明暗。"""
    canvas = np.empty((height, width, 3))
    canvas[:] = 255 * np.asarray(color)
    if rng.random() < 0.5:
        slope = rng.uniform(-0.12, 0.12)
        canvas *= np.linspace(1 - slope, 1 + slope, height)[:, None, None]
    return canvas.clip(0, 255)


def svg_document(icon: dict, width: int, height: int, color: RGB, rng: random.Random,
                 spread: float) -> str:
    """把图标放进 width×height 的画布：随机缩放、旋转、平移、左右翻转；spread 为 0 时只居中。"""
    size = max(icon["width"], icon["height"])
    scale = min(width, height) / size * (0.86 + spread * rng.uniform(-0.1, 0.1))
    angle = spread * rng.uniform(-12, 12)
    x = width / 2 + spread * rng.uniform(-0.05, 0.05) * width
    y = height / 2 + spread * rng.uniform(-0.05, 0.05) * height
    flip = -1 if rng.random() < 0.5 else 1
    center_x = icon["left"] + icon["width"] / 2
    center_y = icon["top"] + icon["height"] / 2
    move = (f"translate({x:.3f} {y:.3f}) rotate({angle:.3f}) "
            f"scale({flip * scale:.5f} {scale:.5f}) translate({-center_x} {-center_y})")
    body = icon["body"].replace("currentColor", hex_color(color))
    return ('<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
            f'<g transform="{move}">{body}</g></svg>')


def draw(icon: dict, width: int, height: int, key: str, spread: float = 1.0) -> np.ndarray:
    """画一张图。

    icon: 图标集 JSON 里的一项，含 body、width、height、left、top
    key: 决定这张图一切随机选择的字符串
    返回 (height, width, 3) uint8
    """
    import resvg_py

    rng = random.Random(key)
    color, back = pick_colors(rng, monochrome="currentColor" in icon["body"])
    big_width, big_height = width * OVERSAMPLE, height * OVERSAMPLE
    svg = svg_document(icon, big_width, big_height, color, rng, spread)
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg))
    with Image.open(io.BytesIO(png)) as image:
        layer = np.asarray(image.convert("RGBA"), dtype=np.float64)     # (4H, 4W, 4)
    alpha = layer[..., 3:] / 255
    canvas = background(rng, back, big_height, big_width)
    canvas = layer[..., :3] * alpha + canvas * (1 - alpha)              # (4H, 4W, 3)
    blocks = canvas.reshape(height, OVERSAMPLE, width, OVERSAMPLE, 3)
    pixels = np.rint(blocks.mean(axis=(1, 3)) / STEP) * STEP            # (H, W, 3)
    return pixels.astype(np.uint8)
