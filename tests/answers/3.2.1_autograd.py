"""3.2.1 的对答案与错答案。"""

right(1, t.nn.Parameter(0.1 * t.randn(200, 300, dtype=t.float64)))
right(1, t.empty(200, 300, dtype=t.float64).normal_(0, 0.1).requires_grad_())
right(1, t.tensor((0.1 * t.randn(200, 300)).tolist(), dtype=t.float64, requires_grad=True))
wrong(1, t.randn(200, 300, dtype=t.float64, requires_grad=True) * 0.1, "叶子")
wrong(1, (t.randn(200, 300) * 0.1).requires_grad_(), "float64")
wrong(1, (t.randn(200, 300) * 0.1).requires_grad_().double(), "叶子")
wrong(1, t.randn(200, 300, dtype=t.float64) * 0.1, "requires_grad 应为 True")
wrong(1, t.randn(200, 300, dtype=t.float64, requires_grad=True), "标准差约为 0.1")
wrong(1, (t.rand(200, 300, dtype=t.float64) * 0.1).requires_grad_(), "均值应约为 0")
wrong(1, (t.arange(60000).view(200, 300).remainder(2).double() * 0.2 - 0.1).requires_grad_(), "随机")
wrong(1, (t.randn(300, 200, dtype=t.float64) * 0.1).requires_grad_(), "(200, 300)")

right(2, {"a", "d"})
right(2, ["d", "a"])
wrong(2, {"a", "b", "d"}, "['b']")
wrong(2, {"a", "c", "d", "e"}, "['c', 'e']")
wrong(2, {"a"}, "还漏了 1 个")
wrong(2, {"a", "d", "g"}, "['g']")
wrong(2, {"x"}, "没有叫")


def derivative(f, x):
    with t.enable_grad():
        leaf = x.detach().requires_grad_()
        return t.autograd.grad(f(leaf).sum(), leaf)[0]


def copied(f, x):
    with t.enable_grad():
        leaf = x.detach().clone().requires_grad_()
        f(leaf).backward(t.ones_like(leaf))
    return leaf.grad


def switches(f, x):  # 打开了 x 自己的开关
    x.requires_grad_()
    return t.autograd.grad(f(x).sum(), x)[0]


def backward(f, x):
    with t.enable_grad():
        leaf = x.detach().requires_grad_()
        f(leaf).sum().backward()
    x.grad = leaf.grad
    return leaf.grad


def needs_grad(f, x):  # 在 no_grad 里不能用
    leaf = x.detach().requires_grad_()
    return t.autograd.grad(f(leaf).sum(), leaf)[0]


def keeps_graph(f, x):
    with t.enable_grad():
        leaf = x.detach().requires_grad_()
        return t.autograd.grad(f(leaf).sum(), leaf, create_graph=True)[0]


def averaged(f, x):
    with t.enable_grad():
        leaf = x.detach().requires_grad_()
        return t.autograd.grad(f(leaf).mean(), leaf)[0]


right(3, derivative)
right(3, copied)
right(3, lambda f, x: t.func.grad(lambda x: f(x).sum())(x.detach()))
wrong(3, switches, "requires_grad")
wrong(3, backward, "grad 应与调用前相同")
wrong(3, needs_grad, "检查时出错")
wrong(3, keeps_graph, "计算图")
wrong(3, averaged, "导数")
wrong(3, lambda f, x: f_prime(x.detach()), "导数")  # 只认得正文的 f
wrong(3, lambda f, x: ((f(x + 1e-3) - f(x)) / 1e-3).detach(), "导数")


def update(w, lr):
    with t.no_grad():
        w -= lr * w.grad
    w.grad = None


@t.no_grad()
def update_zero(w, lr):
    w.add_(w.grad, alpha=-lr)
    w.grad.zero_()


def update_data(w, lr):
    w.data -= lr * w.grad
    w.grad = None


def update_rebinds(w, lr):
    w = (w - lr * w.grad).detach().requires_grad_()


def update_keeps(w, lr):
    with t.no_grad():
        w -= lr * w.grad


def update_bare(w, lr):
    w -= lr * w.grad
    w.grad = None


def update_swaps(w, lr):
    w.data = w.detach() - lr * w.grad
    w.grad = None


def update_up(w, lr):
    with t.no_grad():
        w += lr * w.grad
    w.grad = None


right(4, update)
right(4, update_zero)
right(4, lambda w, lr: (t.optim.SGD([w], lr=lr).step(), w.grad.zero_()))
wrong(4, update_data, "版本号")
wrong(4, update_rebinds, "没有变")
wrong(4, update_keeps, "梯度应清掉")
wrong(4, update_bare, "检查时出错")
wrong(4, update_swaps, "换了一块内存")
wrong(4, update_up, "应为")


def accumulate(w, X, y, size):
    for rows, targets in zip(X.split(size), y.split(size)):
        (((rows @ w - targets) ** 2).sum() / len(X)).backward()


def accumulate_weighted(w, X, y, size):
    for start in range(0, len(X), size):
        x, target = X[start:start + size], y[start:start + size]
        loss = ((x @ w - target) ** 2).mean() * (len(x) / len(X))
        loss.backward()


def accumulate_by_grad(w, X, y, size):
    total = t.zeros_like(w)
    for rows, targets in zip(X.split(size), y.split(size)):
        total += t.autograd.grad(((rows @ w - targets) ** 2).sum(), w)[0]
    w.grad = total / len(X)


def whole(w, X, y, size):
    ((X @ w - y) ** 2).mean().backward()


def whole_by_hand(w, X, y, size):  # 整批，而且不留下可供反向的东西
    with t.no_grad():
        w.grad = 2 * X.T @ (X @ w - y) / len(X)


def whole_transposed(w, X, y, size):
    ((w @ X.T - y) ** 2).mean().backward()


def unweighted(w, X, y, size):
    pieces = list(zip(X.split(size), y.split(size)))
    for rows, targets in pieces:
        (((rows @ w - targets) ** 2).mean() / len(pieces)).backward()


def plain_sum(w, X, y, size):
    for rows, targets in zip(X.split(size), y.split(size)):
        ((rows @ w - targets) ** 2).mean().backward()


def drops_last(w, X, y, size):
    for k in range(len(X) // size):
        rows, targets = X[k * size:(k + 1) * size], y[k * size:(k + 1) * size]
        (((rows @ w - targets) ** 2).sum() / len(X)).backward()


right(5, accumulate)
right(5, accumulate_weighted)
right(5, accumulate_by_grad)
wrong(5, whole, "至多用 5 行")
wrong(5, whole_by_hand, "至多用 5 行")
wrong(5, whole_transposed, "至多用 5 行")
wrong(5, unweighted, "梯度")
wrong(5, plain_sum, "2.00 倍")
wrong(5, drops_last, "size=4")
wrong(5, lambda w, X, y, size: None, "None")
