import pytest
import torch as t

from models import PoetryModel, PoetryTransformer


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def lstm_size(inputs, hidden):
    return 4 * hidden * (inputs + hidden + 2)           # 四个门，权重和两个偏置


def test_book_configuration_has_the_books_layers():
    model = PoetryModel(8293, 128, 256, dropout=0, tie_weights=False)      # 8293：书中词表的大小
    assert count(model) == 8293 * 128 + lstm_size(128, 256) + lstm_size(256, 256) + 257 * 8293
    scores, (h, c) = model(t.randint(8293, (3, 11)))
    assert scores.shape == (3, 11, 8293)
    assert h.shape == c.shape == (2, 3, 256)


def test_tied_weights_are_one_matrix():
    model = PoetryModel(1000, 64, 96)
    assert model.linear.weight is model.embeddings.weight
    assert count(model) == 1000 * 64 + lstm_size(64, 96) + lstm_size(96, 96) + 97 * 64 + 1000
    assert count(PoetryModel(1000, 64, 96, tie_weights=False)) > count(model)


def test_transformer_size():
    dim, hidden, layers = 32, 64, 3
    block = 4 * dim * (dim + 1) + (dim + 1) * hidden + (hidden + 1) * dim + 4 * dim
    assert count(PoetryTransformer(500, dim, hidden, layers)) == 500 * dim + 500 + layers * block + 2 * dim


@pytest.mark.parametrize("make", [PoetryModel, PoetryTransformer])
def test_reading_step_by_step_equals_reading_at_once(make):
    t.manual_seed(0)
    model = make(200, 32, 48).eval()
    ids = t.randint(200, (2, 30))
    whole, _ = model(ids)
    state, pieces = None, []
    for part in (ids[:, :5], ids[:, 5:6], ids[:, 6:7], ids[:, 7:]):
        scores, state = model(part, state)
        pieces.append(scores)
    t.testing.assert_close(t.cat(pieces, 1), whole, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("make", [PoetryModel, PoetryTransformer])
def test_the_future_is_not_seen(make):
    t.manual_seed(0)
    model = make(200, 32, 48).eval()
    ids = t.randint(200, (2, 20))
    changed = ids.clone()
    changed[:, 12:] = t.randint(200, (2, 8))
    t.testing.assert_close(model(ids)[0][:, :12], model(changed)[0][:, :12])
    assert not t.allclose(model(ids)[0][:, 12:], model(changed)[0][:, 12:])


def test_transformer_window_limits_memory_and_sight():
    t.manual_seed(0)
    model = PoetryTransformer(200, 32, 48, num_layers=1, window=8).eval()
    ids = t.randint(200, (1, 30))
    whole, state = model(ids)
    assert state[0][0].shape[2] == 8                    # 缓存只留窗口那么长
    step, _ = model(ids[:, 29:], model(ids[:, :29])[1])
    t.testing.assert_close(step[:, 0], whole[:, 29], atol=1e-4, rtol=1e-4)
    far = ids.clone()
    far[:, :10] = 0
    t.testing.assert_close(model(far)[0][:, 20:], whole[:, 20:], atol=1e-4, rtol=1e-4)
