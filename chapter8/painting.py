"""用网络画一张照片：大图分块，颜色和浓淡可调。"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch as t
from PIL import Image

from data import on_white, to_tensor
from models import TransformerNet
from pictures import to_picture
from utils.runtime import Runtime

OVERLAP = 64            # 每块四周多看这么多像素。网络里一个像素最远受 54 个像素以外影响（有测试），多看 64 就与整张画的相同
SAMPLE_SIDE = 320       # 定归一化的统计量时，取的样本块的边长，像素
MAX_SAMPLES = 12        # 样本块最多几块：合起来约 1100×1100 个像素，占的内存与画一块差不多


def paint(net: TransformerNet, photo: Image.Image, runtime: Runtime, tile: int) -> Image.Image:
    """照片 → 同样大小的画。任意一边超过 tile 像素就分块。

    卷积只看近处，分块时四周多看一圈就够了；实例归一化却要整张图的均值和方差，各块自己算，接缝处颜色就会跳。
    整张图放不进内存，只好先均匀地取几块样本，一起前向一次，把每层合起来的均值和方差定下来，再一块一块画。
    在 shared_statistics 里面，用的是各帧共同的均值和方差。
    """
    whole = to_tensor(photo)                                        # (3, H, W) uint8
    if net.calibrated or max(whole.shape[1:]) <= tile:
        return to_image(paint_tiles(net, whole, runtime, tile)[None])
    with shared_statistics(net, [photo], runtime):
        return to_image(paint_tiles(net, whole, runtime, tile)[None])


@contextmanager
def shared_statistics(net: TransformerNet, frames: list[Image.Image], runtime: Runtime) -> Iterator[None]:
    """其间画的每一张都用同样的均值和方差，由一样大的各帧 frames 里取的样本块定下：各帧自己算，画里动了一样东西，
    不动的地方颜色也跟着变，看上去一闪一闪。"""
    blocks = [sample_blocks(to_tensor(frame)) for frame in frames]
    count = max(len(blocks[0]), min(len(frames), MAX_SAMPLES))      # 帧和位置都轮着取
    samples = [blocks[i * len(frames) // count][i % len(blocks[0])] for i in range(count)]
    net.calibrate(t.stack(samples).to(runtime.device).float())
    try:
        yield
    finally:
        net.release()


def paint_tiles(net: TransformerNet, whole: t.Tensor, runtime: Runtime, tile: int) -> t.Tensor:
    """照片 (3, H, W) uint8 → 画 (3, H, W) uint8，tile 见方一块一块地画。"""
    height, width = whole.shape[1:]
    tile -= tile % 4                                                # 两次缩小一半时，各块的格子要与整张图的对齐
    picture = t.empty_like(whole)
    for y, x in tile_corners(height, width, tile):
        bottom, right = min(y + tile, height), min(x + tile, width)
        top, left = max(y - OVERLAP, 0), max(x - OVERLAP, 0)
        part = whole[None, :, top:bottom + OVERLAP, left:right + OVERLAP]               # 到头了就到头为止
        painted = run_net(net, part, runtime)[0]
        picture[:, y:bottom, x:right] = painted[:, y - top:bottom - top, x - left:right - left]
    return picture


def run_net(net: TransformerNet, photos: t.Tensor, runtime: Runtime) -> t.Tensor:
    """(B, 3, H, W) uint8 → 画 (B, 3, H, W) uint8，在 CPU 上。"""
    with t.inference_mode(), runtime.autocast():
        images = net(photos.to(runtime.device).float().contiguous(memory_format=t.channels_last))
    return images.round().clamp(0, 255).byte().cpu()


def tile_corners(height: int, width: int, tile: int) -> list[tuple[int, int]]:
    """各块左上角的 (y, x)。"""
    return [(y, x) for y in range(0, height, tile) for x in range(0, width, tile)]


def sample_blocks(photo: t.Tensor) -> t.Tensor:
    """照片 (3, H, W) 里均匀分布的至多 MAX_SAMPLES 块 → (N, 3, S, S)，S 不超过 SAMPLE_SIDE 和照片的边。"""
    height, width = photo.shape[1:]
    rows, columns = math.ceil(height / SAMPLE_SIDE), math.ceil(width / SAMPLE_SIDE)
    if rows * columns > MAX_SAMPLES:                                # 按照片的长宽比分
        rows = min(rows, MAX_SAMPLES, max(1, round(math.sqrt(MAX_SAMPLES * height / width))))
        columns = min(columns, MAX_SAMPLES // rows)
    tall, wide = min(SAMPLE_SIDE, math.ceil(height / rows)), min(SAMPLE_SIDE, math.ceil(width / columns))   # 放得下时正好铺满
    tops = t.linspace(0, height - tall, rows).long().tolist()
    lefts = t.linspace(0, width - wide, columns).long().tolist()
    return t.stack([photo[:, y:y + tall, x:x + wide] for y in tops for x in lefts])


def to_image(pictures: t.Tensor) -> Image.Image:
    """(1, 3, H, W)、0 到 255 → RGB 图。"""
    return Image.fromarray(to_picture(pictures)[0])


def finish(picture: Image.Image, photo: Image.Image, strength: float, preserve_color: bool) -> Image.Image:
    """preserve_color 时只留画的明暗，色彩换回照片的；再按 strength 与照片混合，1 全是画，0 全是照片。照片透明的地方（RGBA），画也透明。"""
    flat = on_white(photo)
    if preserve_color:
        light = picture.convert("YCbCr").getchannel("Y")            # Y 明暗，Cb、Cr 色彩
        _, blue, red = flat.convert("YCbCr").split()
        picture = Image.merge("YCbCr", (light, blue, red)).convert("RGB")
    picture = picture if strength == 1 else Image.blend(flat, picture, strength)
    if photo.mode == "RGBA":
        picture.putalpha(photo.getchannel("A"))
    return picture
