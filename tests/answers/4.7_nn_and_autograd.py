"""4.7 的对答案与错答案。"""

right(1, ["Module", "function", "Function", "function", "Module", "Function"])
right(1, ("Module", "function", "Function", "function", "Module", "Function"))
wrong(1, ["Module", "function", "Function", "Function", "Module", "Function"], "第 3 个不是 'Function'")
wrong(1, ["function", "function", "Function", "function", "Module", "Function"], "第 0 个")
wrong(1, ["Module", "Module", "Function", "function", "Module", "Function"], "第 1 个")
wrong(1, ["Module", "function", "Module", "function", "Module", "Module"], "第 2 个")
wrong(1, ["Module"], "应有 6 个")


def function(forward, backward):
    return type("Answer", (Function,), {"forward": staticmethod(forward), "backward": staticmethod(backward)})


def keep(ctx, x, lam):
    ctx.lam = lam
    return x.view_as(x)


class Modern(Function):
    @staticmethod
    def forward(x, lam):
        return x.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, ctx.lam = inputs

    @staticmethod
    def backward(ctx, grad):
        return grad * -ctx.lam, None


class OnClass(Function):
    @staticmethod
    def forward(ctx, x, lam):
        OnClass.lam = lam
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        return -OnClass.lam * grad, None


def negate_forward(ctx, x, lam):
    ctx.lam = lam
    return -lam * x


right(2, Modern)
right(2, function(keep, lambda ctx, grad: (grad.neg() * ctx.lam, None)))
wrong(2, OnClass, "ctx")
wrong(2, function(keep, lambda ctx, grad: (ctx.lam * grad, None)), "梯度")
wrong(2, function(keep, lambda ctx, grad: (-grad, None)), "lam=0.5")
wrong(2, function(keep, lambda ctx, grad: -ctx.lam * grad), "incorrect number of gradients")
wrong(2, function(negate_forward, lambda ctx, grad: (-ctx.lam * grad, None)), "前向应原样")
wrong(2, lambda x, lam: x, "Function 的子类")
wrong(2, function(keep, lambda ctx, grad: (-ctx.lam * t.ones_like(grad), None)), "梯度")

right(3, lambda x: x + (x.round() - x).detach())
right(3, lambda x: x.round().detach() + x - x.detach())
wrong(3, lambda x: x.round(), "梯度")
wrong(3, lambda x: x.round().detach(), "计算图")
wrong(3, lambda x: x + (x.floor() - x).detach(), "应为")
wrong(3, lambda x: x + (x.trunc() - x).detach(), "应为")
wrong(3, lambda x: x.round().detach() * x / x.detach(), "梯度")
wrong(3, lambda x: x, "应为")
wrong(3, lambda x: 2 * x + (x.round() - 2 * x).detach(), "梯度")
wrong(3, function(lambda ctx, x: x.round(), lambda ctx, grad: grad).apply, "不写 Function")


class Slopes(nn.Module):
    start, shape = 0.25, (-1, 1, 1)

    def __init__(self, channels):
        super().__init__()
        self.slope = nn.Parameter(t.full((channels,), self.start))

    def forward(self, x):
        return t.where(x > 0, x, self.slope.view(self.shape) * x)


class Kept(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.slope = nn.Parameter(t.full((1, channels, 1, 1), 0.25))

    def forward(self, x):
        return x.clamp(min=0) + self.slope * x.clamp(max=0)


class Borrowed(Slopes):
    def forward(self, x):
        return F.prelu(x, self.slope)


class Inner(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.inner = nn.PReLU(channels)
        self.slope = self.inner.weight

    def forward(self, x):
        return self.inner(x)


class LastDim(Slopes):
    shape = (-1,)


class One(Slopes):
    def __init__(self, channels):
        super().__init__(1)


class Zero(Slopes):
    start = 0.0


class Larger(Slopes):  # 斜率为负或大于 1 时不对
    def forward(self, x):
        return t.maximum(x, self.slope.view(-1, 1, 1) * x)


class Frozen(Slopes):
    def forward(self, x):
        return t.where(x > 0, x, self.slope.detach().view(-1, 1, 1) * x)


class Plain(Slopes):
    def __init__(self, channels):
        nn.Module.__init__(self)
        self.slope = t.full((channels,), 0.25, requires_grad=True)


right(4, Slopes)
right(4, Kept)
wrong(4, Borrowed, "不许用 prelu")
wrong(4, Inner, "不许用 PReLU")
wrong(4, LastDim, "检查时出错")
wrong(4, One, "共 3 个数")
wrong(4, Zero, "初值应为 0.25")
wrong(4, Larger, "应为")
wrong(4, Frozen, "None")
wrong(4, Plain, "应有一个参数 slope")
