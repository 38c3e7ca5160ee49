"""缩图，变成张量。"""

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


def to_tensor(image: Image.Image) -> t.Tensor:
    """RGB 图 → (3, H, W) 的 uint8。"""
    return t.from_numpy(np.array(image)).permute(2, 0, 1)
