"""第 2 章笔记本里的图：画图的代码放在这里，免得打断正文。每个函数画一张图并显示出来。

笔记本里写 import figures 就能用。图中的文字是英文，因为多数机器上的 matplotlib 没有中文字形。
"""
import matplotlib.pyplot as plt
import numpy as np
import torch as t
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

BLUE, RED, GREEN, GRAY = "#1f4e8c", "#c0392b", "#2e7d4f", "#777777"


def canvas(width: float, height: float, dpi: int = 90):
    """一张不带坐标轴的图，坐标的单位与英寸相同：返回 (figure, ax)。"""
    figure = plt.figure(figsize=(width, height), dpi=dpi)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(0, height))
    ax.axis("off")
    return figure, ax


def arrow(ax, start, end, color=GRAY, style="-", bend=0.0) -> None:
    ax.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=12, lw=1.4, color=color,
                                 linestyle=style, connectionstyle=f"arc3,rad={bend}"))


def grid(ax, left, bottom, values, cell=0.36, face="white", marked=(), mark="#f9d9a8") -> None:
    """把一个矩阵画成格子，每格写着它的数；marked 里的 (行, 列) 涂上颜色。"""
    rows, columns = len(values), len(values[0])
    for i in range(rows):
        for j in range(columns):
            x, y = left + j * cell, bottom + (rows - 1 - i) * cell
            ax.add_patch(Rectangle((x, y), cell, cell, edgecolor="#666666", lw=0.7,
                                   facecolor=mark if (i, j) in marked else face))
            ax.text(x + cell / 2, y + cell / 2, f"{float(values[i][j]):g}", ha="center", va="center",
                    fontsize=8)


def tensor_anatomy(x: t.Tensor, y: t.Tensor) -> None:
    """书中图 2-6：叶子 x (2, 2) 与由它算出的 y ()，以及反向传播走过的路。"""
    _, ax = canvas(8.6, 3.1)
    for left, width, name in ((0.15, 2.75, "x   torch.Tensor (leaf)"), (6.3, 2.15, "y   torch.Tensor")):
        ax.add_patch(FancyBboxPatch((left, 0.2), width, 2.6, boxstyle="round,pad=0.02", lw=1.2,
                                    facecolor="#f5f7fa", edgecolor="#445566"))
        ax.text(left + 0.1, 2.56, name, fontsize=9.5, weight="bold")
    ax.text(0.35, 2.2, "data", fontsize=9, color=BLUE)
    grid(ax, 0.35, 1.35, x.tolist(), face="#dbe8f7")
    ax.text(1.75, 2.2, "grad", fontsize=9, color=RED)
    grid(ax, 1.75, 1.35, x.grad.tolist(), face="#f8dcd8")
    ax.text(0.35, 0.85, f"requires_grad = {x.requires_grad}", fontsize=9)
    ax.text(0.35, 0.45, f"grad_fn = {x.grad_fn}", fontsize=9)
    ax.text(6.5, 2.2, "data", fontsize=9, color=BLUE)
    grid(ax, 6.5, 1.71, [[y.item()]], face="#dbe8f7")
    ax.text(6.5, 1.25, f"requires_grad = {y.requires_grad}", fontsize=9)
    ax.text(6.5, 0.65, "grad_fn", fontsize=9)
    for left, name in ((3.15, "AccumulateGrad"), (4.75, y.grad_fn.name())):
        ax.add_patch(FancyBboxPatch((left, 0.5), 1.3, 0.4, boxstyle="round,pad=0.02", facecolor="#fdeccb",
                                    edgecolor="#b07d2b"))
        ax.text(left + 0.65, 0.7, name, ha="center", va="center", fontsize=8.5)
    arrow(ax, (2.95, 1.95), (6.25, 1.95), BLUE)
    ax.text(4.6, 2.05, "forward:  y = x.sum()", ha="center", fontsize=9, color=BLUE)
    arrow(ax, (6.45, 0.7), (6.1, 0.7), RED, "--")
    arrow(ax, (4.72, 0.7), (4.5, 0.7), RED, "--")
    arrow(ax, (3.6, 0.95), (2.5, 1.5), RED, "--", 0.2)
    ax.text(4.75, 1.12, "backward:  y.backward()", ha="center", fontsize=9, color=RED)
    plt.show()


def sliding_kernel(image: t.Tensor, kernel: t.Tensor, output: t.Tensor, places: list[tuple]) -> None:
    """卷积核 (k, k) 停在 image (H, W) 的几个位置，各算出 output (H−k+1, W−k+1) 的一个数。

    places: 每一步在输出里的 (行, 列)；一个位置画一行
    """
    size, cell = kernel.shape[0], 0.32
    row_height = image.shape[0] * cell + 0.3
    _, ax = canvas(7.5, row_height * len(places) + 0.25)
    for step, (row, column) in enumerate(reversed(places)):
        bottom = 0.2 + step * row_height
        covered = {(row + i, column + j) for i in range(size) for j in range(size)}
        grid(ax, 0.2, bottom, image.tolist(), cell, marked=covered)
        middle = bottom + (image.shape[0] - size) * cell / 2
        ax.text(3.0, middle + size * cell / 2, "×", fontsize=15, ha="center", va="center")
        grid(ax, 3.25, middle, kernel.tolist(), cell, face="#dbe8f7")
        arrow(ax, (4.4, middle + size * cell / 2), (5.15, middle + size * cell / 2))
        ax.text(4.75, middle + size * cell / 2 + 0.1, "sum", fontsize=8, ha="center")
        below = bottom + (image.shape[0] - output.shape[0]) * cell / 2
        grid(ax, 5.35, below, output.tolist(), cell, marked={(row, column)}, mark="#bfe3c6")
    top = 0.2 + (len(places) - 1) * row_height + image.shape[0] * cell + 0.08
    for x, name in ((0.2, "input"), (3.25, "kernel"), (5.35, "output")):
        ax.text(x, top, name, fontsize=9)
    plt.show()


def lenet() -> None:
    """书中图 2-7：LeNet 每一步的通道数与边长。"""
    stages = [("input", 1, 32), ("conv 5x5", 6, 28), ("pool", 6, 14), ("conv 5x5", 16, 10), ("pool", 16, 5)]
    _, ax = canvas(10.2, 2.7)
    left = 0.2
    for name, channels, side in stages:
        size = side / 32 * 1.5
        for layer in range(min(channels, 6)):                   # 至多画 6 层，示意通道
            offset = 0.06 * layer
            ax.add_patch(Rectangle((left + offset, 1.25 - size / 2 - offset), size, size, lw=0.8,
                                   facecolor="#cfe0f5", edgecolor="#33557a"))
        ax.text(left + size / 2 + 0.15, 2.25, f"{name}\n{channels} x {side} x {side}", ha="center", fontsize=8)
        left += size + 0.62
    for name, units, height in (("flatten", 400, 1.9), ("fc1", 120, 1.4), ("fc2", 84, 1.1), ("fc3", 10, 0.5)):
        ax.add_patch(Rectangle((left, 1.1 - height / 2), 0.16, height, facecolor="#fbe3c0", edgecolor="#8a6a2f"))
        ax.text(left + 0.08, 2.25, f"{name}\n{units}", ha="center", fontsize=8)
        left += 0.6
    plt.show()


def pictures(images, titles=None, columns: int = 10, width: float = 9.0, colors=None) -> None:
    """把若干张图排成几行；images 的每一项是 (H, W) 或 (H, W, 3)，0 到 1。"""
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(width, width / columns * rows * 1.25), dpi=72,
                                squeeze=False)
    for index, ax in enumerate(axes.flat):
        ax.axis("off")
        if index < len(images):
            ax.imshow(images[index], interpolation="nearest", cmap="gray")
            ax.set_title(titles[index] if titles else "", fontsize=8,
                         color=colors[index] if colors else "black")
    figure.tight_layout(pad=0.3)
    plt.show()


def curves(lines: dict, xlabel: str, ylabel: str, level: float | None = None, name: str = "") -> None:
    """几条曲线画在一起：lines 是 图例 → 数列；level 是一条水平虚线，名为 name。"""
    _, ax = plt.subplots(figsize=(5.6, 2.5), dpi=90)
    for label, values in lines.items():
        ax.plot(range(1, len(values) + 1), values, "o-" if len(values) < 30 else "-", ms=3, label=label)
    if level is not None:
        ax.axhline(level, ls="--", color=GRAY, lw=1, label=name)
    ax.set(xlabel=xlabel, ylabel=ylabel, ylim=(0, None))
    ax.legend(fontsize=8)
    plt.show()


def smoothed(losses: list[float], window: int = 15) -> None:
    """每一批的损失，和最近 window 批的平均。"""
    mean = np.convolve(losses, np.ones(window) / window, mode="valid")
    _, ax = plt.subplots(figsize=(5.6, 2.3), dpi=90)
    ax.plot(losses, color="#b9cde4", lw=0.8, label="each batch")
    ax.plot(np.arange(len(mean)) + window - 1, mean, color=BLUE, label=f"mean of {window}")
    ax.set(xlabel="step", ylabel="loss")
    ax.legend(fontsize=8)
    plt.show()


def cost_of(probabilities: t.Tensor) -> None:
    """给正确类别的概率 p 与它的损失 −log p；标出给定的几点。"""
    p = t.linspace(0.005, 1, 200)
    _, ax = plt.subplots(figsize=(5.2, 2.5), dpi=90)
    ax.plot(p, -p.log(), color=BLUE)
    for value in probabilities.tolist():
        cost = -np.log(value)
        ax.plot(value, cost, "o", color=RED, ms=5)
        ax.annotate(f"p = {value:.2g}: {cost:.2f}", (value, cost), xytext=(7, 5), textcoords="offset points",
                    fontsize=8)
    ax.set(xlabel="probability p of the right class", ylabel="-log p", ylim=(0, 5.4), xlim=(0, 1.14))
    plt.show()


def confusion_matrix(matrix: t.Tensor, classes: list[str]) -> None:
    """(K, K) 的混淆矩阵：行是实际，列是预测。"""
    figure, ax = plt.subplots(figsize=(5.2, 4.6), dpi=90)
    ax.imshow(matrix, cmap="Blues")
    ax.set_xticks(range(len(classes)), classes, rotation=60, fontsize=8)
    ax.set_yticks(range(len(classes)), classes, fontsize=8)
    for (i, j), count in np.ndenumerate(matrix.numpy()):
        ax.text(j, i, int(count), ha="center", va="center", fontsize=7,
                color="white" if count > matrix.max() / 2 else "#333333")
    ax.set(xlabel="predicted", ylabel="actual")
    figure.tight_layout()
    plt.show()


def prediction(photo, seen, classes: list[str], probabilities: t.Tensor) -> None:
    """原图、网络看到的小图 (H, W, 3)，和十类的概率。"""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(8.4, 2.4), dpi=80,
                                                 gridspec_kw={"width_ratios": (1.3, 1, 1.5)})
    left.imshow(photo)
    left.set_title("your picture", fontsize=9)
    middle.imshow(seen, interpolation="nearest")
    middle.set_title("what the network sees", fontsize=9)
    for ax in (left, middle):
        ax.axis("off")
    best = int(probabilities.argmax())
    right.barh(classes, probabilities, color=[GREEN if i == best else "#b9cde4" for i in range(len(classes))])
    right.invert_yaxis()
    right.tick_params(labelsize=8)
    right.set(xlim=(0, 1))
    right.set_title("probability", fontsize=9)
    figure.tight_layout()
    plt.show()
