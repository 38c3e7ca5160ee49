"""生成得好不好：FID、精确率与召回率，以及是不是抄了训练集。"""

import torch as t
from torch.nn import functional as F
from tqdm import tqdm

from models import EfficientNetLite0
from utils import Runtime

FEATURE_SIDE = 128          # 取特征时图片缩放到的边长，像素
NEIGHBOURS = 3              # 精确率与召回率里，样本的邻域到第几近为止；论文取 3
PIXEL_SIDE = 24             # 找最像的训练图时缩小到的边长，像素
CHUNK = 256                 # 一次取多少张图的特征


@t.inference_mode()
def extract(images, runtime: Runtime, title: str) -> t.Tensor:
    """(N, 3, S, S) 的 uint8（或可以取下标列表的数据集）→ 特征 (N, 1280)，float64。

    用 ImageNet 上训练的 EfficientNet-Lite0，最后一层特征图取空间平均。文献里的 FID 用 Inception-v3，所以这里的数
    只能互相比较，不能与论文里的比。
    """
    net = EfficientNetLite0.pretrained().to(runtime.device, memory_format=t.channels_last)
    features = []
    for start in tqdm(range(0, len(images), CHUNK), title, leave=False, delay=1):
        part = images[list(range(start, min(start + CHUNK, len(images))))].to(runtime.device).float() / 255
        part = F.interpolate(part, size=(FEATURE_SIDE, FEATURE_SIDE), mode="bilinear", antialias=True)
        with runtime.autocast():
            grid = net(part.clamp(0, 1).contiguous(memory_format=t.channels_last))
        features.append(grid.float().mean((2, 3)).cpu().double())
    return t.cat(features)


def frechet_distance(real: t.Tensor, fake: t.Tensor) -> float:
    """FID：把两组特征 (N, D)、(M, D) 各看作高斯分布，求分布之间的距离，0 为相同。

    |μ₁ - μ₂|² + tr(Σ₁ + Σ₂ - 2 (Σ₁ Σ₂)^½)。Heusel et al., 2017, arXiv:1706.08500 式 6。
    (Σ₁Σ₂)^½ 的迹等于 (Σ₁^½ Σ₂ Σ₁^½)^½ 的迹，后者对称半正定，特征值是非负实数，开方求和就是它。
    """
    gap = real.mean(0) - fake.mean(0)
    one, two = t.cov(real.T), t.cov(fake.T)
    values, vectors = t.linalg.eigh(one)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    middle = t.linalg.eigvalsh(root @ two @ root).clamp(min=0).sqrt().sum()
    return (gap @ gap + one.trace() + two.trace() - 2 * middle).item()


def precision_recall(real: t.Tensor, fake: t.Tensor) -> tuple[float, float]:
    """精确率：假图有多大比例落在真图的邻域里（像不像）。召回率：真图有多大比例落在假图的邻域里（全不全）。

    一个样本的邻域是以它为心、到同组第 3 近样本为半径的球。Kynkäänniemi et al., 2019, arXiv:1904.06991。
    """
    def covered(points: t.Tensor, centres: t.Tensor) -> float:
        radii = t.cdist(centres, centres).kthvalue(NEIGHBOURS + 1, dim=1).values       # 最近的是自己，所以加 1
        return (t.cdist(points, centres) <= radii).any(1).double().mean().item()
    return covered(fake, real), covered(real, fake)


def nearest(images: t.Tensor, training: t.Tensor) -> tuple[t.Tensor, t.Tensor]:
    """每张图 (N, 3, S, S) 在训练集 (M, 3, S, S) 里最像的一张：下标 (N,) 和距离 (N,)。

    缩小以后逐像素求均方根差，单位是灰度级（0 到 255）：抄来的图，距离会接近 0。
    """
    def small(pictures: t.Tensor) -> t.Tensor:
        return t.cat([F.adaptive_avg_pool2d(part.float(), PIXEL_SIDE).flatten(1) for part in pictures.split(CHUNK)])
    ours, theirs = small(images), small(training)
    distance, index = t.cdist(ours, theirs).min(1)
    return index, distance / ours.shape[1] ** 0.5
