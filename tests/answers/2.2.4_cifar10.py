"""2.2.4 的对答案与错答案。"""

right(1, lambda x: (x * std[:, None, None] + mean[:, None, None]).permute(1, 2, 0))
right(1, lambda x: (x.permute(1, 2, 0) * std + mean).clamp(0, 1))
right(1, lambda x: transforms.functional.normalize(x, (-mean / std).tolist(), (1 / std).tolist()).permute(1, 2, 0).numpy())
wrong(1, lambda x: (x * 0.5 + 0.5).clamp(0, 1).permute(1, 2, 0), "都为 0.5")
wrong(1, lambda x: ((x + mean[:, None, None]) * std[:, None, None]).permute(1, 2, 0), "先乘标准差")
wrong(1, lambda x: x * std[:, None, None] + mean[:, None, None], "形状")
wrong(1, lambda x: (x * std[:, None, None] + mean[:, None, None]).permute(2, 1, 0), "形状")
wrong(1, lambda x: (x * std[:, None, None] + mean[:, None, None]).reshape(*x.shape[1:], 3), "处应为")
wrong(1, lambda x: (x * std.mean() + mean.mean()).permute(1, 2, 0), "处应为")
wrong(1, lambda x: x.mul_(std[:, None, None]).add_(mean[:, None, None]).permute(1, 2, 0), "被改动")


def looped(matrix):
    result = []
    for j in range(len(matrix)):
        total = matrix[:, j].sum().item()
        result.append(matrix[j, j].item() / total if total else 0.0)
    return t.tensor(result)


right(2, looped)
right(2, lambda m: t.nan_to_num(m.diag() / m.sum(0), nan=0.0))
right(2, lambda m: t.where(m.sum(0) > 0, m.diagonal() / m.sum(0).double(), 0.0))
wrong(2, lambda m: m.diagonal() / m.sum(1).clamp(min=1), "应为")
wrong(2, lambda m: m.diagonal() / m.sum(0), "nan")
wrong(2, lambda m: m.diagonal() // m.sum(0).clamp(min=1), "应为")
wrong(2, lambda m: m.diagonal() / m.sum(), "应为")
wrong(2, lambda m: m / m.sum(0).clamp(min=1), "形状")
wrong(2, lambda m: m.max(0).values / m.sum(0).clamp(min=1), "应为")
wrong(2, lambda m: m.diagonal() / (m.sum(0) + 1), "应为")

right(3, lambda scores, y: (scores.logsumexp(1) - scores[t.arange(len(y)), y]).mean())
right(3, lambda scores, y: (t.logsumexp(scores, 1, keepdim=True) - scores.gather(1, y[:, None])).mean())
wrong(3, lambda scores, y: F.cross_entropy(scores, y), "不许用 cross_entropy")
wrong(3, lambda scores, y: nn.CrossEntropyLoss()(scores, y), "不许用 cross_entropy")
wrong(3, lambda scores, y: F.nll_loss(scores.log_softmax(1), y), "不许用")
wrong(3, lambda scores, y: (scores.exp().sum(1).log() - scores.gather(1, y[:, None])[:, 0]).mean(), "溢出")
wrong(3, lambda scores, y: answer_3(scores, y) * len(y), "总和")
wrong(3, lambda scores, y: scores.logsumexp(1) - scores[t.arange(len(y)), y], "检查时出错")
wrong(3, lambda scores, y: (scores.logsumexp(0) - scores[t.arange(len(y)), y].mean()).mean(), "应为")
wrong(3, lambda scores, y: answer_3(scores, y).detach(), "计算图")
wrong(3, lambda scores, y: answer_3(scores.clamp(-80, 80), y), "应为")
wrong(3, lambda scores, y: -answer_3(scores, y), "应为")


class Plain(nn.Module):
    """可以弄错几处的 LeNet。"""

    def __init__(self, active=F.relu, pool=F.max_pool2d, widths=(16, 32), kernel=5, last=False, middle=84):
        super().__init__()
        self.active, self.pool, self.last = active, pool, last
        self.conv1, self.conv2 = nn.Conv2d(3, widths[0], kernel), nn.Conv2d(widths[0], widths[1], kernel)
        self.fc1, self.fc2, self.fc3 = nn.Linear(widths[1] * 25, 120), nn.Linear(120, middle), nn.Linear(middle, 10)

    def forward(self, x):
        x = self.pool(self.active(self.conv1(x)), 2)
        x = self.pool(self.active(self.conv2(x)), 2)
        x = self.fc3(self.active(self.fc2(self.active(self.fc1(x.flatten(1))))))
        return x.softmax(1) if self.last else x


def sequential():
    return nn.Sequential(nn.Conv2d(3, 16, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(800, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


class TwoParts(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2))
        self.classifier = nn.Sequential(nn.Linear(800, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))

    def forward(self, x):
        return self.classifier(self.features(x).view(len(x), -1))


right(4, sequential)
right(4, TwoParts)
right(4, Plain)
wrong(4, lambda: Plain(active=lambda x: x), "激活")
wrong(4, lambda: Plain(pool=F.avg_pool2d), "平均")
wrong(4, lambda: Plain(active=t.sigmoid), "应为")
wrong(4, lambda: Plain(widths=(6, 16)), "[16, 32]")
wrong(4, lambda: Plain(last=True), "应为")
wrong(4, lambda: Plain(middle=64), "800 → 120 → 84 → 10")
wrong(4, lambda: Plain(kernel=3), "5×5")


def mended(net, batches, lr, mode=True, softmax=False, clear=True, item=True):
    net.train(mode)
    optimizer, losses = t.optim.SGD(net.parameters(), lr), []
    for X, y in batches:
        scores = net(X)
        loss = nn.CrossEntropyLoss()(scores.softmax(1) if softmax else scores, y)
        if clear:
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item() if item else loss)
    return sum(losses) / len(losses)


def first_loss(net, batches, lr):
    losses = [mended(net, [batch], lr) for batch in batches]
    return losses[0]


right(5, mended)
right(5, lambda net, batches, lr: sum(mended(net, [batch], lr) for batch in batches) / len(batches))
wrong(5, broken, "Python 浮点数")
wrong(5, lambda *a: mended(*a, mode=False), "还有 1 处毛病：训练时网络在 eval 模式")
wrong(5, lambda *a: mended(*a, softmax=True), "还有 1 处毛病：交叉熵之前")
wrong(5, lambda *a: mended(*a, clear=False), "还有 1 处毛病：梯度没有清零")
wrong(5, lambda *a: mended(*a, mode=False, clear=False), "还有 2 处")
wrong(5, lambda *a: mended(*a, item=False), ".item()")
wrong(5, first_loss, "应为")


def backwards(net):  # 从后往前推
    size = 1
    for layer in reversed([m for m in net.modules() if hasattr(m, "stride")]):
        stride, kernel = (v[0] if isinstance(v, tuple) else v for v in (layer.stride, layer.kernel_size))
        spread = layer.dilation[0] if isinstance(layer, nn.Conv2d) else 1
        size = (size - 1) * stride + (kernel - 1) * spread + 1
    return size


def by_gradient(net):
    x = t.ones(1, 1, 201, 201, dtype=t.float64, requires_grad=True)
    y = x
    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            y = F.conv2d(y, t.ones(1, 1, *m.kernel_size, dtype=t.float64), None, m.stride, m.padding, m.dilation)
        elif isinstance(m, (nn.MaxPool2d, nn.AvgPool2d)):
            y = F.avg_pool2d(y, m.kernel_size, m.stride, m.padding)
    y[0, 0, y.shape[2] // 2, y.shape[3] // 2].backward()
    columns = x.grad[0, 0].sum(0).nonzero().flatten()
    return columns[-1].item() - columns[0].item() + 1


right(6, backwards)
right(6, by_gradient)
wrong(6, lambda net: receptive_field(nn.Sequential(*net.children())) if not any(isinstance(m, nn.Sequential) for m in net)
      else receptive_field(nn.Sequential(*[m for m in net if not isinstance(m, nn.Sequential)])), "嵌套的")
wrong(6, lambda net: receptive_field(net) + 1, "应为")
wrong(6, lambda net: receptive_field(nn.Sequential(*[m for m in net.modules() if isinstance(m, nn.Conv2d)])), "应为")  # 忘了池化
wrong(6, lambda net: float(receptive_field(net)), "Python 的 int")
