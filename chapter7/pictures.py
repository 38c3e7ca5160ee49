"""把一批图拼成一张，或连成一段动画。"""

import math

import numpy as np
import torch as t
from PIL import Image

from data.pictures import save_picture

GAP = 2                 # 两格之间的空隙，像素
FRAME_MS = 80           # 动画每帧的毫秒数


def grid_size(count: int, side: int, columns: int | None = None) -> tuple[int, int]:
    """grid 画出的图的宽和高，像素。"""
    columns = columns or math.ceil(math.sqrt(count))
    return columns * (side + GAP) + GAP, math.ceil(count / columns) * (side + GAP) + GAP


def grid(images: t.Tensor, columns: int | None = None) -> Image.Image:
    """(N, 3, S, S) 的 uint8 → 一张图。不给 columns 时近于正方。"""
    count, _, side, _ = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    step = side + GAP
    sheet = np.full((*reversed(grid_size(count, side, columns)), 3), 255, np.uint8)
    for i, image in enumerate(images.permute(0, 2, 3, 1).numpy()):
        y, x = GAP + i // columns * step, GAP + i % columns * step
        sheet[y:y + side, x:x + side] = image
    return Image.fromarray(sheet)


def save_animation(images: t.Tensor, path: str, option: str) -> None:
    """(N, 3, S, S) 的 uint8 → 来回播放的 GIF。"""
    frames = [Image.fromarray(image) for image in images.permute(0, 2, 3, 1).numpy()]
    frames += frames[-2:0:-1]
    save_picture(frames[0], path, option, save_all=True, append_images=frames[1:], duration=FRAME_MS, loop=0)


def walk(start: t.Tensor, end: t.Tensor, steps: int) -> t.Tensor:
    """两个噪声 (nz,) 之间的 steps 个点 (steps, nz)，两端都含。

    沿球面走（slerp）：高维正态噪声的长度几乎都是 √nz，直线的中点却短得多，生成器没有见过。
    White, 2016, arXiv:1609.04468。
    """
    ratio = t.linspace(0, 1, steps)[:, None]
    angle = t.arccos(t.nn.functional.cosine_similarity(start, end, dim=0).clamp(-1, 1))
    if angle < 1e-4:
        return t.lerp(start[None], end[None], ratio)
    return (t.sin((1 - ratio) * angle) * start + t.sin(ratio * angle) * end) / t.sin(angle)
