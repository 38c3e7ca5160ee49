"""自我批评：抽样照模型的概率，权重比较同一张图的几句，练下去得分会涨。"""

import pytest
import torch as t
from conftest import DATA, TINY
from helpers import call, fails

from data import EOS, PAD
from metrics import Cider
from models import CaptionModel
from selfcritical import MAX_LENGTH, criticize, sample
from utils import load_checkpoint

WORDS = 9


def model_and_grid(images=3):
    t.manual_seed(0)
    model = CaptionModel(WORDS, 5, 4, embedding_dim=16, rnn_hidden=16, num_layers=1, dropout=0)
    return model, t.randn(images, 4, 5)


def test_samples_follow_the_model():
    """很多次抽样里，第一个词出现的频率就是模型给它的概率；<pad> 只在 <eos> 之后。"""
    model, grid = model_and_grid(1)
    words, lengths = sample(model, grid.expand(4000, -1, -1))
    scores = model.start(grid)[0][0].detach()
    scores[:2] = -t.inf                                 # 从不写 <pad> 和 <unk>
    frequency = t.bincount(words[:, 0], minlength=WORDS) / len(words)
    t.testing.assert_close(frequency, scores.softmax(0), atol=0.04, rtol=0)
    assert words.shape[1] <= MAX_LENGTH
    for row, length in zip(words[:200].tolist(), lengths.tolist()):
        assert row[length - 1] == EOS and EOS not in row[:length - 1] and set(row[length:]) <= {PAD}


def test_weights_compare_the_sentences_of_one_picture():
    model, grid = model_and_grid(3)
    references = [[(3, 4, 5, EOS)], [(6, 7, EOS)], [(8, 3, 8, EOS)]]
    judge = Cider(references)
    repeated, words, lengths, weights, reward = criticize(model, grid, [2, 0, 1], 4, judge)
    assert repeated.shape == (12, 4, 5) and weights.shape == (12,) and lengths.tolist() == sorted(lengths.tolist(), reverse=True)
    owner = [next(i for i, one in enumerate(grid) if t.equal(one, row)) for row in repeated]
    scores = [judge.score(tuple(row[:length]), [2, 0, 1][i])
              for row, length, i in zip(words.tolist(), lengths.tolist(), owner)]
    assert reward == pytest.approx(sum(scores) / 12)
    for i in range(3):
        mine = [(score, weight) for score, weight, one in zip(scores, weights.tolist(), owner) if one == i]
        mean = sum(score for score, _ in mine) / 4
        for score, weight in mine:
            assert weight == pytest.approx((score - mean) * 4 / 3, abs=1e-5)    # 减去其余三句的平均


def test_the_reward_rises(folder, capsys):
    """先学人写的句子，停在半路；再自我批评，自己写的句子得分明显高起来，验证集也不掉。"""
    small = [*DATA, "--embedding-dim=32", "--rnn-hidden=32", "--batch-size=8", "--warmup-steps=2"]
    call("train", *small, "--max-epoch=6", "--lr=5e-3", "--env=first")
    capsys.readouterr()
    call("train", *DATA, "--batch-size=8", "--warmup-steps=2", "--model-path=runs/first/last.pth", "--self-critical=6",
         "--max-epoch=20", "--lr=3e-3", "--env=second")
    rewards = [float(line.split("CIDEr ")[1].split("，")[0]) for line in capsys.readouterr().out.splitlines()
               if line.startswith("第 ")]
    assert len(rewards) == 20 and sum(rewards[-3:]) > 1.5 * sum(rewards[:3])
    assert load_checkpoint("runs/second/last.pth", "caption")["config"]["dropout"] == 0


def test_resume_gives_the_same_samples(folder):
    call("train", *TINY, "--max-steps=3", "--env=base")
    options = [*DATA, "--batch-size=8", "--model-path=runs/base/last.pth", "--self-critical=3", "--max-epoch=2", "--plot-every=2"]
    call("train", *options, "--env=whole")
    call("train", *options, "--env=parts", "--max-steps=2")
    call("train", "--env=parts", "--resume")
    one, two = (load_checkpoint(f"runs/{name}/last.pth", "caption") for name in ("whole", "parts"))
    assert one["step"] == two["step"] == 6
    assert all(t.equal(one["model"][name], two["model"][name]) for name in one["model"])


def test_one_sentence_cannot_be_compared(folder, capsys):
    assert "--self-critical=1" in fails(capsys, "train", *TINY, "--self-critical=1")
