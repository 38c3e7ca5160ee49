"""4.2.4 的对答案与错答案。"""


def manual(score, label):
    return (score.logsumexp(1) - score[t.arange(len(label)), label]).mean()


def shifted(score, label):
    score = score - score.amax(1, keepdim=True)
    log_p = score - score.exp().sum(1, keepdim=True).log()
    return -log_p.gather(1, label[:, None]).mean()


right(1, manual)
right(1, shifted)
wrong(1, lambda s, l: F.cross_entropy(s, l), "不许用 cross_entropy")
wrong(1, lambda s, l: nn.CrossEntropyLoss()(s, l), "不许用 cross_entropy")
wrong(1, lambda s, l: F.nll_loss(s.log_softmax(1), l), "不许用")
wrong(1, lambda s, l: -s.log_softmax(1)[t.arange(len(l)), l].mean(), "不许用 log_softmax")
wrong(1, lambda s, l: -s.softmax(1)[t.arange(len(l)), l].log().mean(), "不许用 softmax")
wrong(1, lambda s, l: (s.exp().sum(1).log() - s[t.arange(len(l)), l]).mean(), "溢出")
wrong(1, lambda s, l: manual(s, l).detach(), "计算图")
wrong(1, lambda s, l: t.tensor(manual(s, l).item()), "计算图")
wrong(1, lambda s, l: manual(s, l) * len(l), "总和")
wrong(1, lambda s, l: manual(s.clamp(-700, 700), l), "应为")
wrong(1, lambda s, l: manual(s.detach(), l) + 0 * s.sum(), "梯度")

right(2, [math.log(50), math.log(1 + math.exp(-1))])
right(2, (3.912, 0.3133))
wrong(2, [math.log(50), 0.0], "第二个数")
wrong(2, [1 / 50, 0.3133], "第一个数")
wrong(2, [math.log2(50), 0.3133], "第一个数")
wrong(2, [math.log(50), math.log(2)], "第二个数")
wrong(2, [3.912], "应有两个数")


def masked(output, target, lengths):
    mask = t.arange(output.shape[1]) < t.tensor(lengths)[:, None]
    return F.cross_entropy(output[mask], target[mask])


def weighted(output, target, lengths):
    each = F.cross_entropy(output.transpose(1, 2), target, reduction="none")
    mask = (t.arange(output.shape[1]) < t.tensor(lengths)[:, None]).float()
    return (each * mask).sum() / mask.sum()


def packed(output, target, lengths):
    pieces = [F.cross_entropy(o[:n], y[:n], reduction="sum") for o, y, n in zip(output, target, lengths)]
    return sum(pieces) / sum(lengths)


def of_sentences(output, target, lengths):
    return t.stack([F.cross_entropy(o[:n], y[:n]) for o, y, n in zip(output, target, lengths)]).mean()


def over_all(output, target, lengths):  # 分母数了补齐的位置
    each = F.cross_entropy(output.transpose(1, 2), target, reduction="none")
    return (each * (t.arange(output.shape[1]) < t.tensor(lengths)[:, None])).mean()


right(3, masked)
right(3, weighted)
right(3, packed)
wrong(3, of_sentences, "各句平均的平均")
wrong(3, over_all, "应为")
wrong(3, lambda o, y, n: F.cross_entropy(o.flatten(0, 1), y.flatten()), "补齐的位置也算")
wrong(3, lambda o, y, n: F.cross_entropy(o.flatten(0, 1), y.flatten(), ignore_index=0), "应为")
wrong(3, lambda o, y, n: masked(o, y, n).detach(), "计算图")
wrong(3, lambda o, y, n: masked(o, y, n).item(), "应为张量")
wrong(3, lambda o, y, n: masked(o, y, [k - 1 if k > 1 else k for k in n]), "应为")
wrong(3, lambda o, y, n: masked(o, y, n) * sum(n), "应为")


class Focal(nn.Module):
    def __init__(self, gamma):
        super().__init__()
        self.gamma = gamma

    def terms(self, score, label):
        log_p = F.log_softmax(score, 1).gather(1, label[:, None])[:, 0]
        return -(1 - log_p.exp()) ** self.gamma * log_p

    def forward(self, score, label):
        return self.terms(score, label).mean()


class ByEntropy(nn.Module):
    def __init__(self, gamma):
        super().__init__()
        self.gamma = gamma

    def forward(self, score, label):
        loss = F.cross_entropy(score, label, reduction="none")
        return ((1 - (-loss).exp()).pow(self.gamma) * loss).mean()


class OnMean(Focal):  # 先平均再乘
    def forward(self, score, label):
        loss = F.cross_entropy(score, label)
        return (1 - (-loss).exp()) ** self.gamma * loss


class Unsafe(Focal):
    def terms(self, score, label):
        p = score.softmax(1).gather(1, label[:, None])[:, 0]
        return -(1 - p) ** self.gamma * p.log()


class Summed(Focal):
    def forward(self, score, label):
        return self.terms(score, label).sum()


class Reversed(Focal):
    def terms(self, score, label):
        log_p = F.log_softmax(score, 1).gather(1, label[:, None])[:, 0]
        return -log_p.exp() ** self.gamma * log_p


class Detached(Focal):  # 权重不参与求导
    def terms(self, score, label):
        log_p = F.log_softmax(score, 1).gather(1, label[:, None])[:, 0]
        return -((1 - log_p.exp()) ** self.gamma).detach() * log_p


class Epsilon(Focal):
    def terms(self, score, label):
        p = score.softmax(1).gather(1, label[:, None])[:, 0]
        return -(1 - p) ** self.gamma * (p + 1e-8).log()


class NoGradient(Focal):
    def forward(self, score, label):
        return super().forward(score, label).detach()


right(4, Focal)
right(4, ByEntropy)
wrong(4, OnMean, "应为")
wrong(4, Unsafe, "现在是")
wrong(4, Summed, "应为")
wrong(4, Reversed, "应为")
wrong(4, Detached, "梯度")
wrong(4, Epsilon, "应为")
wrong(4, NoGradient, "计算图")
wrong(4, lambda gamma: Focal(2.0), "Module 的子类")
