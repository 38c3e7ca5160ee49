import torch as t
from torch import nn


class Standardize(nn.Module):
    """把图像特征的每一维变成均值 0、标准差 1。均值和标准差取自训练集，随权重保存，不参加训练。"""

    def __init__(self, channels: int):
        super().__init__()
        self.register_buffer("mean", t.zeros(channels))
        self.register_buffer("std", t.ones(channels))

    def fit(self, grid: t.Tensor) -> None:
        """用一些图的特征 (B, L, C) 定下均值和标准差。"""
        self.std, self.mean = t.std_mean(grid.float(), (0, 1))
        self.std += 0.01                # 总不变的维不放大

    def forward(self, grid: t.Tensor) -> t.Tensor:
        return (grid - self.mean) / self.std
