"""内容、风格、平滑三种损失，两种方法（慢的逐张优化，快的网络）用的是同一套；网络另有一种，管四边。"""

from dataclasses import dataclass

import torch as t
from torch import nn
from torch.nn import functional as F

from models import VGG16

EPSILON = 1e-6          # 平方根在 0 处的导数无穷大，先加上它
EDGE = 24               # 看四边时，照片四周先补这么宽的镜像，像素；是 4 的倍数，两次缩小一半时格子才对得齐
EDGE_EVERY, EDGE_WEIGHT = 2, 20     # 每几步看一次四边，看的时候权重多大
CONTENT_LAYER = 1       # 内容在 relu2_2 上比：再浅只许照抄像素，再深就认不出细节了


def gram_matrix(features: t.Tensor) -> t.Tensor:
    """特征 (B, C, H, W) → Gram 矩阵 (B, C, C)：第 i 行第 j 列是通道 i 与通道 j 在各个位置上乘积的平均。

    位置在平均时消失了，留下「哪些特征常一起出现」，这就是风格；也因此，风格图与照片可以不一样大。
    Gatys et al., 2015, arXiv:1508.06576。这里除以 H·W 而不是 C·H·W：后面还要除以目标的均方，常数会约掉。
    """
    flat = features.permute(0, 2, 3, 1).flatten(1, 2)               # (B, H·W, C)；通道在最后的内存格式不必重排
    with t.autocast(features.device.type, enabled=False):           # 半精度的矩阵乘法，里面的求和是单精度的
        return (flat.transpose(1, 2) @ flat).float() / flat.shape[1]


def relative_error(value: t.Tensor, target: t.Tensor) -> t.Tensor:
    """均方误差除以目标的均方，每张图一个数 (B,)；目标只有一张时与每张图比。

    0 是一模一样，1 相当于全猜 0。各层特征的大小相差几个数量级，换一幅画又不同；除过以后，同一个权重到处能用。
    """
    value, target = value.float(), target.float()
    dims = tuple(range(1, value.dim()))
    return (value - target).square().mean(dims) / target.square().mean(dims)


def total_variation(images: t.Tensor) -> t.Tensor:
    """相邻像素差的平方的平均，像素按 0 到 1 计，每张图一个数 (B,)。越小越平滑。"""
    images = images.float() / 255
    down = (images[..., 1:, :] - images[..., :-1, :]).square().mean((1, 2, 3))
    right = (images[..., :, 1:] - images[..., :, :-1]).square().mean((1, 2, 3))
    return down + right


def edge_loss(net: nn.Module, photos: t.Tensor, outputs: t.Tensor) -> t.Tensor:
    """照片 (B, 3, S, S) 画成的 outputs，与四周先补镜像、画完裁掉的差多少：平方的平均，以灰度满幅的一半为 1。

    每张照片都有边。网络认得边上的反射填充，会把一种颜色都涂在那里，画出来就有一道边；先补再裁，那道边便在外面。
    补过的那次不求梯度，让没有补的向它看齐。
    """
    with t.no_grad():
        inside = net(F.pad(photos, [EDGE] * 4, "reflect"))[..., EDGE:-EDGE, EDGE:-EDGE]
    return ((outputs.float() - inside.float()) / 127.5).square().mean()


@dataclass
class Losses:
    """一批图的各项损失，都是 (B,)。total 是加权后的和，content 和 style 没有乘权重。"""

    total: t.Tensor
    content: t.Tensor
    style: t.Tensor


class PerceptualLoss:
    """一幅画的风格，与任意照片的内容相比。

    style_image 是 (1, 3, H, W)、0 到 255 的画，Gram 矩阵只算一次。
    """

    def __init__(self, vgg: VGG16, style_image: t.Tensor, content_weight: float, style_weight: float, tv_weight: float):
        self.vgg = vgg
        self.content_weight, self.style_weight, self.tv_weight = content_weight, style_weight, tv_weight
        with t.no_grad():
            self.style_grams = [gram_matrix(features) for features in vgg(style_image)]

    @t.no_grad()
    def content_target(self, photos: t.Tensor) -> t.Tensor:
        """照片 (B, 3, H, W) 的内容 (B, 128, H/2, W/2)。只算到 relu2_2，不必走完 VGG。"""
        return self.vgg(photos, CONTENT_LAYER + 1)[CONTENT_LAYER]

    def __call__(self, images: t.Tensor, target: t.Tensor) -> Losses:
        """画 (B, 3, H, W) 与内容 target 的损失。"""
        features = self.vgg(images)
        content = relative_error(features[CONTENT_LAYER], target)
        # 开方再平均：照片的 Gram 矩阵有时比画的大几倍，平方以后最离谱的一层、一张图说了算，网络便先把画面抹平
        style = sum((relative_error(gram_matrix(f), gram) + EPSILON).sqrt()
                    for f, gram in zip(features, self.style_grams)) / len(features)
        total = self.content_weight * content + self.style_weight * style
        if self.tv_weight:
            total = total + self.tv_weight * total_variation(images)
        return Losses(total, content, style)
