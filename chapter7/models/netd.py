import torch as t
from torch import nn

from .netg import init_dcgan


class NetD(nn.Module):
    """DCGAN 的判别器：图片 (B, 3, S, S) → 得分 (B,)，得分越高越像真的。

    与生成器对称：S×S → 32×32 → 16×16 → 8×8 → 4×4 → 1×1。书中最后还有一层 Sigmoid，这里并进了损失函数
    （binary_cross_entropy_with_logits 在两端不会溢出），所以 score.sigmoid() 才是「是真图的概率」。

    norm 决定卷积之后怎样归一化："batch" 是书中的批归一化；"none" 用于 R1 和 WGAN-GP，它们的梯度惩罚逐张图计算，不能让
    一批图互相影响；"spectral" 是谱归一化（Miyato et al., 2018, arXiv:1802.05957），配铰链损失。

    后两种的卷积要有偏置：没有偏置也没有批归一化时，图片的对比度减半，得分也恰好减半，判别器无从要求对比度，
    生成器画得越灰越占便宜（试过，训练几轮后全是灰的）。
    """

    def __init__(self, ndf: int = 64, image_size: int = 96, norm: str = "batch"):
        super().__init__()
        first, biased = image_size // 32, norm != "batch"
        wrap = nn.utils.parametrizations.spectral_norm if norm == "spectral" else lambda module: module

        def down(inputs: int, outputs: int, size: int, stride: int, padding: int) -> list[nn.Module]:
            conv = nn.Conv2d(inputs, outputs, size, stride, padding, bias=biased)
            init_dcgan(conv)
            return [wrap(conv), nn.BatchNorm2d(outputs) if norm == "batch" and inputs > 3 else nn.Identity(),
                    nn.LeakyReLU(0.2, inplace=True)]

        last = nn.Conv2d(ndf * 8, 1, 4, 1, 0, bias=biased)
        init_dcgan(last)
        self.main = nn.Sequential(
            *down(3, ndf, first + 2, first, 1),                                 # (B, ndf, 32, 32)
            *down(ndf, ndf * 2, 4, 2, 1),                                       # (B, 2 ndf, 16, 16)
            *down(ndf * 2, ndf * 4, 4, 2, 1),                                   # (B, 4 ndf, 8, 8)
            *down(ndf * 4, ndf * 8, 4, 2, 1),                                   # (B, 8 ndf, 4, 4)
            wrap(last),                                                         # (B, 1, 1, 1)
        )
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                init_dcgan(module)

    def forward(self, images: t.Tensor) -> t.Tensor:
        return self.main(images).flatten()
