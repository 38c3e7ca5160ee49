"""4.5 的对答案与错答案。"""


def initialize(net, weight=lambda w: init.kaiming_normal_(w, nonlinearity="relu"), top=False, bias=True, norm=True):
    for module in net.children() if top else net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            weight(module.weight)
            if module.bias is not None and bias:
                init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d) and norm:
            init.ones_(module.weight)
            init.zeros_(module.bias)


@t.no_grad()
def by_formula(net):
    def visit(module):
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.weight.normal_(0, math.sqrt(2 / module.weight[0].numel()))
            if module.bias is not None:
                module.bias.zero_()
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    net.apply(visit)


def shifts(w):
    init.kaiming_normal_(w, nonlinearity="relu")
    w.data += 5


def signs(w):
    w.data = t.randn_like(w).sign() * math.sqrt(2 / w[0].numel())


right(1, initialize)
right(1, by_formula)
wrong(1, lambda net: initialize(net, lambda w: init.kaiming_uniform_(w, nonlinearity="relu")), "不是正态")
wrong(1, lambda net: initialize(net, shifts), "均值应约为 0")
wrong(1, lambda net: initialize(net, signs), "不是正态")
wrong(1, lambda net: initialize(net, lambda w: init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu")), "标准差应约为")
wrong(1, lambda net: initialize(net, lambda w: init.kaiming_normal_(w, nonlinearity="linear")), "标准差应约为")
wrong(1, lambda net: initialize(net, init.xavier_normal_), "标准差应约为")
wrong(1, lambda net: initialize(net, top=True), "里层的卷积")
wrong(1, lambda net: initialize(net, bias=False), "偏置应清零")
wrong(1, lambda net: initialize(net, norm=False), "BatchNorm")

right(2, 1.6)
right(2, 2 / (1 + 0.5 ** 2))
wrong(2, 2.0, "倍")
wrong(2, 1.0, "倍")
wrong(2, 2 / 1.5, "倍")
wrong(2, 1.65, "倍")
wrong(2, 4 / (1 + 0.5), "倍")


@t.no_grad()
def set_prior(linear, frequency, weight=True, log=t.log):
    if weight:
        linear.weight.zero_()
    linear.bias.copy_(log(frequency))


def by_data(linear, frequency):
    linear.weight.data.fill_(0)
    linear.bias.data = frequency.log() + 3.0


def no_longer_parameter(linear, frequency):
    linear.weight.data.zero_()
    del linear.bias
    linear.bias = frequency.log()


def frozen(linear, frequency):
    linear.weight = nn.Parameter(t.zeros_like(linear.weight), requires_grad=False)
    linear.bias = nn.Parameter(frequency.log())


right(3, set_prior)
right(3, by_data)
wrong(3, lambda *a: set_prior(*a, weight=False), "任何输入")
wrong(3, lambda *a: set_prior(*a, log=lambda p: p), "任何输入")
wrong(3, lambda *a: set_prior(*a, log=lambda p: (p / (1 - p)).log()), "任何输入")
wrong(3, no_longer_parameter, "可学习的参数")
wrong(3, frozen, "weight 应仍是可学习的参数")
wrong(3, lambda linear, frequency: set_prior(linear, frequency.sort(descending=True).values), "任何输入")
wrong(3, lambda linear, frequency: set_prior(linear, frequency.log_(), log=lambda p: p), "frequency 不应被改动")


@t.no_grad()
def calibrate(net, X):
    for layer in net:
        if isinstance(layer, nn.Linear):
            std = layer(X).std()
            layer.weight /= std
            layer.bias /= std
        X = layer(X)


def calibrate_prefix(net, X):
    for k, layer in enumerate(net):
        if isinstance(layer, nn.Linear):
            with t.no_grad():
                std = net[:k + 1](X).std(correction=0)
            for p in layer.parameters():
                p.data.div_(std)


@t.no_grad()
def stale(net, X):  # 后面的层用的是改动之前的输入
    outputs, x = [], X
    for layer in net:
        x = layer(x)
        outputs.append(x)
    for layer, output in zip(net, outputs):
        if isinstance(layer, nn.Linear):
            layer.weight /= output.std()
            layer.bias /= output.std()


@t.no_grad()
def weights_only(net, X):
    for layer in net:
        if isinstance(layer, nn.Linear):
            layer.weight /= layer(X).std()
        X = layer(X)


@t.no_grad()
def starts_over(net, X):  # 换了一套权重，标准差也是 1
    for layer in net:
        if isinstance(layer, nn.Linear):
            init.normal_(layer.weight)
            layer.bias.zero_()
            layer.weight /= layer(X).std()
        X = layer(X)


@t.no_grad()
def per_unit(net, X):
    for layer in net:
        if isinstance(layer, nn.Linear):
            std = layer(X).std(0)
            layer.weight /= std[:, None]
            layer.bias /= std
        X = layer(X)


@t.no_grad()
def first_layer(net, X):
    std = net[0](X).std()
    net[0].weight /= std
    net[0].bias /= std


right(4, calibrate)
right(4, calibrate_prefix)
wrong(4, stale, "第 2 层")
wrong(4, weights_only, "第 ")
wrong(4, starts_over, "应只除以一个数")
wrong(4, per_unit, "第 0 层")
wrong(4, first_layer, "第 2 层")
wrong(4, lambda net, X: None, "第 0 层")
