"""4.8 的对答案与错答案。"""

right(1, lambda a, b: 9 * a * b + 9 * b * b + a * b + 6 * b)
right(1, lambda a, b: (3 * 3 * a * b + 2 * b) + (3 * 3 * b * b + 2 * b) + (a * b + 2 * b))
wrong(1, lambda a, b: sum(p.numel() for p in ResidualBlock(a, b, 2).parameters()), "不许用")
wrong(1, lambda a, b: 9 * a * b + 9 * b * b + a * b + 9 * b, "应为")  # 以为卷积有偏置
wrong(1, lambda a, b: 9 * a * b + 9 * b * b + 4 * b, "应为")  # 忘了直连
wrong(1, lambda a, b: 9 * a * b + 9 * b * b + a * b + 3 * b, "应为")
wrong(1, lambda a, b: 9 * a * b + 9 * b * b + a * b + 12 * b, "应为")  # 缓冲区不是参数
wrong(1, lambda a, b: 9 * a * a + 9 * b * b + a * b + 6 * b, "应为")


class Net(nn.Module):
    """可以弄错几处的 ResNet18。"""

    counts, active, fixed, pool = (2, 2, 2, 2), True, None, True

    def __init__(self, num_classes=1000):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        parts, channels = [], 64
        for k, count in enumerate(self.counts):
            out = 64 * 2 ** k
            parts += [ResidualBlock(channels if j == 0 else out, out, stride=2 if k and j == 0 else 1) for j in range(count)]
            channels = out
        self.body = nn.Sequential(*parts)
        self.head = nn.Linear(512, self.fixed or num_classes)

    def forward(self, x):
        x = self.body(self.stem(x))
        return self.head(x.mean((2, 3)))


class Layers(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.pre = nn.Sequential(nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(64),
                                 nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2, padding=1))
        self.layer1, self.layer2 = self.make(64, 64, 1), self.make(64, 128, 2)
        self.layer3, self.layer4 = self.make(128, 256, 2), self.make(256, 512, 2)
        self.fc = nn.Linear(512, num_classes)

    @staticmethod
    def make(a, b, stride):
        return nn.Sequential(ResidualBlock(a, b, stride), ResidualBlock(b, b))

    def forward(self, x):
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.pre(x)))))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class Deep(Net):
    counts = (3, 4, 6, 3)


class TenClasses(Net):
    fixed = 10


class Softmax(Net):
    def forward(self, x):
        return super().forward(x).softmax(1)


class MaxHead(Net):
    def forward(self, x):
        return self.head(self.body(self.stem(x)).amax((2, 3)))


class HeadFirst(Net):  # 登记的次序不对
    def __init__(self, num_classes):
        super().__init__(num_classes)
        head = self.head
        del self.head
        self._modules = {"head": head, **self._modules}


class NoStemPool(Net):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.stem = self.stem[:3]


right(2, Net)
right(2, Layers)
wrong(2, Deep, "现在是 21")
wrong(2, TenClasses, "7 类时应有")
wrong(2, Softmax, "应为")
wrong(2, MaxHead, "应为")
wrong(2, HeadFirst, "次序")
wrong(2, NoStemPool, "应为")


def zero_last(net, pick=lambda block: [block.left[4]], children=False, what=("weight",)):
    for block in net.children() if children else net.modules():
        if isinstance(block, ResidualBlock):
            for norm in pick(block):
                for name in what:
                    nn.init.zeros_(getattr(norm, name))


def by_filter(net):
    for block in filter(lambda m: isinstance(m, ResidualBlock), net.modules()):
        norms = [m for m in block.left if isinstance(m, nn.BatchNorm2d)]
        norms[-1].weight.data.zero_()


right(3, zero_last)
right(3, by_filter)
wrong(3, lambda net: zero_last(net, children=True), "left.4.weight")
wrong(3, lambda net: zero_last(net, pick=lambda b: [b.left[1]]), "left.1.weight 不该动")
wrong(3, lambda net: zero_last(net, pick=lambda b: [b.left[1], b.left[4]]), "不该动")
wrong(3, lambda net: zero_last(net, pick=lambda b: [[m for m in b.modules() if isinstance(m, nn.BatchNorm2d)][-1]]), "应为 0")
wrong(3, lambda net: [nn.init.zeros_(m.weight) for m in net.modules() if isinstance(m, nn.BatchNorm2d)], "0.weight 不该动")
wrong(3, lambda net: [nn.init.zeros_(p) for n, p in net.named_parameters() if "left.4" in n or "right.1.bias" in n] and
      [nn.init.ones_(p) for n, p in net.named_parameters() if n.endswith("left.4.bias")], "不该动")
wrong(3, lambda net: None, "应为 0")


class Neck(nn.Module):
    """可以弄错几处的瓶颈块。"""

    place, last, act, order = 1, True, 2, ("left", "right")

    def __init__(self, in_channels, mid, stride=1):
        super().__init__()
        out = 4 * mid
        strides = [stride if k == self.place else 1 for k in range(3)]
        left = [nn.Conv2d(in_channels, mid, 1, strides[0], bias=False), nn.BatchNorm2d(mid), nn.ReLU(),
                nn.Conv2d(mid, mid, 3, strides[1], 1, bias=False), nn.BatchNorm2d(mid), nn.ReLU(),
                nn.Conv2d(mid, out, 1, strides[2], bias=False), nn.BatchNorm2d(out)]
        if self.act == 0:
            left = [m for m in left if not isinstance(m, nn.ReLU)]
        if self.act == 3:
            left.append(nn.ReLU())
        same = self.shortcut(in_channels, out, stride)
        right = nn.Identity() if same else nn.Sequential(nn.Conv2d(in_channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        for name in self.order:
            setattr(self, name, {"left": nn.Sequential(*left), "right": right}[name])

    def shortcut(self, a, b, stride):
        return a == b and stride == 1

    def forward(self, x):
        y = self.left(x) + self.right(x)
        return y.relu() if self.last else y


class ByHand(nn.Module):
    def __init__(self, in_channels, mid, stride=1):
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(in_channels, mid, 1, bias=False), nn.BatchNorm2d(mid)
        self.c2, self.b2 = nn.Conv2d(mid, mid, 3, stride, 1, bias=False), nn.BatchNorm2d(mid)
        self.c3, self.b3 = nn.Conv2d(mid, 4 * mid, 1, bias=False), nn.BatchNorm2d(4 * mid)
        self.short = None
        if stride != 1 or in_channels != 4 * mid:
            self.short = nn.Sequential(nn.Conv2d(in_channels, 4 * mid, 1, stride, bias=False), nn.BatchNorm2d(4 * mid))

    def forward(self, x):
        y = F.relu(self.b1(self.c1(x)))
        y = F.relu(self.b2(self.c2(y)))
        return F.relu(self.b3(self.c3(y)) + (x if self.short is None else self.short(x)))


def neck(**options):
    return type("Bottleneck", (Neck,), options)


right(4, Neck)
right(4, ByHand)
wrong(4, neck(place=0), "步长放在 3×3 上")
wrong(4, neck(last=False), "相加之后再 ReLU")
wrong(4, neck(act=0), "ReLU")
wrong(4, neck(act=3), "ReLU")
wrong(4, neck(order=("right", "left")), "对不上")
wrong(4, neck(shortcut=lambda self, a, b, stride: stride == 1), "对不上")
wrong(4, neck(shortcut=lambda self, a, b, stride: False), "对不上")


class Four(nn.Module):
    """可以弄错几处的 Inception。"""

    bias, act, kernel, last, order = False, nn.ReLU, 5, 1, (0, 1, 2, 3)

    def __init__(self, channels, n1, reduce3, n3, reduce5, n5, pool):
        super().__init__()
        self.one = self.unit(channels, n1, 1)
        self.three = nn.Sequential(self.unit(channels, reduce3, 1), self.unit(reduce3, n3, 3))
        self.five = nn.Sequential(self.unit(channels, reduce5, 1), self.unit(reduce5, n5, self.kernel))
        self.pool = self.unit(channels, pool, 1)

    def unit(self, a, b, k):
        return nn.Sequential(nn.Conv2d(a, b, k, 1, k // 2, bias=self.bias), nn.BatchNorm2d(b), self.act())

    def forward(self, x):
        pooled = F.max_pool2d(x, 3, stride=1, padding=1)
        parts = self.one(x), self.three(x), self.five(x), self.pool(pooled)
        return t.cat([parts[k] for k in self.order], 1)


class PoolLast(Four):
    def forward(self, x):
        return t.cat([self.one(x), self.three(x), self.five(x), F.max_pool2d(self.pool(x), 3, 1, 1)], 1)


right(5, Four)
right(5, Inception)
wrong(5, Summed, "形状")
wrong(5, type("Bias", (Four,), {"bias": True}), "没有偏置")
wrong(5, type("Three", (Four,), {"kernel": 3}), "六个卷积核")
wrong(5, type("NoReLU", (Four,), {"act": nn.Identity}), "应为")
wrong(5, type("Order", (Four,), {"order": (1, 0, 2, 3)}), "应为")
wrong(5, PoolLast, "应为")


def by_loops(net, optimizer):
    found = set()
    held = [p for group in optimizer.param_groups for p in group["params"]]
    for p in net.parameters():
        if not p.requires_grad:
            found.add("frozen")
        elif not any(p is q for q in held):
            found.add("missing")
    if any(all(p is not q for p in net.parameters()) for q in held):
        found.add("stale")
    for m in net.modules():
        if net.training and not m.training:
            found.add("eval")
        if isinstance(m, (nn.Linear, nn.Conv2d)) and (m.weight == 0).all():
            found.add("zero")
    return found


def first_group(net, optimizer):
    optimizer = type("Only", (), {"param_groups": optimizer.param_groups[:1]})
    return diagnose(net, optimizer)


def by_value(net, optimizer):
    found = diagnose(net, optimizer) - {"missing"}
    held = [q for group in optimizer.param_groups for q in group["params"]]
    missing = any(p.requires_grad and not any(p.shape == q.shape and t.equal(p, q) for q in held) for p in net.parameters())
    return found | {"missing"} if missing else found


def repairs(net, optimizer):
    found = diagnose(net, optimizer)
    net.train()
    return found


right(6, by_loops)
right(6, lambda net, optimizer: frozenset(diagnose(net, optimizer)))
wrong(6, first_group, "种下的是")
wrong(6, by_value, "种下的是")
wrong(6, repairs, "改动")
wrong(6, lambda net, optimizer: diagnose(net, optimizer) | ({"eval"} if not net.training else set()), "不算毛病")
wrong(6, lambda net, optimizer: set(), "种下的是")
