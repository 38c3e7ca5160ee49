"""4.3 的对答案与错答案。"""


@t.no_grad()
def step(parameters, velocities, lr, mu, scale=1.0, clear=False):
    for p, v in zip(parameters, velocities):
        v.mul_(mu).add_(p.grad, alpha=scale)
        p -= lr * v


@t.no_grad()
def step_copy(parameters, velocities, lr, mu):
    for p, v in zip(parameters, velocities):
        v.copy_(v * mu + p.grad)
        p.add_(v, alpha=-lr)


@t.no_grad()
def rebound(parameters, velocities, lr, mu):
    for p, v in zip(parameters, velocities):
        v = mu * v + p.grad
        p -= lr * v


@t.no_grad()
def replaced(parameters, velocities, lr, mu):
    for k, (p, v) in enumerate(zip(parameters, velocities)):
        v.mul_(mu).add_(p.grad)
        parameters[k] = p - lr * v


@t.no_grad()
def nesterov(parameters, velocities, lr, mu):
    for p, v in zip(parameters, velocities):
        v.mul_(mu).add_(p.grad)
        p -= lr * (p.grad + mu * v)


@t.no_grad()
def folded(parameters, velocities, lr, mu):
    for p, v in zip(parameters, velocities):
        v.mul_(mu).sub_(p.grad, alpha=lr)
        p += v


@t.no_grad()
def late(parameters, velocities, lr, mu):  # 先走再更新速度
    for p, v in zip(parameters, velocities):
        p -= lr * v
        v.mul_(mu).add_(p.grad)


right(1, step)
right(1, step_copy)
wrong(1, rebound, "速度")
wrong(1, replaced, "叶子")
wrong(1, nesterov, "第 1 步")
wrong(1, folded, "速度")
wrong(1, late, "第 1 步")
wrong(1, lambda p, v, lr, mu: step(p, v, lr, mu, scale=1 - mu), "第 1 步")
wrong(1, lambda p, v, lr, mu: step(p[:1], v[:1], lr, mu), "第 1 个参数")

body, head = net["body"], net["head"]
biases, weights = [body[0].bias, body[2].bias], [body[0].weight, body[2].weight]
whole = list(head.parameters())
right(2, [dict(params=biases, lr=0.02), dict(params=weights, lr=0.01), dict(params=head.parameters(), lr=0.1)])
right(2, [{"lr": 0.1, "params": whole}, {"params": [p for n, p in body.named_parameters() if n.endswith("weight")], "lr": 0.01},
          {"params": (p for n, p in body.named_parameters() if "bias" in n), "lr": 0.02}])
wrong(2, [dict(params=biases, lr=0.02), dict(params=weights, lr=0.01), dict(params=[head.weight], lr=0.1)], "head.bias 的学习率应为 0.1")
wrong(2, [dict(params=biases + [head.bias], lr=0.02), dict(params=weights, lr=0.01), dict(params=[head.weight], lr=0.1)], "head.bias")
wrong(2, [dict(params=net["stem"].parameters(), lr=0.0), dict(params=list(body.parameters()), lr=0.01), dict(params=whole, lr=0.1)], "stem.weight")
wrong(2, [dict(params=list(body.parameters()), lr=0.01), dict(params=whole, lr=0.1)], "body.0.bias 的学习率应为 0.02")
wrong(2, [dict(params=weights, lr=0.02), dict(params=biases, lr=0.01), dict(params=whole, lr=0.1)], "body.0.weight")
wrong(2, [dict(params=biases, lr=0.02), dict(params=weights, lr=0.01), dict(params=[head.weight], lr=0.1), dict(params=[head.bias], lr=0.1)], "应有三组")


def halve(optimizer):
    for group in optimizer.param_groups:
        group["lr"] = group["lr"] / 2


def halve_same(optimizer):
    for group in optimizer.param_groups:
        group["lr"] = optimizer.param_groups[0]["lr"] / 2


def halve_default(optimizer):
    optimizer.defaults["lr"] *= 0.5


def halve_reset(optimizer):
    halve(optimizer)
    optimizer.state.clear()


def halve_init(optimizer):
    optimizer.__init__([{"params": g["params"], "lr": g["lr"] / 2} for g in optimizer.param_groups])


right(3, halve)
right(3, lambda optimizer: [group.update(lr=group["lr"] * 0.5) for group in optimizer.param_groups])
wrong(3, halve_same, "学习率")
wrong(3, halve_default, "学习率")
wrong(3, halve_reset, "状态")
wrong(3, halve_init, "状态")
wrong(3, lambda optimizer: optimizer.param_groups[0].update(lr=optimizer.param_groups[0]["lr"] / 2), "学习率")
wrong(3, lambda optimizer: optim.Adam([{"params": g["params"], "lr": g["lr"] / 2} for g in optimizer.param_groups]), "学习率")


def factor(step):
    return 0.1 * (step + 1) if step < 10 else 0.5 + 0.5 * math.cos((step - 10) / 90 * math.pi)


count = iter(range(10 ** 6))
right(4, factor)
right(4, lambda step: min((step + 1) / 10, math.cos(math.pi * max(0, step - 10) / 180) ** 2))
wrong(4, lambda step: step / 10 if step < 10 else factor(step), "第 0 步")
wrong(4, lambda step: factor(step) if step < 10 else (1 + math.cos(math.pi * step / 100)) / 2, "第 10 步")
wrong(4, lambda step: factor(step) if step < 10 else 1 - (step - 10) / 90, "第 11 步")
wrong(4, lambda step: factor(step) if step < 10 else math.cos(math.pi * (step - 10) / 180), "第 11 步")
wrong(4, lambda step: factor(next(count)), "应为")  # 自己数步数
wrong(4, lambda step: 2 * factor(step), "第 0 步")
wrong(4, lambda step: factor(step) if step < 10 else (1 + math.cos(math.pi * (step - 10) / 89)) / 2, "第 11 步")


class Average:
    """可以弄错几处的滑动平均。"""

    def __init__(self, net, decay):
        self.net, self.decay = net, decay
        self.average = [p.detach().clone() for p in net.parameters()]

    @t.no_grad()
    def update(self):
        for a, p in zip(self.average, self.net.parameters()):
            a.lerp_(p, 1 - self.decay)

    @t.no_grad()
    def swap(self):
        for a, p in zip(self.average, self.net.parameters()):
            kept = p.clone()
            p.copy_(a)
            a.copy_(kept)


class ByData(Average):
    def swap(self):
        for k, p in enumerate(self.net.parameters()):
            p.data, self.average[k] = self.average[k], p.data


class NotCopied(Average):
    def __init__(self, net, decay):
        super().__init__(net, decay)
        self.average = [p.detach() for p in net.parameters()]


class OneWay(Average):
    @t.no_grad()
    def swap(self):
        for a, p in zip(self.average, self.net.parameters()):
            p.copy_(a)


class Replaces(Average):
    def swap(self):
        for name, module in [(n, m) for m in self.net.modules() for n in list(m._parameters)]:
            k = [id(p) for p in self.net.parameters()].index(id(module._parameters[name]))
            kept, module._parameters[name] = module._parameters[name].detach(), nn.Parameter(self.average[k])
            self.average[k] = kept


class Reversed(Average):
    @t.no_grad()
    def update(self):
        for a, p in zip(self.average, self.net.parameters()):
            a.lerp_(p, self.decay)


class FirstOnly(Average):
    @t.no_grad()
    def update(self):
        self.average[0].lerp_(next(self.net.parameters()), 1 - self.decay)


class FromZero(Average):
    def __init__(self, net, decay):
        super().__init__(net, decay)
        self.average = [t.zeros_like(p).detach() for p in net.parameters()]


right(5, Average)
right(5, ByData)
wrong(5, NotCopied, "应为")
wrong(5, OneWay, "应换回来")
wrong(5, Replaces, "被换掉")
wrong(5, Reversed, "应为")
wrong(5, FirstOnly, "应为")
wrong(5, FromZero, "应为")
