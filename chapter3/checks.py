"""练习怎样检查：第 2 到 5 章每题的 check_N 都用这里的函数。想知道「怎样才算对」，读到这里就够了。

一题的检查通常是几行：拿你的答案与一个参考实现，在随机的、退化的（空的、只有一行、只有一列）、不对称的输入上比较；
要能求导的，梯度也要相同；题目不许用的函数，一用就有一句话。四章的 checks.py 相同，改 chapter2 的那一份，再 make sync-utils。
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FunctionType
from unittest import mock

import torch as t
from torch.overrides import TorchFunctionMode


class Wrong(Exception):
    """答案不对；消息说明应为什么、现在是什么。"""


def grade(check: Callable, answer: object) -> str:
    """返回「未完成」「正确」或哪里不对；不会中断笔记本。

    随机数从固定的种子取，同一个答案每次得到同样的结论；检查完毕，笔记本自己的随机数不受影响。
    """
    if answer is None:
        return "未完成"
    try:
        with t.random.fork_rng(devices=[]), t.enable_grad():
            t.manual_seed(0)
            return check(answer) or "正确"
    except Wrong as wrong:
        return str(wrong)
    except Exception as error:
        return f"检查时出错：{type(error).__name__}: {error}"


# ---------------------------------------------------------------- 比较


def show(value: object, most: int = 12) -> str:
    """在一句话里怎样写这个值：不超过 most 个数就写出来，再长只写形状、类型（默认的不写）、是否连续。"""
    if isinstance(value, t.Tensor):
        if value.numel() <= most and not value.is_meta:
            return str(rounded(value.detach().tolist()))
        kind = "" if value.dtype in (t.float32, t.int64) else str(value.dtype).removeprefix("torch.") + " "
        return f"{'' if value.is_contiguous() else '不连续的 '}{tuple(value.shape)} {kind}张量"
    if isinstance(value, (list, tuple)) and any(isinstance(item, t.Tensor) for item in value):
        return "（" + "、".join(show(item, most) for item in value) + "）"
    text = repr(rounded(value))
    return text if len(text) <= 120 else text[:117] + "…"


def rounded(value: object) -> object:
    """小数留四位有效数字，免得一句话里全是 float32 的尾数。"""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return type(value)(map(rounded, value)) if type(value) in (list, tuple) else value


def same(got: object, expected: object, what: str = "结果", rtol: float = 1e-4, atol: float = 1e-5) -> None:
    """got 应与 expected 相同，不同就抛出 Wrong。

    张量比类型（dtype）、形状与数值，Python 数比到 rtol、atol，列表与元组不分彼此，字典不计次序。
    """
    if isinstance(expected, t.Tensor):
        same_tensor(got, expected, what, rtol, atol)
    elif isinstance(expected, (list, tuple)):
        if not isinstance(got, (list, tuple)):
            raise Wrong(f"{what}应为{type_name(expected)}，现在是{type_name(got)}")
        if len(got) != len(expected):
            raise Wrong(f"{what}应有 {len(expected)} 项，现在有 {len(got)} 项")
        for k, (mine, right) in enumerate(zip(got, expected)):
            same(mine, right, f"{what}的第 {k} 项", rtol, atol)
    elif isinstance(expected, dict):
        if not isinstance(got, dict):
            raise Wrong(f"{what}应为字典，现在是{type_name(got)}")
        if got.keys() != expected.keys():
            raise Wrong(f"{what}的键应为 {show(list(expected))}，现在是 {show(list(got))}")
        for key, right in expected.items():
            same(got[key], right, f"{what}的 {key!r} 项", rtol, atol)
    elif isinstance(expected, float):
        if not isinstance(got, (float, int)) or isinstance(got, bool):
            raise Wrong(f"{what}应为 Python 的数，现在是{type_name(got)}" + "：用 .item()" * isinstance(got, t.Tensor))
        if not abs(got - expected) <= atol + rtol * abs(expected):
            raise Wrong(f"{what}应为 {show(expected)}，现在是 {show(got)}")
    elif isinstance(expected, (bool, int)):
        if type(got) is not type(expected):
            raise Wrong(f"{what}应为 Python 的 {type(expected).__name__}，现在是{type_name(got)}")
        if got != expected:
            raise Wrong(f"{what}应为 {expected}，现在是 {got}")
    elif got != expected:
        raise Wrong(f"{what}应为 {show(expected)}，现在是 {show(got)}")


def same_tensor(got: object, expected: t.Tensor, what: str, rtol: float, atol: float) -> None:
    if not isinstance(got, t.Tensor):
        raise Wrong(f"{what}应为张量，现在是{type_name(got)}")
    if got.shape != expected.shape:
        raise Wrong(f"{what}的形状应为 {tuple(expected.shape)}，现在是 {tuple(got.shape)}")
    if got.dtype != expected.dtype:
        raise Wrong(f"{what}的类型应为 {expected.dtype}，现在是 {got.dtype}")
    got, expected = (x.detach().as_subclass(t.Tensor) for x in (got, expected))
    different = ~t.isclose(got, expected, rtol=rtol, atol=atol, equal_nan=True)
    if not different.any():
        return
    if expected.numel() <= 12:
        raise Wrong(f"{what}应为 {show(expected)}，现在是 {show(got)}")
    place = tuple(different.nonzero()[0].tolist())
    raise Wrong(f"{what}在 {list(place)} 处应为 {show(expected[place])}，现在是 {show(got[place])}"
                f"（{different.numel()} 个数里有 {int(different.sum())} 个不同）")


def type_name(value: object) -> str:
    if isinstance(value, t.Tensor):
        return f"形状 {tuple(value.shape)} 的张量"
    names = {"list": "列表", "tuple": "元组", "dict": "字典", "NoneType": " None（函数没有 return？）"}
    return names.get(type(value).__name__, " " + type(value).__name__)


def compare(answer: Callable, reference: Callable, *cases: tuple, grad: bool = False,
            hints: tuple[tuple[Callable, str], ...] = (), rtol: float = 1e-4, atol: float = 1e-5) -> None:
    """在每组输入（参数的元组）上，answer 的结果应与 reference 的相同，输入不得被改动。

    grad=True 时再比较对每个浮点输入的梯度。hints 是几个（常见的错法, 说明）：结果恰好与某个错法相同，就告诉你那句说明。
    """
    for case in cases:
        before = [x.clone() if isinstance(x, t.Tensor) else x for x in case]
        expected = reference(*case)
        where = f"输入 {'、'.join(show(x, 6) for x in case)}时，"
        got = answer(*case)
        for k, (x, old) in enumerate(zip(case, before)):
            if isinstance(x, t.Tensor) and not t.equal(x, old):
                x.copy_(old)
                raise Wrong(f"{where}第 {k + 1} 个输入被改动了：不要原地修改，先复制一份")
        try:
            same(got, expected, where + "结果", rtol, atol)
        except Wrong as wrong:
            explain(case, got, hints, wrong, rtol, atol)
        if grad:
            same_gradients(answer, reference, case, where, rtol, atol)


def explain(case: tuple, got: object, hints: tuple, wrong: Wrong, rtol: float, atol: float) -> None:
    """结果与哪个错法相同，就在「应为……」之前添上它的说明。"""
    for mistake, message in hints:
        try:
            same(got, mistake(*case), "", rtol, atol)
        except Exception:  # 错法本身在这组输入上可能就算不下去
            continue
        raise Wrong(f"{message}。{wrong}") from None
    raise wrong


def same_gradients(answer: Callable, reference: Callable, case: tuple, where: str, rtol: float, atol: float) -> None:
    """两个函数的结果乘上同样的随机权重再求和，对每个浮点输入求导，应当相同。"""
    gradients = []
    for function in (reference, answer):
        leaves = [x.detach().requires_grad_() if isinstance(x, t.Tensor) and x.is_floating_point() else x for x in case]
        result = function(*leaves)
        inputs = [x for x in leaves if isinstance(x, t.Tensor) and x.requires_grad]
        if not result.requires_grad:
            raise Wrong(f"{where}结果不带计算图，梯度传不回去：是不是用了 .item()、.detach()、no_grad 或 Python 数？")
        weight = t.randn(result.shape, dtype=result.dtype, generator=t.Generator().manual_seed(1))
        found = t.autograd.grad((result * weight).sum(), inputs, allow_unused=True)
        gradients.append([t.zeros_like(x) if g is None else g for x, g in zip(inputs, found)])
    for k, (right, mine) in enumerate(zip(*gradients)):
        same(mine, right, f"{where}值对了，可对第 {k + 1} 个浮点输入的梯度", rtol, atol)


def strided(x: t.Tensor) -> t.Tensor:
    """数值与 x 相同、内存里却隔一个放一个的张量：不连续。"""
    return t.stack([x, x], dim=-1)[..., 0]


# ---------------------------------------------------------------- 不许用的、不许循环


class Watch(TorchFunctionMode):
    """看着每一次 torch 调用（函数、方法、运算符）：数次数，遇到 names 里的就拒绝。"""

    def __init__(self, names: set[str] = frozenset()):
        super().__init__()
        self.names, self.calls, self.used = names, 0, None

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.calls += 1
        if plain(getattr(func, "__name__", "")) in self.names:
            self.refuse(plain(func.__name__))
        return func(*args, **(kwargs or {}))

    def refuse(self, name: str) -> None:
        self.used = Wrong(f"题目不许用 {name}，你的答案用了它")
        raise self.used


def plain(name: str) -> str:
    """同一个运算的几个名字：special_softmax、softmax_、softmax 都是 softmax。"""
    for prefix in ("special_", "linalg_"):
        name = name.removeprefix(prefix)
    return name if name.startswith("__") else name.strip("_")


@contextmanager
def without(*forbidden: Callable | type | str, backward: bool = False) -> Iterator[None]:
    """with without(F.softmax, nn.Softmax, "tolist"): 在里面用到这些，就抛出 Wrong。

    函数按名字认，t.softmax、x.softmax、F.softmax、t.special.softmax 都拦得住；类（如 nn.GRU）不许构造；字符串是函数名。
    也可以写成 compare(without(F.softmax)(answer), …)：只在调用 answer 时不许用。
    autograd 的反向不经过 TorchFunctionMode，backward=True 就连 torch 与 Tensor 里的名字也换掉。
    """
    watch = Watch({plain(f if isinstance(f, str) else f.__name__) for f in forbidden if not isinstance(f, type)})
    with ExitStack() as stack:
        for thing in forbidden:
            refuse = lambda *args, thing=thing, **kwargs: watch.refuse(thing.__name__)  # noqa: E731
            if isinstance(thing, type):
                stack.enter_context(mock.patch.object(thing, "__init__", refuse))
            elif isinstance(thing, FunctionType):  # 纯 Python 的函数，如 t.func.jacrev：谁导入了它，就在谁那里换掉
                for module in list(sys.modules.values()):
                    if getattr(module, "__dict__", {}).get(thing.__name__) is thing:
                        stack.enter_context(mock.patch.dict(module.__dict__, {thing.__name__: refuse}))
        for name in watch.names if backward else ():
            for owner in (t, t.Tensor, t.linalg):
                if hasattr(owner, name):
                    stack.enter_context(mock.patch.object(owner, name, lambda *args, name=name, **kwargs: watch.refuse(name)))
        with watch:
            yield
    if watch.used:  # 在答案里被 try 拦下了，也算用过
        raise watch.used


def no_loop(function: Callable, small: tuple, large: tuple) -> None:
    """不许有 Python 循环：large 的各维比 small 大几十，执行的 Python 行数与 torch 调用数却不该跟着涨。

    也不许 tolist：变成列表以后只能一个一个地算，哪怕循环藏在 sum、map 里。
    """
    for case in (small, large):
        function(*case)  # 第一次调用可能要导入、编译，不计
    few, many = steps(function, small), steps(function, large)
    if many - few > 25:
        raise Wrong(f"结果对，但还有循环：输入变大之后，执行的步数（Python 的行与 torch 的调用）从 {few} 涨到 {many}")


def steps(function: Callable, arguments: tuple) -> int:
    """执行了多少行 Python、调用了多少次 torch。"""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        count += event in ("line", "call")
        return trace

    watch, previous = Watch({"tolist"}), sys.gettrace()
    sys.settrace(trace)
    try:
        with watch:
            function(*arguments)
    finally:
        sys.settrace(previous)
    return count
