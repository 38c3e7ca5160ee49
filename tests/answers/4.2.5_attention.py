"""4.2.5 的对答案与错答案。"""


def distance(T, S):
    return (t.arange(T)[:, None] + S - T) - t.arange(S)


def banded(T, S, window):
    ones = t.ones(T, S, dtype=t.bool)
    return ones.tril(S - T) & ones.triu(S - T - window + 1)


right(1, banded)
right(1, lambda T, S, window: (distance(T, S) >= 0) & (distance(T, S) < window))
wrong(1, lambda T, S, window: (distance(T, S) >= 0) & (distance(T, S) <= window), "应为")
wrong(1, lambda T, S, window: t.ones(T, S, dtype=t.bool).tril() & t.ones(T, S, dtype=t.bool).triu(1 - window), "应为")
wrong(1, lambda T, S, window: distance(T, S) < window, "应为")
wrong(1, lambda T, S, window: ~banded(T, S, window), "应为")
wrong(1, lambda T, S, window: banded(T, S, window).float(), "torch.bool")
wrong(1, lambda T, S, window: t.stack([(t.arange(S) <= i + S - T) & (t.arange(S) > i + S - T - window) for i in range(T)]), "还有循环")
wrong(1, lambda T, S, window: t.tensor([[i + S - T - window < s <= i + S - T for s in range(S)] for i in range(T)]), "还有循环")

right(2, [(4, 50, 256), (4, 8, 50, 50), 4 * (256 * 256 + 256)])
right(2, ([4, 50, 256], [4, 8, 50, 50], 263168))
wrong(2, [(4, 50, 256), (4, 50, 50), 263168], "权重的形状")
wrong(2, [(4, 50, 256), (4, 8, 50, 50), 262144], "参数的总数")
wrong(2, [(4, 50, 32), (4, 8, 50, 50), 263168], "输出的形状")
wrong(2, [(4, 50, 256), (4, 8, 50, 50), 3 * (256 * 256 + 256)], "参数的总数")
wrong(2, [(4, 50, 256)], "应有三样")


def cross(q, memory, lengths, scale=None, fill=-1e9, keep=True):
    seen = t.arange(memory.shape[1]) < lengths[:, None]
    scores = q @ memory.mT / (q.shape[-1] ** 0.5 if scale is None else scale)
    weight = scores.masked_fill(~seen[:, None], fill).softmax(-1)
    out = weight @ memory
    return out * (lengths > 0)[:, None, None] if keep else out


def cross_sdpa(q, memory, lengths):
    seen = t.arange(memory.shape[1]) < lengths.clamp(min=1)[:, None]
    out = F.scaled_dot_product_attention(q, memory, memory, attn_mask=seen[:, None])
    return t.where((lengths > 0)[:, None, None], out, 0.0)


def nan_to_num(q, memory, lengths):
    seen = t.arange(memory.shape[1]) < lengths[:, None]
    scores = (q @ memory.mT / q.shape[-1] ** 0.5).masked_fill(~seen[:, None], -float("inf"))
    return (scores.softmax(-1) @ memory).nan_to_num(0.0)


def where_after(q, memory, lengths):  # 遮住了 nan，梯度里仍有
    seen = t.arange(memory.shape[1]) < lengths[:, None]
    scores = (q @ memory.mT / q.shape[-1] ** 0.5).masked_fill(~seen[:, None], -float("inf"))
    return t.where((lengths > 0)[:, None, None], scores.softmax(-1) @ memory, 0.0)


def cross_loop(q, memory, lengths):
    rows = [F.scaled_dot_product_attention(a[None], m[None, :n], m[None, :n])[0] if n else a * 0
            for a, m, n in zip(q, memory, lengths)]
    return t.stack(rows)


def zeroed(q, memory, lengths):  # 把分数填成 0：仍分到权重
    return cross(q, memory, lengths, fill=0.0)


right(3, cross)
right(3, cross_sdpa)
wrong(3, where_after, "梯度里有 nan")
wrong(3, nan_to_num, "nan")
wrong(3, cross_loop, "还有循环")
wrong(3, zeroed, "应为")
wrong(3, lambda *a: cross(*a, keep=False), "应为")
wrong(3, lambda *a: cross(*a, scale=1.0), "应为")
wrong(3, lambda q, memory, lengths: F.scaled_dot_product_attention(q, memory, memory), "应为")
wrong(3, lambda *a: cross(*a).detach(), "计算图")


def alibi(q, k, v, slope, sign=-1, causal=True, scale=True):
    T = q.shape[2]
    distance = t.arange(T)[:, None] - t.arange(T)
    bias = sign * slope[:, None, None] * distance
    if causal:
        bias = bias.masked_fill(distance < 0, -float("inf"))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=None if scale else 1.0)


def alibi_by_hand(q, k, v, slope):
    T = q.shape[2]
    position = t.arange(T)
    scores = q @ k.transpose(2, 3) / q.shape[3] ** 0.5
    scores = scores - slope.view(-1, 1, 1) * (position[:, None] - position[None])
    return scores.masked_fill(position[None] > position[:, None], -float("inf")).softmax(3) @ v


def one_slope(q, k, v, slope):  # 各头用了同一个
    return alibi(q, k, v, slope.mean().expand(len(slope)))


right(4, alibi)
right(4, alibi_by_hand)
wrong(4, lambda *a: alibi(*a, sign=1), "应为")
wrong(4, lambda *a: alibi(*a, causal=False), "应为")
wrong(4, lambda *a: alibi(*a, scale=False), "应为")
wrong(4, one_slope, "应为")
wrong(4, lambda q, k, v, slope: F.scaled_dot_product_attention(q, k, v, is_causal=True), "没有减去")
wrong(4, lambda q, k, v, slope: alibi(q, k, v, slope) * 1.0 if q.shape[1] != q.shape[2]
      else alibi(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), slope).transpose(1, 2), "应为")  # 头与时间对调
wrong(4, lambda *a: alibi(*a).detach(), "计算图")


def greedy(net, prefix, length):
    result, state, ids = list(prefix), None, t.tensor([prefix])
    while len(result) < length:
        score, state, _ = net(ids, state)
        result.append(score[0, -1].argmax().item())
        ids = t.tensor([result[-1:]])
    return result


def greedy_for(net, prefix, length):
    result = prefix[:]
    score, state, *_ = net(t.tensor(prefix)[None], None)
    for _ in range(length - len(prefix)):
        result += [int(score[:, -1].argmax(-1))]
        if len(result) < length:
            score, state, *_ = net(t.tensor([[result[-1]]]), state)
    return result


def again(net, prefix, length):  # 每次把整句送进去
    result = list(prefix)
    while len(result) < length:
        result.append(net(t.tensor([result]))[0][0, -1].argmax().item())
    return result


def one_at_a_time(net, prefix, length):
    result, state = list(prefix), None
    for k in range(length - 1):
        score, state, _ = net(t.tensor([[result[k]]]), state)
        if k + 1 >= len(prefix):
            result.append(score[0, -1].argmax().item())
    return result


def forgets(net, prefix, length):  # 不传状态
    result, ids = list(prefix), t.tensor([prefix])
    while len(result) < length:
        result.append(net(ids)[0][0, -1].argmax().item())
        ids = t.tensor([result[-1:]])
    return result


def extends_prefix(net, prefix, length):
    prefix += greedy(net, prefix, length)[len(prefix):]
    return prefix


right(5, greedy)
right(5, greedy_for)
wrong(5, again, "只许送一次")
wrong(5, one_at_a_time, "一次送进去")
wrong(5, forgets, "应为")
wrong(5, extends_prefix, "prefix 不应被改动")
wrong(5, lambda *a: t.tensor(greedy(*a)), "列表")
wrong(5, lambda net, prefix, length: greedy(net, prefix, len(prefix) + length), "应有 10 项")
wrong(5, lambda net, prefix, length: greedy(net, prefix, length)[len(prefix):], "应有 10 项")
