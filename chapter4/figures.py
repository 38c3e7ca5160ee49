"""第 4 章的作图代码：笔记本里 import figures，读者想看怎样画的就读这里。

每个函数画一幅图。图中的数值都由参数而来，这里不做计算。
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyBboxPatch, Rectangle
from torch import Tensor, nn

plt.rcParams["figure.dpi"] = 90


# ---------------------------------------------------------------- 几本笔记本共用


def lines(curves: dict[str, Sequence[float]], x: Sequence[float] | None = None, *, log: bool = False,
          level: tuple[float, str] | None = None, mark: float | None = None, dashed: Sequence[str] = (),
          figsize=(6.8, 3.2), **axis) -> None:
    """几条曲线 {名字: 数值}，共用横坐标 x（省略则为 0、1、2……）。

    log 为真时纵轴取对数；dashed 里的画成虚线，免得盖住与它重合的；level 是（高度, 文字），画一条水平虚线；mark 处画一条竖虚线；axis 交给 ax.set。
    """
    fig, ax = plt.subplots(figsize=figsize)
    for color, (name, values) in zip(("tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple"), curves.items()):
        ax.plot(range(len(values)) if x is None else x, values, color=color, label=name, lw=1.4, ls="--" if name in dashed else "-")
    if log:
        ax.set_yscale("log")
    if level:
        ax.axhline(level[0], color="gray", ls=":", lw=1)
        ax.annotate(level[1], (1, level[0]), xycoords=("axes fraction", "data"), xytext=(-4, 3), ha="right",
                    textcoords="offset points", color="gray", fontsize=9)
    if mark is not None:
        ax.axvline(mark, color="gray", ls="--", lw=1)
    ax.set(**axis)
    ax.legend(fontsize=9)
    ax.grid(alpha=0.3)
    fig.tight_layout()
    plt.show()


def images(panels: dict[str, Tensor], columns: int, figsize: tuple[float, float], lows: dict[str, float] | None = None) -> None:
    """几幅图，每行 columns 幅：(高, 宽) 按灰度画，(高, 宽, 3) 按彩色画；lows 是 {名字: 画成黑色的数}，省略的为 0。"""
    fig, axes = plt.subplots(math.ceil(len(panels) / columns), columns, figsize=figsize, layout="constrained", squeeze=False)
    for ax, (name, image) in zip(axes.flat, panels.items()):
        ax.imshow(image, cmap="gray", vmin=(lows or {}).get(name, 0), vmax=1, interpolation="nearest" if image.ndim == 3 else None)
        ax.set_title(name, fontsize=10)
    for ax in axes.flat:
        ax.axis("off")
    plt.show()


# ---------------------------------------------------------------- 4.1


def perceptron(weights: list[Tensor], columns: list[str], names: list[str]) -> None:
    """多层感知机：每列是一层的单元，线的颜色和粗细按权重 (入, 出) 画，蓝正红负。"""
    sizes = [len(weights[0]), *(weight.shape[1] for weight in weights)]
    heights = [[0.5 * (n - 1) - k for k in range(n)] for n in sizes]
    fig, ax = plt.subplots(figsize=(6, 3.2))
    for k, weight in enumerate(weights):
        for (i, left), (j, right) in product(enumerate(heights[k]), enumerate(heights[k + 1])):
            value = weight[i, j].item()
            ax.plot([k, k + 1], [left, right], zorder=1, lw=0.4 + 1.6 * min(abs(value), 2), alpha=0.7,
                    color="tab:blue" if value > 0 else "tab:red")
        ax.text(k + 0.5, 2.05, names[k], ha="center", fontsize=10, family="monospace")
    for k, (ys, label) in enumerate(zip(heights, columns)):
        ax.scatter([k] * len(ys), ys, s=420, color=["#e4e4e4", "#f6e3b4", "#cfe8cf"][k], edgecolor="black", zorder=2)
        ax.text(k, -2.25, label, ha="center", fontsize=10)
    ax.set(xlim=(-0.4, 2.4), ylim=(-2.45, 2.35))
    ax.axis("off")
    plt.show()


def decision(surfaces: dict[str, Tensor], corners: Tensor, target: Tensor) -> None:
    """平面 [−0.5, 1.5]² 上各点的输出（横轴是第一个输入），圆圈是样本 corners (N, 2)，圈内的颜色是答案。"""
    fig, axes = plt.subplots(1, len(surfaces), figsize=(7.2, 3.2), layout="constrained")
    look = dict(vmin=0, vmax=1, cmap="RdYlBu_r")
    for ax, (name, surface) in zip(axes, surfaces.items()):
        shown = ax.imshow(surface, extent=(-0.5, 1.5, -0.5, 1.5), origin="lower", **look)
        ax.scatter(*corners.t(), c=target, s=110, edgecolor="black", linewidth=1.5, **look)
        ax.set(xlabel="$x_1$", ylabel="$x_2$", xticks=(0, 1), yticks=(0, 1))
        ax.set_title(name, fontsize=10)
    fig.colorbar(shown, ax=axes, label="output", shrink=0.9)
    plt.show()


# ---------------------------------------------------------------- 4.2.1：图像层


def kernel_positions(size: int, k: int, choices: list[dict]) -> None:
    """卷积核落在哪里：灰格是补的边，橙格是核第一次的位置，圆点是每次落下时的中心。

    输入 size×size，核 k×k；choices 的每一项是 stride、padding、dilation 中的几个。
    """
    fig, axes = plt.subplots(1, len(choices), figsize=(11, 3.2))
    for ax, options in zip(axes, choices):
        stride, padding, dilation = (options.get(key, start) for key, start in (("stride", 1), ("padding", 0), ("dilation", 1)))
        total, reach = size + 2 * padding, dilation * (k - 1) + 1
        for i, j in product(range(total), range(total)):
            inside = padding <= i < size + padding and padding <= j < size + padding
            first = max(i, j) < reach and i % dilation == 0 and j % dilation == 0
            color = "#f6b26b" if first else "white" if inside else "#dddddd"
            ax.add_patch(Rectangle((j, i), 1, 1, fc=color, ec="gray", lw=0.8))
        out = (total - reach) // stride + 1
        centers = [reach / 2 + stride * i for i in range(out)]
        ax.scatter(*zip(*product(centers, centers)), s=28, color="tab:blue", zorder=3)
        ax.set(xlim=(-0.1, total + 0.1), ylim=(total + 0.1, -0.1), aspect="equal")
        ax.set_title(f"k={k}  stride={stride}  padding={padding}  dilation={dilation}\n{size}×{size} → {out}×{out}", fontsize=9)
        ax.axis("off")
    fig.tight_layout()
    plt.show()


def signal_and_score(signal: Tensor, score: Tensor) -> None:
    """上图是信号，下图是卷积的输出，圆点是最大处。"""
    fig, axes = plt.subplots(2, 1, figsize=(7, 3), sharex=True, layout="constrained")
    axes[0].plot(signal, color="tab:gray", lw=0.9)
    axes[0].set_ylabel("signal")
    axes[1].plot(score, color="tab:blue", lw=1.1)
    axes[1].plot(score.argmax(), score.max(), "o", color="tab:red")
    axes[1].set(xlabel="time", ylabel="Conv1d output")
    plt.show()


def stamped(counts: dict[str, Tensor]) -> None:
    """转置卷积的输出里，每一格被盖了几次。"""
    fig, axes = plt.subplots(1, len(counts), figsize=(9, 3.1), layout="constrained")
    for ax, (name, times) in zip(axes, counts.items()):
        shown = ax.imshow(times, cmap="viridis", vmin=1, vmax=4)
        ax.set_title(name, fontsize=10)
        ax.axis("off")
    fig.colorbar(shown, ax=axes, label="times stamped", ticks=(1, 2, 4), shrink=0.85)
    plt.show()


def norm_groups(samples: int = 4, channels: int = 6) -> None:
    """几种规范化：一格是一个样本的一个通道（整张特征图），同色的格子合在一起求统计量。"""
    groups = {"BatchNorm": lambda n, c: c, "InstanceNorm": lambda n, c: channels * n + c,
              "LayerNorm": lambda n, c: n, "GroupNorm (2 groups)": lambda n, c: 2 * n + 2 * c // channels}
    fig, axes = plt.subplots(1, len(groups), figsize=(10, 2.6))
    for ax, (name, group) in zip(axes, groups.items()):
        for n, c in product(range(samples), range(channels)):
            color = plt.cm.turbo(group(n, c) / samples / channels) if name == "InstanceNorm" else plt.cm.tab20(group(n, c))
            ax.add_patch(Rectangle((c, n), 0.94, 0.94, fc=color, ec="none"))
        ax.set(xlim=(-0.1, channels + 0.1), ylim=(samples + 0.1, -0.1), aspect="equal", xlabel="channel C", ylabel="sample N",
               xticks=(), yticks=())
        means = {group(n, c) for n, c in product(range(samples), range(channels))}
        ax.set_title(f"{name}\n{len(means)} means", fontsize=10)
        ax.spines[:].set_visible(False)
    fig.tight_layout()
    plt.show()


# ---------------------------------------------------------------- 4.2.2：激活函数


def activations(x: Tensor, panels: dict[str, tuple[Tensor, Tensor]]) -> None:
    """各个激活：{名字: (函数值, 导数)}，实线与虚线。"""
    fig, axes = plt.subplots(2, 3, figsize=(9, 4.8), sharex=True, layout="constrained")
    for ax, (name, (y, slope)) in zip(axes.flat, panels.items()):
        ax.plot(x, y, color="tab:blue", label="f(x)")
        ax.plot(x, slope, color="tab:orange", ls="--", label="f'(x)")
        ax.axhline(0, color="gray", lw=0.6)
        ax.set(ylim=(-1.3, 2.5))
        ax.set_title(name, fontsize=10)
        ax.grid(alpha=0.3)
    axes[0, 0].legend(fontsize=9)
    plt.show()


# ---------------------------------------------------------------- 4.2.3：循环网络


def unrolled() -> None:
    """左边是带回路的 Cell，右边沿时间展开四步。"""
    def arrow(start, end, **look):
        ax.annotate("", xy=end, xytext=start, arrowprops=dict(arrowstyle="-|>", lw=1.3, shrinkA=0, shrinkB=0, **look))

    fig, ax = plt.subplots(figsize=(9, 2.6))
    for x, name in [(0, "t")] + [(3.2 + 1.9 * k, str(k)) for k in range(4)]:
        ax.add_patch(FancyBboxPatch((x - 0.45, -0.35), 0.9, 0.7, boxstyle="round,pad=0.05", fc="#f6e3b4", ec="black"))
        ax.text(x, 0, "Cell", ha="center", va="center", fontsize=10, weight="bold")
        if x:
            arrow((x + 0.52, 0), (x + 1.38, 0))
            ax.text(x + 0.95, 0.12, f"$h_{name}$" if name != "3" else "$h_n$", ha="center", fontsize=10)
        arrow((x, -1.05), (x, -0.42))
        arrow((x, 0.42), (x, 1.0))
        ax.text(x, -1.3, f"$x_{name}$", ha="center", fontsize=11)
        ax.text(x, 1.1, f"output$_{name}$", ha="center", fontsize=9)
    arrow((0.52, 0.15), (0.52, -0.15), connectionstyle="arc3,rad=-2.6")
    ax.text(1.35, 0, "=", ha="center", va="center", fontsize=16)
    arrow((2.25, 0), (2.68, 0))
    ax.text(2.2, 0, "$h_{init}$", ha="right", va="center", fontsize=10)
    ax.set(xlim=(-0.8, 10.4), ylim=(-1.5, 1.5))
    ax.axis("off")
    plt.show()


def packing(lengths: list[int], batch_sizes: list[int], order: list[int]) -> None:
    """左边是补齐的方阵，右边是打包后的次序；lengths 是各句的长度，order 是排序后的句号。"""
    def cell(ax, x, y, text, color):
        ax.add_patch(Rectangle((x, y), 0.94, 0.94, fc=color, ec="none"))
        ax.text(x + 0.47, y + 0.47, text, ha="center", va="center", color="gray" if text == "0" else "white", fontsize=10)

    longest, colors = max(lengths), ("tab:blue", "tab:orange", "tab:green")
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 2.9), width_ratios=(1, 1.9), layout="constrained")
    for (k, length), step in product(enumerate(lengths), range(longest)):
        real = step < length
        cell(left, step, k, f"{'abc'[k]}{step}" if real else "0", colors[k] if real else "#e4e4e4")
    left.set(xlim=(0, longest), ylim=(len(lengths), 0))
    left.set_title(f"padded: {longest * len(lengths)} cells", fontsize=10)
    x = 0.0
    for step, size in enumerate(batch_sizes):
        for k in order[:size]:
            cell(right, x, 0.6, f"{'abc'[k]}{step}", colors[k])
            x += 1
        right.text(x - size / 2, 1.95, f"t={step}\n{size}", ha="center", va="center", fontsize=9)
        x += 0.35
    right.text(-0.3, 1.95, "batch_sizes", ha="right", va="center", fontsize=9)
    right.set(xlim=(-2.4, x), ylim=(3, 0))
    right.set_title(f"packed: {sum(lengths)} cells", fontsize=10)
    for ax in (left, right):
        ax.set_aspect("equal")
        ax.axis("off")
    plt.show()


# ---------------------------------------------------------------- 4.2.4：损失


def smoothing(score: Tensor, curves: dict[float, Tensor], level: float) -> None:
    """正确类的得分与交叉熵；curves 是 {平滑的程度: 损失}，圆点是各自的最低点，虚线是瞎猜的损失。"""
    fig, ax = plt.subplots(figsize=(6.4, 3.2))
    for color, (eps, loss) in zip(("tab:blue", "tab:orange", "tab:green"), curves.items()):
        ax.plot(score, loss, color=color, label=f"label_smoothing = {eps:g}")
        if eps:
            ax.plot(score[loss.argmin()], loss.min(), "o", color=color)
    ax.axhline(level, color="gray", ls=":", lw=1)
    ax.text(score[-1], level + 0.06, "ln 4", ha="right", color="gray", fontsize=9)
    ax.set(xlabel="score of the true class", ylabel="cross entropy", ylim=(0, 3.6))
    ax.legend(fontsize=9)
    ax.grid(alpha=0.3)
    plt.show()


# ---------------------------------------------------------------- 4.2.5：注意力


def positions(table: Tensor, similar: Tensor) -> None:
    """左：位置编码的表 (位置, 维)；右：相距 d 的内积 (几个向量, 距离)，黑线是平均。"""
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    shown = left.imshow(table, cmap="RdBu", vmin=-1, vmax=1, aspect="auto")
    left.set(xlabel="dimension", ylabel="position")
    left.set_title("sinusoidal table", fontsize=10)
    fig.colorbar(shown, ax=left)
    right.plot(similar.t().numpy(), lw=0.8, color="tab:blue", alpha=0.4)
    right.plot(similar.mean(0), lw=1.6, color="black")
    right.set(xlabel="distance", ylabel="inner product / length²")
    right.set_title("the same vector, rotated, at two places", fontsize=10)
    right.grid(alpha=0.3)
    plt.show()


def attention_maps(maps: dict[str, Tensor], line: int) -> None:
    """几个头的权重 (T, S)：行是正在看的位置，列是被看的；每 line 个字符一句，用细线隔开。"""
    fig, axes = plt.subplots(1, len(maps), figsize=(4.6 * len(maps), 4.4), layout="constrained")
    for ax, (name, weights) in zip(axes, maps.items()):
        shown = ax.imshow(weights, cmap="magma_r", vmin=0, vmax=1)
        ticks = range(0, len(weights), line)
        ax.set(xticks=ticks, yticks=ticks, xlabel="looks at", ylabel="reader")
        ax.set_xticklabels([f"{k // line + 1}.1" for k in ticks], fontsize=8)
        ax.set_yticklabels([f"{k // line + 1}.1" for k in ticks], fontsize=8)
        for k in ticks[1:]:
            ax.axhline(k - 0.5, color="gray", lw=0.4)
            ax.axvline(k - 0.5, color="gray", lw=0.4)
        ax.set_title(name, fontsize=10)
    fig.colorbar(shown, ax=axes, label="weight", shrink=0.8)
    plt.show()


def cost(lengths: list[int], panels: dict[str, dict[str, list[float]]]) -> None:
    """{纵轴: {名字: 各长度的数}}，并排，双对数。"""
    fig, axes = plt.subplots(1, len(panels), figsize=(9, 3.2), layout="constrained")
    for ax, (label, curves) in zip(axes, panels.items()):
        for color, (name, values) in zip(("tab:red", "tab:blue"), curves.items()):
            ax.loglog(lengths, values, "o-", color=color, label=name, ms=4)
        ax.set(xlabel="length T", ylabel=label, xticks=lengths)
        ax.set_xticklabels(lengths)
        ax.minorticks_off()
        ax.legend(fontsize=9)
        ax.grid(alpha=0.3)
    plt.show()


# ---------------------------------------------------------------- 4.3：优化器


def trajectories(runs: dict[str, Tensor], grid: tuple[Tensor, Tensor, Tensor], losses: dict[str, Tensor]) -> None:
    """三条轨迹 {名字: (步数+1, 2)} 画在等高线 grid = (x, y, f) 上，最后一格是沿途的函数值。"""
    colors = ("tab:red", "tab:blue", "tab:green")
    fig, axes = plt.subplots(2, 2, figsize=(10, 5.2), layout="constrained")
    for ax, (name, path), color in zip(axes.flat, runs.items(), colors):
        ax.contour(*(part.numpy() for part in grid), levels=np.logspace(-1.5, 1.6, 10), cmap="Greys", norm="log", linewidths=0.8)
        ax.plot(*path.t(), "-o", color=color, ms=3, lw=1.2)
        ax.plot(*path[0], "s", color="black", ms=6)
        ax.plot(0, 0, "*", color="gold", ms=13, mec="black", zorder=4)
        ax.set(xlim=(-4.6, 2.2), ylim=(-1.15, 1.15), xlabel="x", ylabel="y")
        ax.set_title(name, fontsize=10)
    last = axes[1, 1]
    for (name, loss), color in zip(losses.items(), colors):
        last.semilogy(loss, color=color, label=name)
    last.set(xlabel="step", ylabel="f")
    last.set_title("loss along the path", fontsize=10)
    last.legend(fontsize=8)
    last.grid(alpha=0.3)
    plt.show()


def schedules(curves: dict[str, list[float]]) -> None:
    """六种计划各一格：每一步的学习率。"""
    fig, axes = plt.subplots(2, 3, figsize=(9.5, 4.4), sharex=True, sharey=True, layout="constrained")
    for ax, (name, curve) in zip(axes.flat, curves.items()):
        ax.plot(curve, color="tab:blue")
        ax.set_title(name, fontsize=10)
        ax.grid(alpha=0.3)
    fig.supxlabel("step", fontsize=10)
    fig.supylabel("lr", fontsize=10)
    plt.show()


# ---------------------------------------------------------------- 4.4


def between(alphas: Tensor, losses: list[float], ends: dict[str, int]) -> None:
    """两套参数连线上的损失；ends 是 {名字: 下标}，在那里画圆点。"""
    fig, ax = plt.subplots(figsize=(6.4, 3))
    ax.plot(alphas, losses, color="tab:blue")
    for name, k in ends.items():
        ax.plot(alphas[k], losses[k], "o", color="tab:orange", zorder=3)
        ax.annotate(name, (alphas[k], losses[k]), xytext=(0, 9), textcoords="offset points", ha="center", fontsize=10)
    ax.set(xlabel=r"$\alpha$   (parameters = $(1-\alpha)\,\theta_0+\alpha\,\theta_1$)", ylabel="loss", ylim=(-0.03, 0.75))
    ax.grid(alpha=0.3)
    plt.show()


# ---------------------------------------------------------------- 4.5：初始化


def activation_histograms(rows: dict[str, list[Tensor]], shown: tuple[int, ...]) -> None:
    """每行一种初始化，每列一层（shown 从 0 数起）：激活在 −1 到 1 之间的分布。"""
    fig, axes = plt.subplots(len(rows), len(shown), figsize=(10, 1.65 * len(rows)), sharex=True, layout="constrained")
    for row, (name, outputs), color in zip(axes, rows.items(), ("tab:red", "tab:orange", "tab:blue", "tab:green")):
        for ax, k in zip(row, shown):
            ax.hist(outputs[k].flatten(), bins=60, range=(-1, 1), color=color, density=True)
            ax.set(yticks=(), xticks=(-1, 0, 1))
        row[0].set_ylabel(name, fontsize=10)
    for ax, k in zip(axes[0], shown):
        ax.set_title(f"layer {k + 1}", fontsize=10)
    fig.supxlabel("activation", fontsize=10)
    plt.show()


def signal_and_gradient(results: dict[str, tuple[list[float], list[float]]]) -> None:
    """{名字: (各层激活的均方根, 各层权重梯度的均方根)}，左右两格，纵轴取对数。"""
    fig, axes = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
    for (name, pair), color in zip(results.items(), ("tab:blue", "tab:orange", "tab:red", "tab:purple")):
        for ax, values in zip(axes, pair):
            ax.semilogy(range(1, len(values) + 1), values, color=color, label=name)
    for ax, title, label in zip(axes, ("forward", "backward"), ("RMS of the activation", "RMS of the weight gradient")):
        ax.set(xlabel="layer", ylabel=label)
        ax.set_title(title, fontsize=10)
        ax.grid(alpha=0.3)
    axes[0].legend(fontsize=9)
    plt.show()


# ---------------------------------------------------------------- 4.6：Module


def module_tree(module: nn.Module) -> None:
    """模块与子模块的树；绿是自己，蓝是 children()。"""
    fig, ax = plt.subplots(figsize=(8.5, 3))
    _, width = subtree(ax, module, "", 0, 0)
    ax.set(xlim=(-0.1, width + 0.1), ylim=(-2.5, 0.4))
    ax.axis("off")
    plt.show()


def subtree(ax, module: nn.Module, name: str, x: float, depth: int) -> tuple[float, float]:
    """从 x 起画一棵子树，返回（根的横坐标, 下一个空位）。"""
    centers, start = [], x
    for child_name, child in module.named_children():
        center, x = subtree(ax, child, child_name, x, depth + 1)
        centers.append(center)
    center = sum(centers) / len(centers) if centers else start + 0.5
    for child_center in centers:
        ax.plot([center, child_center], [-depth, -depth - 1], color="gray", lw=1, zorder=1)
    label = f"{name}\n{type(module).__name__}" if name else type(module).__name__
    ax.text(center, -depth, label, ha="center", va="center", fontsize=9, zorder=2, bbox=dict(
        boxstyle="round,pad=0.35", fc={0: "#cfe8cf", 1: "#cfdff2"}.get(depth, "#f6e3b4"), ec="black"))
    return center, max(x, start + 1)


def class_scatter(views: dict[str, Tensor], labels: Tensor, classes: list[str]) -> None:
    """并排的散点图，每幅是 (N, 2)，颜色是类别。"""
    fig, axes = plt.subplots(1, len(views), figsize=(10, 4.2), layout="constrained")
    for ax, (name, points) in zip(axes, views.items()):
        for k, label in enumerate(classes):
            ax.scatter(*points[labels == k].t(), s=13, color=plt.cm.tab10(k), label=label, alpha=0.85)
        ax.set(xticks=(), yticks=())
        ax.set_title(name, fontsize=10)
    axes[-1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5), markerscale=1.6)
    plt.show()


# ---------------------------------------------------------------- 4.7


def floors() -> None:
    """Module、函数、Function 与内核，一层调用一层。"""
    rows = [("nn.Module", "parameters, buffers, hooks, state_dict", "has state", "#cfdff2"),
            ("functions", "F.conv2d, t.sigmoid, x * y …  compose operators", "no state", "#cfe8cf"),
            ("autograd.Function", "forward + backward of one operator", "a node of the graph", "#f6e3b4"),
            ("kernels  (C++ / CUDA)", "numbers in, numbers out", "no gradient", "#e4e4e4")]
    fig, ax = plt.subplots(figsize=(8, 3.3))
    for y, (name, does, example, color) in zip((3, 2, 1, 0), rows):
        ax.add_patch(FancyBboxPatch((0, y), 8, 0.62, boxstyle="round,pad=0.06", fc=color, ec="black"))
        ax.text(0.15, y + 0.31, name, va="center", fontsize=10, weight="bold")
        ax.text(2.75, y + 0.31, does, va="center", fontsize=9)
        ax.text(7.9, y + 0.31, example, va="center", ha="right", fontsize=9, style="italic")
        if y:
            ax.annotate("", xy=(1.2, y - 0.3), xytext=(1.2, y - 0.06), arrowprops=dict(arrowstyle="-|>", lw=1.3))
            ax.text(1.35, y - 0.19, "calls", va="center", fontsize=8, color="gray")
    ax.set(xlim=(-0.2, 8.2), ylim=(-0.2, 3.8))
    ax.axis("off")
    plt.show()


# ---------------------------------------------------------------- 4.8：ResNet34


def residual_blocks() -> None:
    """两种残差块：直连是恒等的，与直连上放 1×1 卷积的。"""
    fig, axes = plt.subplots(1, 2, figsize=(8, 5), layout="constrained")
    residual_block(axes[0], "same shape: the shortcut is the identity", "3×3 conv")
    residual_block(axes[1], "halve the size, double the channels", "3×3 conv, stride 2", "1×1 conv\nstride 2, BN")
    plt.show()


def residual_block(ax, title: str, first: str, shortcut: str | None = None) -> None:
    """一个残差块；first 是第一个卷积，shortcut 是直连上的东西，没有就是恒等。"""
    def box(x, y, text, color="#f6e3b4", width=2.5):
        ax.add_patch(FancyBboxPatch((x - width / 2, y - 0.24), width, 0.48, boxstyle="round,pad=0.04", fc=color, ec="black", zorder=2))
        ax.text(x, y, text, ha="center", va="center", fontsize=9, zorder=3)

    def path(*points):
        ax.plot(*zip(*points[:-1]), color="black", lw=1.3, zorder=1)
        ax.annotate("", xy=points[-1], xytext=points[-2], arrowprops=dict(arrowstyle="-|>", lw=1.3, shrinkA=0, shrinkB=0), zorder=1)

    path((0, 6.0), (0, 5.3))
    for k, text in enumerate((first, "BatchNorm, ReLU", "3×3 conv", "BatchNorm")):
        box(0, 5 - 0.9 * k, text, "#cfdff2" if "conv" in text else "#f6e3b4")
        path((0, 4.72 - 0.9 * k), (0, 4.4 - 0.9 * k if k < 3 else 1.62))
    ax.text(0, 1.4, "+", ha="center", va="center", fontsize=14, bbox=dict(boxstyle="circle,pad=0.15", fc="white", ec="black"), zorder=3)
    path((0, 5.75), (2.6, 5.75), (2.6, 1.4), (0.25, 1.4))
    if shortcut:
        box(2.6, 3.6, shortcut, "#cfe8cf", 2.0)
    path((0, 1.15), (0, 0.85))
    box(0, 0.55, "ReLU")
    path((0, 0.27), (0, -0.3))
    ax.text(0, 6.15, "x", ha="center", fontsize=11)
    ax.set(xlim=(-1.6, 3.8), ylim=(-0.4, 6.8), aspect="equal")
    ax.set_title(title, fontsize=10)
    ax.axis("off")


def network(stages: list[tuple[str, int, int | None, list[bool]]]) -> None:
    """整个 ResNet。stages 依次是（段名, 输出的边长, 通道数, 各块的直连上有没有卷积）；通道数为空的画成黄色。

    方框的高按边长的对数，颜色按通道数；弧线是直连，虚线的带卷积。
    """
    tints = {64: "#dbe9f6", 128: "#a6cde6", 256: "#5ba3cf", 512: "#2171b5"}
    fig, ax = plt.subplots(figsize=(11, 3.2))
    x = 0
    for name, size, channels, shortcuts in stages:
        height = 0.35 + 2.2 * math.log2(size + 1) / 6
        width = max(len(shortcuts), 1)
        for k in range(width):
            ax.add_patch(Rectangle((x + k - 0.33, -height / 2), 0.66, height, fc=tints.get(channels, "#f6e3b4"), ec="black", zorder=2))
        for k, dashed in enumerate(shortcuts):
            ax.annotate("", xy=(x + k + 0.33, height / 2), xytext=(x + k - 0.6, height / 2), zorder=1, arrowprops=dict(
                arrowstyle="-|>", ls="--" if dashed else "-", color="tab:red" if dashed else "gray", connectionstyle="arc3,rad=-0.9", lw=1.1))
        shape = f"{size}×{size}×{channels}" if channels else "1000"
        ax.text(x + (width - 1) / 2, -1.75, f"{name}\n{shape}" + (f"\n× {len(shortcuts)}" if shortcuts else ""), ha="center", va="top", fontsize=9)
        x += width
    ax.plot([-0.9, x - 0.2], [0, 0], color="black", lw=1, zorder=0)
    ax.set(xlim=(-1, x), ylim=(-2.9, 2.0))
    ax.axis("off")
    plt.show()
