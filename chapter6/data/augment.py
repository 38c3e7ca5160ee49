"""成批的数据增强：一次处理整批 uint8 图，全是张量运算，在加速卡上同样能做。"""

import math

import torch as t
from torch.nn import functional as F

from utils.runtime import Runtime

ALONE = Runtime(t.device("cpu"))         # 一个进程，在 CPU 上


def to_input(images: t.Tensor, mean: tuple, std: tuple) -> t.Tensor:
    """(B, 4, H, W) 的 uint8 → (B, 3, H, W) 的归一化浮点数。透明处衬白底。验证、测试和使用时用。"""
    images = images.float() / 255
    color, alpha = images[:, :3], images[:, 3:]
    return normalize(color * alpha + 1 - alpha, mean, std)


def normalize(images: t.Tensor, mean: tuple, std: tuple) -> t.Tensor:
    """(B, 3, H, W)，像素值 0 到 1 → 减均值、除以标准差。"""
    mean, std = (t.tensor(values, device=images.device)[:, None, None] for values in (mean, std))
    return (images - mean) / std


class Dice:
    """给一批里的每张图掷骰子。几个进程合掷全体的一份，各取自己那些，于是与一个进程掷出的相同。

    骰子在 CPU 上掷，结果搬上设备：各种设备上都一样，也不必等设备算完来告诉 CPU 掷出了什么。
    """

    def __init__(self, count: int, runtime: Runtime):
        self.count, self.runtime = count, runtime

    def roll(self, channels: int = 1) -> t.Tensor:
        """(B, channels)，均匀分布在 [0, 1)，在 CPU 上。"""
        return t.rand(self.count * self.runtime.world_size, channels)[self.runtime.rank::self.runtime.world_size]

    def uniform(self, low: float, high: float, channels: int = 1) -> t.Tensor:
        """(B, channels)，均匀分布在 [low, high)。"""
        return (low + (high - low) * self.roll(channels)).to(self.runtime.device)

    def chance(self, probability: float) -> t.Tensor:
        """(B, 1)，以 probability 为真。"""
        return self.uniform(0, 1) < probability

    def some(self, probability: float) -> t.Tensor:
        """每张图以 probability 被选中；返回选中的各张的下标。"""
        return (self.roll()[:, 0] < probability).nonzero()[:, 0].to(self.runtime.device)


def augment(images: t.Tensor, mean: tuple, std: tuple, runtime: Runtime = ALONE) -> t.Tensor:
    """训练用：随机翻转、缩放、旋转、平移，变颜色，衬随机的底，再归一化。

    images: (B, 4, H, W) 的 uint8，在 CPU 上。返回 runtime 的设备上 (B, 3, H, W) 的浮点数。
    有透明处的是图标：颜色大改，底随意。没有透明处的是照片：宽窄、远近变得多些，再像别处来的照片那样变糊、压坏。
    """
    dice = Dice(len(images), runtime)
    drawn = (images[:, 3:].float().mean((1, 2, 3)) < 0.99 * 255)[:, None]       # (B, 1) 是图标
    only_drawn, drawn = bool(drawn.all()), drawn.to(runtime.device)
    images = images.to(runtime.device).float() / 255
    alpha = images[:, 3:]
    images = t.cat([images[:, :3] * alpha, alpha], 1)       # 先乘不透明度，插值时边缘才不会发黑
    images = move(images, drawn, only_drawn, dice)
    premultiplied, alpha = images[:, :3], images[:, 3:]
    color = premultiplied / alpha.clamp(min=1e-3)
    color = recolor(color, drawn, dice).clamp(0, 1)
    if not only_drawn:
        color = t.where(drawn[..., None, None], color, age(color, dice))
    back = background(color, alpha, dice)[:, :, None, None]
    return normalize(color * alpha + back * (1 - alpha), mean, std)


def move(images: t.Tensor, drawn: t.Tensor, only_drawn: bool, dice: Dice) -> t.Tensor:
    """左右翻转（一半）、放大 0.75–1.2 倍、稍改宽窄、旋转 ±20°、平移 ±10%。出界处，照片取镜像，图标透明。

    照片放大 0.85–1.6 倍，宽窄变 0.7–1.4 倍：别处来的照片不一定是正方形，猫狗也有远有近。
    """
    angle = dice.uniform(-20, 20) * math.pi / 180
    zoom = 1 / dice.uniform(0.75, 1.2)
    stretch = dice.uniform(0.85, 1.18)
    flip = 1 - 2 * dice.chance(0.5).float()
    shift = dice.uniform(-0.2, 0.2, 2)                      # 坐标从 -1 到 1，0.2 是边长的 10%
    if not only_drawn:
        zoom = t.where(drawn, zoom, 1 / dice.uniform(0.85, 1.6))
        stretch = t.where(drawn, stretch, dice.uniform(math.log(0.7), math.log(1.4)).exp())
    row1 = t.cat([zoom * flip * stretch * angle.cos(), -zoom * angle.sin(), shift[:, :1]], 1)
    row2 = t.cat([zoom * flip * stretch * angle.sin(), zoom * angle.cos(), shift[:, 1:]], 1)
    grid = F.affine_grid(t.stack([row1, row2], 1), images.shape, align_corners=False)
    moved = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    inside = (grid.abs() <= 1).all(3)[:, None] | ~drawn[..., None, None]        # (B, 1, H, W)
    return moved * inside


def recolor(color: t.Tensor, drawn: t.Tensor, dice: Dice) -> t.Tensor:
    """(B, 3, H, W) → 同样形状。明暗对比都变；图标还可能反色、变灰、各通道向不同颜色偏移。"""
    pick = lambda wild, mild: t.where(drawn, wild, mild)[..., None, None]  # noqa: E731
    gain = pick(dice.uniform(0.5, 1.2, 3), dice.uniform(0.8, 1.2))
    offset = pick(dice.uniform(-0.1, 0.4, 3), dice.uniform(-0.1, 0.1))
    gray = (dice.chance(0.3) & drawn)[..., None, None]
    inverted = (dice.chance(0.3) & drawn)[..., None, None]
    color = t.where(gray, color.mean(1, keepdim=True), color)
    color = t.where(inverted, 1 - color, color)
    return color * gain + offset


def age(color: t.Tensor, dice: Dice) -> t.Tensor:
    """(B, 3, H, W) 的照片 → 同样形状：偏色、浓淡、黑白；有的缩小再放大，有的像 JPEG 那样压坏。"""
    each = lambda low, high, channels=1: dice.uniform(low, high, channels)[..., None, None]  # noqa: E731
    color = color * each(0.9, 1.1, 3) * each(0.7, 1.25)
    gray = color.mean(1, keepdim=True)
    color = gray + t.where(dice.chance(0.1)[..., None, None], 0, each(0.5, 1.4)) * (color - gray)
    middle = color.mean((1, 2, 3), keepdim=True)
    color = (middle + each(0.7, 1.3) * (color - middle) + each(-0.1, 0.1)).clamp(0, 1)
    for times in (2, 3, 5):
        some = dice.some(0.08)
        small = F.interpolate(color[some], scale_factor=1 / times, mode="area")
        color[some] = F.interpolate(small, color.shape[2:], mode="bilinear")
    some, step = dice.some(0.3), dice.uniform(0.02, 0.12)
    color[some] = compress(color[some], step[some, :, None, None, None, None])
    return color.clamp(0, 1)


def compress(color: t.Tensor, step: t.Tensor) -> t.Tensor:
    """像 JPEG 那样：每 8×8 的小块做离散余弦变换，系数按 step 取整，频率越高取得越粗。边上不足一块的不变。

    color: (B, 3, H, W)，step: (B, 1, 1, 1, 1, 1)。Wallace，The JPEG still picture compression standard，1991。
    """
    k = t.arange(8.0, device=color.device)
    basis = (math.pi / 8 * (k + 0.5) * k[:, None]).cos() * t.where(k[:, None] == 0, 1 / 8, 1 / 4).sqrt()    # 正交
    height, width = (side // 8 * 8 for side in color.shape[2:])
    blocks = color[:, :, :height, :width].unflatten(3, (-1, 8)).unflatten(2, (-1, 8))       # (B, 3, H/8, 8, W/8, 8)
    step = step * (1 + k[:, None, None] + k)                                                # (B, 1, 1, 8, 1, 8)
    waves = (t.einsum("ui,bchiwj,vj->bchuwv", basis, blocks, basis) / step).round() * step
    packed = t.einsum("ui,bchuwv,vj->bchiwj", basis, waves, basis)
    return t.cat([t.cat([packed.flatten(4).flatten(2, 3), color[:, :, :height, width:]], 3), color[:, :, height:]], 2)


def background(color: t.Tensor, alpha: t.Tensor, dice: Dice) -> t.Tensor:
    """(B, 3) 的底色，亮度与图标的平均亮度至少差 0.3 左右，看得清。四成用纯白或纯黑。"""
    light = (color.mean(1, keepdim=True) * alpha).sum((1, 2, 3)) / alpha.sum((1, 2, 3)).clamp(min=1)
    bright = (light < 0.5)[:, None]                         # 图标暗，底就亮
    tint = dice.uniform(-0.15, 0.15, 3)
    level = t.where(bright, dice.uniform(0.75, 1), dice.uniform(0, 0.25))
    plain = dice.chance(0.4)
    return t.where(plain, bright.float(), level + tint).clamp(0, 1)
