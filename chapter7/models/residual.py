import torch as t
from torch import nn
from torch.nn import functional as F


class ResNetG(nn.Module):
    """残差结构的生成器：噪声 (B, nz) → 图片 (B, 3, S, S)，数值 -1 到 1。

    先用一个全连接层得到 S/16 见方的小图，再经四个放大一倍的残差块。放大用最近邻插值，没有转置卷积常见的棋盘格。
    结构出自 Gulrajani et al., 2017, arXiv:1704.00028 附录 F。
    """

    def __init__(self, nz: int = 100, ngf: int = 64, image_size: int = 96):
        super().__init__()
        self.side, self.width = image_size // 16, ngf * 8
        self.first = nn.Linear(nz, self.width * self.side ** 2)
        self.blocks = nn.Sequential(UpBlock(ngf * 8, ngf * 4), UpBlock(ngf * 4, ngf * 2),
                                    UpBlock(ngf * 2, ngf), UpBlock(ngf, ngf))
        self.norm, self.last = nn.BatchNorm2d(ngf), nn.Conv2d(ngf, 3, 3, padding=1)

    def forward(self, noise: t.Tensor) -> t.Tensor:
        x = self.first(noise).view(-1, self.width, self.side, self.side)        # (B, 8 ngf, S/16, S/16)
        x = self.blocks(x)                                                      # (B, ngf, S, S)
        return self.last(F.relu(self.norm(x))).tanh()


class UpBlock(nn.Module):
    """边长翻倍的残差块。"""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: t.Tensor) -> t.Tensor:
        y = F.interpolate(F.relu(self.norm1(x)), scale_factor=2)
        y = self.conv2(F.relu(self.norm2(self.conv1(y))))
        return y + F.interpolate(self.skip(x), scale_factor=2)      # 1×1 卷积与最近邻放大可以交换，先卷积省四分之三


class ResNetD(nn.Module):
    """残差结构的判别器：图片 (B, 3, S, S) → 得分 (B,)。norm 同 NetD，"batch" 时残差块里用批归一化。"""

    def __init__(self, ndf: int = 64, image_size: int = 96, norm: str = "batch"):
        super().__init__()
        wrap = nn.utils.parametrizations.spectral_norm if norm == "spectral" else lambda module: module
        widths = [3, ndf, ndf * 2, ndf * 4, ndf * 8]
        self.blocks = nn.Sequential(*(DownBlock(inputs, outputs, wrap, norm) for inputs, outputs in
                                      zip(widths, widths[1:])))
        self.last = wrap(nn.Linear(ndf * 8, 1))

    def forward(self, images: t.Tensor) -> t.Tensor:
        x = self.blocks(images)                                     # (B, 8 ndf, S/16, S/16)
        return self.last(F.relu(x).mean((2, 3))).flatten()


class DownBlock(nn.Module):
    """边长减半的残差块。输入是图片本身时，开头不加激活和归一化。"""

    def __init__(self, inputs: int, outputs: int, wrap, norm: str):
        super().__init__()
        self.is_first = inputs == 3
        batch = norm == "batch"
        self.norm1 = nn.BatchNorm2d(inputs) if batch and not self.is_first else nn.Identity()
        self.norm2 = nn.BatchNorm2d(outputs) if batch else nn.Identity()
        self.conv1 = wrap(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.conv2 = wrap(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = wrap(nn.Conv2d(inputs, outputs, 1))

    def forward(self, x: t.Tensor) -> t.Tensor:
        y = x if self.is_first else F.relu(self.norm1(x))
        y = F.avg_pool2d(self.conv2(F.relu(self.norm2(self.conv1(y)))), 2)
        return y + self.skip(F.avg_pool2d(x, 2))
