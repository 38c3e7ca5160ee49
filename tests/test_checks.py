"""练习用的 checks.py：四章的一样；比较、不许用、不许循环各自能认出对错。"""

from __future__ import annotations

import filecmp
import importlib.util
import sys

import notebooks
import numpy as np
import pytest
import torch as t
from torch import nn
from torch.nn import functional as F

ORIGINAL = notebooks.ROOT / "chapter2/checks.py"
spec = importlib.util.spec_from_file_location("exercise_checks", ORIGINAL)
checks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(checks)


@pytest.mark.parametrize("chapter", ["chapter3", "chapter4", "chapter5"])
def test_copies_are_the_same(chapter: str):
    assert filecmp.cmp(ORIGINAL, notebooks.ROOT / chapter / "checks.py", shallow=False), "运行 make sync-utils"


def said(function, *args, **kwargs) -> str:
    """函数应抛出 Wrong；返回它的消息。"""
    with pytest.raises(checks.Wrong) as caught:
        function(*args, **kwargs)
    return str(caught.value)


# ---------------------------------------------------------------- grade


def test_grade_says_what_happened():
    assert checks.grade(lambda answer: None, None) == "未完成"
    assert checks.grade(lambda answer: None, 0) == "正确"
    assert checks.grade(lambda answer: "不对", 1) == "不对"
    assert checks.grade(lambda answer: checks.same(answer, 2), 1) == "结果应为 2，现在是 1"
    assert checks.grade(lambda answer: 1 / answer, 0) == "检查时出错：ZeroDivisionError: division by zero"


def test_grade_is_repeatable_and_leaves_the_generator_alone():
    drawn = []
    t.manual_seed(5)
    expected = t.rand(3)
    t.manual_seed(5)
    for _ in range(2):
        checks.grade(lambda answer: drawn.append(t.rand(2)), 1)
    assert t.equal(drawn[0], drawn[1]) and t.equal(t.rand(3), expected)
    with t.no_grad():
        checks.grade(lambda answer: drawn.append(t.is_grad_enabled()), 1)
    assert drawn[-1] is True


# ---------------------------------------------------------------- same、compare


@pytest.mark.parametrize(("got", "expected"), [
    (t.tensor([1., 2.]), t.tensor([1., 2. + 1e-6])), (t.tensor([float("nan")]), t.tensor([float("nan")])),
    (1, 1.0), (np.float64(1), 1.0), ((1, [2.0]), [1, (2.0,)]), ({"a": 1, "b": t.zeros(0)}, {"b": t.zeros(0), "a": 1}), ("x", "x"), (None, None)])
def test_equal_values_pass(got, expected):
    checks.same(got, expected)


@pytest.mark.parametrize(("got", "expected", "fragment"), [
    (t.zeros(2), t.zeros(3), "形状应为 (3,)，现在是 (2,)"), (t.zeros(2).double(), t.zeros(2), "应为 torch.float32"),
    (t.tensor([1., 2.]), t.tensor([1., 3.]), "应为 [1.0, 3.0]，现在是 [1.0, 2.0]"), ([1., 2.], t.zeros(2), "应为张量，现在是列表"),
    (t.zeros(4, 5), t.ones(4, 5), "[0, 0] 处应为 1.0，现在是 0.0（20 个数里有 20 个不同）"), (None, t.zeros(1), "没有 return"),
    (t.tensor(1.0), 1.0, ".item()"), (True, 1.0, "Python 的数"), (1, True, "Python 的 bool"), (2.0, 2, "Python 的 int"),
    ([1], [1, 2], "应有 2 项，现在有 1 项"), ([1, 3], [1, 2], "第 1 项应为 2，现在是 3"), ({"a": 1}, {"b": 1}, "键应为 ['b']，现在是 ['a']"),
    (float("nan"), 1.0, "应为 1.0，现在是 nan"), ("x", "y", "应为 'y'，现在是 'x'")])
def test_different_values_are_named(got, expected, fragment: str):
    assert fragment in said(checks.same, got, expected)


def test_compare_names_the_input_and_the_mistake():
    x = t.tensor([1.0, -2.0])
    checks.compare(t.relu, lambda x: x.clamp(min=0), (x,), (t.zeros(0),), grad=True)
    message = said(checks.compare, t.abs, t.relu, (x,), hints=((t.abs, "负数应变成 0"),))
    assert message == "负数应变成 0。输入 [1.0, -2.0]时，结果应为 [1.0, 0.0]，现在是 [1.0, 2.0]"
    assert "不连续的 (4, 3) 张量" in said(checks.compare, t.abs, t.relu, (checks.strided(t.randn(4, 3)),))


def test_compare_restores_what_was_changed():
    x = t.tensor([1.0, -2.0])
    assert "第 1 个输入被改动了" in said(checks.compare, lambda x: x.relu_(), t.relu, (x,))
    assert x.tolist() == [1.0, -2.0]


@pytest.mark.parametrize(("answer", "fragment"), [
    (lambda a, b: (a * b).detach(), "不带计算图"), (lambda a, b: a * b.detach(), "对第 2 个浮点输入的梯度"),
    (lambda a, b: 2 * a * b - (a * b).detach(), "对第 1 个浮点输入的梯度")])
def test_compare_follows_gradients(answer, fragment: str):
    assert fragment in said(checks.compare, answer, lambda a, b: a * b, (t.randn(3), t.randn(3)), grad=True)


# ---------------------------------------------------------------- without、no_loop


@pytest.mark.parametrize("use", [lambda x: F.softmax(x, 0), lambda x: t.softmax(x, 0), lambda x: x.softmax(0), lambda x: t.Tensor.softmax(x, 0),
                                 lambda x: t.special.softmax(x, 0), lambda x: nn.Softmax(0)(x), lambda x: nn.Sequential(nn.Softmax(0))(x)])
def test_every_name_of_a_function_is_forbidden(use):
    def run():
        with checks.without(F.softmax):
            use(t.randn(3))
    assert said(run) == "题目不许用 softmax，你的答案用了它"
    use(t.randn(3))


def test_use_that_was_caught_still_counts():
    def sly(x):
        try:
            return t.cdist(x, x)
        except Exception:
            return x
    assert "cdist" in said(checks.without(t.cdist)(sly), t.zeros(2, 2))
    assert checks.without(t.cdist)(lambda x: x + 1)(t.zeros(1)).item() == 1


def test_classes_and_python_functions_are_forbidden_and_given_back():
    from torch.func import jacrev
    assert "GRU" in said(checks.without(nn.GRU)(lambda: nn.GRU(2, 3)))
    assert "jacrev" in said(checks.without(jacrev)(lambda: t.func.jacrev(t.sin)(t.ones(1))))
    assert "numpy" in said(checks.without("numpy")(lambda: t.zeros(1).numpy()))
    assert isinstance(nn.GRU(2, 3), nn.GRU) and t.func.jacrev is jacrev
    assert jacrev(t.sin)(t.zeros(1)).item() == 1


def test_backward_is_watched_on_request():
    class Root(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.sqrt()

        @staticmethod
        def backward(ctx, grad):
            return grad / (2 * ctx.saved_tensors[0].sqrt())

    def run():
        y = Root.apply(t.ones(2, requires_grad=True))
        with checks.without("sqrt", backward=True):
            y.sum().backward()
    assert "sqrt" in said(run)
    assert t.ones(1).sqrt().item() == 1


def apply_rows(x):
    return t.tensor(np.apply_along_axis(sum, 1, x.numpy()))


@pytest.mark.parametrize("loop", [
    lambda x: t.stack([row.sum() for row in x]), lambda x: t.stack(list(map(t.sum, x))), lambda x: sum(x.T), apply_rows,
    lambda x: t.tensor([sum(row) for row in x.tolist()]), lambda x: t.tensor(list(map(sum, x.tolist())))])
def test_loops_are_found(loop):
    assert said(checks.no_loop, loop, (t.ones(3, 2),), (t.ones(60, 50),))


@pytest.mark.parametrize("straight", [lambda x: x.sum(1), lambda x: t.einsum("ij->i", x), lambda x: F.layer_norm(x, x.shape[1:]),
                                      lambda x: t.cat([x, x]).view(2, *x.shape).sum((0, 2)), lambda x: t.vmap(t.sum)(x)])
def test_straight_code_is_not_a_loop(straight):
    before = sys.gettrace()
    checks.no_loop(straight, (t.ones(3, 2),), (t.ones(60, 50),))
    assert sys.gettrace() is before
