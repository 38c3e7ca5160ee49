import torch as t
from torch import nn

from .basic_module import BasicModule


class Fire(nn.Module):
    """先用 1×1 卷积压到 squeeze 个通道，再用 1×1 和 3×3 各展开到 expand 个，拼在一起。"""

    def __init__(self, inputs: int, squeeze: int, expand: int):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: t.Tensor) -> t.Tensor:
        x = self.squeeze(x).relu()                                          # (B, squeeze, H, W)
        return t.cat([self.expand1x1(x), self.expand3x3(x)], 1).relu()      # (B, 2·expand, H, W)


class SqueezeNet(BasicModule):
    """SqueezeNet 1.1：精度近于 AlexNet，参数只有约 120 万（1000 类时）。参数名与 torchvision 的相同。"""

    head = "classifier"
    early = tuple(f"features.{i}." for i in range(8))
    torchvision_name = "squeezenet1_1"

    def __init__(self, num_classes: int = 2):
        super().__init__()
        pool = lambda: nn.MaxPool2d(3, 2, ceil_mode=True)  # noqa: E731
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(inplace=True), pool(),
            Fire(64, 16, 64), Fire(128, 16, 64), pool(),
            Fire(128, 32, 128), Fire(256, 32, 128), pool(),
            Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256))
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Conv2d(512, num_classes, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.classifier[1].weight, std=0.01)

    def forward(self, x: t.Tensor) -> t.Tensor:
        return self.classifier(self.features(x)).flatten(1)     # (B, 类别数)
