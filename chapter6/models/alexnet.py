import torch as t
from torch import nn

from .basic_module import BasicModule


class AlexNet(BasicModule):
    """AlexNet：五层卷积、三层全连接，约 6,100 万参数（1000 类时）。参数名与 torchvision 的相同。"""

    head = "classifier.6"
    early = ("features.0.", "features.3.")
    torchvision_name = "alexnet"
    min_size = 63                       # 再小，第三次池化就没有东西可取了

    def __init__(self, num_classes: int = 2):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2))
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Linear(256 * 6 * 6, 4096), nn.ReLU(inplace=True),
            nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes))

    def forward(self, x: t.Tensor) -> t.Tensor:
        x = self.avgpool(self.features(x))      # (B, 256, 6, 6)
        return self.classifier(x.flatten(1))    # (B, 类别数)
