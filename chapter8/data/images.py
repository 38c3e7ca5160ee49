"""缩图，衬白，变成张量。"""

import numpy as np
import torch as t
from PIL import Image


def fit_within(image: Image.Image, side: int) -> Image.Image:
    """等比缩小到最长边不超过 side；side 为 0，或本来就不超过，原样返回。"""
    ratio = side / max(image.size)
    if not side or ratio >= 1:
        return image
    size = tuple(max(1, round(length * ratio)) for length in image.size)
    return image.resize(size, Image.Resampling.LANCZOS)


def on_white(image: Image.Image) -> Image.Image:
    """RGBA 的透明处衬白，成为 RGB；RGB 的原样返回。"""
    if image.mode == "RGB":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def to_tensor(image: Image.Image) -> t.Tensor:
    """RGB 图 → (3, H, W) 的 uint8。"""
    return t.from_numpy(np.array(image)).permute(2, 0, 1)
