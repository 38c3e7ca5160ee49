"""3.1.4 的对答案与错答案。"""


def table(labels, values, count):
    hot = (labels[:, None] == t.arange(count)).float()
    return values @ hot / hot.sum(0).clamp(min=1)


def added(labels, values, count):
    total = t.zeros(count).index_add_(0, labels, values)
    return total / t.zeros(count).index_add_(0, labels, t.ones_like(values)).clamp(min=1)


def reduced(labels, values, count):
    return t.zeros(count).scatter_reduce(0, labels, values, "mean", include_self=False)


def python(labels, values, count):  # 纯 Python 的循环
    totals, counts = [0.0] * count, [0] * count
    for label, value in zip(labels.tolist(), values.tolist()):
        totals[label] += value
        counts[label] += 1
    return t.tensor([total / max(n, 1) for total, n in zip(totals, counts)])


def per_group(labels, values, count):
    return t.stack([values[labels == k].mean() if (labels == k).any() else t.tensor(0.) for k in range(count)])


def unguarded(labels, values, count):
    hot = (labels[:, None] == t.arange(count)).float()
    return values @ hot / hot.sum(0)


def sums(labels, values, count):
    return values @ (labels[:, None] == t.arange(count)).float()


right(1, table)
right(1, added)
right(1, reduced)
wrong(1, python, "tolist")
wrong(1, per_group, "还有循环")
wrong(1, unguarded, "nan")
wrong(1, sums, "应为")
wrong(1, lambda labels, values, count: sums(labels, values, count) / len(labels), "应为")
wrong(1, lambda labels, values, count: t.nan_to_num(unguarded(labels, values, count), nan=1.0), "应为")
wrong(1, lambda labels, values, count: table(labels, values, int(labels.max()) + 1), "形状")


def rebound(y, x, alpha):
    y = y + alpha * x
    return y


def swapped(y, x, alpha):
    y.data = y + alpha * x


def wrong_place(y, x, alpha):
    x.mul_(alpha).add_(y)
    y.copy_(x)


right(2, lambda y, x, alpha: y.add_(x, alpha=alpha))
right(2, lambda y, x, alpha: y.copy_(y + alpha * x))
right(2, lambda y, x, alpha: t.add(y, x, alpha=alpha, out=y))
wrong(2, rebound, "没有变")
wrong(2, swapped, "换了一块内存")
wrong(2, wrong_place, "x 不该变")
wrong(2, lambda y, x, alpha: y.add_(x), "应为")
wrong(2, lambda y, x, alpha: y.mul_(alpha).add_(x), "应为")
wrong(2, lambda y, x, alpha: y.sub_(x, alpha=-0.5), "alpha=-2.0")  # 0.5 写死了

right(3, lambda tensors, path: t.save({k: v.clone() for k, v in tensors.items()}, path))
right(3, lambda tensors, path: t.save(dict((k, t.empty_like(v).copy_(v)) for k, v in tensors.items()), str(path)))
wrong(3, lambda tensors, path: t.save(tensors, path), "字节")
wrong(3, lambda tensors, path: t.save({k: v.contiguous() for k, v in tensors.items()}, path), "字节")
wrong(3, lambda tensors, path: t.save([v.clone() for v in tensors.values()], path), "应为字典")
wrong(3, lambda tensors, path: t.save({k: v.clone().half() for k, v in tensors.items()}, path), "类型")
wrong(3, lambda tensors, path: t.save({k: v.clone().flatten() for k, v in tensors.items()}, path), "形状")
wrong(3, lambda tensors, path: t.save({k: v.clone() for k, v in list(tensors.items())[:1]}, path), "键应为")

right(4, 2048)
right(4, 2 ** 11)
wrong(4, 1024, "还可以更大")
wrong(4, 2047, "还可以更大：2048")
wrong(4, 65504, "2049")
wrong(4, 2049, "太大")
wrong(4, 2048.0, "整数")
wrong(4, 10 ** 12, "不太大")
wrong(4, -1, "正整数")

right(5, lambda x: x.cumsum(0) / t.arange(1, len(x) + 1))
right(5, lambda x: t.ones(len(x), len(x)).tril() @ x / t.arange(1., len(x) + 1))
wrong(5, lambda x: running_mean_loop(x), "还有循环")
wrong(5, lambda x: x.cumsum(0) / len(x), "应为")
wrong(5, lambda x: x.cumsum(0) / (t.arange(len(x)) + 2), "应为")
wrong(5, lambda x: x.cumsum(0), "应为")
wrong(5, lambda x: x.mean().expand(len(x)), "处应为")
wrong(5, lambda x: t.tensor([sum(x.tolist()[:i + 1]) / (i + 1) for i in range(len(x))]), "tolist")


def python_mean(x):  # 一次 torch 也不多调用
    numbers, total, result = x.numpy(), 0.0, []
    for i, value in enumerate(numbers):
        total += value
        result.append(total / (i + 1))
    return t.tensor(result, dtype=t.float32)


wrong(5, python_mean, "还有循环")
