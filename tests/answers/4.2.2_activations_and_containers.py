"""4.2.2 的对答案与错答案。"""

right(1, lambda x, slope: t.where(x > 0, x, slope * x))
right(1, lambda x, slope: x.clamp(min=0) + slope * x.clamp(max=0))
right(1, lambda x, slope: x * ((x > 0) + slope * (x <= 0)))
wrong(1, lambda x, slope: F.leaky_relu(x, slope), "不许用 leaky_relu")
wrong(1, lambda x, slope: nn.LeakyReLU(slope)(x), "不许用 leaky_relu")
wrong(1, lambda x, slope: t.maximum(x, slope * x), "大于 1")
wrong(1, lambda x, slope: t.where(x > 0, x, 0.1 * x), "应为")
wrong(1, lambda x, slope: t.where(x > 0, x, slope * x).detach(), "计算图")
wrong(1, lambda x, slope: t.where(x > 0, x, slope * x.detach()), "梯度")
wrong(1, lambda x, slope: x.relu() - slope * x.neg().relu().abs() * -1, "应为")
wrong(1, lambda x, slope: x.masked_fill_(x < 0, 0), "被改动")
wrong(1, lambda x, slope: t.where(x > 0, slope * x, x), "应为")


def block(a, b, kernel=5, active=nn.ReLU, pool=nn.MaxPool2d, **options):
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(a, b, kernel, **options), relu=active(), pool=pool(2)))


def lenet(first=6, kinds=nn.Sequential, **options):
    return nn.Sequential(OrderedDict(block1=block(1, first, **options), block2=block(first, 16, **options)))


def added():
    outer = nn.Sequential()
    for k, (a, b) in enumerate(((1, 6), (6, 16)), 1):
        inner = nn.Sequential()
        inner.add_module("conv", nn.Conv2d(a, b, (5, 5)))
        inner.add_module("relu", nn.ReLU(inplace=True))
        inner.add_module("pool", nn.MaxPool2d((2, 2), stride=2))
        outer.add_module(f"block{k}", inner)
    return outer


from collections import OrderedDict  # noqa: E402

right(2, lenet())
right(2, added())
wrong(2, lenet(pool=nn.AvgPool2d), "MaxPool2d")
wrong(2, lenet(active=nn.Sigmoid), "ReLU")
wrong(2, lenet(first=8), "(6, 1, 5, 5)")
wrong(2, lenet(kernel=3), "(6, 1, 5, 5)")
wrong(2, lenet(bias=False), "参数名")
wrong(2, nn.Sequential(*lenet()), "参数名")
wrong(2, nn.Sequential(OrderedDict(block1=lenet()[0], block2=nn.Sequential(OrderedDict(
    conv=nn.Conv2d(6, 16, 5), pool=nn.MaxPool2d(2), relu=nn.ReLU())))), "每段应是")
wrong(2, lenet(padding=2), "形状")


class Fixed(Broken):
    def __init__(self, size, num_branches, scale=1.0, shared=False):
        nn.Module.__init__(self)
        self.scales = nn.ParameterList(nn.Parameter(t.full((size,), scale)) for _ in range(num_branches))
        self.branches = nn.ModuleDict({f"b{k}": nn.Linear(size, size) for k in range(num_branches)})


class Listed(nn.Module):
    def __init__(self, size, num_branches):
        super().__init__()
        self.linears = nn.ModuleList([nn.Linear(size, size) for _ in range(num_branches)])
        self.weights = nn.ParameterList([t.ones(size) for _ in range(num_branches)])

    def forward(self, x):
        total = 0
        for k in range(len(self.linears)):
            total = total + self.linears[k](x * self.weights[k])
        return total


class After(Fixed):
    def forward(self, x):  # 先过分支再缩放
        return sum(branch(x) * scale for scale, branch in zip(self.scales, self.branches.values()))


class First(Fixed):
    def forward(self, x):
        return self.branches["b0"](x * self.scales[0])


class Reversed(Fixed):
    def forward(self, x):
        return sum(branch(x * scale) for scale, branch in zip(self.scales, reversed(self.branches.values())))


class Detached(Fixed):
    def forward(self, x):
        return sum(branch(x * scale.detach()) for scale, branch in zip(self.scales, self.branches.values()))


class OnlyBranches(Broken):
    def __init__(self, size, num_branches):
        super().__init__(size, num_branches)
        self.branches = nn.ModuleDict(self.branches)


right(3, Fixed)
right(3, Listed)
wrong(3, Broken, "应登记 9 个")
wrong(3, OnlyBranches, "现在是 6 个")
wrong(3, After, "应为")
wrong(3, First, "应为")
wrong(3, Reversed, "应为")
wrong(3, Detached, "梯度")
wrong(3, lambda size, n: Fixed(size, n, scale=0.0), "缩放的初值应为")

right(4, lambda layer, X: int((layer(X).relu() == 0).all(0).sum()))
right(4, lambda layer, X: (layer(X).amax(0) <= 0).sum().item())
right(4, lambda layer, X: sum(1 for k in range(layer.out_features) if not (layer(X)[:, k] > 0).any()))
wrong(4, lambda layer, X: (layer(X).relu() == 0).all(0).sum(), "Python 的 int")
wrong(4, lambda layer, X: (layer(X).relu() == 0).any(0).sum().item(), "应为")
wrong(4, lambda layer, X: (layer(X).relu() == 0).all(1).sum().item(), "应为")
wrong(4, lambda layer, X: (layer(X) < 0).all(0).sum().item(), "应为")  # 恰好是 0 也不激活
wrong(4, lambda layer, X: (layer(X).mean(0) < 0).sum().item(), "应为")
wrong(4, lambda layer, X: (layer.bias < -50).sum().item(), "应为")
wrong(4, lambda layer, X: 2 if X.abs().max() < 100 else 0, "应为")
