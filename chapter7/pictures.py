"""把一批图拼成一张，或连成一段动画。"""

import math
from pathlib import Path

import numpy as np
import torch as t
from PIL import Image

from utils import UserError

GAP = 2                 # 两格之间的空隙，像素
FRAME_MS = 80           # 动画每帧的毫秒数


def grid(images: t.Tensor, columns: int | None = None) -> Image.Image:
    """(N, 3, S, S) 的 uint8 → 一张图。不给 columns 时近于正方。"""
    count, _, side, _ = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    step = side + GAP
    sheet = np.full((rows * step + GAP, columns * step + GAP, 3), 255, np.uint8)
    for i, image in enumerate(images.permute(0, 2, 3, 1).numpy()):
        y, x = GAP + i // columns * step, GAP + i % columns * step
        sheet[y:y + side, x:x + side] = image
    return Image.fromarray(sheet)


def save_image(image: Image.Image, path: str, option: str, **options) -> None:
    """存图；扩展名不认识或文件夹写不进去时抛出 UserError。option 是指明 path 的选项名。"""
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        image.save(path, **options)
    except (ValueError, OSError) as error:
        raise UserError(f"{option}={path} 存不了（{error}）：扩展名用 .png、.jpg 或 .webp，文件夹要能写，磁盘要有空间") from None


def save_animation(images: t.Tensor, path: str, option: str) -> None:
    """(N, 3, S, S) 的 uint8 → 来回播放的 GIF。"""
    frames = [Image.fromarray(image) for image in images.permute(0, 2, 3, 1).numpy()]
    frames += frames[-2:0:-1]
    save_image(frames[0], path, option, save_all=True, append_images=frames[1:], duration=FRAME_MS, loop=0)


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
