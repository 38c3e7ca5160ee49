"""5.1b 的对答案与错答案。"""


def collate(samples, side="right", value=0, kind=t.long):
    longest = max(len(s) for s, _ in samples)
    padded = t.full((len(samples), longest), value, dtype=kind)
    for row, (s, _) in zip(padded, samples):
        if side == "right":
            row[:len(s)] = s
        else:
            row[longest - len(s):] = s
    return padded, t.tensor([len(s) for s, _ in samples]), t.tensor([label for _, label in samples])


def collate_zip(samples):
    sentences, labels = zip(*samples)
    lengths = [len(s) for s in sentences]
    rows = [t.nn.functional.pad(s, (0, max(lengths) - len(s))) for s in sentences]
    return t.stack(rows), t.as_tensor(lengths), t.as_tensor(labels)


def fixed(samples):  # 总补到 3
    return tuple(x[:, :3] if x.dim() == 2 else x for x in collate([(t.cat([s, t.zeros(max(0, 3 - len(s)), dtype=t.long)]), y) for s, y in samples]))


right(1, collate)
right(1, collate_zip)
wrong(1, lambda samples: collate(samples, side="left"), "补齐的句子")
wrong(1, lambda samples: collate(samples, value=-1), "补齐的句子")
wrong(1, lambda samples: collate(samples, kind=t.float32), "torch.int64")
wrong(1, lambda samples: collate(samples)[:2], "应返回三样")
wrong(1, fixed, "应为")
wrong(1, lambda samples: collate(sorted(samples, key=lambda s: -len(s[0]))), "应为")  # 顺手按长度排了序
wrong(1, lambda samples: collate(samples)[::2] + collate(samples)[1:2], "长度")


def class_weights(labels):
    kinds, place, counts = labels.unique(return_inverse=True, return_counts=True)
    return 1 / counts[place] / len(kinds)


def by_loop(labels):
    values = labels.tolist()
    return t.tensor([1 / values.count(v) / len(set(values)) for v in values])


def one_each(labels):  # 每类只让第一个样本有权重：各类的概率也相同
    weights = t.zeros(len(labels))
    for label in labels.unique():
        weights[(labels == label).nonzero()[0]] = 1 / len(labels.unique())
    return weights


right(2, class_weights)
right(2, by_loop)
wrong(2, lambda labels: 1.0 / labels.bincount()[labels], "权重之和应为 1")
wrong(2, lambda labels: labels.bincount()[labels] / labels.bincount()[labels].sum(), "应为")
wrong(2, lambda labels: t.full((len(labels),), 1 / len(labels)), "应为")
wrong(2, lambda labels: 1 / labels.bincount() / len(labels.unique()), "形状")
wrong(2, lambda labels: 1 / labels.bincount()[labels] / 3, "权重之和")
wrong(2, one_each, "应为")


class ByLabel:
    """可以弄错几处的采样器。"""

    def __init__(self, labels, generator):
        self.labels, self.generator = labels, generator

    def kinds(self):
        return sorted(set(self.labels))

    def shuffled(self, places):
        return [places[k] for k in t.randperm(len(places), generator=self.generator)]

    def __iter__(self):
        for kind in self.kinds():
            yield from self.shuffled([i for i, label in enumerate(self.labels) if label == kind])

    def __len__(self):
        return len(self.labels)


class Permuted(Sampler):
    def __init__(self, labels, generator):
        self.labels, self.generator = t.tensor(labels), generator

    def __iter__(self):
        order = t.randperm(len(self.labels), generator=self.generator)
        return iter(order[self.labels[order].argsort(stable=True)].tolist())

    def __len__(self):
        return self.labels.numel()


class Once(ByLabel):
    def __init__(self, labels, generator):
        super().__init__(labels, generator)
        self.order = list(super().__iter__())

    def __iter__(self):
        return iter(self.order)


class Ordered(ByLabel):
    def shuffled(self, places):
        return places


class GlobalRandom(ByLabel):
    def shuffled(self, places):
        return [places[k] for k in t.randperm(len(places))]


class All(ByLabel):
    def __iter__(self):
        return iter(self.shuffled(list(range(len(self.labels)))))


class Range(ByLabel):  # 以为标签就是 0、1、2
    def kinds(self):
        return range(3)


class Descending(ByLabel):
    def kinds(self):
        return sorted(set(self.labels), reverse=True)


class OnlyFirst(ByLabel):
    def shuffled(self, places):
        return super().shuffled(places) if self.labels[places[0]] == self.kinds()[0] else places


right(3, ByLabel)
right(3, Permuted)
wrong(3, Once, "每一轮的次序都一样")
wrong(3, Ordered, "每一轮的次序都一样")
wrong(3, GlobalRandom, "generator")
wrong(3, All, "标签的次序应为")
wrong(3, Range, "恰好一次")
wrong(3, Descending, "标签的次序应为")
wrong(3, OnlyFirst, "每一类里也要打乱")


class Lines(IterableDataset):
    """可以弄错几处的逐行读。"""

    def __init__(self, path):
        self.path = path

    def read(self):
        return self.path.read_text(encoding="utf-8").splitlines()

    def share(self, lines, worker, total):
        return lines[worker::total]

    def __iter__(self):
        info = get_worker_info()
        return iter(self.share(self.read(), *((info.id, info.num_workers) if info else (0, 1))))


class Blocks(Lines):
    def share(self, lines, worker, total):
        size = -(-len(lines) // total)
        return lines[worker * size:(worker + 1) * size]


class Everyone(Lines):
    def share(self, lines, worker, total):
        return lines


class FirstOnly(Lines):
    def share(self, lines, worker, total):
        return lines[:len(lines) // total] if worker == 0 else lines[len(lines) // total:2 * (len(lines) // total)] if worker == 1 else []


class KeepsNewline(Lines):
    def read(self):
        return self.path.read_text(encoding="utf-8").splitlines(keepends=True)


class CutsLast(Lines):  # 去掉最后一个字：末行没有换行时丢字
    def read(self):
        return [line[:-1] for line in super().read() and self.path.read_text(encoding="utf-8").splitlines(keepends=True)]


class Two(Lines):  # 以为总是两个进程
    def __iter__(self):
        info = get_worker_info()
        return iter(self.read()[info.id::2] if info else self.read())


right(4, Lines)
right(4, Blocks)
wrong(4, Everyone, "2 个进程")
wrong(4, FirstOnly, "进程")
wrong(4, KeepsNewline, "换行要去掉")
wrong(4, CutsLast, "3 行的文件")
wrong(4, Two, "4 个进程")
wrong(4, type("NotIterable", (), {"__init__": Lines.__init__, "__iter__": lambda self: iter(Lines.read(self))}), "IterableDataset")
