"""写句子：贪心，和批量的束搜索。模型只要有 start(grid) 和 step(words, state) 两个方法。"""

from dataclasses import dataclass, field

import torch as t

from data import EOS, PAD, UNK

FORBIDDEN = (PAD, UNK)                  # 从不写这两个


@dataclass(order=True)
class Candidate:
    """一句写完的话。"""

    score: float                        # 对数概率除以长度的 length_norm 次方
    ids: list[int] = field(compare=False)               # 以 <eos> 结尾
    log_prob: float = field(compare=False)
    looks: list[list[float]] = field(compare=False)     # 每个词看各格的权重；没有注意力时是空表


def log_probs(scores: t.Tensor, banned: t.Tensor | None = None) -> t.Tensor:
    """打分 (…, V) → 对数概率；<pad>、<unk> 和 banned (…, V) 里为真的是负无穷。

    banned 的概率不分给别的词：不得不改说别的句子，不应因此显得更可信。
    """
    scores = scores.float().clone()
    scores[..., list(FORBIDDEN)] = -t.inf
    probs = scores.log_softmax(-1)
    return probs if banned is None else probs.masked_fill_(banned, -t.inf)


def written_once(used: t.Tensor, words: t.Tensor, once: t.Tensor) -> t.Tensor:
    """写下 words (B,) 之后不可再写的词 (B, V)：used 再加上刚写的、又属于 once (V,) 的。"""
    words = words[:, None]
    return used.scatter(1, words, used.gather(1, words) | once[words])


def normalized(log_prob: float, length: int, length_norm: float) -> float:
    """长句的对数概率总要低些；除以长度（含 <eos>）的 length_norm 次方才好比较，0 为不除。"""
    return log_prob / length ** length_norm


@t.inference_mode()
def greedy_search(model: t.nn.Module, grid: t.Tensor, max_length: int, length_norm: float = 1.0,
                  once: t.Tensor | None = None) -> list[list[Candidate]]:
    """每一步都取最可能的词。grid (B, L, C)；每张图返回只有一个候选的列表。

    once (V,) 里为真的词一句话里只写一次；None 为没有这样的词。
    """
    model.eval()
    scores, state, look = model.start(grid)
    once = no_words(scores) if once is None else once
    used = t.zeros_like(scores, dtype=t.bool)                       # (B, V)
    ids = [[] for _ in grid]
    looks = [[] for _ in grid]
    totals = [0.0] * len(grid)
    for i in range(max_length + 1):
        probs = log_probs(scores, used)
        if i == max_length:
            probs = only_eos(probs)
        best, words = probs.max(-1)                                 # (B,)
        for j, word in enumerate(words.tolist()):
            if not ids[j] or ids[j][-1] != EOS:
                ids[j].append(word)
                totals[j] += best[j].item()
                if look is not None:
                    looks[j].append(look[j].tolist())
        if all(sentence[-1] == EOS for sentence in ids):
            break
        scores, state, look = model.step(words, state)
        used = written_once(used, words, once)
    return [[Candidate(normalized(total, len(sentence), length_norm), sentence, total, seen)]
            for sentence, total, seen in zip(ids, totals, looks)]


@t.inference_mode()
def beam_search(model: t.nn.Module, grid: t.Tensor, beam_size: int, max_length: int,
                length_norm: float = 1.0, once: t.Tensor | None = None) -> list[list[Candidate]]:
    """束搜索，所有图的所有束一起往下写。grid (B, L, C)；每张图返回至多 beam_size 个候选，好的在前。once 同 greedy_search。

    没写完的只与没写完的比（它们一样长），写完的只与写完的比（按长度归一）。每张图的写完的候选满 beam_size 个，
    而没写完的无论怎样接都赢不了它们时，这张图就完成了。最多 max_length 个词，到头的一律接 <eos>。
    """
    model.eval()
    images, k = len(grid), beam_size
    scores, state, look = model.start(grid)
    first = log_probs(scores)                                       # (B, V)
    size = first.shape[1]
    # 开始时每张图只有一束是真的，其余的对数概率是负无穷
    totals = first.new_full((images, k), -t.inf)
    totals[:, 0] = 0
    expand = t.arange(images, device=grid.device).repeat_interleave(k)
    state = tuple(part[expand] for part in state)                   # (B·K, …)
    once = no_words(scores) if once is None else once
    used = t.zeros(images * k, size, dtype=t.bool, device=grid.device)
    probs, look = first[expand], None if look is None else look[expand]
    prefixes = [[([], [])] * k for _ in range(images)]              # 每束写下的词，和看过的地方
    finished: list[list[Candidate]] = [[] for _ in range(images)]
    base = t.arange(images, device=grid.device)[:, None] * k
    for i in range(max_length + 1):
        if i == max_length:
            probs = only_eos(probs)
        together = (totals[:, :, None] + probs.view(images, k, size)).flatten(1)        # (B, K·V)
        best, places = together.topk(min(2 * k, together.shape[1]), 1)  # 2K 个里至多 K 个是 <eos>，不是的至少 K 个
        looked = None if look is None else look.view(images, k, -1).tolist()
        chosen = collect(best.tolist(), places.tolist(), size, k, prefixes, looked, finished, length_norm)
        if i == max_length or all(done(finished[j], rows, k, max_length, length_norm) for j, rows in enumerate(chosen)):
            break
        totals = t.tensor([[row[0] for row in rows] for rows in chosen], device=grid.device)
        beams = t.tensor([[row[1] for row in rows] for rows in chosen], device=grid.device)     # (B, K)
        words = t.tensor([[row[2] for row in rows] for rows in chosen], device=grid.device)
        order = (base + beams).flatten()
        scores, state, look = model.step(words.flatten(), tuple(part[order] for part in state))
        used = written_once(used[order], words.flatten(), once)
        probs = log_probs(scores, used)                             # (B·K, V)
    return [sorted(candidates, reverse=True)[:k] for candidates in finished]


def collect(best, places, size: int, k: int, prefixes, looked, finished, length_norm: float) -> list[list[tuple]]:
    """把每张图的前 2K 个接法分开：写完的放进 finished，没写完的留 K 个，更新 prefixes。

    返回每张图留下的 K 束 (对数概率, 从哪一束来, 接的词)。
    """
    chosen = []
    for j, (values, where) in enumerate(zip(best, places)):
        kept, written = [], []
        for value, place in zip(values, where):
            beam, word = divmod(place, size)
            if value == -float("inf"):
                continue
            ids, seen = prefixes[j][beam]
            ids = [*ids, word]
            seen = [*seen, looked[j][beam]] if looked else seen
            if word == EOS:
                finished[j].append(Candidate(normalized(value, len(ids), length_norm), ids, value, seen))
            elif len(kept) < k:
                kept.append((value, beam, word))
                written.append((ids, seen))
        blank = k - len(kept)                                       # 词表很小时凑不满 K 束
        prefixes[j] = written + [([], [])] * blank
        chosen.append(kept + [(-float("inf"), 0, EOS)] * blank)
    return chosen


def done(finished: list[Candidate], rows: list[tuple], k: int, max_length: int, length_norm: float) -> bool:
    """写完的已满 K 个，而没写完的即使接下去的概率全是 1、写到最长，也排不进前 K。"""
    if len(finished) < k:
        return rows[0][0] == -float("inf")                          # 没有可接的了
    worst = sorted(finished, reverse=True)[k - 1].score
    return normalized(rows[0][0], max_length + 1, length_norm) <= worst


def no_words(scores: t.Tensor) -> t.Tensor:
    """打分 (B, V) → 全为假的 (V,)。"""
    return t.zeros(scores.shape[-1], dtype=t.bool, device=scores.device)


def only_eos(probs: t.Tensor) -> t.Tensor:
    """除 <eos> 外全设成负无穷：写到头了。"""
    masked = t.full_like(probs, -t.inf)
    masked[..., EOS] = probs[..., EOS]
    return masked
