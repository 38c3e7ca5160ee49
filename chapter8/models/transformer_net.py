"""风格迁移网络：一次前向，照片变成画。"""

import torch as t
from torch import nn
from torch.nn import functional as F

SCALE = 8           # 最后一层的输出乘上它才是灰度：书中为 1，Adam 每步只能把颜色挪动一级左右，学得慢
SMALLEST = 16       # 比这还小的边先补到这么大：9×9 卷积的反射填充要 5 个像素，缩小 4 倍后的 3×3 卷积要 2 个


class InstanceNorm(nn.InstanceNorm2d):
    """实例归一化：每张图、每个通道减去自己的均值，除以自己的标准差，再乘 weight 加 bias。

    分块画大图时，各块的均值和标准差不同，接缝处颜色会跳。所以另有两种模式，由 TransformerNet 的
    calibrate 和 release 切换：record 时统计整批（几块样本）合起来的均值方差，frozen 时各块都用它。
    """

    def __init__(self, channels: int):
        super().__init__(channels, affine=True)
        self.mode, self.mean, self.var = "own", None, None

    def forward(self, x: t.Tensor) -> t.Tensor:
        if self.mode == "own":                      # 画的时候用 group_norm 算同样的东西：instance_norm 会离开 channels_last，来回搬动
            return super().forward(x) if t.is_grad_enabled() else F.group_norm(x, len(self.weight), self.weight, self.bias, self.eps)
        if self.mode == "record":
            self.var, self.mean = t.var_mean(x, (0, 2, 3), correction=0)        # (C,)
        return F.batch_norm(x, self.mean, self.var, self.weight, self.bias, eps=self.eps)


class ReflectionPad(nn.ReflectionPad2d):
    """四边补镜像。混合精度（autocast）规定它用单精度，可它只是搬动数字：关掉，免得来回转换。"""

    def forward(self, x: t.Tensor) -> t.Tensor:
        with t.autocast(x.device.type, enabled=False):
            return super().forward(x)


class ConvLayer(nn.Sequential):
    """反射填充、卷积、实例归一化。

    边上补镜像而不是补 0：补 0 等于给照片镶一圈黑边，网络会照着画出一圈框。
    upsample > 1 时先最近邻放大再卷积：转置卷积各处重叠的次数不同，会留下棋盘格
    （Odena et al., 2016, https://doi.org/10.23915/distill.00003）。
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, upsample: int = 1,
                 norm: bool = True):
        layers = [nn.Upsample(scale_factor=upsample, mode="nearest")] if upsample > 1 else []
        layers += [ReflectionPad(kernel // 2), nn.Conv2d(in_channels, out_channels, kernel, stride)]
        layers += [InstanceNorm(out_channels)] if norm else []
        super().__init__(*layers)


class ResidualBlock(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = ConvLayer(channels, channels, 3)
        self.conv2 = ConvLayer(channels, channels, 3)

    def forward(self, x: t.Tensor) -> t.Tensor:
        return x + self.conv2(F.relu(self.conv1(x)))


class TransformerNet(nn.Module):
    """照片 (B, 3, H, W)，0 到 255 的数，H、W 任意 → 一样大的画；略微超出 0 到 255 的，显示和保存时截去。

    Johnson et al., 2016, arXiv:1603.08155；批归一化换成实例归一化：Ulyanov et al., 2016, arXiv:1607.08022。
    width 为第一层的通道数，书中为 32，共 1,679,235 个参数；参数约与 width 的平方成正比。
    """

    def __init__(self, width: int = 32):
        super().__init__()
        w = width
        self.down = nn.Sequential(
            ConvLayer(3, w, 9), nn.ReLU(),                          # (B, w, H, W)
            ConvLayer(w, 2 * w, 3, stride=2), nn.ReLU(),            # (B, 2w, H/2, W/2)
            ConvLayer(2 * w, 4 * w, 3, stride=2), nn.ReLU())        # (B, 4w, H/4, W/4)
        self.body = nn.Sequential(*(ResidualBlock(4 * w) for _ in range(5)))
        self.up = nn.Sequential(
            ConvLayer(4 * w, 2 * w, 3, upsample=2), nn.ReLU(),      # (B, 2w, H/2, W/2)
            ConvLayer(2 * w, w, 3, upsample=2), nn.ReLU(),          # (B, w, H, W)
            ConvLayer(w, 3, 9, norm=False))                         # (B, 3, H, W)

    def forward(self, x: t.Tensor) -> t.Tensor:
        height, width = x.shape[2:]
        x = pad_to_multiple(x) / 127.5 - 1
        x = self.up(self.body(self.down(x)))
        return (127.5 + SCALE * x)[..., :height, :width]            # 从中灰出发

    @property
    def calibrated(self) -> bool:
        """归一化用的是不是定好的均值和方差。"""
        return any(module.mode == "frozen" for module in self.modules() if isinstance(module, InstanceNorm))

    @t.no_grad()
    def calibrate(self, samples: t.Tensor) -> None:
        """用大图里的几块样本 (N, 3, S, S) 定下各层归一化的均值和方差，此后每一块都用它们，直到 release。"""
        self._set_norms("record")
        self(samples)
        self._set_norms("frozen")

    def release(self) -> None:
        """回到每张图用自己的均值和方差。"""
        self._set_norms("own")

    def _set_norms(self, mode: str) -> None:
        for module in self.modules():
            if isinstance(module, InstanceNorm):
                module.mode = mode


def pad_to_multiple(x: t.Tensor, multiple: int = 4, smallest: int = SMALLEST) -> t.Tensor:
    """右边和下边补到 multiple 的倍数，且不小于 smallest。

    两次缩小一半再放大，边长是 4 的倍数才能还原。补的是镜像；图太小、镜像不够长时，补边上的像素。
    """
    height, width = x.shape[2:]
    bottom, right = (max(smallest, -(-side // multiple) * multiple) - side for side in (height, width))
    if not bottom and not right:
        return x
    mode = "reflect" if bottom < height and right < width else "replicate"
    return F.pad(x, (0, right, 0, bottom), mode)
