import torch as t
from torch import nn


class NetG(nn.Module):
    """DCGAN 的生成器：噪声 (B, nz) → 图片 (B, 3, S, S)，数值 -1 到 1。

    五层转置卷积：1×1 → 4×4 → 8×8 → 16×16 → 32×32 → S×S。边长 (H - 1)·步长 - 2·补边 + 核，所以
    核 4、步长 2、补边 1 恰好翻倍；最后一层步长 f = S / 32、核 f + 2、补边 1，恰好是 f 倍（S 为 96 时就是书中的 5、3、1）。

    结构与初始化 N(0, 0.02) 出自 Radford et al., 2015, arXiv:1511.06434。
    """

    def __init__(self, nz: int = 100, ngf: int = 64, image_size: int = 96):
        super().__init__()
        last = image_size // 32
        self.main = nn.Sequential(
            *up(nz, ngf * 8, 4, 1, 0),                                          # (B, 8 ngf, 4, 4)
            *up(ngf * 8, ngf * 4, 4, 2, 1),                                     # (B, 4 ngf, 8, 8)
            *up(ngf * 4, ngf * 2, 4, 2, 1),                                     # (B, 2 ngf, 16, 16)
            *up(ngf * 2, ngf, 4, 2, 1),                                         # (B, ngf, 32, 32)
            nn.ConvTranspose2d(ngf, 3, last + 2, last, 1, bias=False),          # (B, 3, S, S)
            nn.Tanh(),
        )
        self.apply(init_dcgan)

    def forward(self, noise: t.Tensor) -> t.Tensor:
        return self.main(noise[:, :, None, None])


def up(inputs: int, outputs: int, size: int, stride: int, padding: int) -> tuple[nn.Module, ...]:
    return (nn.ConvTranspose2d(inputs, outputs, size, stride, padding, bias=False),     # 批归一化自带偏置
            nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def init_dcgan(module: nn.Module) -> None:
    """DCGAN 的初始化：卷积 N(0, 0.02)、偏置 0，批归一化的缩放 N(1, 0.02)。"""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1, 0.02)
