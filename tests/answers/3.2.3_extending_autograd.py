"""3.2.3 的对答案与错答案。"""


def function(forward, backward, name="Answer"):
    """由两个函数造一个 Function 的子类。"""
    return type(name, (Function,), {"forward": staticmethod(forward), "backward": staticmethod(backward)})


class Modern(Function):
    @staticmethod
    def forward(x):
        return t.round(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, grad):
        return grad


right(1, Modern)
right(1, function(lambda ctx, x: x.clone().round_(), lambda ctx, grad: grad.clone()))
wrong(1, function(lambda ctx, x: x.round(), lambda ctx, grad: grad * 0), "原样传回来")
wrong(1, function(lambda ctx, x: x.round(), lambda ctx, grad: grad.round()), "原样传回来")
wrong(1, function(lambda ctx, x: x.round(), lambda ctx, grad: None), "张量")
wrong(1, function(lambda ctx, x: x.floor(), lambda ctx, grad: grad), "前向")
wrong(1, function(lambda ctx, x: (x + 0.5).floor(), lambda ctx, grad: grad), "前向")  # 半数的取法不同
wrong(1, function(lambda ctx, x: x.round(), lambda ctx, grad: grad.clamp(-1, 1)), "原样传回来")
wrong(1, lambda x: x + (x.round() - x).detach(), "Function 的子类")
wrong(1, function(lambda ctx, x: x, lambda ctx, grad: grad), "前向")


def keep(ctx, x, c):
    ctx.c = c
    return x.view_as(x)


class ModernClip(Function):
    @staticmethod
    def forward(x, c):
        return x.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.c = inputs[1]

    @staticmethod
    def backward(ctx, grad):
        return t.clamp(grad, -ctx.c, ctx.c), None


class Shared(Function):
    @staticmethod
    def forward(ctx, x, c):
        Shared.c = c
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        return grad.clamp(-Shared.c, Shared.c), None


def keep_clamped(ctx, x, c):
    ctx.c = c
    return x.clamp(-c, c)


right(2, ModernClip)
right(2, function(keep, lambda ctx, grad: (t.where(grad.abs() > ctx.c, grad.sign() * ctx.c, grad), None)))
wrong(2, function(keep, lambda ctx, grad: grad.clamp(-ctx.c, ctx.c)), "incorrect number of gradients")
wrong(2, Shared, "c=2.0")
wrong(2, function(keep_clamped, lambda ctx, grad: (grad, None)), "前向应当原样")
wrong(2, function(keep, lambda ctx, grad: (grad * min(1, ctx.c / grad.norm()), None)), "梯度")  # 按范数
wrong(2, function(keep, lambda ctx, grad: (grad.clamp(max=ctx.c), None)), "梯度")
wrong(2, function(keep, lambda ctx, grad: (grad.clamp(-1, 1), None)), "梯度")


def hypotenuse(ctx, a, b):
    r = (a * a + b * b).sqrt()
    ctx.save_for_backward(a, b, r)
    return r


def ratios(ctx, grad):
    a, b, r = ctx.saved_tensors
    return grad * a / r, grad * b / r


def again(ctx, grad):  # 反向里又开了一次方
    a, b, _ = ctx.saved_tensors
    r = (a ** 2 + b ** 2).sqrt()
    return grad * a / r, grad * b / r


def again_power(ctx, grad):
    a, b, _ = ctx.saved_tensors
    return grad * a * (a * a + b * b) ** -0.5, grad * b * (a * a + b * b) ** -0.5


def again_hypot(ctx, grad):
    a, b, _ = ctx.saved_tensors
    return grad * a / t.hypot(a, b), grad * b / t.hypot(a, b)


def saves_ratios(ctx, a, b):
    r = (a ** 2 + b ** 2).sqrt()
    ctx.save_for_backward(a / r, b / r)
    return r


def attribute(ctx, a, b):  # 不用 save_for_backward：r 与输入失去了联系
    ctx.numbers = a, b, (a ** 2 + b ** 2).sqrt()
    return ctx.numbers[2].clone()


def attribute_back(ctx, grad):
    a, b, r = ctx.numbers
    return grad * a / r, grad * b / r


class ModernHypot(Function):
    @staticmethod
    def forward(a, b):
        return t.hypot(a, b)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs, output)

    @staticmethod
    def backward(ctx, grad):
        a, b, r = ctx.saved_tensors
        scaled = grad / r
        return scaled * a, scaled * b


right(3, ModernHypot)
right(3, function(hypotenuse, ratios))
wrong(3, function(hypotenuse, again), "不许用")
wrong(3, function(hypotenuse, again_power), "不许用")
wrong(3, function(hypotenuse, again_hypot), "不许用 hypot")
wrong(3, function(saves_ratios, lambda ctx, grad: tuple(grad * x for x in ctx.saved_tensors)), "二阶断了")
wrong(3, function(attribute, attribute_back), "二阶")
wrong(3, function(hypotenuse, lambda ctx, grad: ratios(ctx, grad)[::-1]), "对 a 的导数")
wrong(3, function(hypotenuse, t.autograd.function.once_differentiable(ratios)), "二阶")
wrong(3, function(hypotenuse, lambda ctx, grad: tuple(g.abs() for g in ratios(ctx, grad))), "不许用 abs")
wrong(3, function(hypotenuse, lambda ctx, grad: tuple(2 * g for g in ratios(ctx, grad))), "对 a 的导数")


def shapes(ctx, x, b):
    ctx.shapes = x.shape, b.shape
    return x + b


def sum_by_hand(ctx, grad):
    shape, result = ctx.shapes[1], grad
    while result.dim() > len(shape):
        result = result.sum(0)
    for dim, size in enumerate(shape):
        if size == 1:
            result = result.sum(dim, keepdim=True)
    return grad, result


right(4, function(shapes, lambda ctx, grad: (grad, grad.sum_to_size(ctx.shapes[1]))))
right(4, function(shapes, sum_by_hand))
wrong(4, function(shapes, lambda ctx, grad: (grad, grad.sum(0))), "b 的形状为 (4, 3) 时")
wrong(4, function(shapes, lambda ctx, grad: (grad, grad)), "第二项应为 (3,)")
wrong(4, function(shapes, lambda ctx, grad: (grad, grad.sum_to_size(ctx.shapes[1]) / max(1, 12 // ctx.shapes[1].numel()))), "b 的梯度")
wrong(4, function(shapes, lambda ctx, grad: (grad, grad.sum() * t.ones(ctx.shapes[1], dtype=grad.dtype))), "b 的梯度")
wrong(4, function(lambda ctx, x, b: shapes(ctx, x, b) - b, lambda ctx, grad: (grad, grad.sum_to_size(ctx.shapes[1]))), "前向")
wrong(4, function(shapes, lambda ctx, grad: (grad.sum_to_size(ctx.shapes[0]) * 0, grad.sum_to_size(ctx.shapes[1]))), "x 的梯度")
