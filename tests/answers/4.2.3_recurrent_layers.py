"""4.2.3 的对答案与错答案。"""


def run(cell, X, state, fresh=False, detach=False, only_h=False):
    h, c = state
    if fresh:
        h, c = t.zeros_like(h), t.zeros_like(c)
    outputs = []
    for step in range(X.shape[1]):
        h, c = cell(X[:, step], (h, c))
        if detach:
            h, c = h.detach(), c.detach()
        outputs.append(h)
    return t.stack(outputs, dim=1), (h, c)


def run_unbind(cell, X, state):
    output = []
    for x in X.unbind(1):
        state = cell(x, state)
        output.append(state[0].unsqueeze(1))
    return t.cat(output, 1), tuple(state)


def filled(cell, X, state):
    output = X.new_zeros(X.shape[0], X.shape[1], cell.hidden_size)
    for step in range(X.shape[1]):
        state = cell(X[:, step], state)
        output[:, step] = state[0]
    return output, state


def forgets(cell, X, state):
    outputs = [cell(X[:, step], state) for step in range(X.shape[1])]
    return t.stack([h for h, _ in outputs], 1), outputs[-1]


def memory_as_output(cell, X, state):
    outputs = []
    for x in X.unbind(1):
        state = cell(x, state)
        outputs.append(state[1])
    return t.stack(outputs, 1), state


def time_first(cell, X, state):
    output, state = run(cell, X, state)
    return output.transpose(0, 1), state


right(1, run_unbind)
right(1, filled)
wrong(1, lambda *a: run(*a, fresh=True), "应为")
wrong(1, lambda *a: run(*a, detach=True), "计算图")
wrong(1, forgets, "应为")
wrong(1, memory_as_output, "应为")
wrong(1, time_first, "形状")
wrong(1, lambda cell, X, state: (run(cell, X, state)[0], state), "应为")
wrong(1, lambda cell, X, state: run(cell, X, state)[0], "应为元组")
wrong(1, lambda cell, X, state: (run(cell, X, state)[0], run(cell, X, state)[1][::-1]), "应为")

right(2, [(4, 7, 40), (6, 4, 20), (6, 4, 20)])
right(2, ([4, 7, 40], [6, 4, 20], [6, 4, 20]))
wrong(2, [(4, 7, 20), (6, 4, 20), (6, 4, 20)], "output 不是")
wrong(2, [(4, 7, 40), (3, 4, 20), (3, 4, 20)], "h_n 不是")
wrong(2, [(4, 7, 40), (4, 6, 20), (4, 6, 20)], "h_n 不是")
wrong(2, [(7, 4, 40), (6, 4, 20), (6, 4, 20)], "output 不是")
wrong(2, [(4, 7, 40)], "应有三个")

right(3, lambda output, lengths: output[t.arange(len(output)), lengths - 1])
right(3, lambda output, lengths: output.gather(1, (lengths - 1)[:, None, None].expand(-1, 1, output.shape[2])).squeeze(1))
right(3, lambda output, lengths: (output * (t.arange(output.shape[1]) == lengths[:, None] - 1)[..., None]).sum(1))
wrong(3, lambda output, lengths: output[:, -1], "补齐的")
wrong(3, lambda output, lengths: output[t.arange(len(output)), lengths.clamp(max=output.shape[1] - 1)], "n − 1")
wrong(3, lambda output, lengths: output[:, lengths - 1], "形状")
wrong(3, lambda output, lengths: t.stack([o[n - 1] for o, n in zip(output, lengths)]), "还有循环")
wrong(3, lambda output, lengths: t.stack([output[k, n - 1] for k, n in enumerate(lengths.tolist())]), "tolist")
wrong(3, lambda output, lengths: output[t.arange(len(output)), lengths - 1].detach(), "计算图")
wrong(3, lambda output, lengths: output.gather(1, (lengths - 1)[:, None, None].expand(-1, 1, output.shape[2])).squeeze(), "形状")

right(4, lambda I, H, L: 3 * H * (I + H + 2) + (L - 1) * 3 * H * (2 * H + 2))
right(4, lambda I, H, L: sum(3 * H * (I if k == 0 else H) + 3 * H * H + 6 * H for k in range(L)))
wrong(4, lambda I, H, L: sum(p.numel() for p in nn.GRU(I, H, L).parameters()), "不许用 GRU")
wrong(4, lambda I, H, L: sum(p.numel() for p in nn.GRU(I, H, L, device="meta").parameters()), "不许用 GRU")
wrong(4, lambda I, H, L: sum(p.numel() for p in nn.RNNBase("GRU", I, H, L).parameters()), "不许用 RNNBase")
wrong(4, lambda I, H, L: 3 * H * (I + H + 1) + (L - 1) * 3 * H * (2 * H + 1), "少了一份偏置")
wrong(4, lambda I, H, L: 4 * H * (I + H + 2) + (L - 1) * 4 * H * (2 * H + 2), "应为")
wrong(4, lambda I, H, L: L * 3 * H * (I + H + 2), "I=10")
wrong(4, lambda I, H, L: 3 * H * (I + H + 2), "I=10")
wrong(4, lambda I, H, L: float(3 * H * (I + H + 2) + (L - 1) * 3 * H * (2 * H + 2)), "Python 的 int")


def load(words, vectors, dim, pad=True, freeze=False):
    table = t.zeros(len(words), dim)
    for k, word in enumerate(words):
        if word in vectors:
            table[k] = t.tensor(vectors[word])
    return nn.Embedding.from_pretrained(table, freeze=freeze, padding_idx=0 if pad else None)


def load_copied(words, vectors, dim):
    embedding = nn.Embedding(len(words), dim, padding_idx=0)
    with t.no_grad():
        embedding.weight.zero_()
        for word, row in zip(words, embedding.weight):
            if word in vectors:
                row.copy_(t.tensor(vectors[word]))
    return embedding


def random_rest(words, vectors, dim):
    embedding = nn.Embedding(len(words), dim, padding_idx=0)
    for k, word in enumerate(words):
        if word in vectors:
            embedding.weight.data[k] = t.tensor(vectors[word])
    return embedding


def by_file_order(words, vectors, dim):
    table = t.zeros(len(words), dim)
    for k, vector in enumerate(list(vectors.values())[:len(words) - 1], 1):
        table[k] = t.tensor(vector)
    return nn.Embedding.from_pretrained(table, freeze=False, padding_idx=0)


right(5, load)
right(5, load_copied)
wrong(5, lambda *a: load(*a, freeze=True), "freeze")
wrong(5, lambda *a: load(*a, pad=False), "padding_idx")
wrong(5, random_rest, "表")
wrong(5, by_file_order, "表")
wrong(5, lambda *a: load(*a).weight, "nn.Embedding")
wrong(5, lambda words, vectors, dim: nn.Embedding(len(words), dim, padding_idx=0), "表")
