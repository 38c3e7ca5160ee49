"""4.1 的对答案与错答案。"""


class Quadratic(nn.Module):
    """可以弄错几处的二次函数。"""

    def __init__(self, make=lambda: nn.Parameter(t.zeros(()))):
        super().__init__()
        self.a, self.b, self.c = make(), make(), make()

    def forward(self, x):
        return self.a * x ** 2 + self.b * x + self.c


class Horner(Quadratic):
    def forward(self, x):
        return (self.a * x + self.b) * x + self.c


class Registered(nn.Module):
    def __init__(self):
        super().__init__()
        for name in "abc":
            self.register_parameter(name, nn.Parameter(t.tensor(0.0)))

    def forward(self, x):
        return self.a * x.pow(2) + self.b * x + self.c


class ItemB(Quadratic):
    def forward(self, x):
        return self.a * x ** 2 + self.b.item() * x + self.c


class DetachedC(Quadratic):
    def forward(self, x):
        return self.a * x ** 2 + self.b * x + self.c.detach()


class Swapped(Quadratic):
    def forward(self, x):
        return self.c * x ** 2 + self.b * x + self.a


class Shared(Quadratic):
    zero = nn.Parameter(t.zeros(()))
    one, two, three = (nn.Parameter(t.zeros(())) for _ in range(3))

    def __init__(self):
        nn.Module.__init__(self)
        self.a, self.b, self.c = Shared.one, Shared.two, Shared.three


right(1, Horner)
right(1, Registered)
wrong(1, ItemB, "b 的梯度")
wrong(1, DetachedC, "c 的梯度")
wrong(1, Swapped, "应为")
wrong(1, Shared, "另一个也变了")
wrong(1, lambda: Quadratic(lambda: t.zeros((), requires_grad=True)), "现在是 []")
wrong(1, lambda: Quadratic(lambda: nn.Parameter(t.zeros(1))), "形状都应为 ()")
wrong(1, lambda: Quadratic(lambda: nn.Parameter(t.ones(()))), "初值都应为 0")

right(2, ("root", "top.size", "top.twig.weight"))
right(2, [name for name in ["root", "top.size", "top.twig.weight"]])
wrong(2, ["top.size", "top.twig.weight", "root"], "次序不对")
wrong(2, ["root", "top.twig.weight", "top.size"], "次序不对")
wrong(2, ["root", "size", "twig.weight"], "'size' 不对")
wrong(2, ["root", "height", "top.size", "top.twig.weight"], "应有 3 个")
wrong(2, ["root", "top.size", "top.twig.weight", "top.twig.bias"], "应有 3 个")


def loop_count(module):
    total = 0
    for p in module.parameters():
        if p.requires_grad:
            size = 1
            for n in p.shape:
                size *= n
            total += size
    return total


right(3, loop_count)
right(3, lambda module: sum(p.nelement() for _, p in module.named_parameters() if p.requires_grad))
wrong(3, lambda module: sum(p.numel() for p in module.parameters()), "冻结第 0 层后")
wrong(3, lambda module: len(list(module.parameters())), "张量的个数")
wrong(3, lambda module: sum(p.numel() for p in module.state_dict().values()), "应为 302")
wrong(3, lambda module: 302 if module[0].weight.requires_grad else 82, "再冻结第 2 层的偏置")
wrong(3, lambda module: sum(p.shape[0] for p in module.parameters() if p.requires_grad), "应为 302")
wrong(3, lambda module: t.tensor(loop_count(module)), "Python 的 int")


class MLP(nn.Module):
    def __init__(self, sizes, active=t.sigmoid, last=False, first=False, keep=lambda x: x):
        super().__init__()
        self.names = [f"layer{k}" for k in range(len(sizes) - 1)]
        for name, a, b in zip(self.names, sizes, sizes[1:]):
            setattr(self, name, nn.Linear(a, b))
        self.active, self.last, self.first, self.keep = active, last, first, keep

    def forward(self, x):
        for k, name in enumerate(self.names):
            if k or self.first:
                x = self.keep(self.active(x))
            x = getattr(self, name)(x)
        return self.active(x) if self.last else x


class Hidden(MLP):
    """层放在普通列表里，没有登记。"""

    def __init__(self, sizes):
        nn.Module.__init__(self)
        self.items = [nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])]


def chain(sizes):
    parts = []
    for a, b in zip(sizes[:-1], sizes[1:]):
        parts += [nn.Linear(a, b), nn.Sigmoid()]
    return nn.Sequential(*parts[:-1])


class Listed(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))

    def forward(self, x):
        *body, last = self.layers
        for layer in body:
            x = layer(x).sigmoid()
        return last(x)


right(4, MLP)
right(4, chain)
right(4, Listed)
wrong(4, lambda sizes: MLP(sizes, last=True), "最后一层之后不加")
wrong(4, lambda sizes: MLP(sizes, first=True), "应为")
wrong(4, lambda sizes: MLP(sizes, active=t.relu), "应为")
wrong(4, lambda sizes: MLP(sizes, active=lambda x: x), "应为")
wrong(4, Hidden, "现在是 []")
wrong(4, lambda sizes: MLP(sizes[:2] + sizes[-1:]), "应依次登记")
wrong(4, lambda sizes: MLP(sizes, keep=lambda x: x.detach()), "梯度")
