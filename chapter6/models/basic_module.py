"""各个网络的基类：载入权重，以及从 ImageNet 权重开始。"""

from pathlib import Path

import torch as t
from torch import nn

from utils.checkpoint import load_checkpoint, load_state
from utils.files import UserError, legible

PROJECT = "dogcat"


class BasicModule(nn.Module):
    """在 nn.Module 上加 load 和 load_pretrained。

    子类要有 `head`：分类层参数名的开头；换任务时只有这一层从头学，其余可以用 ImageNet 权重。
    输入是 (B, 3, H, W)，已按 `mean`、`std` 归一化，输出 (B, 类别数) 的得分。
    """

    mean = (0.485, 0.456, 0.406)        # 各通道的均值，像素值 0 到 1；ImageNet 的统计
    std = (0.229, 0.224, 0.225)
    head = ""
    early: tuple[str, ...] = ()         # --freeze-early 时不学的各层，参数名的开头；空为没有
    torchvision_name = ""               # torchvision 里对应的网络，空为没有
    min_size = 32                       # 图片的边长至少多少

    def load(self, path: str | Path) -> dict:
        """载入 train 存的权重（runs/<env>/ 里的 best.pth、last.pth），返回文件里的全部内容。别的网络的权重抛出 UserError。"""
        content = load_checkpoint(path, PROJECT)
        if content["model_name"] != type(self).__name__:
            raise UserError(f"{legible(str(path))} 是 {content['model_name']} 的权重，不是 {type(self).__name__} 的："
                            f"换一份权重，或改用 --model={content['model_name']}")
        load_state(self, content["model"], path)
        return content

    def load_pretrained(self) -> None:
        """装入 ImageNet 权重，分类层除外。"""
        weights = {name: value for name, value in self.imagenet_weights().items()
                   if not name.startswith(self.head)}
        missing, unexpected = self.load_state_dict(weights, strict=False)
        assert not unexpected and all(name.startswith(self.head) for name in missing)

    def freeze_early(self) -> None:
        """前几层从此不学。"""
        if not self.early:
            raise UserError(f"{type(self).__name__} 没有说哪几层是前几层：去掉 --freeze-early")
        for name, parameter in self.named_parameters():
            if name.startswith(self.early):
                parameter.requires_grad_(False)

    @classmethod
    def imagenet_weights(cls) -> dict[str, t.Tensor]:
        """ImageNet 上 1000 类的权重，名字与本网络一致。这里用 torchvision 的，首次要联网下载。"""
        import torchvision

        try:
            weights = torchvision.models.get_model_weights(cls.torchvision_name).DEFAULT
            state = weights.get_state_dict(progress=True, check_hash=True)
        except (OSError, RuntimeError) as error:
            raise UserError(f"下载 torchvision 的 {cls.torchvision_name} 权重失败（{type(error).__name__}）："
                            "检查网络，或去掉 --pretrained 从头训练") from None
        return cls.rename(state)

    @classmethod
    def rename(cls, state: dict[str, t.Tensor]) -> dict[str, t.Tensor]:
        """把 torchvision 的参数名换成本网络的。默认不用换。"""
        return state
