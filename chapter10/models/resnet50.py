import torch as t
from torch import nn

from utils.files import UserError


class ResNet50(nn.Module):
    """torchvision 的 ResNet50 去掉池化和分类层，只用来取特征：参数不训练，永远在验证模式。

    输入 (B, 3, H, W)，RGB，uint8 的 0–255 或浮点的 0–1；输出 (B, 2048, H/32, W/32)。权重要联网下载。
    """

    channels = 2048
    stride = 32

    def __init__(self):
        super().__init__()
        import torchvision

        whole = torchvision.models.resnet50()
        self.body = nn.Sequential(*list(whole.children())[:-2])
        self.register_buffer("mean", t.tensor([0.485, 0.456, 0.406])[:, None, None], persistent=False)
        self.register_buffer("std", t.tensor([0.229, 0.224, 0.225])[:, None, None], persistent=False)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "ResNet50":
        """什么也不做：套着它的网络切到训练模式时，它仍在验证模式。"""
        return super().train(False)

    def forward(self, images: t.Tensor) -> t.Tensor:
        x = images / 255 if images.dtype == t.uint8 else images
        return self.body((x - self.mean) / self.std)    # (B, 2048, H/32, W/32)

    @classmethod
    def pretrained(cls) -> "ResNet50":
        """装好 ImageNet 权重的网络；下载失败时抛出 UserError。"""
        import torchvision

        try:
            weights = torchvision.models.ResNet50_Weights.DEFAULT.get_state_dict(progress=True, check_hash=True)
        except (OSError, RuntimeError) as error:
            raise UserError(f"下载 torchvision 的 resnet50 权重失败（{type(error).__name__}）："
                            "检查网络，或用 --encoder=EfficientNetLite0") from None
        network = cls()
        names = dict(zip(("conv1", "bn1", "layer1", "layer2", "layer3", "layer4"), ("0", "1", "4", "5", "6", "7")))
        network.body.load_state_dict({".".join([names[first], *rest]): value for name, value in weights.items()
                                      for first, *rest in [name.split(".")] if first in names})
        return network
