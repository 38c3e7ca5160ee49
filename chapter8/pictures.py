"""把几批图排成一张，存图。"""

import os
from pathlib import Path

import numpy as np
import torch as t
from PIL import Image

from utils import UserError

GAP = 4             # 两格之间的空隙，像素


def sheet(rows: list[t.Tensor]) -> Image.Image:
    """每个 (N, 3, H, W)、0 到 255 的张量占一行，各行同样大小 → 一张图。"""
    count, _, height, width = rows[0].shape
    page = np.full((len(rows) * (height + GAP) - GAP, count * (width + GAP) - GAP, 3), 255, np.uint8)
    for r, images in enumerate(rows):
        for c, image in enumerate(to_picture(images)):
            y, x = r * (height + GAP), c * (width + GAP)
            page[y:y + height, x:x + width] = image
    return Image.fromarray(page)


def to_picture(images: t.Tensor) -> np.ndarray:
    """(N, 3, H, W)、0 到 255 → (N, H, W, 3) 的 uint8。"""
    return images.round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()


def plan_results(paths: list[Path], result: str) -> list[Path]:
    """每张照片的结果存到哪里。只有一张时 result 是文件（或已有的文件夹）；几张时是文件夹，没有就新建。

    扩展名不认识、上一级文件夹不存在时抛出 UserError：画之前就说，免得白等。
    """
    target = Path(result)
    if len(paths) == 1 and not target.is_dir():
        if target.suffix.lower() not in Image.registered_extensions():
            raise UserError(f"--result-path={result} 的扩展名不认识：用 .png、.jpg 或 .webp")
        if not target.parent.is_dir():
            raise UserError(f"--result-path={result} 所在的文件夹 {target.parent.as_posix()} 不存在：先建好它")
        return [target]
    if target.exists() and not target.is_dir() or target.suffix.lower() in Image.registered_extensions():
        raise UserError(f"要画的有 {len(paths)} 张，--result-path={result} 要是一个文件夹")
    try:
        target.mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"--result-path={result} 建不了文件夹（{error.strerror}）") from None
    stems = [path.stem for path in paths]
    return [target / (f"{path.stem}.png" if stems.count(path.stem) == 1 else f"{path.parent.name}_{path.name}.png")
            for path in paths]


def save_image(image: Image.Image, path: Path, option: str) -> None:
    """先写临时文件再改名：写到一半盘满了，不会留下残缺的图。存不了时抛出 UserError；option 是指明 path 的选项名。"""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "wb") as file:
            image.save(file, Image.registered_extensions()[path.suffix.lower()], quality=92)
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"{option}={path.as_posix()} 存不了（{error.strerror or error}）：检查剩余空间和写的权限") from None
    finally:
        temporary.unlink(missing_ok=True)
