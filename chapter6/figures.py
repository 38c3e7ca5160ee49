"""debug.ipynb 的作图代码：笔记本里 import figures，读者想看怎样画的就读这里。

每个函数画一幅图，数值都由参数而来；文字是英文，因为多数机器上的 matplotlib 没有中文字形。
"""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
from torch import Tensor

plt.rcParams["figure.dpi"] = 90


def loss_with_pause(curve: list[tuple[int, float]], paused: int, label: str) -> None:
    """损失曲线。curve 是 (步, 损失) 的列表；paused 是进入调试器的那一步，画虚线，图例写 label。"""
    fig, ax = plt.subplots(figsize=(6, 2.8))
    ax.plot(*zip(*curve), marker="o", ms=3)
    ax.axvline(paused, color="tab:red", ls="--", label=label)
    ax.set(xlabel="step", ylabel="loss", yscale="log")
    ax.legend()
    fig.tight_layout()
    plt.show()


def by_layer(panels: dict[str, dict[str, dict[str, float]]]) -> None:
    """各层的条形图，纵轴是对数，一个标题一幅。panels 是 {标题: {网络: {层: 值}}}。"""
    fig, axes = plt.subplots(1, len(panels), figsize=(8.5, 3.5), layout="constrained")
    for ax, (title, networks) in zip(axes, panels.items()):
        width = 0.8 / len(networks)
        for number, (label, values) in enumerate(networks.items()):
            shift = (number - (len(networks) - 1) / 2) * width
            ax.bar([i + shift for i in range(len(values))], values.values(), width=width, label=label)
        ax.set_xticks(range(len(values)), values, rotation=30, ha="right", fontsize=8)
        ax.set(yscale="log", title=title)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncol=len(networks), fontsize=9)
    plt.show()


def loss_and_zeros(history: dict[str, tuple[list[float], Tensor]], layers: list[str]) -> None:
    """左：损失曲线与 ln 2；右：每个 ReLU 输出中零的比例。

    history 是 {名字: (每步的损失, (层数, 步数) 的比例)}，layers 是各个 ReLU 的名字。
    """
    fig, axes = plt.subplots(1, 1 + len(history), figsize=(11, 3), width_ratios=(1.3, *[1] * len(history)),
                             layout="constrained")
    for label, (losses, _) in history.items():
        axes[0].plot(losses, label=label)
    axes[0].axhline(math.log(2), color="gray", ls="--", lw=1, label="ln 2")
    axes[0].set(xlabel="step", ylabel="loss (log scale)", yscale="log", title="loss")
    axes[0].legend(fontsize=8)
    for ax, (label, (_, zeros)) in zip(axes[1:], history.items()):
        image = ax.imshow(zeros, aspect="auto", vmin=0, vmax=1, cmap="magma", interpolation="nearest")
        ax.set(xlabel="step", title=f"zeros after each ReLU, {label}")
        ax.set_yticks(range(len(layers)), layers)
    fig.colorbar(image, ax=axes[1:], label="fraction")
    plt.show()
