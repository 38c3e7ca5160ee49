"""用 DiceBear 画头像：画风 adventurer，作者 Lisa Wischofsky，CC BY 4.0。种子定了，画就定了。"""

import hashlib
import importlib.resources
import io
import json
import os
import zipfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from utils.files import UserError, replacing

SIDE = 96                       # 边长，像素
QUALITY = 80                    # WebP 的质量
BACKGROUNDS = ["b6e3f4", "c0aede", "d1d4f9", "ffd5dc", "ffdfbf"]
HELD_OUT = 1_000_000            # 种子从这里起的头像只用来评价，训练从不使用
CHUNK = 250                     # 一个进程一次画几张


def draw_avatars(target: Path, seeds: range, title: str) -> None:
    """按种子画头像，存成一个装着 <种子>.webp 的 zip；那里有内容不同的，可能是读者自己的，改名留着。中断不会留下半个。"""
    style()                                                     # 缺少软件包就早说
    same = lambda old: hashlib.sha256(old.read_bytes()).digest() == hashlib.sha256(Path(file.name).read_bytes()).digest()  # noqa: E731
    with replacing(target, same) as file, zipfile.ZipFile(file, "w") as archive, ProcessPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        bar = tqdm(total=len(seeds), desc=title, unit="张", leave=False, delay=1)
        chunks = [seeds[start:start + CHUNK] for start in range(0, len(seeds), CHUNK)]
        for chunk, pictures in zip(chunks, pool.map(draw_chunk, chunks)):
            for seed, picture in zip(chunk, pictures):
                archive.writestr(zipfile.ZipInfo(f"{seed}.webp"), picture)      # 时刻固定，文件才逐字节相同
            bar.update(len(chunk))
        bar.close()


def draw_chunk(seeds: Iterable[int]) -> list[bytes]:
    return [draw(seed) for seed in seeds]


def draw(seed: int) -> bytes:
    """一个头像的 WebP。"""
    import resvg_py
    from dicebear import Avatar

    options = {"seed": str(seed), "size": SIDE, "backgroundColor": BACKGROUNDS}
    svg = Avatar(style(), options).to_string()
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg))
    file = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(file, "WEBP", quality=QUALITY, method=6)
    return file.getvalue()


@cache
def style():
    """画风 adventurer 的全部零件。"""
    try:
        import resvg_py  # noqa: F401
        from dicebear import Style
        text = importlib.resources.files("dicebear_styles").joinpath("adventurer.json").read_text(encoding="utf-8")
    except ImportError as error:
        raise UserError(f"画头像缺少 {error.name}：pip install dicebear-core==10.7.0 dicebear-styles==10.6.0 "
                        "resvg-py==0.5.0") from None
    return Style(json.loads(text))
