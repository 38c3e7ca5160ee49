"""图里既没有猫也没有狗时怎样知道：问一问 ImageNet 的 1000 类里，猫狗的各品种占多少。

猫狗两类的网络只会在两者中挑一个，给它一辆汽车也一样。EfficientNet-Lite0 原来的分类层却认得汽车，也认得 118 种狗和 5 种家猫。
"""

import torch as t

from config import Config
from data import CLASSES, to_input
from models import EfficientNetLite0
from utils.files import UserError, say
from utils.runtime import Runtime

KNOWN = {"cat": range(281, 286), "dog": range(151, 269)}        # 在 ImageNet 里的序号
SIDE = 224                  # 这份权重训练时的边长
FLAT = 0.55                 # 左右相邻的像素至多差 1 的超过这么多，是图标、图画


class Stranger:
    """opt.doubt 为 0，类别不是猫狗，或没有 ImageNet 权重时，什么也不怀疑。"""

    def __init__(self, opt: Config, runtime: Runtime):
        self.limit, self.runtime, self.model = opt.doubt, runtime, None
        if not opt.doubt or not set(CLASSES) <= KNOWN.keys():
            return
        try:
            weights = EfficientNetLite0.imagenet_weights()
        except UserError as error:
            return say(f"不看图里有没有猫狗：{error}")
        self.model = EfficientNetLite0(1000).to(runtime.device).eval()
        self.model.load_state_dict(weights)

    def names(self, images: t.Tensor) -> list[str]:
        """(B, 4, H, W) 的 uint8 → 各张像是什么（ImageNet 的英文类名）；像猫狗的、图画都是空的。"""
        return [name for _, name in self.look(images)]

    @t.inference_mode()
    def look(self, images: t.Tensor) -> list[tuple[float, str]]:
        """各张的 (猫狗各品种的概率之和, 像是什么，同 names)。不怀疑时是 (1, "")。"""
        if self.model is None:
            return [(1.0, "")] * len(images)
        x = to_input(images.to(self.runtime.device), self.model.mean, self.model.std)
        x = t.nn.functional.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True)
        with self.runtime.autocast():
            shares = self.model(x).float().softmax(1).cpu()
        known = shares[:, [i for name in CLASSES for i in KNOWN[name]]].sum(1)
        doubted = (known < self.limit) & ~is_drawn(images)
        return [(share, categories()[row.argmax()] if doubt else "") for share, row, doubt in zip(known.tolist(), shares, doubted)]


def is_drawn(images: t.Tensor) -> t.Tensor:
    """(B, 4, H, W) 的 uint8 → (B,)：有透明处，或大片颜色不变的，不是照片。"""
    flat = (images[:, :3].int().diff(dim=3).abs() <= 1).all(1).float().mean((1, 2))
    return (images[:, 3].float().mean((1, 2)) < 252) | (flat > FLAT)


def categories() -> list[str]:
    from torchvision.models import ResNet50_Weights

    return ResNet50_Weights.DEFAULT.meta["categories"]
