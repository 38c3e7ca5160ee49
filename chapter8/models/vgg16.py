"""VGG16 的前 10 个卷积，用来比较两张图的内容和风格。只取特征，不训练。"""

from pathlib import Path

import torch as t
from torch import nn
from torch.nn import functional as F

from utils.checkpoint import load_checkpoint, load_state
from utils.files import UserError

PROJECT = "vgg16"
WEIGHTS = Path(__file__).parent.parent / "checkpoints" / "vgg16.pth"
BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512))      # 各段里每个卷积的输出通道数
TAPS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")                     # 每段最后一个卷积之后取出特征


class VGG16(nn.Module):
    """图 (B, 3, H, W)，0 到 255 → 四层特征 relu1_2、2_2、3_3、4_3，每过一层边长减半。

    Simonyan and Zisserman, 2014, arXiv:1409.1556。全连接层和第五段用不着，没有建。
    """

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList()
        channels = 3
        for widths in BLOCKS:
            self.blocks.append(nn.ModuleList())
            for width in widths:
                self.blocks[-1].append(nn.Conv2d(channels, width, 3, padding=1))
                channels = width
        # 训练 VGG 时的标准化，随权重一起存：不同来源的权重，标准化的做法不同
        self.register_buffer("mean", t.zeros(1, 3, 1, 1))
        self.register_buffer("std", t.ones(1, 3, 1, 1))
        self.requires_grad_(False)          # 只要经过它的梯度，不要它自己的：省下约三分之一的反向

    def forward(self, x: t.Tensor, depth: int = len(TAPS)) -> list[t.Tensor]:
        """前 depth 层特征，依次为 (B, 64, H, W)、(B, 128, H/2, W/2)、(B, 256, H/4, W/4)、(B, 512, H/8, W/8)。"""
        x = (x - self.mean) / self.std
        features = []
        for i, convs in enumerate(self.blocks[:depth]):
            if i:
                x = F.max_pool2d(x, 2)
            for conv in convs:
                x = F.relu(conv(x), inplace=True)
            features.append(x)
        return features

    @classmethod
    def pretrained(cls) -> "VGG16":
        """载入 python main.py prepare 存下的权重。没有或损坏时抛出 UserError。"""
        if not WEIGHTS.is_file():
            raise UserError("缺少 VGG16 的权重 checkpoints/vgg16.pth：先运行 python main.py prepare")
        net = cls()
        try:
            load_state(net, load_checkpoint(WEIGHTS, PROJECT)["model"], WEIGHTS)
        except UserError:
            raise UserError("checkpoints/vgg16.pth 损坏：删去它，再运行 python main.py prepare") from None
        return net
