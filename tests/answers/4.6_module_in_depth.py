"""4.6 的对答案与错答案。"""


class Tracker(nn.Module):
    """可以弄错几处的记录器。"""

    def __init__(self, size, momentum=0.1):
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", t.zeros(size))

    def update(self, x):
        self.mean.lerp_(x.detach().mean(0), self.momentum)

    def forward(self, x):
        if self.training:
            self.update(x)
        return x


class Assigned(Tracker):
    @t.no_grad()
    def update(self, x):
        self.mean = (1 - self.momentum) * self.mean + self.momentum * x.mean(0)


class Attribute(Tracker):
    def __init__(self, size, momentum=0.1):
        nn.Module.__init__(self)
        self.momentum, self.mean = momentum, t.zeros(size)


class Learnable(Tracker):
    def __init__(self, size, momentum=0.1):
        nn.Module.__init__(self)
        self.momentum, self.mean = momentum, nn.Parameter(t.zeros(size), requires_grad=False)


class KeepsGraph(Tracker):
    def update(self, x):
        self.mean = (1 - self.momentum) * self.mean + self.momentum * x.mean(0)


class Always(Tracker):
    def forward(self, x):
        self.update(x)
        return x


class WrongSide(Tracker):
    def update(self, x):
        self.mean.lerp_(x.detach().mean(0), 1 - self.momentum)


class Subtracts(Tracker):
    def forward(self, x):
        return super().forward(x) - self.mean


class Fixed(Tracker):
    def update(self, x):
        self.mean.lerp_(x.detach().mean(0), 0.1)


class Detaches(Tracker):
    def forward(self, x):
        return super().forward(x.detach())


class Volatile(Tracker):
    def __init__(self, size, momentum=0.1):
        nn.Module.__init__(self)
        self.momentum = momentum
        self.register_buffer("mean", t.zeros(size), persistent=False)


right(1, Tracker)
right(1, Assigned)
wrong(1, Attribute, "应只有一个缓冲区")
wrong(1, Learnable, "应只有一个缓冲区")
wrong(1, KeepsGraph, "计算图")
wrong(1, Always, "预测时不应更新")
wrong(1, WrongSide, "mean")
wrong(1, Subtracts, "原样返回")
wrong(1, Fixed, "momentum=0.5")
wrong(1, Detaches, "梯度")
wrong(1, Volatile, "应只有一个缓冲区")


def shapes(net, x, leaves=True, remove=True, kind=tuple):
    result, handles = {}, []
    for name, module in net.named_modules():
        if not leaves or not list(module.children()):
            def record(module, inputs, output, name=name):
                result[name] = kind(output.shape)
            handles.append(module.register_forward_hook(record))
    with t.no_grad():
        net(x)
    for handle in handles:
        if remove:
            handle.remove()
    return result


def shapes_guarded(net, x):
    names, result = {module: name for name, module in net.named_modules()}, {}
    handles = [m.register_forward_hook(lambda m, args, out: result.__setitem__(names[m], tuple(out.shape)))
               for m in net.modules() if next(m.children(), None) is None]
    try:
        net(x)
    finally:
        for handle in handles:
            handle.remove()
    return result


def walked(net, x):  # 照登记的次序一层一层走
    result = {}
    for name, module in net.named_modules():
        if not list(module.children()):
            x = module(x)
            result[name] = tuple(x.shape)
    return result


def sorted_shapes(net, x):  # 钩子对了，按登记的次序给出
    found = shapes(net, x)
    return {name: found[name] for name, _ in net.named_modules() if name in found}


def by_class(net, x):
    return {type(net.get_submodule(name)).__name__: shape for name, shape in shapes(net, x).items()}


right(2, shapes)
right(2, shapes_guarded)
wrong(2, walked, "检查时出错")
wrong(2, sorted_shapes, "次序")
wrong(2, lambda net, x: shapes(net, x, remove=False), "钩子没有移除")
wrong(2, lambda net, x: shapes(net, x, leaves=False), "键应为")
wrong(2, lambda net, x: shapes(net.eval(), x), "training")
wrong(2, by_class, "键应为")
wrong(2, lambda net, x: shapes(net, x, kind=list), "元组")
wrong(2, lambda net, x: {name: shape[1:] for name, shape in shapes(net, x).items()}, "字典")


def convert(old):
    new = {}
    for name, value in old.items():
        name = name.removeprefix("module.")
        if name.startswith("encoder."):
            new["backbone." + name.removeprefix("encoder.")] = value
    return new


right(3, convert)
right(3, lambda old: {"backbone" + k[len("module.encoder"):]: v for k, v in old.items() if k.startswith("module.encoder.")})
wrong(3, lambda old: {k.replace("module.", "").replace("encoder", "backbone"): v for k, v in old.items() if "classifier" not in k}, "键应为")
right(3, lambda old: {k.removeprefix("module.").replace("encoder", "backbone"): v for k, v in old.items() if "classifier" not in k})
wrong(3, lambda old: {k.removeprefix("module.").replace("encoder", "backbone", 1): v for k, v in old.items()}, "键应为")
wrong(3, lambda old: {"backbone" + k[len("module.encoder"):]: t.zeros_like(v) for k, v in old.items() if "encoder" in k}, "的值应")
wrong(3, lambda old: {k: old.pop(j) for j, k in [(j, "backbone" + j[14:]) for j in list(old) if "encoder" in j]}, "旧的字典不应改动")
wrong(3, lambda old: {"module.backbone" + k[14:]: v for k, v in old.items() if "encoder" in k}, "键应为")


@contextmanager
def evaluating(net):
    modes = {module: module.training for module in net.modules()}
    net.eval()
    try:
        yield net
    finally:
        for module, mode in modes.items():
            module.training = mode


class Evaluating:
    def __init__(self, net):
        self.net = net

    def __enter__(self):
        self.modes = [(module, module.training) for module in self.net.modules()]
        self.net.eval()

    def __exit__(self, *error):
        for module, mode in self.modes:
            module.training = mode


class Swallows(Evaluating):
    def __exit__(self, *error):
        super().__exit__(*error)
        return True


@contextmanager
def back_to_train(net):
    net.eval()
    try:
        yield
    finally:
        net.train()


@contextmanager
def root_mode(net):
    mode = net.training
    net.eval()
    try:
        yield
    finally:
        net.train(mode)


@contextmanager
def no_finally(net):
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    yield
    for module, mode in modes:
        module.training = mode


@contextmanager
def cascading(net):  # train(mode) 会一直传到子模块
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        yield
    finally:
        for module, mode in reversed(modes):
            module.train(mode)


@contextmanager
def only_root(net):
    mode, net.training = net.training, False
    try:
        yield
    finally:
        net.training = mode


right(4, evaluating)
right(4, Evaluating)
wrong(4, back_to_train, "退出之后")
wrong(4, root_mode, "退出之后")
wrong(4, no_finally, "中间出错")
wrong(4, cascading, "退出之后")
wrong(4, only_root, "应全是 eval")
wrong(4, Swallows, "被吞掉")
