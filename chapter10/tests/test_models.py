"""两个网络：打包的序列里没有填充，逐步与整句一致，注意力看得到地方。"""

import pytest
import torch as t
from torch.nn.utils.rnn import pack_padded_sequence

from data import EOS, PAD
from models import AttentionCaptionModel, CaptionModel

VOCABULARY, CHANNELS, CELLS = 12, 10, 4
KINDS = pytest.mark.parametrize("kind", [CaptionModel, AttentionCaptionModel])


def make(kind):
    t.manual_seed(0)
    return kind(VOCABULARY, CHANNELS, CELLS, 8, 16, dropout=0.0).eval()


def batch():
    t.manual_seed(1)
    lengths = t.tensor([6, 4, 4, 2])
    words = t.full((4, 6), PAD)
    for row, length in zip(words, lengths.tolist()):
        row[:length] = t.randint(3, VOCABULARY, (length,))
        row[length - 1] = EOS
    return t.randn(4, CELLS, CHANNELS), words, lengths


@KINDS
def test_scores_match_the_packed_targets(kind):
    grid, words, lengths = batch()
    scores = make(kind)(grid, words, lengths)
    targets = pack_padded_sequence(words, lengths, batch_first=True)
    assert scores.data.shape == (lengths.sum(), VOCABULARY)
    assert t.equal(scores.batch_sizes, targets.batch_sizes)
    assert PAD not in targets.data.tolist() and targets.data.tolist().count(EOS) == 4


@KINDS
def test_padding_changes_nothing(kind):
    grid, words, lengths = batch()
    model = make(kind)
    before = model(grid, words, lengths).data
    garbage = words.clone()
    garbage[words == PAD] = 7
    assert t.equal(model(grid, garbage, lengths).data, before)


@KINDS
def test_word_by_word_equals_the_whole_sentence(kind):
    grid, words, lengths = batch()
    model = make(kind)
    packed = model(grid, words, lengths)
    whole, _ = t.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)         # (B, T, V)
    scores, state, _ = model.start(grid)
    for i in range(words.shape[1]):
        alive = lengths > i
        t.testing.assert_close(scores[alive], whole[alive, i], atol=1e-5, rtol=1e-4)
        scores, state, _ = model.step(words[:, i], state)


@KINDS
def test_a_sentence_depends_on_its_own_picture_only(kind):
    grid, words, lengths = batch()
    model = make(kind)
    before = t.nn.utils.rnn.pad_packed_sequence(model(grid, words, lengths), batch_first=True)[0]
    other = grid.clone()
    other[1] += 1
    after = t.nn.utils.rnn.pad_packed_sequence(model(other, words, lengths), batch_first=True)[0]
    changed = [(before[i] - after[i]).abs().max().item() > 1e-4 for i in range(4)]
    assert changed == [False, True, False, False]


@KINDS
def test_everything_is_trained_except_the_statistics(kind):
    grid, words, lengths = batch()
    model = make(kind).train()
    model.standardize.fit(grid)
    model(grid, words, lengths).data.square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert {name for name, _ in model.named_buffers()} == {"standardize.mean", "standardize.std"}
    assert model.standardize(grid).mean((0, 1)).abs().max() < 1e-4


def test_only_attention_knows_where_things_are():
    """把各格打乱：平均特征不变，CaptionModel 的打分就不变；有注意力的会变。"""
    grid, words, lengths = batch()
    shuffled = grid[:, [2, 0, 3, 1]]
    plain, attention = make(CaptionModel), make(AttentionCaptionModel)
    t.nn.init.normal_(attention.place)
    assert t.allclose(plain(grid, words, lengths).data, plain(shuffled, words, lengths).data, atol=1e-5)
    assert not t.allclose(attention(grid, words, lengths).data, attention(shuffled, words, lengths).data, atol=1e-2)


def test_attention_weights_are_a_distribution():
    model = make(AttentionCaptionModel)
    _, state, first = model.start(batch()[0])
    _, _, second = model.step(t.tensor([3, 4, 5, 6]), state)
    for weights in (first, second):
        assert weights.shape == (4, CELLS) and (weights >= 0).all()
        t.testing.assert_close(weights.sum(1), t.ones(4))


def test_attention_knows_what_it_has_looked_at():
    """状态里记着每一格看过多少；looked 是负数时，看得最多的格子下一步换了地方。"""
    model, grid = make(AttentionCaptionModel), batch()[0]
    t.nn.init.ones_(model.energy.weight)
    t.nn.init.constant_(model.looked, -2.0)
    _, state, first = model.start(grid)
    assert t.equal(state[5], first)
    _, state, second = model.step(t.tensor([3, 4, 5, 6]), state)
    t.testing.assert_close(state[5], first + second)
    assert (first.argmax(1) != second.argmax(1)).any()


@pytest.mark.parametrize("kind, layers", [(CaptionModel, 1), (CaptionModel, 3)])
def test_layers_of_the_plain_model(kind, layers):
    grid, words, lengths = batch()
    model = kind(VOCABULARY, CHANNELS, CELLS, 8, 16, num_layers=layers)
    assert model(grid, words, lengths).data.shape == (16, VOCABULARY)
    assert model.start(grid)[1][0].shape == (4, layers, 16)
