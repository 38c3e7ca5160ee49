"""生成得好不好：FID、精确率与召回率，以及是不是抄了训练集。"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch as t
from torch.nn import functional as F
from torch.utils.data import Dataset
from tqdm import tqdm

from models import VGG16, EfficientNetLite0
from utils.checkpoint import load_checkpoint, save_checkpoint
from utils.files import UserError
from utils.runtime import Runtime

FEATURE_SIDE = 128          # 取特征时图片缩放到的边长，像素
NEIGHBOURS = 3              # 精确率与召回率里，样本的邻域到第几近为止；论文取 3
PIXEL_SIDE = 24             # 找最像的训练图时缩小到的边长，像素
CHUNK = 64                  # 一次看多少张图
REFERENCE = "avatar-reference"      # 存下来的对照，文件里的 "project"
MAIN = "EfficientNet-Lite0"

Judge = Callable[[t.Tensor], dict[str, t.Tensor]]       # 图片 (B, 3, S, S)，数值 0 到 1 → 名字：特征图 (B, D, h, w)


class Gaussian(NamedTuple):
    """一组特征的均值 (D,) 和协方差 (D, D)，float64。FID 只用到它们，所以有了它们就不必再有图片。"""

    mean: t.Tensor
    covariance: t.Tensor


def gaussian(features: t.Tensor) -> Gaussian:
    """特征 (N, D) → 均值和协方差。"""
    return Gaussian(features.mean(0), t.cov(features.T))


def make_judge(device: t.device, vgg_path: str = "") -> Judge:
    """量 FID 的网络：ImageNet 上训练的 EfficientNet-Lite0，最后一层特征图；vgg_path 非空时再加 VGG16 的两层。

    文献里的 FID 用 Inception-v3，所以这里的数只能互相比较，不能与论文里的比。看质地的判别器（--texture）用的也是
    EfficientNet-Lite0，VGG16 则与训练无关：它的数是旁证。
    """
    main = EfficientNetLite0.pretrained().to(device, memory_format=t.channels_last)
    if not vgg_path:
        return lambda images: {MAIN: main(images)}
    vgg = VGG16.load(vgg_path).to(device, memory_format=t.channels_last)

    def judge(images: t.Tensor) -> dict[str, t.Tensor]:
        relu3, relu4 = vgg(images * 255)[2:]
        return {MAIN: main(images), "VGG16 relu3_3": relu3, "VGG16 relu4_3": relu4}
    return judge


@t.inference_mode()
def extract(images, judge: Judge, runtime: Runtime, title: str) -> dict[str, t.Tensor]:
    """(N, 3, S, S) 的 uint8（或可以取下标列表的数据集）→ 名字：特征 (N, D)，float64，特征图取空间平均。"""
    features: dict[str, list] = {}
    for start in tqdm(range(0, len(images), CHUNK), title, leave=False, delay=1):
        part = images[list(range(start, min(start + CHUNK, len(images))))].to(runtime.device).float() / 255
        part = F.interpolate(part, size=(FEATURE_SIDE, FEATURE_SIDE), mode="bilinear", antialias=True)
        with runtime.autocast():
            maps = judge(part.clamp(0, 1).contiguous(memory_format=t.channels_last))
        for name, grid in maps.items():
            features.setdefault(name, []).append(grid.float().mean((2, 3)).cpu().double())
    return {name: t.cat(parts) for name, parts in features.items()}


def frechet_distance(real: Gaussian, fake: Gaussian) -> float:
    """FID：两个高斯分布之间的距离，0 为相同。

    |μ₁ - μ₂|² + tr(Σ₁ + Σ₂ - 2 (Σ₁ Σ₂)^½)。Heusel et al., 2017, arXiv:1706.08500 式 6。
    (Σ₁Σ₂)^½ 的迹等于 (Σ₁^½ Σ₂ Σ₁^½)^½ 的迹，后者对称半正定，特征值是非负实数，开方求和就是它。
    """
    gap = real.mean - fake.mean
    values, vectors = t.linalg.eigh(real.covariance)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    middle = t.linalg.eigvalsh(root @ fake.covariance @ root).clamp(min=0).sqrt().sum()
    return (gap @ gap + real.covariance.trace() + fake.covariance.trace() - 2 * middle).item()


def save_reference(path: str, reference: dict[str, Gaussian], count: int) -> None:
    """存下对照的均值和协方差，以后不要图片也能算 FID。协方差对称，只存上三角，float32。"""
    parts = {name: {"mean": part.mean.float(), "upper": part.covariance[_upper(len(part.mean))].float()}
             for name, part in reference.items()}
    save_checkpoint(path, {"project": REFERENCE, "count": count, "features": parts}, is_reference)


def is_reference(path: Path) -> bool:
    """path 是不是 save_reference 存的。"""
    try:
        return bool(load_checkpoint(path, REFERENCE))
    except UserError:
        return False


def load_reference(path: str | Path) -> tuple[dict[str, Gaussian], int]:
    """读出 save_reference 存的 名字：均值和协方差，以及由多少张图算得。"""
    content = load_checkpoint(path, REFERENCE, "--ref-path")
    try:
        reference = {}
        for name, part in content["features"].items():
            rows, columns = _upper(len(part["mean"]))
            covariance = t.zeros(len(part["mean"]), len(part["mean"]), dtype=t.float64)
            covariance[rows, columns] = covariance[columns, rows] = part["upper"].double()
            reference[name] = Gaussian(part["mean"].double(), covariance)
        return reference, content["count"]
    except (KeyError, TypeError, AttributeError, RuntimeError, IndexError):
        raise UserError(f"{path} 不是 evaluate --save-ref 存下的对照，或被改动过：用图片重新算") from None


def _upper(size: int) -> tuple[t.Tensor, t.Tensor]:
    """size × size 矩阵上三角（含对角线）的行号和列号。"""
    rows, columns = t.triu_indices(size, size)
    return rows, columns


def precision_recall(real: t.Tensor, fake: t.Tensor) -> tuple[float, float]:
    """精确率：假图有多大比例落在真图的邻域里（像不像）。召回率：真图有多大比例落在假图的邻域里（全不全）。

    一个样本的邻域是以它为心、到同组第 3 近样本为半径的球。Kynkäänniemi et al., 2019, arXiv:1904.06991。
    """
    def covered(points: t.Tensor, centres: t.Tensor) -> float:
        radii = t.cat([t.cdist(part, centres).kthvalue(NEIGHBOURS + 1, dim=1).values for part in centres.split(CHUNK)])    # 最近的是自己，所以加 1
        return t.cat([(t.cdist(part, centres) <= radii).any(1) for part in points.split(CHUNK)]).double().mean().item()
    return covered(fake, real), covered(real, fake)


def nearest(images: t.Tensor, training: t.Tensor | Dataset) -> tuple[t.Tensor, t.Tensor]:
    """每张图 (N, 3, S, S) 在训练集 (M, 3, S, S) 里最像的一张：下标 (N,) 和距离 (N,)。

    缩小以后逐像素求均方根差，单位是灰度级（0 到 255）：抄来的图，距离会接近 0。训练集一段一段地看，内存不随 M 增长。
    """
    def small(pictures: t.Tensor) -> t.Tensor:
        return t.cat([F.adaptive_avg_pool2d(part.float(), PIXEL_SIDE).flatten(1) for part in pictures.split(CHUNK)])
    ours = small(images)
    least, best = t.full((len(ours),), t.inf), t.zeros(len(ours), dtype=t.long)
    for start in tqdm(range(0, len(training), CHUNK), "找最像的训练图", leave=False, delay=1):
        part = training[list(range(start, min(start + CHUNK, len(training))))]
        distance, index = t.cdist(ours, small(part)).min(1)
        best = t.where(distance < least, index + start, best)
        least = t.minimum(least, distance)
    return best, least / ours.shape[1] ** 0.5
