"""第 3 章的作图代码：笔记本里 import figures，读者想看怎样画的就读这里。

每个函数画一幅图。图中的数值都由参数而来，这里不做计算。
"""

from __future__ import annotations

from itertools import product

import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch
from torch import Tensor, finfo, stack

plt.rcParams["figure.dpi"] = 90


def speed(lengths: list[int], times: dict[str, list[float]]) -> None:
    """3.1.4：几种写法的用时（秒）随元素个数怎样变；某种写法量得少，线就短。"""
    fig, ax = plt.subplots(figsize=(6.2, 3.4))
    for marker, (name, seconds) in zip("osD", times.items()):
        ax.loglog(lengths[: len(seconds)], [s * 1e6 for s in seconds], marker + "-", label=name)
    ax.set(xlabel="number of elements", ylabel="time (microseconds)")
    ax.grid(alpha=0.3)
    ax.legend()
    fig.tight_layout()
    plt.show()


def image_rows(images: Tensor, names: list[list[str]], rows: list[str] | None = None, size: float = 0.95) -> None:
    """几行灰度图，从 0（黑）到全体的最大值（白）用同一把尺。

    images 形状 (行, 列, 高, 宽)；names 是每幅图上方的字，rows 是每行左边的字，size 是每幅的英寸数。
    """
    height, width = images.shape[:2]
    figsize = (size * width, (size + 0.25) * height)
    fig, axes = plt.subplots(height, width, figsize=figsize, squeeze=False, dpi=80)
    for i in range(height):
        for j in range(width):
            axes[i, j].imshow(images[i, j], cmap="gray", vmin=0, vmax=images.max(), interpolation="nearest")
            axes[i, j].set(xticks=[], yticks=[])
            axes[i, j].set_title(names[i][j], fontsize=7)
        if rows:
            axes[i, 0].set_ylabel(rows[i], fontsize=9)
    fig.tight_layout()
    plt.show()


def relative_gaps(curves: dict) -> None:
    """3.1.1b：各浮点类型相邻两数的相对间隔。curves 是 {dtype: (数, 间隔 / 数)}，都是一维张量。"""
    fig, ax = plt.subplots(figsize=(7, 2.8))
    for dtype, (numbers, gaps) in curves.items():
        name = str(dtype).removeprefix("torch.")
        (line,) = ax.loglog(numbers, gaps)
        shift = 0.1 if name == "float16" else 2                 # 文字放在曲线下方或上方
        ax.text(numbers[-1], gaps[-1] * shift, f"{name}, max {finfo(dtype).max:.3g}", color=line.get_color(), ha="right")
    ax.set(xlabel="value x", ylabel="gap to next / x", ylim=(1e-8, 5), xticks=[1e-40, 1e-20, 1, 1e20, 1e38])
    ax.grid(alpha=0.3)
    fig.tight_layout()
    plt.show()


def curves(x: Tensor, panels: list[dict[str, Tensor]]) -> None:
    """并排几幅曲线图，每幅是 {图例: 与 x 同形的一维张量}；各幅的最后一条画成虚线，重合时也看得见。"""
    fig, axes = plt.subplots(1, len(panels), figsize=(3 * len(panels), 2.5), sharex=True)
    for ax, panel in zip(axes, panels):
        for k, (name, y) in enumerate(panel.items()):
            ax.plot(x, y, "--" if k == len(panel) - 1 else "-", label=name, lw=1.3)
        ax.legend(frameon=False, fontsize=8)
        ax.grid(alpha=0.3)
    fig.tight_layout()
    plt.show()


def reduction(a: Tensor) -> None:
    """3.1.1b：矩阵 a（行, 列）沿两个方向求和，同色的格子被加到一起。"""
    rows, cols = a.shape
    fig, axes = plt.subplots(1, 2, figsize=(7, 2.5))
    for ax, dim in zip(axes, (0, 1)):
        total = a.sum(dim, keepdim=True)
        for x, left, top in ((a, 0, 0), (total, *((0, rows + 1) if dim == 0 else (cols + 1, 0)))):
            for i, row in enumerate(x.tolist()):
                for j, value in enumerate(row):
                    cell(ax, left + j, top + i, f"{value:g}", PALETTE[j if dim == 0 else i])
        for k in range(a.size(1 - dim)):
            start, end = ((k + 0.5, -rows - 0.1), (k + 0.5, -rows - 0.9)) if dim == 0 else (
                (cols + 0.1, -k - 0.5), (cols + 0.9, -k - 0.5))
            ax.annotate("", end, start, arrowprops={"arrowstyle": "->"})
        ax.set_title(f"a.sum(dim={dim}):  {tuple(a.shape)} -> {tuple(a.sum(dim).shape)}", fontsize=10)
        bare(ax, cols + 2, rows + 2)
    fig.tight_layout()
    plt.show()


def confusion(table: Tensor, classes: list[str]) -> None:
    """混淆矩阵。table 形状 (类, 类)，第 [i, j] 个是真类 i 被认成 j 的个数。"""
    fig, ax = plt.subplots(figsize=(5.4, 4.6))
    ax.imshow(table, cmap="Blues")
    for i, row in enumerate(table.tolist()):
        for j, count in enumerate(row):
            if count:
                ax.text(j, i, count, ha="center", va="center", color="white" if count > table.max() / 2 else "black")
    places = range(len(classes))
    ax.set_xticks(places, classes, rotation=45, ha="right", fontsize=8)
    ax.set_yticks(places, classes, fontsize=8)
    ax.set(xlabel="guess", ylabel="truth")
    fig.tight_layout()
    plt.show()


# ---------------------------------------------------------------- 3.1.1a


def card_stack(ax, x: Tensor, colors: list[str]) -> None:
    """把 0–3 维张量画成方格，3 维画成一摞，数字写在最上面那张；colors 是各层的颜色，最上面的在前。"""
    shift = 0.32
    cards = x.reshape((1,) * (3 - x.dim()) + tuple(x.shape))            # (层, 行, 列)
    depth, rows, cols = cards.shape
    for k in reversed(range(depth)):
        for i, row in enumerate(cards[k].tolist()):
            for j, value in enumerate(row):
                cell(ax, j + k * shift, i - k * shift, "" if k else f"{value:g}", colors[k])
    ax.set(xlim=(-0.2, cols + depth * shift), ylim=(-rows - 0.2, depth * shift), aspect="equal")
    ax.axis("off")


def stacks(tensors: list[Tensor]) -> None:
    """并排画几个 0–3 维张量，标出维数与形状。"""
    widths = [(x.shape[-1] if x.dim() else 1) + 0.6 + 0.32 * (x.shape[0] if x.dim() == 3 else 1) for x in tensors]
    fig, axes = plt.subplots(1, len(tensors), figsize=(9, 2.6), width_ratios=widths)
    for ax, x in zip(axes, tensors):
        card_stack(ax, x, [PALETTE[0]] * 8)
        ax.set_title(f"dim = {x.dim()}\nshape = {tuple(x.shape)}", fontsize=10)
        ax.set_ylim(-2.2, 1.7)
    fig.tight_layout()
    plt.show()


def histograms(samples: dict[str, Tensor]) -> None:
    """几组样本的直方图叠在一起。"""
    fig, ax = plt.subplots(figsize=(7, 2.4))
    for name, x in samples.items():
        ax.hist(x.numpy(), bins=120, range=(-4, 12), density=True, histtype="step", linewidth=1.5, label=name)
    ax.legend(frameon=False)
    ax.set(xlabel="value", ylabel="density")
    fig.tight_layout()
    plt.show()


def color_grids(matrices: dict[str, Tensor]) -> None:
    """并排画几个矩阵，颜色代表数值，全体用同一把尺。"""
    fig, axes = plt.subplots(1, len(matrices), figsize=(2.2 * len(matrices), 2.4))
    for ax, (title, x) in zip(axes, matrices.items()):
        ax.imshow(x, cmap="YlGnBu", vmin=-2, vmax=9)
        for i, row in enumerate(x.tolist()):
            for j, value in enumerate(row):
                ax.text(j, i, f"{value:g}", ha="center", va="center")
        ax.set_title(title, fontsize=10)
        ax.set(xticks=[], yticks=[])
    fig.tight_layout()
    plt.show()


def joining(a: Tensor, b: Tensor) -> None:
    """a、b 两个同形的矩阵，与 cat 两个方向、stack 的结果；颜色说明每格来自谁。"""
    rows, cols = a.shape
    blue, orange = PALETTE[:2]
    plans = {"a": [(a, 0, 0, blue)], "b": [(b, 0, 0, orange)],
             "cat dim=0": [(a, 0, 0, blue), (b, 0, rows, orange)], "cat dim=1": [(a, 0, 0, blue), (b, cols, 0, orange)]}
    fig, axes = plt.subplots(1, 5, figsize=(9, 2.1), width_ratios=[cols, cols, cols, 2 * cols, cols + 0.6])
    for ax, (title, parts) in zip(axes, plans.items()):
        for x, left, top, color in parts:
            for i, row in enumerate(x.tolist()):
                for j, value in enumerate(row):
                    cell(ax, left + j, top + i, f"{value:g}", color)
        bare(ax, max(left for _, left, _, _ in parts) + cols, 2 * rows)
        ax.set_title(title, fontsize=10)
    card_stack(axes[4], stack([a, b]), [blue, orange])
    axes[4].set_ylim(-2 * rows - 0.2, 0.7)
    axes[4].set_title("stack dim=0", fontsize=10)
    fig.tight_layout()
    plt.show()


def gather(x: Tensor, indices: dict[int, Tensor]) -> None:
    """gather 的示意：每行一个 {dim: index}，左、中、右是 input、index、output，同色的格子是同一次取数。"""
    colors = plt.cm.Set3(range(12))
    fig, axes = plt.subplots(len(indices), 3, figsize=(8, 2.1 * len(indices)))
    for panels, (dim, index) in zip(axes, indices.items()):
        output = x.gather(dim, index)
        paint = [{}, {}, {}]                                            # 各图里 {(行, 列): 颜色}
        for n, (i, j) in enumerate((i, j) for i in range(index.shape[0]) for j in range(index.shape[1])):
            k = index[i, j].item()
            paint[0][(k, j) if dim == 0 else (i, k)] = paint[1][i, j] = paint[2][i, j] = colors[n]
        for ax, data, marks, title in zip(panels, (x, index, output), paint, ("input", f"index  (dim={dim})", "output")):
            for i, row in enumerate(data.tolist()):
                for j, value in enumerate(row):
                    cell(ax, j, i, str(value), marks.get((i, j), "#f4f4f4"))
            bare(ax, data.shape[1], data.shape[0])
            ax.set_title(title, fontsize=10)
    fig.tight_layout()
    plt.show()


# ---------------------------------------------------------------- 3.1.2


def broadcast_sum(x: Tensor, y: Tensor, figsize: tuple[float, float]) -> None:
    """x、y 与 x + y（广播，至多三维，各层并排）：实线的格子是真有的数，虚线的是「当作有」的。"""
    total = x + y
    shape = (1,) * (3 - total.dim()) + tuple(total.shape)
    fig, axes = plt.subplots(1, 3, figsize=figsize)
    for ax, z, name, color in zip(axes, (x, y, total), ("x", "y", "x + y"), PALETTE):
        real = (1,) * (3 - z.dim()) + tuple(z.shape)                    # 长为 1 的维只有第 0 份是真的
        values = z.broadcast_to(total.shape).reshape(shape)             # (层, 行, 列)
        for place in product(*map(range, shape)):
            k, i, j = place
            dotted = any(size == 1 and at > 0 for size, at in zip(real, place))
            cell(ax, k * (shape[2] + 0.5) + j, i, str(values[place].item()), "white" if dotted else color, dotted)
        bare(ax, shape[0] * (shape[2] + 0.5) - 0.5, shape[1])
        ax.set_title(f"{name}  {tuple(z.shape)}", fontsize=10)
    fig.tight_layout()
    plt.show()


def surface(height: Tensor, title: str) -> None:
    """平面上每一点的值 (行, 列) 画成颜色。"""
    fig, ax = plt.subplots(figsize=(2.6, 2.6))
    ax.imshow(height, cmap="RdBu", vmin=-1, vmax=1)
    ax.set_title(title, fontsize=10)
    ax.axis("off")
    fig.tight_layout()
    plt.show()


# ---------------------------------------------------------------- 3.1.3


def step_arc(ax, start: int, step: int, color: str, above: bool) -> None:
    """从第 start 格画一道弧到 step 格之后；above 决定画在上方还是下方。"""
    edge, side = (1.05, 1) if above else (-0.75, -1)
    ax.annotate("", xy=(start + step + 0.5, edge), xytext=(start + 0.5, edge), arrowprops=dict(
        arrowstyle="-|>", color=color, linewidth=1.6, connectionstyle=f"arc3,rad={-0.4 * side}"))
    ax.text(start + step / 2 + 0.5, edge + side * (0.35 + 0.2 * step), f"+{step}", color=color, ha="center", va="center")


def memory(tensors: dict[str, Tensor], storage: list[int]) -> None:
    """几个共用一块存储区的矩阵，各占一行：头信息、看到的样子、存储区；storage 是存储区里的全部数。"""
    fig, rows = plt.subplots(len(tensors), 3, figsize=(9, 2.2 * len(tensors)), width_ratios=[2, 1.6, 3.2])
    for (header, grid, strip), (name, x) in zip(rows, tensors.items()):
        text = f"{name}\nshape    {tuple(x.shape)}\nstride   {x.stride()}\noffset   {x.storage_offset()}"
        header.add_patch(FancyBboxPatch((0.03, 0.2), 0.9, 0.6, facecolor="#f4f4f4", edgecolor="#555555",
                                        boxstyle="round,pad=0.02", transform=header.transAxes))
        header.text(0.1, 0.5, text, family="monospace", va="center", transform=header.transAxes)
        owner = {}                                                      # 第几格 → 它是哪个元素
        for i, row in enumerate(x.tolist()):
            for j, value in enumerate(row):
                cell(grid, j, i, str(value), PALETTE[i])
                owner[x.storage_offset() + i * x.stride(0) + j * x.stride(1)] = (i, j)
        for place, value in enumerate(storage):
            cell(strip, place, -1, str(value), PALETTE[owner[place][0]] if place in owner else "white")
            strip.text(place + 0.5, -0.45, "[{},{}]".format(*owner[place]) if place in owner else "-", ha="center")
        step_arc(strip, x.storage_offset(), x.stride(0), "#1f5fa8", above=True)
        step_arc(strip, x.storage_offset(), x.stride(1), "#c0392b", above=False)
        grid.set(xlim=(-0.1, 3.1), ylim=(-3.1, 0.1), aspect="equal")
        strip.set(xlim=(-0.1, len(storage) + 0.1), ylim=(-2, 2.2), aspect="equal")
    for ax, title in zip(rows[0], ["header", "what we see", "storage (shared)"]):
        ax.set_title(title)
    for ax in rows.flat:
        ax.axis("off")
    fig.tight_layout()
    plt.show()


# ---------------------------------------------------------------- 3.2.1


def card(ax, left: float, title: str, x: Tensor, color: str) -> None:
    """画一张卡片：张量 x 的各个成员与它们的值。"""
    grad = x.grad.tolist() if x.is_leaf and x.grad is not None else None        # 中间结果的 grad 一读就有警告
    members = {"data": x.tolist(), "requires_grad": x.requires_grad, "is_leaf": x.is_leaf, "grad": grad,
               "grad_fn": x.grad_fn.name() if x.grad_fn is not None else None}
    ax.text(left + 2.1, 5.45, title, ha="center", fontsize=12, weight="bold")
    for i, (name, value) in enumerate(members.items()):
        ax.add_patch(plt.Rectangle((left, 4.2 - i), 1.95, 1, fc=color, ec="black"))
        ax.add_patch(plt.Rectangle((left + 1.95, 4.2 - i), 2.25, 1, fc="white", ec="black"))
        ax.text(left + 0.12, 4.7 - i, name, va="center", fontsize=9.5, family="monospace")
        ax.text(left + 3.08, 4.7 - i, str(value), va="center", ha="center", fontsize=10)


def leaf_and_result(w: Tensor, y: Tensor) -> None:
    """叶子 w 与由它算出的 y 各一张卡片，前向、反向两个箭头。"""
    fig, ax = plt.subplots(figsize=(8.4, 3.1))
    card(ax, 0.0, "w  (leaf)", w, "#cfe8cf")
    card(ax, 6.0, "y = (x * w ** 2).sum()", y, "#cfdcf2")
    for height, start, end, name in ((4.7, 4.25, 5.95, "forward"), (0.7, 5.95, 4.25, "backward")):
        ax.annotate("", xy=(end, height), xytext=(start, height), arrowprops=dict(arrowstyle="->", lw=1.5))
        ax.text(5.1, height + 0.25, name, ha="center", fontsize=10)
    ax.set(xlim=(-0.1, 10.3), ylim=(0, 5.9))
    ax.axis("off")
    plt.show()


def derivative(x: Tensor, y: Tensor, slope: Tensor, points: Tensor, grads: Tensor) -> None:
    """曲线 y、手推的导数 slope，与 autograd 在 points 处的结果 grads。"""
    fig, ax = plt.subplots(figsize=(6, 3.2))
    ax.plot(x, y, color="gray", ls="--", label=r"$y = x^2 e^x$")
    ax.plot(x, slope, color="tab:blue", label=r"by hand: $2xe^x + x^2e^x$")
    ax.plot(points, grads, "o", color="tab:red", ms=5, label="autograd")
    ax.set_xlabel("x")
    ax.legend()
    ax.grid(alpha=0.3)
    plt.show()


# ---------------------------------------------------------------- 线性回归：3.1.5 与 3.2.4


def two_paths(line: list, dots: list, truth: tuple, losses: list[float]) -> None:
    """3.2.4：左图是参数 (w, b) 走过的路，line 连成线，dots 画成点；右图是各步的损失。"""
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.3))
    left.plot(*zip(*line), color="tab:gray", lw=1, label="by hand")
    left.plot(*zip(*dots), "o", ms=5, color="tab:red", label="autograd (some steps)")
    left.plot(*truth, "k*", ms=13, label="truth")
    left.set(xlabel="w", ylabel="b")
    left.legend(fontsize=9)
    right.plot(losses, lw=0.6, color="tab:blue")
    right.axhline(0.5, color="gray", ls="--", label="noise floor")
    right.set(xlabel="step", ylabel="loss", yscale="log")
    right.legend(fontsize=9)
    fig.tight_layout()
    plt.show()


def fits(x: Tensor, y: Tensor, steps: dict[int, tuple[float, float]]) -> None:
    """散点 (x, y) 与训练到各步的直线；steps 是 {步数: (w, b)}。"""
    fig, axes = plt.subplots(1, len(steps), figsize=(2.4 * len(steps), 2.6), sharey=True)
    for ax, (step, (w, b)) in zip(axes, steps.items()):
        ax.scatter(x, y, s=4, alpha=0.3)
        ax.plot([0, 5], [b, 5 * w + b], color="tab:red", lw=2)
        ax.set(title=f"step {step}\nw={w:.2f}  b={b:.2f}", ylim=(-2, 17), xlabel="x")
    axes[0].set_ylabel("y")
    fig.tight_layout()
    plt.show()


def loss_curves(curves: dict[str, list[float]]) -> None:
    """几条损失曲线，纵轴是对数。"""
    fig, ax = plt.subplots(figsize=(6.5, 3))
    for color, (name, losses) in zip(("tab:orange", "tab:blue"), curves.items()):
        ax.plot(losses, color=color, label=name)
    ax.set(xlabel="step", ylabel="loss", yscale="log")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncol=2, frameon=False)
    fig.tight_layout()
    plt.show()


def fitted_curve(x: Tensor, y: Tensor, curve_x: Tensor, curve_y: Tensor, label: str) -> None:
    """散点 (x, y) 与拟合出的曲线。"""
    fig, ax = plt.subplots(figsize=(5.5, 3))
    ax.scatter(x, y, s=5, alpha=0.35, label="data")
    ax.plot(curve_x, curve_y, color="tab:red", lw=2, label=label)
    ax.set(xlabel="x", ylabel="y")
    ax.legend()
    fig.tight_layout()
    plt.show()


def weight_map(images: list[Tensor], titles: list[str], weights: Tensor) -> None:
    """3.2.4：几张灰度图 (高, 宽)，最右是同形的权重，红负蓝正。"""
    fig, axes = plt.subplots(1, len(images) + 1, figsize=(2.3 * (len(images) + 1), 2.4))
    for ax, image, title in zip(axes, images, titles):
        ax.imshow(image, cmap="gray", vmin=0)
        ax.set_title(title, fontsize=10)
    limit = weights.abs().max().item()
    shown = axes[-1].imshow(weights, cmap="RdBu", vmin=-limit, vmax=limit)
    axes[-1].set_title("learned weights", fontsize=10)
    fig.colorbar(shown, ax=axes[-1], fraction=0.046)
    for ax in axes:
        ax.set(xticks=[], yticks=[])
    fig.tight_layout()
    plt.show()


# ---------------------------------------------------------------- 方格：几幅图共用

PALETTE = ["#cfe3f7", "#fde2b3", "#cdeac0"]


def cell(ax, left: float, top: float, text: str, color: str, dotted: bool = False) -> None:
    """左上角在 (left, −top)、边长 1 的格子，中间写字；dotted 是虚线的灰格子。"""
    edge = {"edgecolor": "#aaaaaa", "linestyle": ":", "zorder": 1} if dotted else {"edgecolor": "#334455", "zorder": 2}
    ax.add_patch(plt.Rectangle((left, -top), 1, -1, facecolor=color, **edge))
    ax.text(left + 0.5, -top - 0.5, text, ha="center", va="center", color="#aaaaaa" if dotted else "black", zorder=3)


def bare(ax, width: float, height: float) -> None:
    """只留方格：不要坐标轴，横竖同尺；格子占 width 列、height 行。"""
    ax.set(xlim=(-0.2, width + 0.2), ylim=(-height - 0.2, 0.2), aspect="equal")
    ax.axis("off")
