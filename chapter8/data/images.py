"""找图片、读图片，各种格式都变成 RGB。"""

from pathlib import Path

import numpy as np
import torch as t
from PIL import Image, ImageOps

from utils import UserError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
Image.MAX_IMAGE_PIXELS = 400_000_000        # 默认的上限约 9 千万，全景照片会超过；仍留一道防压缩炸弹的限


def find_images(path: str, option: str) -> list[Path]:
    """path 是一张图、一个文件夹（含子文件夹）或带 * 的写法，返回其中的图片，按名字排列。一张都没有时抛出 UserError。"""
    place = Path(path)
    if place.is_file():
        return [place]
    if place.is_dir():
        found = place.rglob("*")
    elif any(sign in path for sign in "*?["):
        found = Path(place.anchor or ".").glob(str(place.relative_to(place.anchor)))
    else:
        raise UserError(f"{option}={path} 不存在：要一张图片、一个文件夹，或 'photos/*.jpg' 这样带引号的写法")
    images = sorted(item for item in found if item.suffix.lower() in SUFFIXES and not item.name.startswith("."))
    if not images:
        raise UserError(f"{option}={path} 里没有图片（{'、'.join(sorted(SUFFIXES))}）")
    return images


def read_image(path: str | Path, draft: int = 0) -> Image.Image:
    """读一张图，按 EXIF 转正，变成 RGB。读不出来时抛出 UserError。

    透明处补白；16 位的缩到 8 位；动图取第一帧。draft > 0 时，JPEG 可以只解码到短边不小于 draft 的小图，快得多。
    """
    try:
        with Image.open(path) as image:
            if draft:
                image.draft("RGB", (draft, draft))
            image.load()
            return to_rgb(ImageOps.exif_transpose(image))
    except FileNotFoundError:
        raise UserError(f"找不到图片 {Path(path).as_posix()}") from None
    except UNREADABLE:
        raise UserError(f"{Path(path).as_posix()} 读不出来：不是图片，或文件已损坏") from None


def to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        values = np.asarray(image, np.float32)
        if image.mode != "F" or values.max() > 255:     # 直接 convert 会把 255 以上的全截成白
            values = values / 257
        return Image.fromarray(values.clip(0, 255).round().astype(np.uint8)).convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(paper, image).convert("RGB")
    return image.convert("RGB")


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
