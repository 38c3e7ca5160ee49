"""作诗：逐字抽样，每一步先按规矩划掉不许写的字。一批诗同时往下写。"""

import warnings
from collections.abc import Iterator

import torch as t
from torch.nn import functional as F

from data import EOP, START, Vocabulary
from rules import lines_of

warnings.filterwarnings("ignore", "TF32 acceleration on top of oneDNN")      # 下面关掉 oneDNN 时，torch 总要说一句不相干的话
HEAD = 256              # 累计概率先只看最可能的这么多个：把几千个字全排好序，比网络走一步还慢
COLDEST = 1e-3          # 比这还低，抽到的总是得分最高的字，得分除以它却会溢出


def sampling(opt) -> dict:
    """选项里怎样抽字的几项，是 write 的后几个参数。"""
    return {"temperature": opt.temperature, "top_k": opt.top_k, "top_p": opt.top_p, "seed": opt.seed}


def pick(logits: t.Tensor, temperature: float, top_k: int, top_p: float,
         generator: t.Generator) -> t.Tensor:
    """从得分 (B, V) 里为每首诗抽一个字，返回 (B,)。不许的字得分须已是负无穷。

    temperature 小于 COLDEST 时取得分最高的；top_k 只留最高的 k 个；top_p 只留累计概率刚到 p 的那些
    （Holtzman et al., 2020, arXiv:1904.09751）。
    """
    if temperature < COLDEST:
        return logits.argmax(-1)
    logits = logits / temperature
    if top_k:
        kth = logits.topk(min(top_k, logits.shape[-1])).values[:, -1:]
        logits = logits.masked_fill(logits < kth, -t.inf)
    probability = logits.softmax(-1)
    if top_p == 1:
        return t.multinomial(probability, 1, generator=generator)[:, 0]
    ordered, order = probability.topk(min(HEAD, logits.shape[-1]))
    if (ordered.sum(-1) < top_p).any():                         # 少有：概率太散，前 HEAD 个还不到 p
        ordered, order = probability.sort(-1, descending=True)
    ordered[ordered.cumsum(-1) - ordered > top_p] = 0           # 最可能的一个总会留下
    return order.gather(-1, t.multinomial(ordered, 1, generator=generator))[:, 0]


def compose(model: t.nn.Module, vocabulary: Vocabulary, rules: list, prefix: str = "", candidates: int = 1,
            **sampling) -> list[str]:
    """与 generate 相同，但每首先写 candidates 首，留下 fluency 最高的；有重复句子的排在最后。"""
    poems = generate(model, vocabulary, [rule for rule in rules for _ in range(candidates)], prefix, **sampling)
    return [best(model, vocabulary, poems[i:i + candidates], prefix) for i in range(0, len(poems), candidates)]


def best(model: t.nn.Module, vocabulary: Vocabulary, poems: list[str], prefix: str = "") -> str:
    """几首里留下哪一首，见 compose。"""
    def rank(poem: str) -> tuple[bool, float]:
        lines = lines_of(poem)
        return len(set(lines)) == len(lines), fluency(model, vocabulary, poem, prefix)

    return poems[0] if len(poems) == 1 else max(poems, key=rank)


@t.inference_mode()
def fluency(model: t.nn.Module, vocabulary: Vocabulary, poem: str, prefix: str = "") -> float:
    """网络从头读一遍这首诗，平均每个字的对数概率（nats，不超过 0），越高越通顺。没有温度，也没有规矩。"""
    before = len(prefix) + 1                                        # <START> 和意境
    ids = t.tensor([[START, *vocabulary.encode(prefix + poem)]], device=next(model.parameters()).device)
    scores, _ = model(ids[:, :-1])                                  # (1, T, V)
    return -F.cross_entropy(scores[0, before - 1:].float(), ids[0, before:]).item()


def generate(*arguments, **options) -> list[str]:
    """作一批诗，返回各首的文字。参数同 write。"""
    *_, poems = write(*arguments, **options)
    return poems


@t.inference_mode()
def write(model: t.nn.Module, vocabulary: Vocabulary, rules: list, prefix: str = "",
          temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0, seed: int = 0) -> Iterator[list[str]]:
    """按 `rules`（一首一个）同时作一批诗，每走一步给出各首写到了哪里，最后一次是写完的。一首的规矩是列表时（各首行数相同），
    各行从头各写各的。

    `prefix` 是意境：接在 <START> 之后先读进状态，诗从它后面写起，它自己不算诗的一部分。
    """
    if isinstance(rules[0], list):
        above = [""] * len(rules)
        for number, line in enumerate(zip(*rules)):
            for poems in write(model, vocabulary, line, prefix, temperature, top_k, top_p, seed + number):
                yield [before + poem for before, poem in zip(above, poems)]
            above = [before + poem.strip() + "\n" for before, poem in zip(above, poems)]
        return
    model.eval()
    device = next(model.parameters()).device
    generator = t.Generator(device).manual_seed(seed)
    written = [[] for _ in rules]
    done = [False] * len(rules)
    ids = t.tensor([[START, *vocabulary.encode(prefix)]] * len(rules), device=device)   # (B, T)
    state = None
    while True:
        with t.backends.mkldnn.flags(enabled=False):            # 一次只读一个字时，oneDNN 的 LSTM 准备的工夫比算的还多
            logits, state = model(ids, state)                   # (B, T, V)
        masks = [None if done[i] else rule.allowed(written[i]) for i, rule in enumerate(rules)]
        done = [mask is None for mask in masks]
        if all(done):
            yield [vocabulary.decode(rule.finish(poem)) for rule, poem in zip(rules, written)]
            return
        ended = rules[0].masks.only(EOP)
        allowed = t.stack([ended if mask is None else mask for mask in masks]).to(device)  # (B, V)
        scores = logits[:, -1].float().masked_fill(~allowed, -t.inf)
        tokens = pick(scores, temperature, top_k, top_p, generator)
        for i, token in enumerate(tokens.tolist()):
            if token == EOP:
                done[i] = True
            elif not done[i]:
                written[i].append(token)
        ids = tokens[:, None]                                   # (B, 1)
        yield [vocabulary.decode(poem) for poem in written]
