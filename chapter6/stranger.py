"""图里哪一类也没有时怎样知道：问一问 ImageNet 的 1000 类里，这几类的各品种占多少。

分类的网络只会在几类中挑一个，给它一辆汽车也一样。EfficientNet-Lite0 原来的分类层却认得汽车；哪些序号是这几类的，写在 task.py。
"""

import torch as t

from config import Config
from data import CLASSES, to_input
from models import EfficientNetLite0
from task import IMAGENET, TITLES
from utils.files import UserError, say
from utils.runtime import Runtime

SIDE = 224                  # 这份权重训练时的边长
FLAT = 0.55                 # 左右相邻的像素至多差 1 的超过这么多，是图标、图画


class Stranger:
    """opt.doubt 为 0，有的类别不在 task.IMAGENET 里，或没有 ImageNet 权重时，什么也不怀疑。"""

    def __init__(self, opt: Config, runtime: Runtime):
        self.limit, self.runtime, self.model = opt.doubt, runtime, None
        if not opt.doubt or not set(CLASSES) <= IMAGENET.keys():
            return
        try:
            weights = EfficientNetLite0.imagenet_weights()
        except UserError as error:
            return say(f"不看图里有没有{'、'.join(TITLES.get(name, name) for name in CLASSES)}：{error}")
        self.model = EfficientNetLite0(1000).to(runtime.device, memory_format=t.channels_last).eval()
        self.model.load_state_dict(weights)

    def names(self, images: t.Tensor) -> list[str]:
        """(B, 4, H, W) 的 uint8 → 各张像是什么（ImageNet 的英文类名）；像这几类的、图画都是空的。"""
        return [name for _, name in self.look(images)]

    @t.inference_mode()
    def look(self, images: t.Tensor) -> list[tuple[float, str]]:
        """各张的 (这几类各品种的概率之和, 像是什么，同 names)。不怀疑的、图画都是 (1, "")。"""
        found = [(1.0, "")] * len(images)
        photos = [] if self.model is None else (~is_drawn(images)).nonzero().flatten().tolist()
        if not photos:
            return found
        x = to_input(images[photos].to(self.runtime.device), self.model.mean, self.model.std)
        x = t.nn.functional.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True)
        with self.runtime.autocast():
            shares = self.model(x).float().softmax(1).cpu()
        known = shares[:, [i for name in CLASSES for i in IMAGENET[name]]].sum(1)
        for i, share, row in zip(photos, known.tolist(), shares):
            found[i] = (share, categories()[row.argmax()] if share < self.limit else "")
        return found


def is_drawn(images: t.Tensor) -> t.Tensor:
    """(B, 4, H, W) 的 uint8 → (B,)：有透明处，或大片颜色不变的，不是照片。"""
    flat = (images[:, :3].int().diff(dim=3).abs() <= 1).all(1).float().mean((1, 2))
    return (images[:, 3].float().mean((1, 2)) < 252) | (flat > FLAT)


def categories() -> list[str]:
    from torchvision.models import ResNet50_Weights

    return ResNet50_Weights.DEFAULT.meta["categories"]
