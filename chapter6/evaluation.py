"""验证的结果：准确率、混淆矩阵、对数损失和校准误差，几处图片各算各的；校准概率的温度。"""

import unicodedata
from dataclasses import dataclass

import torch as t
from torch.nn import functional as F

from data import CLASSES, Pictures

BINS = 15                   # 校准误差按概率分几档


@dataclass
class Part:
    """一批图片的结果：得分 (N, 类别数) 和标签 (N,)。"""

    name: str
    scores: t.Tensor
    targets: t.Tensor

    @property
    def accuracy(self) -> float:
        return (self.scores.argmax(1) == self.targets).double().mean().item()

    @property
    def matrix(self) -> list[list[int]]:
        """混淆矩阵：第 i 行第 j 列是真为 i、判为 j 的张数。"""
        pairs = self.targets * len(CLASSES) + self.scores.argmax(1)             # 每一对（真、判）一个号码
        return pairs.bincount(minlength=len(CLASSES) ** 2).reshape(len(CLASSES), -1).tolist()

    def log_loss(self, temperature: float) -> float:
        """对数损失，Kaggle 用它计分：-ln(给正确答案的概率) 的平均。"""
        return F.cross_entropy(self.scores / temperature, self.targets).item()

    def calibration_error(self, temperature: float) -> float:
        """期望校准误差 ECE：把判断按概率分成等宽的 15 档，各档的平均概率与准确率之差，按张数加权平均。

        Guo 等，On calibration of modern neural networks，ICML 2017。
        """
        sure, answers = (self.scores / temperature).softmax(1).max(1)
        right = (answers == self.targets).to(sure)
        bins = (sure * BINS).long().clamp(max=BINS - 1)                         # (N,)，各在哪一档
        gaps = t.zeros(BINS).to(sure).index_add(0, bins, sure - right)          # 每档：概率之和减去对的张数
        return (gaps.abs().sum() / len(sure)).item()

    def fit_temperature(self) -> float:
        """得分除以它再做 softmax，对数损失最小（同上一篇）。准确率不变，只是概率不再过于自信。"""
        choices = t.logspace(-1, 1, 401).tolist()               # 0.1 到 10，相邻差 1.2%
        return min(choices, key=self.log_loss)

    def report(self, temperature: float) -> None:
        print(f"{self.name} {len(self.targets)} 张：准确率 {self.accuracy:.2%}，对数损失 {self.log_loss(temperature):.4f}，"
              f"校准误差 {self.calibration_error(temperature):.2%}（不除以温度 {temperature:.2f} 时 {self.calibration_error(1):.2%}）")
        print("真实＼判断" + "".join(" " * (8 - width(name)) + name for name in CLASSES))
        for name, row in zip(CLASSES, self.matrix):
            print(name + " " * (10 - width(name)) + "".join(f"{count:>8}" for count in row))


def width(text: str) -> int:
    """在终端上占几格：汉字占两格。"""
    return sum(1 + (unicodedata.east_asian_width(sign) in "WF") for sign in text)


def split_parts(scores: t.Tensor, dataset: Pictures) -> list[Part]:
    """全部的结果；图片有几处时，接着是各处的。scores 的次序同 dataset。"""
    targets, origin = t.tensor(dataset.targets), t.tensor(dataset.origin)
    parts = [Part("验证集", scores, targets)]
    if len(dataset.places) > 1:
        parts += [Part(place, scores[origin == i], targets[origin == i]) for i, place in enumerate(dataset.places)]
    return parts
