"""4.4 的对答案与错答案。"""

right(1, {"conv", "dropout", "norm"})
right(1, ["norm", "conv", "dropout"])
wrong(1, {"conv", "norm"}, "还少 1 个")
wrong(1, {"conv", "norm", "dropout", "relu"}, "['relu']")
wrong(1, set(layers), "没有状态")
wrong(1, {"conv", "dropout", "norm", "softmax"}, "['softmax']")
wrong(1, {"conv"}, "还少 2 个")


class WS(nn.Conv2d):
    correction, eps, outside, detach, dims = 0, 1e-5, True, False, (1, 2, 3)

    def standardized(self):
        w = self.weight
        mean = w.mean(self.dims, keepdim=True)
        if self.outside:
            std = w.std(self.dims, correction=self.correction, keepdim=True) + self.eps
        else:
            std = (w.var(self.dims, correction=self.correction, keepdim=True) + self.eps).sqrt()
        if self.detach:
            mean, std = mean.detach(), std.detach()
        return (w - mean) / std

    def forward(self, x):
        return self._conv_forward(x, self.standardized(), self.bias)


class WSFunctional(nn.Conv2d):
    def forward(self, x):
        flat = self.weight.flatten(1)
        flat = flat - flat.mean(1, keepdim=True)
        flat = flat / (flat.pow(2).mean(1, keepdim=True).sqrt() + 1e-5)
        return F.conv2d(x, flat.view_as(self.weight), self.bias, self.stride, self.padding, self.dilation, self.groups)


def ws(**options):
    return type("WSConv", (WS,), options)


class Plain(WS):
    def forward(self, x):
        return F.conv2d(x, self.standardized(), self.bias)


class InPlace(WS):
    def forward(self, x):
        with t.no_grad():
            self.weight.copy_(self.standardized())
        return super(WS, self).forward(x)


class NoBias(WS):
    def forward(self, x):
        return self._conv_forward(x, self.standardized(), None)


right(2, WS)
right(2, WSFunctional)
wrong(2, ws(correction=1), "输出")
wrong(2, ws(outside=False), "输出")
wrong(2, ws(detach=True), "梯度")
wrong(2, ws(dims=(2, 3)), "输出")
wrong(2, ws(dims=(0, 1, 2, 3)), "输出")
wrong(2, Plain, "形状")
wrong(2, InPlace, "参数本身不改")
wrong(2, NoBias, "输出")
wrong(2, nn.Conv2d, "输出")


def lookahead(net, X, y, lr, create=True, copied=False, sign=-1):
    params = dict(net.named_parameters())
    slopes = t.autograd.grad(F.mse_loss(net(X), y), list(params.values()), create_graph=create)
    moved = {name: p + sign * lr * g for (name, p), g in zip(params.items(), slopes)}
    return F.mse_loss(t.func.functional_call(net, moved, (X,)), y)


def by_func(net, X, y, lr):
    params = dict(net.named_parameters())
    def loss(params):
        return F.mse_loss(t.func.functional_call(net, params, X), y)
    slopes = t.func.grad(loss)(params)
    return loss({name: params[name] - lr * slopes[name] for name in params})


def really_steps(net, X, y, lr):
    optimizer = t.optim.SGD(net.parameters(), lr=lr)
    optimizer.zero_grad()
    F.mse_loss(net(X), y).backward()
    optimizer.step()
    return F.mse_loss(net(X), y)


def on_a_copy(net, X, y, lr):
    twin = copy.deepcopy(net)
    slopes = t.autograd.grad(F.mse_loss(twin(X), y), list(twin.parameters()))
    with t.no_grad():
        for p, g in zip(twin.parameters(), slopes):
            p -= lr * g
    return F.mse_loss(twin(X), y)


def backward(net, X, y, lr):
    for p in net.parameters():
        p.grad = None
    F.mse_loss(net(X), y).backward()
    moved = {name: p - lr * p.grad for name, p in net.named_parameters()}
    return F.mse_loss(t.func.functional_call(net, moved, X), y)


import copy  # noqa: E402

right(3, lookahead)
right(3, by_func)
wrong(3, lambda *a: lookahead(*a, create=False), "导数")
wrong(3, lambda *a: lookahead(*a, sign=1), "应为")
wrong(3, really_steps, "不应变")
wrong(3, on_a_copy, "None")
wrong(3, backward, ".grad 不应变")
wrong(3, lambda net, X, y, lr: F.mse_loss(net(X), y), "应为")
wrong(3, lambda *a: lookahead(*a).detach(), "不带计算图")
wrong(3, lambda net, X, y, lr: lookahead(net, X, y, 0.1), "应为")
