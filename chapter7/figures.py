"""gan.ipynb 的作图代码：笔记本里 import figures，读者想看怎样画的就读这里。

每个函数画一幅图，数值都由参数而来；文字是英文，因为多数机器上的 matplotlib 没有中文字形。
"""

from __future__ import annotations

import io
import math

import matplotlib.pyplot as plt
from IPython import display
from PIL import Image
from torch import Tensor

from pictures import grid

BALANCED = (("loss of D", "tab:blue", 2 * math.log(2), "2 ln 2"), ("loss of G", "tab:orange", math.log(2), "ln 2"))


def finish(fig, photo: bool = False) -> None:
    """显示画好的图。先压小再嵌进笔记本：线条与色块用 256 色的 PNG，图片则看它与 JPEG 哪个小。"""
    raw, png, jpeg = io.BytesIO(), io.BytesIO(), io.BytesIO()
    fig.savefig(raw, dpi=80 if photo else 90)
    plt.close(fig)
    picture = Image.open(raw).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(png, "PNG", optimize=True)
    picture.save(jpeg, "JPEG", quality=72)
    small = min(png, jpeg, key=io.BytesIO.tell) if photo else png
    display.display(display.Image(small.getvalue()))


def pictures_on(ax, images: Tensor, columns: int, title: str = "") -> None:
    """把 (N, 3, S, S) 的 uint8 图拼成 columns 列，画在 ax 上。"""
    ax.imshow(grid(images, columns), interpolation="nearest")
    ax.set_title(title, fontsize=10)
    ax.axis("off")


# ---------------------------------------------------------------- 7.1 平面上的游戏


def games(views: list[tuple[str, Tensor, Tensor]], reference: Tensor, columns: int = 4) -> None:
    """每张快照一格。views 是 (标题, 各处的概率 (N, N)，行是 y, 生成的点 (P, 2))，范围 -3 到 3；reference 是真的点。"""
    rows = -(-len(views) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(11, 2.8 * rows + 0.2), layout="constrained", squeeze=False)
    for ax, (title, chance, points) in zip(axes.flat, views):
        image = ax.imshow(chance, extent=(-3, 3, -3, 3), origin="lower", cmap="RdBu_r", vmin=0, vmax=1, alpha=0.75,
                          interpolation="bilinear")
        ax.scatter(*reference.T, s=5, color="0.55", lw=0)
        ax.scatter(*points.T, s=4, color="black", lw=0)
        ax.set(title=title, xlim=(-3, 3), ylim=(-3, 3), xticks=[], yticks=[])
    fig.colorbar(image, ax=axes, label="D(x)", shrink=0.8)
    finish(fig, photo=True)


def two_losses(losses: Tensor) -> None:
    """两个网络的损失 (N, 2)：判别器的、生成器的；虚线是势均力敌时的值。"""
    fig, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
    for column, (name, colour, level, label) in enumerate(BALANCED):
        ax.plot(losses[:, column], color=colour, label=name)
        ax.axhline(level, color=colour, ls="--", lw=1, label=label)
    ax.set(xlabel="step", ylabel="loss", ylim=(0.4, 1.8))
    ax.legend(ncol=2, fontsize=9)
    finish(fig)


def loss_and_slope(scores: Tensor, kinds: dict[str, tuple[Tensor, Tensor]]) -> None:
    """生成器的损失（左）与它的梯度的大小（右）。scores (N,)，kinds 是 {名字: (损失 (N,), 梯度 (N,))}。"""
    fig, axes = plt.subplots(1, 2, figsize=(9, 2.9), layout="constrained")
    for (name, (loss, slope)), style in zip(kinds.items(), ("--", "-")):
        axes[0].plot(scores, loss, style, label=name)
        axes[1].plot(scores, slope.abs(), style)
    for ax, title in zip(axes, ("loss of G", "size of its gradient")):
        ax.set(xlabel="score s of a fake", title=title)
        ax.axvspan(-8, -3, color="gold", alpha=0.25, lw=0)
    axes[1].text(-7.7, 0.45, "early training:\nfakes are obvious", fontsize=9)
    axes[0].legend(fontsize=9)
    finish(fig)


def coverage(runs: dict[str, list[tuple[int, int]]], modes: int) -> None:
    """各局覆盖的团数。runs 是 {名字: [(步, 团数), …]}，modes 是一共几团。"""
    fig, ax = plt.subplots(figsize=(7.5, 2.9), layout="constrained")
    for (name, history), style in zip(runs.items(), ("x-", "s--", "o-")):
        ax.plot(*zip(*history), style, ms=4, label=name)
    ax.set(xlabel="step", ylabel="modes covered", ylim=(-0.4, modes + 0.4))
    ax.legend(fontsize=9, loc="center right")
    finish(fig)


# ---------------------------------------------------------------- 7.2 网络


def stamping(images: dict[str, Tensor], kept: tuple[int, int]) -> None:
    """盖章的几步。images 是 {标题: (H, W)}；最后一幅上用虚线框出裁剩的，kept 是 (左上角, 边长)。"""
    fig, axes = plt.subplots(1, len(images), figsize=(11, 3), layout="constrained")
    for ax, (title, image) in zip(axes, images.items()):
        limit = image.abs().max()
        ax.imshow(image, cmap="RdBu_r", vmin=-limit, vmax=limit)
        ax.set(title=title, xticks=[], yticks=[])
    corner, side = kept
    axes[-1].add_patch(plt.Rectangle((corner - 0.5, corner - 0.5), side, side, fill=False, ls="--", lw=2))
    finish(fig)


def stamps_per_pixel(overlaps: dict[str, Tensor]) -> None:
    """每个像素被盖了几次。overlaps 是 {标题: (H, W)}。"""
    fig, axes = plt.subplots(1, len(overlaps), figsize=(9, 3.2), layout="constrained")
    for ax, (title, times) in zip(axes, overlaps.items()):
        image = ax.imshow(times, cmap="viridis", vmin=0, vmax=4)
        ax.set(title=title, xticks=[], yticks=[])
    fig.colorbar(image, ax=axes, label="stamps per pixel")
    finish(fig)


def checkerboard(spread: Tensor, phase: Tensor) -> None:
    """左：各像素的标准差 (H, W)；右：按行号、列号的余数分的方差 (3, 3)，以最小的一类为 1。"""
    fig, axes = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
    axes[0].imshow(spread, cmap="viridis")
    axes[1].imshow(phase, cmap="viridis", vmin=0)
    for i, row in enumerate(phase.tolist()):
        for j, value in enumerate(row):
            axes[1].text(j, i, f"{value:.1f}", ha="center", va="center", fontsize=13,
                         color="black" if value > 0.8 * phase.max() else "white")
    for ax, title in zip(axes, ("std of pixels, untrained NetG", "variance by (row % 3, col % 3)")):
        ax.set(title=title, xticks=[], yticks=[])
    finish(fig)


def architecture(shapes: dict[str, list[tuple[int, int, int]]]) -> None:
    """两个网络各层的大小。shapes 是 {"NetG": [(通道, 高, 宽), …], "NetD": […]}；框的高是边长，宽是通道数。"""
    fig, ax = plt.subplots(figsize=(11, 3.6), layout="constrained")
    x, places = 0, []
    for name, colour in (("NetG", "tab:orange"), ("NetD", "tab:blue")):
        for channels, height, _ in shapes[name][(name == "NetD"):]:     # 96×96 的图两个网络共用，只画一次
            width, tall = 2 + channels / 22, 6 + height * 0.75
            shown = "tab:green" if channels == 3 else colour
            ax.add_patch(plt.Rectangle((x, -tall / 2), width, tall, color=shown, alpha=0.75))
            ax.text(x + width / 2, -tall / 2 - 3, f"{channels}\n{height}×{height}", ha="center", va="top", fontsize=9)
            places.append((x, x + width))
            x += width + 9
    for (_, end), (start, _) in zip(places, places[1:]):
        ax.annotate("", (start - 1, 0), (end + 1, 0), arrowprops={"arrowstyle": "->", "color": "0.4"})
    ax.text(places[2][0], 44, "NetG: ConvTranspose + BatchNorm + ReLU, last Tanh", ha="center", color="tab:orange")
    ax.text(places[8][0], 44, "NetD: Conv + BatchNorm + LeakyReLU, last a score", ha="center", color="tab:blue")
    ax.set(xlim=(-4, x), ylim=(-56, 52))
    ax.axis("off")
    finish(fig)


def by_batch(rows: dict[str, list[Tensor]], sizes: tuple[int, ...]) -> None:
    """同一个噪声在各种批大小下的图。rows 是 {名字: [(3, S, S)，取值 -1 到 1, …]}，次序同 sizes。"""
    fig, axes = plt.subplots(len(rows), len(sizes), figsize=(7.6, 6.2), layout="constrained")
    for row, (name, line) in zip(axes, rows.items()):
        for ax, size, picture in zip(row, sizes, line):
            ax.imshow(((picture + 1) / 2).clamp(0, 1).permute(1, 2, 0))
            ax.set_title(f"{name}, batch {size}", fontsize=9)
            ax.axis("off")
    finish(fig, photo=True)


# ---------------------------------------------------------------- 7.3 噪声空间


def strips(rows: dict[str, Tensor]) -> None:
    """每个标题一排图。rows 是 {标题: (N, 3, S, S) 的 uint8}。"""
    fig, axes = plt.subplots(len(rows), 1, figsize=(11, 1.4 * len(rows)), layout="constrained", squeeze=False)
    for ax, (title, images) in zip(axes.flat, rows.items()):
        pictures_on(ax, images, len(images), title)
    finish(fig, photo=True)


def lengths(usual: Tensor, paths: dict[str, Tensor]) -> None:
    """左：噪声长度 usual (N,) 的直方图；右：各条路上的长度，{名字: (步数,)}，灰带是九成噪声所在。"""
    fig, axes = plt.subplots(1, 2, figsize=(9.5, 2.8), width_ratios=(1, 1.3), layout="constrained")
    axes[0].hist(usual, bins=24, color="0.6")
    axes[0].set(xlabel="length of the noise", ylabel="count", xlim=(0, 14))
    for (name, path), style in zip(paths.items(), ("o-", "s--")):
        axes[1].plot(path, style, label=name)
    low, high = sorted(usual.tolist())[len(usual) // 20], sorted(usual.tolist())[-1 - len(usual) // 20]
    axes[1].axhspan(low, high, color="0.85", label="90% of the noise")
    axes[1].set(xlabel="step", ylabel="length", ylim=(0, 13))
    axes[1].legend(fontsize=9)
    finish(fig)


def along_direction(images: Tensor, distances: Tensor, brightness: Tensor) -> None:
    """左：每行一个噪声沿方向走 (行数·D, 3, S, S)；右：亮度随距离 distances (D,) 的变化 brightness (D,)。"""
    fig, axes = plt.subplots(1, 2, figsize=(11, 3.5), width_ratios=(2.7, 1), layout="constrained")
    pictures_on(axes[0], images, len(distances), "lighter  <---   original   --->  darker")
    axes[1].plot(distances, brightness, "o-", color="tab:red")
    axes[1].set(xlabel="distance along the direction", ylabel="mean brightness", title="64 new noises")
    finish(fig, photo=True)
