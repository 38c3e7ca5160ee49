"""类激活图：网络凭图里的哪些地方说是猫、是狗。"""

import numpy as np
import torch as t
from PIL import Image
from torch.nn import functional as F

from data import to_input
from models.basic_module import BasicModule
from utils.runtime import Runtime

DIM = 0.25          # 没有用上的地方留这么亮


@t.inference_mode()
def class_activation(model: BasicModule, images: t.Tensor, runtime: Runtime, cpu_bf16: bool = False) -> t.Tensor:
    """(B, 4, H, W) 的 uint8 → (B, 类别数, h, w)：图的每一处给每一类添了多少分，各处的平均就是 score 的得分。

    网络的末尾是「特征在各处取平均，再乘分类层的权重」。两步都是线性的，换个次序，先在每一处乘，再取平均，结果相同：所以这
    不是近似，得分就是这样来的（Zhou et al., 2016, arXiv:1512.04150）。同 score 一样，原图和左右翻转后的取平均。
    """
    head = getattr(model, model.head)
    x = to_input(images.to(runtime.device), model.mean, model.std)
    with runtime.autocast(cpu_bf16):
        plain, flipped = (F.conv2d(model.maps(view), head.weight[..., None, None], head.bias) for view in (x, x.flip(3)))
    return ((plain + flipped.flip(3)) / 2).float().cpu()


def shine(photo: Image.Image, activation: t.Tensor, best: int) -> Image.Image:
    """照亮 photo 里让第 best 类得分比别的类高的地方，越高越亮。activation (类别数, h, w) 是整张 photo 的。"""
    others = [i for i in range(len(activation)) if i != best]
    ahead = (activation[best] - activation[others].mean(0)).clamp(min=0)        # (h, w) 比别的类多添的分
    light = Image.fromarray((ahead / ahead.max()).numpy()).resize(photo.size, Image.Resampling.BICUBIC)
    bright = DIM + (1 - DIM) * np.clip(np.asarray(light), 0, 1)[..., None]
    return Image.fromarray((np.asarray(photo.convert("RGB")) * bright).astype(np.uint8))
