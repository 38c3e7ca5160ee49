"""2.2 的对答案与错答案。"""

right(1, t.from_numpy(pixels).clone())
right(1, t.from_numpy(pixels.copy()))
right(1, t.tensor(pixels, dtype=t.float32))
wrong(1, t.from_numpy(pixels), "共用内存")
wrong(1, t.as_tensor(pixels), "共用内存")
wrong(1, t.Tensor(pixels), "共用内存")
wrong(1, t.tensor(pixels).double(), "torch.float32")
wrong(1, t.tensor(pixels).flatten(), "形状")
wrong(1, pixels.copy(), "应为张量")
wrong(1, t.zeros(2, 3), "应为")


def slope(f, x, times=1):
    x = t.tensor(x, requires_grad=True)
    for _ in range(times):
        f(x).backward()
    return x.grad


right(2, slope(lambda x: x.sin() / x, 2.0).item())
right(2, float(slope(lambda x: t.sinc(x / t.pi), 2.0)))
wrong(2, slope(lambda x: x.sin() / x, 2.0), "Python 浮点数")
wrong(2, slope(lambda x: x.sin() / x, 2.0, times=2).item(), "两倍")
wrong(2, slope(lambda x: x.sin(), 2.0).item(), "不是 x=2 处的导数")
wrong(2, -slope(lambda x: x.sin() / x, 2.0).item(), "符号反了")
wrong(2, (t.tensor(2.).sin() / 2).item(), "不是 x=2 处的导数")  # 是函数值
wrong(2, slope(lambda x: x.sin() / x, 3.0).item(), "不是 x=2 处的导数")


def step_functional(net, optimizer, x, target):
    optimizer.zero_grad(set_to_none=True)
    loss = F.mse_loss(net(x), target)
    loss.backward()
    optimizer.step()
    return loss.item()


def step_early_forward(net, optimizer, x, target):
    criterion = nn.MSELoss()
    output = net(x)
    loss = criterion(output, target)
    net.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def broken(clear=True, back=True, update=True, after=False, item=True, loss_of=F.mse_loss):
    def step(net, optimizer, x, target):
        if clear:
            optimizer.zero_grad()
        loss = loss_of(net(x), target)
        if back:
            loss.backward()
        if update:
            optimizer.step()
        if after:
            loss = loss_of(net(x), target)
        return loss.item() if item else loss
    return step


def by_hand(net, optimizer, x, target):  # 不用给的优化器
    loss = F.mse_loss(net(x), target)
    for p, grad in zip(net.parameters(), t.autograd.grad(loss, list(net.parameters()))):
        p.data -= 0.1 * grad
    return loss.item()


right(3, step_functional)
right(3, step_early_forward)
wrong(3, broken(clear=False), "先清零")
wrong(3, broken(back=False), "第 1 步之后")
wrong(3, broken(update=False), "第 1 步之后")
wrong(3, broken(after=True), "第 1 步的损失")
wrong(3, broken(item=False), "Python 浮点数")
wrong(3, broken(loss_of=F.l1_loss), "第 1 步的损失")
wrong(3, by_hand, "第 2 步之后")

right(4, 62_006)
right(4, (3 * 25 + 1) * 6 + (6 * 25 + 1) * 16 + (400 + 1) * 120 + (120 + 1) * 84 + (84 + 1) * 10)
wrong(4, 61_706, "不是 61706")
wrong(4, 62_018, "多算了偏置")
wrong(4, 61_706 + 3 * 6 * 25, "不是")
wrong(4, 62_006.0, "整数")
wrong(4, 61_706 + 2 * 25, "不是")

right(5, F.pad(photos[:, None], [2] * 4))
right(5, t.zeros(4, 1, 32, 32).index_put((t.arange(4)[:, None, None], t.tensor(0), t.arange(2, 30)[:, None], t.arange(2, 30)), photos))
wrong(5, F.interpolate(photos[:, None], (32, 32)), "不是缩放")
wrong(5, F.pad(photos[:, None], (0, 4, 0, 4)), "只补一边")
wrong(5, F.pad(photos, (2, 2, 2, 2)), "(4, 1, 32, 32)")
wrong(5, F.pad(photos[:, None], [2] * 4, value=1.0), "四周补的应是 0")
wrong(5, F.pad(photos[:, None], [2] * 4, mode="reflect"), "四周补的应是 0")
wrong(5, F.pad(photos[:, None], [2] * 4) + F.pad(F.pad(t.zeros(4, 1, 30, 30), [0] * 4), [1] * 4, value=1.0)
      - F.pad(F.pad(t.zeros(4, 1, 30, 30), [0] * 4, value=0), (1, 1, 1, 1), value=0) * 0
      - 2 * F.pad(t.zeros(4, 1, 32, 16), (16, 0), value=0.5) * F.pad(t.zeros(4, 1, 30, 30), [1] * 4, value=1.0), "四周补的应是 0")  # 和恰好是 0
