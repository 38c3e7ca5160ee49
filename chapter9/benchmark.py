"""量速度和内存：python benchmark.py。

各比值都来自同一次运行：两种做法交替执行几轮，取每轮之比的中位数，机器忽快忽慢时也可信。
"""

import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import patch

import torch as t
from torch.nn import functional as F

import generation
from config import Config
from data import LengthBatchSampler, PoemDataset, Vocabulary, load_poems, split_poems
from generation import generate
from poet import build_model, load_model
from rules import make_rule
from utils.runtime import setup

ROUNDS = 5
BATCHES = 4                 # 每轮训练几批
BOOK_LENGTH = 125           # 书中把每首诗左边补空白到 125 个字
PAD = 0                     # 空白的编号；只量速度，用哪个字都一样


def main() -> None:
    parts = split_poems(load_poems("data"))
    vocabulary = Vocabulary.build(poem.text for part in parts.values() for poem in part)
    dataset = PoemDataset(parts["train"], vocabulary, BOOK_LENGTH)
    print(f"torch {t.__version__}，{t.get_num_threads()} 个线程，{ROUNDS} 轮取中位数")
    for name, extra in (("PoetryModel", {}), ("PoetryTransformer", {"hidden_dim": 1024, "num_layers": 4})):
        model = build_model(Config(model=name, **extra), vocabulary)
        train_speed(name, model, dataset)
        model, _ = load_model(Config().parse({"model": name}), t.device("cpu"))     # 作诗用训练好的：没训练过的概率是平的，少见
        generation_speed(name, model, vocabulary)
    print_memory()


def train_speed(name: str, model: t.nn.Module, dataset: PoemDataset) -> None:
    """同一批诗，一样长的不填充，对照书中左填充到 125，再对照 bfloat16。速度按真正的字数算。"""
    optimizer = t.optim.AdamW(model.parameters(), 1e-4)
    sampler = LengthBatchSampler(dataset, 32)
    batches = [t.stack([dataset[i] for i in batch]) for batch, _ in zip(sampler, range(ROUNDS * BATCHES))]
    padded = [F.pad(ids, (BOOK_LENGTH + 1 - ids.shape[1], 0), value=PAD)[:, :BOOK_LENGTH + 1] for ids in batches]

    def seconds(some: list[t.Tensor], bf16: bool = False) -> float:
        model.train()
        begin = time.perf_counter()
        for ids in some:
            with setup(use_gpu=False).autocast(on_cpu=bf16):
                scores, _ = model(ids[:, :-1])
                loss = F.cross_entropy(scores.flatten(0, 1), ids[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return time.perf_counter() - begin

    seconds(batches[:1])
    seconds(batches[:1], bf16=True)
    rows = []
    for i in range(0, len(batches), BATCHES):
        part = slice(i, i + BATCHES)
        ours, book, half = seconds(batches[part]), seconds(padded[part]), seconds(batches[part], bf16=True)
        rows.append((sum(ids[:, 1:].numel() for ids in batches[part]) / ours, book / ours, ours / half))
    speed, against_padding, with_bf16 = (statistics.median(column) for column in zip(*rows))
    print(f"{name} 训练：{speed:,.0f} 字/秒，是左填充到 {BOOK_LENGTH} 的 {against_padding:.1f} 倍；"
          f"再加 --cpu-bf16 快到 {with_bf16:.1f} 倍")


def generation_speed(name: str, model: t.nn.Module, vocabulary: Vocabulary, batch: int = 64) -> None:
    """作七律：一首一首地写，对照 64 首一批；再各对照平常的写法，即每一步用 oneDNN 的 LSTM，给全部字排序。"""
    rule = make_rule(Config(start_words="月", form="七律"), vocabulary)

    def speed(count: int) -> float:
        begin = time.perf_counter()
        poems = generate(model, vocabulary, [rule] * count, top_p=0.9)
        return sum(map(len, poems)) / (time.perf_counter() - begin)

    speed(1)
    pairs = [(speed(1), speed(batch)) for _ in range(ROUNDS)]
    alone, together = (statistics.median(column) for column in zip(*pairs))
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"{name} 作诗：单首 {alone:,.0f} 字/秒，{batch} 首一批 {together:,.0f} 字/秒，{ratio:.1f} 倍")
    for count in (1, batch):
        rows = []
        for _ in range(ROUNDS):
            with patch.object(generation, "HEAD", len(vocabulary)), patch.object(t.backends.mkldnn, "flags", lambda **_: nullcontext()):
                usual = speed(count)
            rows.append(speed(count) / usual)
        print(f"{name} 作诗，{count} 首一批：是平常写法的 {statistics.median(rows):.2f} 倍")


def print_memory() -> None:
    """另起进程运行 gen 和 train，报告各自的内存峰值。"""
    try:
        import resource  # noqa: F401
    except ImportError:
        print("内存峰值：这个系统上量不了（Windows 没有 resource 模块）")
        return
    main_file = Path(__file__).resolve().parent / "main.py"
    for words in (["gen"], ["train", "--max-steps=20"]):
        code = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, "
                "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); "
                "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
        with tempfile.TemporaryDirectory() as folder:
            data = f"--data-path={main_file.parent / 'data'}"
            done = subprocess.run([sys.executable, "-c", code, sys.executable, str(main_file), *words, data],
                                  cwd=folder, capture_output=True, text=True, check=True)
        unit = 1 if sys.platform == "darwin" else 1024      # macOS 以字节计，Linux 以千字节计
        print(f"内存峰值 {' '.join(words)}：{int(done.stdout) * unit / 2**20:,.0f} MB")


if __name__ == "__main__":
    main()
