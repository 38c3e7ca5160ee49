"""把几批图排成一张；结果存到哪里。"""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import torch as t
from PIL import Image

from animation import SUFFIXES as ANIMATED
from animation import animated_result, is_animation
from data.pictures import SUFFIXES, check_picture
from utils.files import UserError, check_target, legible, say

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


def without_results(paths: list[Path], content: str, result: str) -> list[Path]:
    """结果的文件夹在照片的文件夹里面时，其中是上次画的，不再画一遍。"""
    target = Path(result).resolve()
    if Path(content).resolve() not in target.parents:
        return paths
    photos = [path for path in paths if target not in path.resolve().parents]
    if len(photos) < len(paths):
        say(f"{legible(Path(result))} 里的 {len(paths) - len(photos)} 张当作上次画的，不再画")
    return photos or paths


def plan_results(paths: list[Path], content: str, result: str, given: bool = True) -> list[Path]:
    """每张照片的结果存到哪里。只有一张时 result 是文件（或已有的文件夹）；几张时是文件夹，里面的子文件夹与 content 的一样。
    照片的结果是 .png，动画的仍是原来的格式；result 没有亲手给出（given 为假）时也这样。

    存不了、会盖掉照片时抛出 UserError：画之前就说，免得白等。
    """
    target = Path(result)
    if len(paths) == 1 and not target.is_dir():
        return [check_picture(animated_result(target, paths[0], given), "--result-path", paths)]
    if target.exists() and not target.is_dir() or target.suffix.lower() in SUFFIXES:
        raise UserError(f"要画的有 {len(paths)} 张，--result-path={legible(target)} 要是一个文件夹")
    root = Path(content) if Path(content).is_dir() else Path(os.path.commonpath([path.parent for path in paths]))
    names = [path.relative_to(root) for path in paths]
    stems = Counter(name.with_suffix("").as_posix().lower() for name in names)      # a.jpg 和 a.png 的结果不能都叫 a.png
    suffixes = [path.suffix.lower() if is_animation(path) and path.suffix.lower() in ANIMATED else ".png" for path in paths]
    whole = [target / name.with_name(f"{name.name}{suffix}") for name, suffix in zip(names, suffixes)]
    results = [target / name.with_suffix(suffix) if stems[name.with_suffix("").as_posix().lower()] == 1 else long
               for name, suffix, long in zip(names, suffixes, whole)]
    if len({item.as_posix().lower() for item in results}) < len(results):           # a.png、a.jpg 和 a.png.jpg
        results = whole
    originals = {os.path.realpath(path) for path in paths}
    at_home = target.resolve() == root.resolve()                # 与照片在同一个文件夹：已有的文件都不能动
    covered = next((item for item in results if os.path.realpath(item) in originals or at_home and item.exists()), None)
    if covered:
        raise UserError(f"结果 {legible(covered)} 会盖掉原有的图片：--result-path 换一个文件夹")
    check_target(results[0], "--result-path")
    return results
