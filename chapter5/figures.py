"""第 5 章的作图代码：笔记本里 import figures，读者想看怎样画的就读这里。

每个函数画一幅图。图中的数值都由参数而来，这里不做计算；文字是英文，因为多数机器上的 matplotlib 没有中文字形。
"""

from __future__ import annotations

import matplotlib.pyplot as plt
from torch import Tensor

plt.rcParams["figure.dpi"] = 90
BLUE, LIGHT, RED, GREEN, GRAY = "#1f5fa8", "#a8d5ef", "#c0392b", "#2e8b57", "gray"


def bare(ax, title: str = "", size: int = 9) -> None:
    """去掉刻度，只留边框与标题。"""
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=size)


# ---------------------------------------------------------------- 5.1b


def epochs_by_workers(counts: list[int], panels: dict[str, list[list[float]]]) -> None:
    """各种进程数下每轮的秒数。panels 是 {标题: [[第一轮, 第二轮], ...]}，次序同 counts。"""
    fig, axes = plt.subplots(1, len(panels), figsize=(8, 3))
    for ax, (title, times) in zip(axes, panels.items()):
        first, second = zip(*times)
        ax.plot(counts, first, "o--", color=GRAY, label="1st epoch (starts workers)")
        ax.plot(counts, second, "o-", color=BLUE, label="2nd epoch")
        ax.set(title=title, xlabel="num_workers", ylabel="seconds per epoch", xticks=counts, ylim=(0, None))
    axes[0].legend(fontsize=8)
    fig.tight_layout()
    plt.show()


def timeline(runs: dict[str, tuple[list, list]]) -> None:
    """读数据与训练的时间线。runs 是 {名字: (读数据的时段, 训练的时段)}，时段是 (开始, 结束) 的列表，单位秒。"""
    fig, axes = plt.subplots(len(runs), 1, figsize=(8.5, 1.05 * len(runs) + 0.6), sharex=True)
    for ax, (name, (loads, steps)) in zip(axes, runs.items()):
        for y, spans, color in ((1, loads, LIGHT), (0, steps, BLUE)):
            ax.broken_barh([(start, end - start) for start, end in spans], (y + 0.1, 0.8), facecolors=color, edgecolor="white")
        ax.set(yticks=[0.5, 1.5], yticklabels=["train", "load"], ylim=(0, 2))
        ax.set_title(f"{name}: {steps[-1][1]:.2f} s", fontsize=9, loc="left")
    axes[-1].set_xlabel("seconds")
    fig.tight_layout()
    plt.show()


def share_by_draw(shares: dict[str, Tensor], levels: list[float]) -> None:
    """一轮里第 k 次抽中狗的比例。shares 是 {名字: (次数,)}，levels 是两条水平参考线。"""
    fig, ax = plt.subplots(figsize=(5.8, 3.2))
    for (name, share), style in zip(shares.items(), ["o-", "s-"]):
        ax.plot(range(1, len(share) + 1), share, style, color=BLUE if style == "o-" else RED, label=name)
    for level, style in zip(levels, ["--", ":"]):
        ax.axhline(level, ls=style, color=GRAY)
    ax.set(xlabel="k-th draw of the epoch", ylabel="share of dogs", ylim=(0, 1))
    ax.legend()
    fig.tight_layout()
    plt.show()


# ---------------------------------------------------------------- 5.2


def pictures(images: dict[str, Tensor], width: float = 3.2, columns: int = 4) -> None:
    """几幅图并排，标题在上。每幅是 (3, H, W) 的 uint8，或 0 到 1 的小数。"""
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    height, wide = next(iter(images.values())).shape[-2:]
    fig, axes = plt.subplots(rows, columns, figsize=(width * columns, (width * height / wide + 0.3) * rows), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, (title, image) in zip(axes.flat, images.items()):
        ax.imshow(image.permute(1, 2, 0), vmin=0, vmax=1)
        ax.set_title(title, fontsize=9)
    fig.tight_layout(pad=0.4)
    plt.show()


def guesses(image: Tensor, names: list[str], shares: list[float]) -> None:
    """左边是图 (3, H, W) uint8，右边是最可能的几类与概率。"""
    fig, (left, right) = plt.subplots(1, 2, figsize=(6, 1.8))
    left.imshow(image.permute(1, 2, 0))
    left.axis("off")
    right.barh(names, shares, color=BLUE)
    right.invert_yaxis()
    right.set(xlim=(0, 1), xlabel="probability")
    fig.tight_layout()
    plt.show()


def annotated(samples: dict[str, dict]) -> None:
    """带标注的图并排。每个样本有 image (3, H, W)、boxes (N, 4) XYXY、mask (H, W)，掩码盖成半透明的颜色。"""
    fig, axes = plt.subplots(1, len(samples), figsize=(2.6 * len(samples), 2.05))
    for ax, (title, sample) in zip(axes, samples.items()):
        ax.imshow(sample["image"].permute(1, 2, 0))
        mask = sample["mask"].numpy()
        ax.imshow(mask, alpha=(mask > 0) * 0.55, cmap="autumn", vmin=1, vmax=2, interpolation="nearest")
        for left, top, right, bottom in sample["boxes"].tolist():
            ax.add_patch(plt.Rectangle((left, top), right - left, bottom - top, fill=False, color=BLUE, lw=2))
        bare(ax, title)
    fig.tight_layout()
    plt.show()


# ---------------------------------------------------------------- 5.5


def resumed(stop: int, whole: list[float], runs: dict[str, list[float]]) -> None:
    """续训：没断过的一条（粗线），与从第 stop 轮起接着训练的几条；纵轴是对数刻度的损失。"""
    fig, ax = plt.subplots(figsize=(7, 3.2))
    epochs = range(1, len(whole) + 1)
    ax.plot(epochs, whole, color=LIGHT, lw=6, label="uninterrupted")
    for (name, losses), color, style in zip(runs.items(), [BLUE, GREEN, RED], ["-", "--", "--"]):
        ax.plot(epochs[stop:], losses, color=color, ls=style, label=name)
    ax.axvline(stop + 0.5, color=GRAY, ls=":")
    ax.set(xlabel="epoch", ylabel="loss on all the data", yscale="log")
    ax.legend(fontsize=8)
    fig.tight_layout()
    plt.show()


# ---------------------------------------------------------------- 5.1a


def samples(items: list[tuple], side: int) -> None:
    """一排 (PIL 图, 标签)，数轴保留像素刻度（side 见方），大小的差别看得见。"""
    fig, axes = plt.subplots(1, len(items), figsize=(len(items), 1.7))
    for ax, (image, label) in zip(axes, items):
        ax.imshow(image)
        bare(ax, f"{label}  {image.width}x{image.height}", 7)
        ax.set(xlim=(0, side), ylim=(side, 0))
    fig.tight_layout(pad=0.3)
    plt.show()


def steps(results: dict) -> None:
    """变换的每一步：标题加上大小（张量还有最小、最大值）。值是 PIL 图，或 (3, H, W) 的张量。"""
    fig, axes = plt.subplots(1, len(results), figsize=(2 * len(results), 2.5))
    for ax, (name, result) in zip(axes, results.items()):
        if isinstance(result, Tensor):
            ax.imshow(result.permute(1, 2, 0).clamp(0, 1))
            name += f" {tuple(result.shape)}\n{result.min():.1f} .. {result.max():.1f}"
        else:
            ax.imshow(result)
            name += f" {result.size}"
        bare(ax, name)
    fig.tight_layout()
    plt.show()


def row(images: list, titles: list[str] | None = None, size: float = 1.25) -> None:
    """一排图：PIL 图，或 0 到 1 的 (3, H, W)。"""
    fig, axes = plt.subplots(1, len(images), figsize=(size * len(images), size + (0.35 if titles else 0.1)))
    for ax, image, title in zip(axes, images, titles or [""] * len(images)):
        ax.imshow(image.permute(1, 2, 0) if isinstance(image, Tensor) else image)
        ax.set_title(title, fontsize=8)
        ax.axis("off")
    fig.tight_layout(pad=0.3)
    plt.show()


def boxed(pictures: dict[str, tuple[Tensor, Tensor]]) -> None:
    """几幅带框的图：值是 ((3, H, W), (N, 4) 的左、上、右、下)。"""
    fig, axes = plt.subplots(1, len(pictures), figsize=(2.5 * len(pictures), 2.2))
    for ax, (name, (picture, boxes)) in zip(axes, pictures.items()):
        ax.imshow(picture.permute(1, 2, 0))
        for left, top, right, bottom in boxes.tolist():
            ax.add_patch(plt.Rectangle((left, top), right - left, bottom - top, fill=False, color=RED, lw=2))
        bare(ax, name)
    fig.tight_layout()
    plt.show()


# ---------------------------------------------------------------- 5.3.1


def experiments(runs: dict[str, tuple]) -> None:
    """几次实验的损失与准确率。值是 (步数, 损失, 平滑后的损失, 步数, 准确率)，各是一维的列表。"""
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
    for (name, (steps, losses, smoothed, when, accuracy)), color in zip(runs.items(), [BLUE, RED, GREEN]):
        left.plot(steps, losses, color=color, alpha=0.2, lw=1)
        left.plot(steps, smoothed, color=color, label=name)
        right.plot(when, accuracy, "o-", color=color, ms=4)
    left.set(title="train/loss (smoothing 0.9)", xlabel="step", ylim=(0, 2.6))
    right.set(title="test/accuracy", xlabel="step", ylim=(0, 1))
    left.legend()
    fig.tight_layout()
    plt.show()


def ridges(centers: Tensor, runs: dict[str, dict[int, Tensor]]) -> None:
    """分布怎样随时间变：每次实验一幅，值是 {步数: 各格所占的比例}，从上往下按时间排。"""
    fig, axes = plt.subplots(1, len(runs), figsize=(9, 3.4))
    for ax, (title, records) in zip(axes, runs.items()):
        for k, (step, share) in enumerate(records.items()):
            base = -0.05 * k
            ax.fill_between(centers, base, base + share, color=plt.cm.Blues(0.35 + 0.13 * k), ec="white", zorder=k)
            ax.text(centers[0], base + 0.004, f"step {step}", fontsize=8, zorder=9)
        ax.set(title=title, yticks=[])
    fig.tight_layout()
    plt.show()


# ---------------------------------------------------------------- 5.3.2


def panes(contents: dict[str, list[dict]]) -> None:
    """把 visdom 的窗格画成网页上的样子。contents 是 {窗格: content.data}，其中每一项是 Plotly 的一条线或一组点、柱、扇形。"""
    fig, axes = plt.subplots(1, len(contents), figsize=(max(8, 2.75 * len(contents)), 2.7))
    for ax, (name, traces) in zip(axes, contents.items()):
        for trace in traces:
            if trace["type"] == "pie":
                ax.pie(trace["values"], labels=trace["labels"])
            elif trace["type"] == "bar":
                x = trace["x"]
                ax.bar(x, trace["y"], width=0.8 if isinstance(x[0], str) else x[1] - x[0], ec="white")
            else:
                style = "-" if "lines" in trace["mode"] else "o"
                ax.plot(trace["x"], trace["y"], style, ms=3, label=trace["name"])
        if traces[0]["type"] == "scatter":
            ax.legend(fontsize=8)
        ax.set_title(f"pane: {name}", fontsize=10)
    fig.tight_layout()
    plt.show()


# ---------------------------------------------------------------- 5.6


def shares(parts: dict[str, float]) -> None:
    """一步的时间怎样分：一条横着的堆叠条，每段标上名字与百分比。"""
    fig, ax = plt.subplots(figsize=(7.5, 1.1))
    left, total = 0.0, sum(parts.values())
    for (name, value), color in zip(parts.items(), [LIGHT, BLUE, RED, GRAY]):
        ax.barh(0, value / total, left=left, color=color, edgecolor="white")
        small = value / total < 0.06                            # 窄的一段写不下，写在上方
        ax.text(left + value / total / 2, 0.5 if small else 0, f"{name}\n{value / total:.0%}", ha="center",
                va="bottom" if small else "center", fontsize=8, color="white" if color in (BLUE, RED) and not small else "black")
        left += value / total
    ax.set(xlim=(0, 1.02), ylim=(-0.5, 1.3))
    ax.axis("off")
    fig.tight_layout()
    plt.show()


def ladder(rows: list[dict]) -> None:
    """各种做法的用时、留下的激活与准确率，都是相对或绝对的数。行有 name、time、memory、accuracy，没有量的为 None。"""
    fig, axes = plt.subplots(1, 3, figsize=(9.5, 0.36 * len(rows) + 1), sharey=True)
    names = [row["name"] for row in rows]
    for ax, key, title in zip(axes, ("time", "memory", "accuracy"),
                              ("time (baseline = 1)", "activations kept (baseline = 1)", "test accuracy")):
        for place, row in enumerate(rows):
            if row[key] is not None:
                ax.barh(place, row[key], color=BLUE if place else GRAY)
                ax.text(row[key], place, f" {row[key]:.2f}", va="center", fontsize=8)
        largest = max(row[key] for row in rows if row[key] is not None)
        ax.set(xlim=(0, 1.25 * largest))
        ax.set_title(title, fontsize=9)
    axes[0].set_yticks(range(len(rows)), names, fontsize=8)
    axes[0].invert_yaxis()
    fig.tight_layout()
    plt.show()
