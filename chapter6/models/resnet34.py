import torch as t
from torch import nn

from .basic_module import BasicModule


def conv_bn(inputs: int, outputs: int, size: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), nn.BatchNorm2d(outputs)]


class ResidualBlock(nn.Module):
    """left(x) + right(x)：left 是两层 3×3 卷积；right 原样通过，尺寸或通道变了就用 1×1 卷积对齐。"""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.left = nn.Sequential(*conv_bn(inputs, outputs, 3, stride), nn.ReLU(inplace=True),
                                  *conv_bn(outputs, outputs, 3))
        same = stride == 1 and inputs == outputs
        self.right = nn.Identity() if same else nn.Sequential(*conv_bn(inputs, outputs, 1, stride))

    def forward(self, x: t.Tensor) -> t.Tensor:
        return (self.left(x) + self.right(x)).relu()


class ResNet34(BasicModule):
    """ResNet34：四段共 16 个残差块，每段通道加倍、边长减半。1000 类时 21,797,672 个参数。"""

    head = "fc"
    early = ("pre.", "layer1.", "layer2.")
    torchvision_name = "resnet34"

    def __init__(self, num_classes: int = 2):
        super().__init__()
        self.pre = nn.Sequential(*conv_bn(3, 64, 7, stride=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1))
        self.layer1 = self._make_layer(64, 64, 3, stride=1)
        self.layer2 = self._make_layer(64, 128, 4)
        self.layer3 = self._make_layer(128, 256, 6)
        self.layer4 = self._make_layer(256, 512, 3)
        self.fc = nn.Linear(512, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @staticmethod
    def _make_layer(inputs: int, outputs: int, blocks: int, stride: int = 2) -> nn.Sequential:
        return nn.Sequential(ResidualBlock(inputs, outputs, stride),
                             *(ResidualBlock(outputs, outputs) for _ in range(blocks - 1)))

    def forward(self, x: t.Tensor) -> t.Tensor:
        return self.fc(self.maps(x).mean((2, 3)))                           # (B, 类别数)

    def maps(self, x: t.Tensor) -> t.Tensor:
        """取平均之前，图的各处的特征。"""
        x = self.pre(x)                                                     # (B, 64, H/4, W/4)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))        # (B, 512, H/32, W/32)

    @classmethod
    def rename(cls, state: dict[str, t.Tensor]) -> dict[str, t.Tensor]:
        parts = {"conv1": "left.0", "bn1": "left.1", "conv2": "left.3", "bn2": "left.4", "downsample": "right"}
        stem = {"conv1": "pre.0", "bn1": "pre.1"}
        renamed = {}
        for name, value in state.items():
            words = name.split(".")
            if words[0] in stem:
                words[0] = stem[words[0]]
            elif words[0].startswith("layer"):
                words[2] = parts[words[2]]
            renamed[".".join(words)] = value
        return renamed
