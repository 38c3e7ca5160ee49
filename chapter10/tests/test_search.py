"""束搜索：与穷举一致，成批与逐张一致，长度归一，贪心。"""

import itertools
import math

import pytest
import torch as t

from data import EOS, PAD, UNK
from models import AttentionCaptionModel, CaptionModel
from search import beam_search, greedy_search, log_probs

VOCABULARY, CHANNELS, CELLS = 6, 5, 4           # 三个特殊符号，三个词
LONGEST = 4


def make(kind, seed=0):
    t.manual_seed(seed)
    model = kind(VOCABULARY, CHANNELS, CELLS, 8, 8).eval()
    for parameter in model.parameters():        # 分布尖一些，各句的概率差得开
        t.nn.init.normal_(parameter, std=1.0)
    return model


def log_probability(model, grid, ids) -> float:
    """一句话的对数概率，一个词一个词地算。"""
    with t.inference_mode():
        scores, state, _ = model.start(grid)
        total = 0.0
        for i, word in enumerate(ids):
            if i < LONGEST:                     # 写满 LONGEST 个词以后必须结束，仍按原来的概率计
                total += log_probs(scores)[0, word].item()
            else:
                total += log_probs(scores)[0, EOS].item()
            scores, state, _ = model.step(t.tensor([word]), state)
    return total


def exhaustive(model, grid, length_norm):
    """全部可能的句子（至多 LONGEST 个词），好的在前。"""
    words = [i for i in range(VOCABULARY) if i not in (PAD, UNK, EOS)]
    sentences = [[*ids, EOS] for size in range(LONGEST + 1) for ids in itertools.product(words, repeat=size)]
    scored = [(log_probability(model, grid, ids) / len(ids) ** length_norm, ids) for ids in sentences]
    return sorted(scored, reverse=True)


@pytest.mark.parametrize("kind", [CaptionModel, AttentionCaptionModel])
@pytest.mark.parametrize("length_norm", [0.0, 1.0])
def test_a_wide_beam_finds_what_exhaustive_search_finds(kind, length_norm):
    for seed in range(3):
        model, grid = make(kind, seed), t.randn(1, CELLS, CHANNELS)
        best = exhaustive(model, grid, length_norm)[:5]
        found, = beam_search(model, grid, 81, LONGEST, length_norm)         # 3⁴ = 81 束，一束不丢
        assert [candidate.ids for candidate in found[:5]] == [ids for _, ids in best]
        assert [candidate.score for candidate in found[:5]] == pytest.approx([score for score, _ in best], abs=1e-4)


@pytest.mark.parametrize("kind", [CaptionModel, AttentionCaptionModel])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_batched_over_images_equals_one_at_a_time(kind, size):
    model, grid = make(kind), t.randn(7, CELLS, CHANNELS)
    together = beam_search(model, grid, size, 10)
    for i, candidates in enumerate(together):
        alone, = beam_search(model, grid[i:i + 1], size, 10)
        assert [candidate.ids for candidate in alone] == [candidate.ids for candidate in candidates]
        assert [c.score for c in alone] == pytest.approx([c.score for c in candidates], abs=1e-4)


@pytest.mark.parametrize("kind", [CaptionModel, AttentionCaptionModel])
def test_every_candidate_is_complete_sorted_and_scored_by_its_length(kind):
    model, grid = make(kind), t.randn(5, CELLS, CHANNELS)
    for candidates in beam_search(model, grid, 4, 6, length_norm=0.7):
        assert len(candidates) == 4
        assert [c.score for c in candidates] == sorted((c.score for c in candidates), reverse=True)
        assert len({tuple(c.ids) for c in candidates}) == 4
        for candidate in candidates:
            assert candidate.ids[-1] == EOS and EOS not in candidate.ids[:-1] and len(candidate.ids) <= 7
            assert not {PAD, UNK} & set(candidate.ids)
            assert candidate.score == pytest.approx(candidate.log_prob / len(candidate.ids) ** 0.7)


def test_the_score_of_a_candidate_is_the_models_own():
    model, grid = make(AttentionCaptionModel), t.randn(1, CELLS, CHANNELS)
    for candidate in beam_search(model, grid, 3, LONGEST)[0]:
        assert candidate.log_prob == pytest.approx(log_probability(model, grid, candidate.ids), abs=1e-4)


def test_attention_of_every_word_sums_to_one():
    model, grid = make(AttentionCaptionModel), t.randn(2, CELLS, CHANNELS)
    for candidates in (*beam_search(model, grid, 3, 6), *greedy_search(model, grid, 6)):
        for candidate in candidates:
            assert len(candidate.looks) == len(candidate.ids)
            assert all(sum(look) == pytest.approx(1, abs=1e-4) for look in candidate.looks)
    assert beam_search(make(CaptionModel), grid, 3, 6)[0][0].looks == []


def test_attention_of_a_beam_follows_its_words():
    """束换了位置，看过的地方要跟着走：重新逐词算一遍，权重相同。"""
    model, grid = make(AttentionCaptionModel, 3), t.randn(1, CELLS, CHANNELS)
    for candidate in beam_search(model, grid, 4, 6)[0]:
        _, state, look = model.start(grid)
        looks = [look[0]]
        for word in candidate.ids[:-1]:
            _, state, look = model.step(t.tensor([word]), state)
            looks.append(look[0])
        t.testing.assert_close(t.tensor(candidate.looks), t.stack(looks).detach(), atol=1e-5, rtol=1e-4)


def test_greedy_takes_the_likeliest_word_each_time():
    model, grid = make(CaptionModel), t.randn(3, CELLS, CHANNELS)
    together = greedy_search(model, grid, 5)
    for i, (candidate,) in enumerate(together):
        scores, state, _ = model.start(grid[i:i + 1])
        for word in candidate.ids[:5]:
            assert word == log_probs(scores)[0].argmax().item()
            scores, state, _ = model.step(t.tensor([word]), state)
        assert greedy_search(model, grid[i:i + 1], 5)[0][0].ids == candidate.ids


class Undecided(t.nn.Module):
    """不看图的假模型：一开始以 0.4 的概率结束；否则要写满三个词，概率 0.6 × 0.8 × 0.8 × 0.9 = 0.35。"""

    END = (0.4, 0.2, 0.2, 0.9)

    def start(self, grid):
        return self.rows(len(grid), 0), (t.zeros(len(grid), 1),), None

    def step(self, words, state):
        step = int(state[0][0, 0]) + 1
        return self.rows(len(words), step), (state[0] + 1,), None

    def rows(self, count, step):
        end = self.END[min(step, 3)]
        return t.tensor([1e-9, 1e-9, end, 1 - end]).log().expand(count, -1)     # 三个特殊符号和一个词


def test_length_normalisation_lets_longer_sentences_win():
    grid = t.zeros(1, 1, 1)
    short, long = (beam_search(Undecided(), grid, 3, 8, length_norm=norm)[0][0] for norm in (0.0, 1.0))
    assert short.ids == [EOS] and math.exp(short.score) == pytest.approx(0.4, abs=1e-3)
    assert long.ids == [3, 3, 3, EOS] and math.exp(long.log_prob) == pytest.approx(0.6 * 0.8 * 0.8 * 0.9, abs=1e-3)


class Parrot(t.nn.Module):
    """不看图的假模型：每一步都是第 3 个词 0.5、第 4 个 0.2、<eos> 0.3，与写过什么无关。"""

    def start(self, grid):
        return t.tensor([1e-9, 1e-9, 0.3, 0.5, 0.2]).log().expand(len(grid), -1), (t.zeros(len(grid), 1),), None

    def step(self, words, state):
        return self.start(words)


def test_words_that_are_said_once_are_not_said_again():
    grid, once = t.zeros(2, 1, 1), t.tensor([False, False, False, True, False])
    free, bound = (greedy_search(Parrot(), grid, 4, once=words)[1][0] for words in (None, once))
    assert free.ids == [3, 3, 3, 3, EOS] and bound.ids == [3, EOS]
    for candidates in beam_search(Parrot(), grid, 4, 4, once=once):
        assert len(candidates) == 4 and all(candidate.ids.count(3) <= 1 for candidate in candidates)
    assert any(candidate.ids.count(3) > 1 for candidate in beam_search(Parrot(), grid, 4, 4)[0])


def test_a_banned_word_does_not_make_the_others_likelier():
    """写完第 3 个词再结束，概率仍是 0.5 × 0.3，不是 0.5 × 0.3 / (0.3 + 0.2)。"""
    once = t.tensor([False, False, False, True, False])
    candidates, = beam_search(Parrot(), t.zeros(1, 1, 1), 4, 4, once=once)
    said = {tuple(candidate.ids): math.exp(candidate.log_prob) for candidate in candidates}
    assert said[3, EOS] == pytest.approx(0.15, abs=1e-3)


@pytest.mark.parametrize("kind", [CaptionModel, AttentionCaptionModel])
def test_each_beam_remembers_its_own_words(kind):
    """束换了位置，写过的词要跟着走：与穷举全部合格的句子一致。"""
    once = t.tensor([False] * 3 + [True, True, False])
    for seed in range(3):
        model, grid = make(kind, seed), t.randn(1, CELLS, CHANNELS)
        allowed = [(score, ids) for score, ids in exhaustive(model, grid, 1.0) if ids.count(3) <= 1 and ids.count(4) <= 1]
        found, = beam_search(model, grid, 81, LONGEST, 1.0, once)
        assert [candidate.ids for candidate in found[:5]] == [ids for _, ids in allowed[:5]]
        assert [candidate.score for candidate in found[:5]] == pytest.approx([score for score, _ in allowed[:5]], abs=1e-4)
