import torch as t
from torch import nn
from torch.nn import functional as F

from .efficientnet_lite0 import EfficientNetLite0

# 在 EfficientNet-Lite0 的哪几块之后取特征：通道数。边长依次是图片的 1/2、1/4、1/8、1/16、1/32
BLOCKS = {0: 16, 2: 24, 4: 40, 10: 112, 15: 320}
WIDTH, GRID = 64, 3                 # 打分的卷积的通道数；每层特征给出 GRID×GRID 个得分
SHIFT = 8                           # 图片每次随机裁去这么多像素


class FeatureD(nn.Module):
    """看质地的判别器：图片 (B, 3, S, S)，数值 -1 到 1，先由 look 取各层特征，再给各层、各处打分 (B, 45)，越高越像真的。

    不直接看像素，而是在 ImageNet 上训练好、不再改动的网络的五层特征上，各接一小段卷积打分（heads，只有它要训练）。
    从零学起的判别器靠轮廓就能分出真假，对底色里的噪点、笔画的毛边毫不在意；这些特征对它们却很敏感。
    做法出自 Sauer et al., 2021, arXiv:2111.01007，没有用其中把各层特征随机混合的部分。配铰链损失，所以用谱归一化。

    这个网络的步长是 2、4、8……，生成器会在它看不清的位置藏起整齐的格点。每次随机平移几个像素，就无处可藏。
    """

    def __init__(self):
        super().__init__()
        wrap = nn.utils.parametrizations.spectral_norm
        self.backbone = EfficientNetLite0.pretrained()
        self.heads = nn.ModuleList(nn.Sequential(
            wrap(nn.Conv2d(channels, WIDTH, 3, padding=1)), nn.LeakyReLU(0.2, inplace=True),
            wrap(nn.Conv2d(WIDTH, WIDTH, 3, padding=1)), nn.LeakyReLU(0.2, inplace=True),
            wrap(nn.Conv2d(WIDTH, 1, 1))) for channels in BLOCKS.values())

    def look(self, images: t.Tensor) -> list[t.Tensor]:
        """图片 → 各层特征。判别器和生成器的一步都要看同一批假图，算一次就够。"""
        side = images.shape[-1] - SHIFT
        top, left = t.randint(SHIFT + 1, (2,)).tolist()
        images = images[:, :, top:top + side, left:left + side]
        return self.backbone.features((images + 1) / 2, tuple(BLOCKS))

    def forward(self, features: list[t.Tensor]) -> t.Tensor:
        return t.cat([F.adaptive_avg_pool2d(head(part), GRID).flatten(1) for head, part in zip(self.heads, features)], 1)
