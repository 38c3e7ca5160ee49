import torch as t
from torch.nn import functional as F

from .efficientnet_lite0 import EfficientNetLite0

MIDDLE = 10                             # 第 10 个块（从 0 数起）之后边长是 1/16，112 个通道


class EfficientNetLite0Grid(EfficientNetLite0):
    """EfficientNet-Lite0 的两层特征合在一起，每格 1728 维。

    最后一层（1280 维）认得出是什么，可是每格 32 像素，小东西的样子模糊了；中间一层（112 维，每格 16 像素）还看得清形状。
    把中间层每 2×2 格并成一格（448 维），两层就对齐了；中间层的边长是奇数时，右边和下边先补一格零。
    输入同 EfficientNetLite0，输出 (B, 1728, ⌈H/32⌉, ⌈W/32⌉)。
    """

    channels = 1280 + 4 * 112

    def forward(self, images: t.Tensor) -> t.Tensor:
        pixels = images.float() if images.dtype == t.uint8 else images * 255
        x = F.relu6(self._bn0(self._conv_stem((pixels - 127) / 128)))           # (B, 32, H/2, W/2)
        for i, block in enumerate(self._blocks):
            x = block(x)
            if i == MIDDLE:
                even = F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))
                middle = F.pixel_unshuffle(even, 2)                             # (B, 448, H/32, W/32)
        return t.cat([F.relu6(self._bn1(self._conv_head(x))), middle], 1)
