"""验证的结果：准确率、混淆矩阵、对数损失和校准误差，几处图片各算各的。"""

import torch as t

from data import CLASSES, DogCat

BINS = 15                   # 校准误差按概率分几档


class Evaluation:
    """rows 是各图的概率 (N, 类别数)，次序同 dataset。"""

    def __init__(self, rows: t.Tensor, dataset: DogCat):
        self.rows, self.targets = rows, t.tensor(dataset.targets)
        self.places, self.origin = dataset.places, t.tensor(dataset.origin)

    @property
    def accuracy(self) -> float:
        return accuracy(self.rows, self.targets)

    def parts(self) -> list[tuple[str, t.Tensor, t.Tensor]]:
        """(名字, 概率, 标签)：先是全部，有几处时接着是各处。"""
        whole = [("验证集", self.rows, self.targets)]
        if len(self.places) == 1:
            return whole
        chosen = [self.origin == i for i in range(len(self.places))]
        return whole + [(place, self.rows[some], self.targets[some]) for place, some in zip(self.places, chosen)]

    def summary(self) -> str:
        """一行话：准确率和混淆矩阵。"""
        (_, rows, targets), *each = self.parts()
        text = f"验证准确率 {self.accuracy:.2%}，混淆矩阵 {confusion(rows, targets).tolist()}"
        if each:
            text += "（" + "，".join(f"{place} {accuracy(some, answers):.2%}" for place, some, answers in each) + "）"
        return text

    def curves(self) -> dict[str, float]:
        """曲线名 → 值。"""
        names = ["val_accuracy", *(f"val_accuracy_{i}" for i in range(len(self.places)))]
        return {name: accuracy(rows, targets) for name, (_, rows, targets) in zip(names, self.parts())}


def accuracy(rows: t.Tensor, targets: t.Tensor) -> float:
    return (rows.argmax(1) == targets).double().mean().item()


def confusion(rows: t.Tensor, targets: t.Tensor) -> t.Tensor:
    """混淆矩阵 (类别数, 类别数)：第 i 行第 j 列是真为 i、判为 j 的张数。"""
    pairs = targets * len(CLASSES) + rows.argmax(1)
    return pairs.bincount(minlength=len(CLASSES) ** 2).reshape(len(CLASSES), -1)


def log_loss(rows: t.Tensor, targets: t.Tensor) -> float:
    """对数损失，Kaggle 用它计分：-ln(给正确答案的概率) 的平均。"""
    return -rows.gather(1, targets[:, None]).clamp(min=1e-15).log().mean().item()


def calibration_error(rows: t.Tensor, targets: t.Tensor) -> float:
    """期望校准误差（ECE，Guo 等，ICML 2017）：把判断按概率分 15 档，各档的平均概率与准确率之差，按张数加权。"""
    confidence, guess = rows.max(1)
    right = (guess == targets).to(rows.dtype)
    bins = (confidence * BINS).long().clamp(max=BINS - 1)
    gaps = t.zeros(BINS, dtype=rows.dtype).index_add_(0, bins, right - confidence)
    return gaps.abs().sum().item() / len(rows)


def report(name: str, rows: t.Tensor, targets: t.Tensor) -> None:
    """显示准确率、对数损失、校准误差和混淆矩阵。"""
    print(f"{name} {len(rows)} 张：准确率 {accuracy(rows, targets):.2%}，对数损失 {log_loss(rows, targets):.4f}，"
          f"校准误差 {calibration_error(rows, targets):.4f}")
    print("真实＼判断" + "".join(f"{name:>8}" for name in CLASSES))
    for name, row in zip(CLASSES, confusion(rows, targets).tolist()):
        print(f"{name:<10}" + "".join(f"{count:>8}" for count in row))
