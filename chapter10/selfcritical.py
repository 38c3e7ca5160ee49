"""自我批评：训练好之后，直接朝评价指标再练几轮。

交叉熵教网络接在参考句后面写下一个词，用的时候它却接在自己写的词后面；评分看的又是整句。所以让网络自己写：每张图抽几句，
CIDEr 比同图其余几句的平均高的，提高它每个词的概率，低的就压低，差多少，就推多用力：

    ∇loss = -Σ (这句的 CIDEr - 其余几句的平均) · ∇log p(这句)

这是策略梯度（REINFORCE）。CIDEr 不可导，但不需要它可导：只拿它来加权。减去平均，推的方向才有好有坏，方差也小得多。
用来加权的思路出自 Rennie et al., 2017, arXiv:1612.00563，以其余几句的平均作基线出自 Luo, 2020, arXiv:2003.09971。
"""

import torch as t

from data import EOS, PAD
from metrics import Cider
from search import log_probs

MAX_LENGTH = 20             # 抽样时一句最多几个词，含 <eos>


@t.no_grad()
def sample(model: t.nn.Module, grid: t.Tensor) -> tuple[t.Tensor, t.Tensor]:
    """照概率抽词，给每张图写一句。grid (B, L, C) → 词 (B, T)，末尾 <eos> 再补 <pad>；长度 (B,)，含 <eos>，在 CPU 上。"""
    scores, state, _ = model.start(grid)
    words, ended = [], t.zeros(len(grid), dtype=t.bool, device=grid.device)
    for i in range(MAX_LENGTH):
        word = log_probs(scores).exp().multinomial(1)[:, 0]        # (B,)
        if i == MAX_LENGTH - 1:
            word[:] = EOS
        words.append(word.masked_fill(ended, PAD))
        ended |= word == EOS
        if ended.all():
            break
        scores, state, _ = model.step(word, state)
    words = t.stack(words, 1)
    return words, (words != PAD).sum(1).cpu()


def criticize(model: t.nn.Module, grid: t.Tensor, images: list[int], count: int,
              judge: Cider) -> tuple[t.Tensor, t.Tensor, t.Tensor, t.Tensor, float]:
    """给一批图 grid (B, L, C) 各抽 count 句，打分，返回与人写的句子同样用法的一批，长的在前。

    images 是各图在 judge 的参考里的下标。返回特征 (B·count, L, C)、词 (B·count, T)、长度 (B·count,)、每句的权重 (B·count,)
    和平均得分。
    """
    grid = grid.repeat_interleave(count, 0)
    words, lengths = sample(model, grid)
    scores = t.tensor([judge.score(tuple(row[:length]), images[i // count])
                       for i, (row, length) in enumerate(zip(words.tolist(), lengths.tolist()))]).view(-1, count)
    others = (scores.sum(1, keepdim=True) - scores) / (count - 1)
    weights = (scores - others).flatten().to(grid.device)
    order = lengths.argsort(descending=True, stable=True)
    place = order.to(grid.device)
    return grid[place], words[place], lengths[order], weights[place], scores.mean().item()
