"""第 3 章的作图代码：笔记本里 import figures，读者想看怎样画的就读这里。

每个函数画一幅图。图中的数值都由参数而来，这里不做计算。
"""

from __future__ import annotations

from itertools import product

import matplotlib.pyplot as plt
from matplotlib.patches import Ellipse, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
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


# ---------------------------------------------------------------- 3.2.2：计算图


def ellipse(ax, center: tuple, text: str, color: str = "#cfe8cf", size: tuple = (1.6, 0.8)):
    """变量：椭圆，返回图形。"""
    ax.text(*center, text, ha="center", va="center", fontsize=9.5, zorder=3)
    return ax.add_patch(Ellipse(center, *size, fc=color, ec="black", zorder=2))


def box(ax, center: tuple, text: str, size: tuple = (1.1, 0.64)):
    """算子：矩形，返回图形。"""
    corner = (center[0] - size[0] / 2, center[1] - size[1] / 2)
    ax.text(*center, text, ha="center", va="center", fontsize=9.5, zorder=3)
    return ax.add_patch(plt.Rectangle(corner, *size, fc="#f6e3b4", ec="black", zorder=2))


def forward_and_backward(tensors: dict[str, Tensor]) -> None:
    """z = w * x + b 的两张图：上图是各张量的值，下图是 z 对它们的导数；tensors 有 w x y b z，已经反向过。"""
    where = {"w": (0, 2.4), "x": (0, 0.8), "MUL": (2.4, 1.6), "y": (4.8, 1.6),
             "b": (4.8, 0.0), "ADD": (7.2, 0.8), "z": (9.6, 0.8)}
    edges = [("w", "MUL"), ("x", "MUL"), ("MUL", "y"), ("y", "ADD"), ("b", "ADD"), ("ADD", "z")]
    gradient = {name: f"dz/d{name} = {x.grad:g}" if x.requires_grad else f"{name}: no grad" for name, x in tensors.items()}
    value = {name: f"{name} = {x.item():g}" for name, x in tensors.items()}
    fig, axes = plt.subplots(2, 1, figsize=(8, 5.6))
    for ax, label, back in zip(axes, (value, gradient), (False, True)):
        patches = {name: box(ax, center, name) if name.isupper() else
                   ellipse(ax, center, label[name], "#cfe8cf" if tensors[name].requires_grad else "#e4e4e4")
                   for name, center in where.items()}
        for start, end in edges:
            color, style = ("black", "-") if not back else ("gray", ":") if start == "x" else ("tab:red", "-")
            tail, head = (end, start) if back else (start, end)         # 反向时箭头倒过来
            ax.annotate("", xy=where[head], xytext=where[tail], zorder=1, arrowprops=dict(
                arrowstyle="-|>", color=color, ls=style, lw=1.4, patchA=patches[tail], patchB=patches[head],
                shrinkA=0, shrinkB=1))
        ax.set(xlim=(-1, 10.6), ylim=(-0.6, 3.0))
        ax.axis("off")
    x = tensors["x"].item()
    for place, text in (((1.3, 2.15), f"× x  (x = {x:g})"), ((6.1, 1.35), "× 1"), ((5.9, 0.55), "× 1")):
        axes[1].text(*place, text, color="tab:red", fontsize=10, ha="right" if place == (5.9, 0.55) else "left")
    axes[0].set_title("forward: values", fontsize=11)
    axes[1].set_title("backward: gradients  (red: multiply by the local derivative)", fontsize=11)
    fig.tight_layout()
    plt.show()


def layout(nodes: list, edges: list) -> tuple[dict, list]:
    """给反向图排版，返回 {节点或占位点: (横, 纵)} 和每条边依次经过的点。

    nodes 按拓扑次序，使用者在前。一个节点的层是从根走到它的最长路；跨过几层的边在中间各层放一个占位点。
    """
    depth = {node: 0 for node in nodes}
    for node in nodes:                                                  # 拓扑次序保证 node 的层已定
        for child, _ in node.next_functions:
            if child is not None:
                depth[child] = max(depth[child], depth[node] + 1)
    layers, paths = [[] for _ in range(max(depth.values()) + 1)], []
    for node in nodes:
        layers[depth[node]].append(node)
    for k, (start, end) in enumerate(edges):
        middle = [(k, level) for level in range(depth[start] + 1, depth[end])]
        for point in middle:
            layers[point[1]].append(point)
        paths.append([start, *middle, end])
    return arrange(layers, paths), paths


def arrange(layers: list[list], paths: list[list]) -> dict:
    """逐层定横坐标：尽量正对上一层邻居的中间，挤在一起的推开。"""
    parents, place = {}, {}
    for path in paths:
        for upper, lower in zip(path, path[1:]):
            parents.setdefault(lower, []).append(upper)
    for level, layer in enumerate(layers):
        wish = {p: sum(place[q][0] for q in parents[p]) / len(parents[p]) if p in parents else 0 for p in layer}
        layer, xs = sorted(layer, key=wish.get), []
        for point in layer:                                             # 与左邻至少相距 2.4
            xs.append(wish[point] if not xs else max(wish[point], xs[-1] + 2.4))
        shift = sum(wish[p] - x for p, x in zip(layer, xs)) / len(layer)        # 推开之后整层再居中
        place.update({p: (x + shift, -1.2 * level) for p, x in zip(layer, xs)})
    return place


def smooth_arrow(ax, points: list[tuple], half: float, bend: float) -> None:
    """一条光滑的红箭头，自上而下经过 points，每一点处方向竖直。

    从矩形的下缘出发，止于终点的上缘；half 是终点那个图形的半高，bend 让箭头向旁边弯开。
    """
    points = [(points[0][0], points[0][1] - 0.28), *points[1:-1], (points[-1][0], points[-1][1] + half + 0.03)]
    vertices, codes = [points[0]], [Path.MOVETO]
    for (x, y), (end_x, end_y) in zip(points, points[1:]):
        middle = (y + end_y) / 2
        vertices += [(x + bend, middle), (end_x + bend, middle), (end_x, end_y)]
        codes += [Path.CURVE4] * 3
    ax.add_patch(FancyArrowPatch(path=Path(vertices, codes), arrowstyle="-|>", mutation_scale=11, color="tab:red",
                                 lw=1.2, zorder=1))


def graphs(pictures: dict[str, tuple], figsize: tuple[float, float]) -> None:
    """并排画几张反向图。pictures 是 {标题: ((节点, 边), {名字: 叶子})}，节点按拓扑次序。"""
    fig, axes = plt.subplots(1, len(pictures), figsize=figsize, squeeze=False)
    lowest = 0.0
    for ax, (title, ((nodes, edges), names)) in zip(axes[0], pictures.items()):
        place, paths = layout(nodes, edges)
        label = {id(leaf): name for name, leaf in names.items()}
        for node in nodes:
            if hasattr(node, "variable"):
                text = f"{label[id(node.variable)]} {tuple(node.variable.shape)}"
                ellipse(ax, place[node], text, size=(2.1, 0.75))
            else:
                box(ax, place[node], node.name().split("Backward")[0], size=(1.6, 0.56))
        for k, path in enumerate(paths):
            half = 0.375 if hasattr(path[-1], "variable") else 0.28
            twin = paths.count(path) > 1                                # 两条边重合：一左一右弯开
            smooth_arrow(ax, [place[p] for p in path], half, 0.5 * (-1) ** paths[:k].count(path) if twin else 0)
        xs, ys = zip(*place.values())
        lowest = min(lowest, *ys)
        ax.set(xlim=(min(xs) - 1.2, max(xs) + 1.2))
        ax.set_title(title, fontsize=11)
    for ax in axes[0]:                                                  # 几张图用同一把尺
        ax.set(ylim=(lowest - 0.5, 0.4), aspect="equal")
        ax.axis("off")
    fig.tight_layout()
    plt.show()


# ---------------------------------------------------------------- 3.2.3


def difference_errors(steps, curves: dict) -> None:
    """中心差分的步长与误差，双对数；curves 是 {dtype: 各步长的相对误差}。"""
    fig, ax = plt.subplots(figsize=(6, 3.4))
    for color, (dtype, errors) in zip(("tab:orange", "tab:blue"), curves.items()):
        ax.loglog(steps, [error + 1e-16 for error in errors], color=color, label=str(dtype))        # 误差为 0 也画得出
    ax.axvline(1e-6, color="gray", ls="--", lw=1, label="gradcheck default eps = 1e-6")
    ax.set(xlabel="eps", ylabel="relative error", ylim=(1e-16, 10))
    ax.legend(fontsize=9, loc="lower right")
    ax.grid(alpha=0.3)
    plt.show()


def bars(panels: dict[str, dict[str, float]]) -> None:
    """并排几幅横条图，每幅是 {名字: 数值}。"""
    fig, axes = plt.subplots(1, len(panels), figsize=(3.75 * len(panels), 2.3))
    for ax, (title, values) in zip(axes, panels.items()):
        ax.barh(list(values), list(values.values()), color=["tab:gray", "tab:blue", "tab:green"])
        ax.set_title(title, fontsize=10)
        ax.invert_yaxis()
    fig.tight_layout()
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


def scatter(x: Tensor, y: Tensor) -> None:
    """散点图。"""
    fig, ax = plt.subplots(figsize=(5, 3.4))
    ax.scatter(x, y, s=8, alpha=0.5)
    ax.set(xlabel="x", ylabel="y")
    fig.tight_layout()
    plt.show()


def smoothed_loss(losses: list[float], smooth: Tensor, window: int) -> None:
    """每步的损失与 window 步的滑动平均（一维，长 步数 − window + 1），虚线是噪声的水平。"""
    fig, ax = plt.subplots(figsize=(5.8, 3.2))
    ax.plot(losses, color="#a8d5ef", linewidth=1, label="each batch")
    ax.plot(range(window - 1, len(losses)), smooth, color="#1f5fa8", label=f"mean of {window}")
    ax.axhline(0.5, color="gray", linestyle="--", label="noise floor")
    ax.set(xlabel="step", ylabel="loss", yscale="log")
    ax.legend()
    fig.tight_layout()
    plt.show()


def landscape(w_axis: Tensor, b_axis: Tensor, surface: Tensor, path: list, truth: tuple) -> None:
    """损失的等高线（surface 形状 (b, w)）与参数走过的路。"""
    fig, ax = plt.subplots(figsize=(5.8, 4))
    ax.contour(w_axis, b_axis, surface, levels=[0.55, 0.7, 1, 2, 4, 8, 16, 32], cmap="viridis")
    ax.plot(*zip(*path), color="#c0392b", linewidth=1, label="path of SGD")
    ax.plot(*path[0], "o", color="#c0392b")
    ax.plot(*truth, "k*", markersize=12, label="truth")
    ax.set(xlabel="w", ylabel="b")
    ax.legend()
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
