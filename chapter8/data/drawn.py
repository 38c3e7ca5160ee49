"""两幅自己画的「画」，没有版权的顾虑：python -m data.drawn，存到 data/paintings/。

- stained_glass：花窗。随机的点把平面分成 Voronoi 格子，一格一块玻璃，格子之间是铅条。
- woodcut：木刻。刀痕顺着一个流场走，走向与粗细由一幅平滑的随机明暗决定。
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

HERE = Path(__file__).parent / "paintings"
SIDE = 512          # 像素
RINGS = 12
SEED = 7
GLASS = np.array([[18, 52, 130], [30, 96, 180], [120, 20, 40], [196, 40, 38], [230, 160, 30], [246, 210, 90], [24, 110, 80], [110, 50, 140]], float)
INK, PAPER = np.array([28, 30, 46], float), np.array([240, 228, 200], float)


def smooth_noise(random: np.random.Generator, scale: int) -> np.ndarray:
    """(SIDE, SIDE) 的平滑随机数，0 到 1，起伏大约 scale 个像素一次。"""
    small = Image.fromarray(random.random((SIDE // scale + 3,) * 2).astype(np.float32))
    field = np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    return (field - field.min()) / (field.max() - field.min())


def stained_glass(random: np.random.Generator) -> Image.Image:
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    points = []
    for ring in range(RINGS):                                               # 一圈一圈的玻璃，像玫瑰花窗
        count = max(1, 6 * ring)
        angles = 2 * np.pi * (np.arange(count) / count + random.random())
        points += [(0.72 / RINGS * ring * np.cos(angle), 0.72 / RINGS * ring * np.sin(angle), ring) for angle in angles]
    points = np.array(points)
    points[:, :2] += random.normal(0, 0.006, points[:, :2].shape)
    distance = np.sqrt((x[..., None] - points[:, 0]) ** 2 + (y[..., None] - points[:, 1]) ** 2)     # (SIDE, SIDE, 点)
    order = np.argsort(distance, -1)[..., :2]
    near, next_ = np.take_along_axis(distance, order, -1).transpose(2, 0, 1)
    cell = order[..., 0]
    favourite = np.array([4, 3, 1, 5, 0, 2, 6, 7])[points[:, 2].astype(int) % len(GLASS)]
    choice = np.where(random.random(len(points)) < 0.6, favourite, random.integers(len(GLASS), size=len(points)))
    colour = GLASS[choice] * random.uniform(0.75, 1.25, (len(points), 1))
    light = 0.7 + 0.6 * smooth_noise(random, 24) * (1 - 2.2 * (next_ - near).clip(0, 0.1))          # 玻璃厚薄不匀，中间透亮些
    streak = 1 + 0.18 * (smooth_noise(random, 6) - 0.5)
    picture = colour[cell] * (light * streak)[..., None]
    lead = np.clip((next_ - near - 0.006) / 0.004, 0, 1)[..., None]
    return _finish(lead * picture + (1 - lead) * 20)


def woodcut(random: np.random.Generator) -> Image.Image:
    tone = 0.15 + 0.7 * smooth_noise(random, 90)                            # 明暗
    angle = np.pi * (smooth_noise(random, 150) * 1.5 + 0.15)                # 刀痕的走向
    pattern = random.random((SIDE, SIDE)) - 0.5
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    total = np.zeros((SIDE, SIDE))
    for sign in (-1, 1):                                                    # 顺着流场把随机点抹成线（线积分卷积）
        py, px = y.copy(), x.copy()
        for _ in range(28):
            iy, ix = py.round().astype(int) % SIDE, px.round().astype(int) % SIDE
            total += pattern[iy, ix]
            py, px = py + sign * np.sin(angle[iy, ix]), px + sign * np.cos(angle[iy, ix])
    grey = Image.fromarray((128 + 40 * total / total.std()).clip(0, 255).astype(np.uint8))
    blurred = np.asarray(grey.filter(ImageFilter.GaussianBlur(1.6)), float) + random.random((SIDE, SIDE))
    rank = blurred.ravel().argsort().argsort().reshape(blurred.shape) / blurred.size        # 0 到 1，均匀
    ink = 1 / (1 + np.exp((rank - (1 - tone)) * 40))
    return _finish(ink[..., None] * INK + (1 - ink[..., None]) * PAPER)


def _finish(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8))


def main() -> None:
    for name, draw in (("stained_glass", stained_glass), ("woodcut", woodcut)):
        draw(np.random.default_rng(SEED)).save(HERE / f"{name}.webp", quality=90)


if __name__ == "__main__":
    main()
