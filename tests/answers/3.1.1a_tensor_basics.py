"""3.1.1a 的对答案与错答案。"""

right(1, picture.unfold(0, 2, 2).unfold(1, 2, 2).reshape(9, 2, 2))
right(1, t.cat([rows.unfold(1, 2, 2).transpose(0, 1) for rows in picture.split(2)]).contiguous())
wrong(1, picture.view(9, 2, 2), "第 0 块")
wrong(1, picture.view(3, 2, 3, 2).permute(2, 0, 1, 3).reshape(9, 2, 2), "第 1 块")  # 从上到下、从左到右
wrong(1, picture.view(3, 2, 3, 2).permute(0, 2, 3, 1).reshape(9, 2, 2), "第 0 块")  # 每块都转置了
wrong(1, picture.view(3, 2, 3, 2).permute(0, 2, 1, 3), "(9, 2, 2)")
wrong(1, picture.view(9, 4), "(9, 2, 2)")

right(2, lambda scores, labels: t.take_along_dim(scores, labels[..., None], -1)[..., 0])
right(2, lambda scores, labels: scores[t.arange(len(labels))[:, None], t.arange(labels.shape[1]), labels])
right(2, lambda scores, labels: (scores * (labels[..., None] == t.arange(scores.shape[2]))).sum(-1))
wrong(2, lambda scores, labels: scores.gather(2, labels.unsqueeze(2)).squeeze(), "(1, 4)")  # N = 1 时多去了一维
wrong(2, lambda scores, labels: scores[:, :, labels], "形状应为 (3, 4)")
wrong(2, lambda scores, labels: scores.gather(2, labels.unsqueeze(2)), "(3, 4, 1)")
wrong(2, lambda scores, labels: scores.gather(1, labels.clamp(max=scores.shape[1] - 1)[:, None].expand(-1, 1, -1)
                                              [..., :1]).squeeze(1).expand(labels.shape), "应为")
wrong(2, lambda scores, labels: scores.max(2).values, "应为")
wrong(2, lambda scores, labels: t.stack([t.stack([s[l] for s, l in zip(rows, ids)]) for rows, ids in zip(scores, labels)])
      if labels.numel() else t.zeros(labels.shape), "还有循环")


def loop_2(scores, labels):
    result = t.zeros(labels.shape)
    for i in range(labels.shape[0]):
        result[i] = scores[i, t.arange(labels.shape[1]), labels[i]]
    return result


wrong(2, loop_2, "还有循环")


def index_add(words, ids, vectors):
    result = words.clone()
    result.index_add_(0, ids, vectors)
    return result


def scatter_add(words, ids, vectors):
    return words.scatter_add(0, ids[:, None].expand(vectors.shape), vectors)


def in_place(words, ids, vectors):
    return words.index_add_(0, ids, vectors)


def overwrites(words, ids, vectors):
    result = words.clone()
    result[ids] = result[ids] + vectors
    return result


def loop_3(words, ids, vectors):
    result = words.clone()
    for n in range(len(ids)):
        result[ids[n]] += vectors[n]
    return result


right(3, index_add)
right(3, scatter_add)
right(3, lambda words, ids, vectors: words + (ids == t.arange(len(words))[:, None]).float() @ vectors)
wrong(3, in_place, "被改动")
wrong(3, overwrites, "没有累加")
wrong(3, loop_3, "还有循环")
wrong(3, lambda words, ids, vectors: t.zeros_like(words).index_add(0, ids, vectors), "应为")  # 忘了原来的表
wrong(3, lambda words, ids, vectors: words.index_copy(0, ids, vectors), "应为")
wrong(3, lambda words, ids, vectors: words.clone(), "应为")
wrong(3, lambda words, ids, vectors: None, "应为张量")

right(4, (True, False, True, True, False, False))
right(4, [1, 0, 1, 1, 0, 0])
wrong(4, [True, False, True, True, True, False], "a.t().reshape(12) 应为 False")
wrong(4, [True, True, True, True, False, False], "a[[0]]")
wrong(4, [True, False, False, True, False, False], "a.unsqueeze(0)")
wrong(4, [True] * 6, "a[[0]]")
wrong(4, [True, False], "应有 6 个")

right(5, lambda x: t.zeros(x.shape, dtype=t.bool).scatter_(1, x.argsort(1, descending=True)[:, :2], True))
right(5, lambda x: t.zeros_like(x).scatter_(1, x.argsort(1)[:, -2:], 1.).bool())
right(5, lambda x: x >= x.topk(2, dim=1).values[:, 1:])
wrong(5, lambda x: x >= 4, "应为")
wrong(5, lambda x: t.zeros_like(x, dtype=t.bool).scatter_(1, x.argsort(1)[:, :2], True), "最小的两个")
wrong(5, lambda x: t.zeros_like(x, dtype=t.bool).scatter_(0, x.topk(2, dim=0).indices, True) if len(x) > 1 else x > 0, "每一列")
wrong(5, lambda x: t.zeros_like(x).scatter_(1, x.topk(2, dim=1).indices, 1.), "torch.bool")
wrong(5, lambda x: x.topk(2, dim=1).indices, "形状")
wrong(5, lambda x: x == x.amax(1, keepdim=True), "应为")  # 只有最大的一个
wrong(5, lambda x: t.zeros_like(x, dtype=t.bool).scatter_(1, x.abs().topk(2, dim=1).indices, True), "处应为")
wrong(5, lambda x: t.stack([t.tensor([v in sorted(row)[-2:] for v in row]) for row in x.tolist()]), "tolist")


def loop_5(x):
    result = t.zeros_like(x, dtype=t.bool)
    for i in range(len(x)):
        result[i, x[i].topk(2).indices] = True
    return result


wrong(5, loop_5, "还有循环")
