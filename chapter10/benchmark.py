"""量速度：python benchmark.py。

比的是：束搜索，许多图的许多束一起，对照逐张逐束；一句里不重复事物的规定，对照没有它；训练，只给真词打分对照补到一样长，再对照 bfloat16。
网络用随书的权重；图和描述取自自带的场景。训练只量速度，图像特征用随机数代替。
"""

from collections.abc import Callable
from itertools import islice
from random import Random

import torch as t
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

from captioner import Captioner, load_captioner
from config import Config
from data import EOS, PAD, encode, make_encoder, segment, to_pixels
from data.drawing import draw
from data.features import EXTRACT_BATCH
from data.scenes import make_scenes
from data.sentences import write_captions
from search import Candidate, beam_search, log_probs, normalized
from timing import compare, print_header
from utils.runtime import setup

TRAIN_BATCH, SEARCH_BATCH = 100, 50         # 训练、写描述时一批几张图
BEAM, LONGEST = Config.beam_size, Config.max_caption_length


def main() -> None:
    runtime = setup(use_gpu=False)
    print_header()
    encoder = make_encoder("EfficientNetLite0")
    images = t.stack([to_pixels(draw(scene, Random(0)), Config.scale_size, Config.img_size)
                      for scene in islice(make_scenes("val"), SEARCH_BATCH)])
    parts = images.split(EXTRACT_BATCH["cpu"])
    grid = t.cat([encode(encoder, part, runtime) for part in parts])
    whole = compare(lambda: [encode(encoder, part, runtime) for part in parts], lambda: encode(encoder, images, runtime))
    print(f"提取特征：{len(images) / whole.ours:.0f} 张/秒（{Config.img_size}×{Config.img_size}），每 {EXTRACT_BATCH['cpu']} 张一算，"
          f"是 {len(images)} 张一起算的 {whole}")
    for model in ("AttentionCaptionModel", "CaptionModel"):
        captioner = load_captioner(Config(model=model), runtime.device)
        search_speed(model, captioner, grid)
        train_speed(model, captioner)


@t.inference_mode()
def one_by_one(model: t.nn.Module, grid: t.Tensor) -> list[Candidate]:
    """一张图一张图、一束一束地做束搜索，每次只给网络一个词。grid (B, L, C)。"""
    found = []
    for picture in grid:
        scores, state, _ = model.start(picture[None])
        alive, finished = [(0.0, [], state, scores)], []
        for step in range(LONGEST + 1):
            grown = [(total + value, [*ids, word], state) for total, ids, state, scores in alive
                     for value, word in zip(*(part[0].tolist() for part in log_probs(scores).topk(2 * BEAM)))
                     if step < LONGEST or word == EOS]
            grown.sort(key=lambda beam: -beam[0])
            grown = grown[:2 * BEAM]
            finished += [Candidate(normalized(total, len(ids), 1.0), ids, total, []) for total, ids, _ in grown if ids[-1] == EOS]
            going = [beam for beam in grown if beam[1][-1] != EOS][:BEAM]
            worst = sorted(finished, reverse=True)[BEAM - 1].score if len(finished) >= BEAM else -t.inf
            if not going or normalized(going[0][0], LONGEST + 1, 1.0) <= worst:
                break
            alive = []
            for total, ids, state in going:
                scores, state, _ = model.step(t.tensor(ids[-1:]), state)
                alive.append((total, ids, state, scores))
        found.append(max(finished))
    return found


def search_speed(name: str, captioner: Captioner, grid: t.Tensor) -> None:
    """同样的束搜索：50 张图、各 5 束一起，对照一次一张图一束。"""
    few = grid[:5]
    batched, plain = beam_search(captioner.model, few, BEAM, LONGEST), one_by_one(captioner.model, few)
    assert all(abs(candidates[0].score - candidate.score) < 1e-3 for candidates, candidate in zip(batched, plain))
    once = t.tensor(captioner.vocabulary.once())
    whole = compare(lambda: beam_search(captioner.model, grid, BEAM, LONGEST),
                    lambda: one_by_one(captioner.model, few)).times(len(grid) / len(few))
    rule = compare(lambda: beam_search(captioner.model, grid, BEAM, LONGEST, once=once),
                   lambda: beam_search(captioner.model, grid, BEAM, LONGEST))
    print(f"{name} 束搜索：{len(grid) / whole.ours:.1f} 句/秒，是逐张逐束的 {whole}；加上一样东西只说一次的规定，速度是不加的 {rule}")


def train_speed(name: str, captioner: Captioner) -> None:
    """同一批描述，只给真词打分，对照补到这一批里最长的一句、补到 40 个词，补出来的也算。"""
    random, model, vocabulary = Random(0), captioner.model.train(), captioner.vocabulary
    sentences = [t.tensor(vocabulary.encode(segment(write_captions(scene, random, 1)[0])))
                 for scene in islice(make_scenes("train"), TRAIN_BATCH)]
    sentences.sort(key=len, reverse=True)
    lengths = t.tensor([len(sentence) for sentence in sentences])
    words = pad_sequence(sentences, batch_first=True, padding_value=PAD)
    grid = t.randn(TRAIN_BATCH, captioner.cells, captioner.channels)
    optimizer, runtime = t.optim.AdamW(model.parameters(), 1e-5), setup(use_gpu=False)

    def step(words: t.Tensor, lengths: t.Tensor, bf16: bool = False) -> None:
        targets = pack_padded_sequence(words, lengths, batch_first=True).data
        with runtime.autocast(on_cpu=bf16):
            scores = model(grid, words, lengths).data
        loss = F.cross_entropy(scores.float(), targets, ignore_index=PAD)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def padded(width: int) -> Callable:
        wide, full = F.pad(words, (0, width - words.shape[1]), value=PAD), t.full((TRAIN_BATCH,), width)
        return lambda: step(wide, full)

    longest, fixed = compare(lambda: step(words, lengths), padded(words.shape[1])), compare(lambda: step(words, lengths), padded(LONGEST))
    half = compare(lambda: step(words, lengths, bf16=True), lambda: step(words, lengths))
    print(f"{name} 训练：{TRAIN_BATCH / longest.ours:.0f} 句/秒，是补到最长一句（{words.shape[1]} 个词，平均 "
          f"{lengths.float().mean():.1f}）的 {longest}，补到 {LONGEST} 个词的 {fixed}；再加 --cpu-bf16=True 快到 {half}")


if __name__ == "__main__":
    main()
