"""量速度和内存：python benchmark.py。

比的是：训练，一样长的诗凑成一批、不填充，对照书中左填充到 125 个字，再对照 bfloat16；
作诗，64 首一批对照一首一首，再对照平常的写法（每一步用 oneDNN 的 LSTM，给全部字排序）。
"""

from contextlib import nullcontext
from functools import partial
from unittest.mock import patch

import torch as t
from torch.nn import functional as F

import generation
from config import Config
from data import LengthBatchSampler, PoemDataset, Vocabulary, load_poems, split_poems
from generation import generate
from poet import build_model, load_model
from rules import make_rule
from timing import MAIN, compare, print_header, print_memory
from utils.runtime import setup

BATCHES = 4                 # 每轮训练几批
BOOK_LENGTH = 125           # 书中把每首诗左边补空白到 125 个字
PAD = 0                     # 空白的编号；只量速度，用哪个字都一样
MODELS = {"PoetryModel": {}, "PoetryTransformer": {"hidden_dim": 1024, "num_layers": 4}}


def main() -> None:
    data = MAIN.parent / "data"
    parts = split_poems(load_poems(str(data)))
    vocabulary = Vocabulary.build(poem.text for part in parts.values() for poem in part)
    dataset = PoemDataset(parts["train"], vocabulary, BOOK_LENGTH)
    print_header()
    for name, extra in MODELS.items():
        train_speed(name, build_model(Config(model=name, **extra), vocabulary), dataset)
        model, own = load_model(Config().parse({"model": name}), t.device("cpu"))   # 作诗用训练好的：没训练过的概率是平的，少见
        generation_speed(name, model, own)
    print_memory(f"gen --data-path={data}", f"train --max-steps=20 --data-path={data}")


def train_speed(name: str, model: t.nn.Module, dataset: PoemDataset) -> None:
    """同一批诗。速度按真正的字数算。"""
    optimizer, runtime = t.optim.AdamW(model.parameters(), 1e-4), setup(use_gpu=False)
    sampler = LengthBatchSampler(dataset, 32)
    batches = [t.stack([dataset[i] for i in batch]) for batch, _ in zip(sampler, range(BATCHES))]
    padded = [F.pad(ids, (BOOK_LENGTH + 1 - ids.shape[1], 0), value=PAD)[:, :BOOK_LENGTH + 1] for ids in batches]

    def learn(some: list[t.Tensor], bf16: bool = False) -> None:
        model.train()
        for ids in some:
            with runtime.autocast(on_cpu=bf16):
                scores, _ = model(ids[:, :-1])
                loss = F.cross_entropy(scores.flatten(0, 1), ids[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    book = compare(partial(learn, batches), partial(learn, padded))
    half = compare(partial(learn, batches, bf16=True), partial(learn, batches))
    print(f"{name} 训练：{sum(ids[:, 1:].numel() for ids in batches) / book.ours:,.0f} 字/秒，是左填充到 {BOOK_LENGTH} 的 {book}；"
          f"再加 --cpu-bf16=True 快到 {half}")


def generation_speed(name: str, model: t.nn.Module, vocabulary: Vocabulary, batch: int = 64) -> None:
    """作七律。"""
    rule = make_rule(Config(start_words="月", form="七律"), vocabulary)
    characters = len(generate(model, vocabulary, [rule], top_p=0.9)[0])

    def write(count: int) -> None:
        generate(model, vocabulary, [rule] * count, top_p=0.9)

    def usual(count: int) -> None:
        with patch.object(generation, "HEAD", len(vocabulary)), patch.object(t.backends.mkldnn, "flags", lambda **_: nullcontext()):
            write(count)

    alone, together = (compare(partial(write, count), partial(usual, count)) for count in (1, batch))
    print(f"{name} 作诗：单首 {characters / alone.ours:,.0f} 字/秒，是平常写法的 {alone}；"
          f"{batch} 首一批 {batch * characters / together.ours:,.0f} 字/秒，是平常写法的 {together}，是单首的 {batch * alone.ours / together.ours:.1f} 倍")


if __name__ == "__main__":
    main()
