"""3.2.4 的对答案与错答案。"""


def huber_clamped(y_hat, y):
    size = (y_hat - y).abs()
    small = size.clamp(max=1)
    return (0.5 * small ** 2 + (size - small)).mean()


def huber_masked(y_hat, y):
    e = y_hat - y
    inside = (e.abs() <= 1).float()
    return (inside * 0.5 * e * e + (1 - inside) * (e.abs() - 0.5)).sum() / e.numel()


right(1, huber_clamped)
right(1, huber_masked)
wrong(1, lambda y_hat, y: t.nn.functional.huber_loss(y_hat, y), "不许用 huber_loss")
wrong(1, lambda y_hat, y: t.nn.HuberLoss()(y_hat, y), "不许用 huber_loss")
wrong(1, lambda y_hat, y: t.nn.functional.smooth_l1_loss(y_hat, y), "不许用 smooth_l1_loss")
wrong(1, lambda y_hat, y: huber_clamped(y_hat, y).detach(), "计算图")
wrong(1, lambda y_hat, y: t.tensor(huber_clamped(y_hat, y).item()), "计算图")
wrong(1, lambda y_hat, y: huber_clamped(y_hat, y) * y_hat.numel(), "平均")
wrong(1, lambda y_hat, y: t.where((y_hat - y).abs() <= 1, 0.5 * (y_hat - y) ** 2, (y_hat - y).abs()).mean(), "应为")
wrong(1, lambda y_hat, y: t.where((y_hat - y).abs() <= 1, 0.5 * (y_hat - y) ** 2, (y_hat - y).abs() - 0.5), "形状")
wrong(1, lambda y_hat, y: t.where(y_hat - y <= 1, 0.5 * (y_hat - y) ** 2, (y_hat - y).abs() - 0.5).mean(), "应为")
wrong(1, lambda y_hat, y: t.where(y_hat.abs() <= 1, 0.5 * y_hat ** 2, y_hat.abs() - 0.5).mean(), "应为")  # y 恰好是 0 才对
wrong(1, lambda y_hat, y: (0.5 * (y_hat - y).detach() * (y_hat - y)).mean() * 0 + huber_clamped(y_hat.detach(), y), "梯度")


def momentum_step(parameters, velocities, lr, momentum):
    with t.no_grad():
        for p, v in zip(parameters, velocities):
            v *= momentum
            v += p.grad
            p.sub_(v, alpha=lr)
            p.grad.zero_()


@t.no_grad()
def momentum_copy(parameters, velocities, lr, momentum):
    for p, v in zip(parameters, velocities):
        v.copy_(momentum * v + p.grad)
        p.add_(-lr * v)
        p.grad = None


@t.no_grad()
def averaging(parameters, velocities, lr, momentum):
    for p, v in zip(parameters, velocities):
        v.mul_(momentum).add_(p.grad, alpha=1 - momentum)
        p -= lr * v
        p.grad = None


@t.no_grad()
def rebinding(parameters, velocities, lr, momentum):  # 外面的速度没有变
    for p, v in zip(parameters, velocities):
        v = momentum * v + p.grad
        p -= lr * v
        p.grad = None


@t.no_grad()
def forgetting(parameters, velocities, lr, momentum):
    for p, v in zip(parameters, velocities):
        v.mul_(momentum).add_(p.grad)
        p -= lr * v


@t.no_grad()
def first_only(parameters, velocities, lr, momentum):
    momentum_copy(parameters[:1], velocities[:1], lr, momentum)
    for p in parameters:
        p.grad = None


@t.no_grad()
def scaled(parameters, velocities, lr, momentum):  # 另一种定义：学习率乘进速度里
    for p, v in zip(parameters, velocities):
        v.mul_(momentum).add_(p.grad, alpha=lr)
        p -= v
        p.grad = None


@t.no_grad()
def plain_sgd(parameters, velocities, lr, momentum):
    for p in parameters:
        p -= lr * p.grad
        p.grad = None


right(2, momentum_step)
right(2, momentum_copy)
wrong(2, averaging, "第 1 步后")
wrong(2, rebinding, "速度")
wrong(2, forgetting, "没有清掉")
wrong(2, first_only, "第 1 个参数")
wrong(2, scaled, "速度")
wrong(2, plain_sgd, "速度")


def train_epoch(w, b, data, lr):
    losses = []
    for x, y in data:
        dw, db = t.autograd.grad(loss := loss_of(w, b, x, y), (w, b))
        with t.no_grad():
            w -= lr * dw
            b -= lr * db
        losses.append(loss.item())
    return sum(losses) / len(losses)


def with_optimizer(w, b, data, lr):
    optimizer, total = t.optim.SGD([w, b], lr=lr), 0.0
    for x, y in data:
        optimizer.zero_grad()
        loss = loss_of(w, b, x, y)
        loss.backward()
        optimizer.step()
        total += loss.detach().item()
    optimizer.zero_grad()
    return total / len(data)


def one_step(w, b, data, lr):
    total = sum(loss_of(w, b, x, y) for x, y in data)
    for p, grad in zip((w, b), t.autograd.grad(total, (w, b))):
        p.data -= lr * grad
    return total.item() / len(data)


def never_clears(w, b, data, lr):
    total = 0.0
    for x, y in data:
        loss = loss_of(w, b, x, y)
        loss.backward()
        with t.no_grad():
            w -= lr * w.grad
            b -= lr * b.grad
        total += loss.item()
    return total / len(data)


def last_loss(w, b, data, lr):
    train_epoch(w, b, data, lr)
    return loss_of(w, b, *data[-1]).item()


right(3, train_epoch)
right(3, with_optimizer)
wrong(3, one_step, "(w, b)")
wrong(3, never_clears, "(w, b)")
wrong(3, last_loss, "平均损失")
wrong(3, lambda w, b, data, lr: t.tensor(train_epoch(w, b, data, lr)), "Python 浮点数")
wrong(3, lambda w, b, data, lr: train_epoch(w, b, data, lr) * len(data), "平均损失")
wrong(3, lambda w, b, data, lr: train_epoch(w.clone().detach().requires_grad_(), b, data, lr), "(w, b)")


def lift(value, kind):
    return value if isinstance(value, kind) else kind(value)


class Tape:
    """另一种写法：每个结果存一个把梯度分给上游的函数。"""

    def __init__(self, data, parents=(), spread=lambda grad: None):
        self.data, self.parents, self.spread, self.grad = float(data), parents, spread, 0.0

    def __add__(self, other):
        other = lift(other, Tape)
        return Tape(self.data + other.data, (self, other), lambda grad: (self.take(grad), other.take(grad)))

    def __mul__(self, other):
        other = lift(other, Tape)
        return Tape(self.data * other.data, (self, other), lambda grad: (self.take(grad * other.data), other.take(grad * self.data)))

    def tanh(self):
        y = math.tanh(self.data)
        return Tape(y, (self,), lambda grad: self.take(grad * (1 - y ** 2)))

    def take(self, grad):
        self.grad += grad

    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def __sub__(self, other):
        return self + lift(other, Tape) * -1

    def __rsub__(self, other):
        return lift(other, Tape) - self

    def backward(self):
        waiting, stack, seen = {}, [self], {self}
        while stack:
            for parent in stack.pop().parents:
                waiting[parent] = waiting.get(parent, 0) + 1
                if parent not in seen:
                    seen.add(parent)
                    stack.append(parent)
        self.grad, ready = 1.0, [self]
        while ready:
            node = ready.pop()
            node.spread(node.grad)
            for parent in node.parents:
                waiting[parent] -= 1
                if not waiting[parent]:
                    ready.append(parent)


class Recursive(Value):
    def backward(self):
        order, seen = [], set()
        def visit(node):
            if node not in seen:
                seen.add(node)
                for parent, _ in node.parents:
                    visit(parent)
                order.append(node)
        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            for parent, slope in node.parents:
                parent.grad += slope * node.grad


class Overwrites(Value):
    def backward(self):
        stack = [self]
        self.grad = 1.0
        while stack:
            node = stack.pop()
            for parent, slope in node.parents:
                parent.grad = slope * node.grad
                stack.append(parent)


class WrongTanh(Value):
    def tanh(self):
        return type(self)(math.tanh(self.data), [(self, 1 - self.data ** 2)])


class NoLeft(Value):
    __rsub__ = lambda self, other: self - other


right(4, Value)
right(4, Tape)
wrong(4, Eager, "行")
wrong(4, Recursive, "RecursionError")
wrong(4, Overwrites, "grad")
wrong(4, WrongTanh, "grad")
wrong(4, NoLeft, "应为")
wrong(4, lambda x: t.tensor(x, dtype=t.float64, requires_grad=True), "不许用")


def newton(f, x, steps, direction_of=lambda r, d, size, old: r + size / old * d, keep=False, sign=-1):
    x = x.clone().detach().requires_grad_()
    gradient = t.autograd.grad(f(x), x, create_graph=True)[0]
    residual = sign * gradient.detach()
    p, d, size = t.zeros_like(residual), residual.clone(), residual.dot(residual)
    for _ in range(steps):
        if size.item() < 1e-24:
            return p
        product = t.autograd.grad((gradient * d).sum(), x, retain_graph=True)[0]
        step = size / d.dot(product)
        p = p + step * d
        residual = residual - step * product
        old, size = size, residual.dot(residual)
        d = direction_of(residual, d, size, old)
    return p


def by_matrix(f, x, steps):
    x = x.detach().requires_grad_()
    g, = t.autograd.grad(f(x), x, create_graph=True)
    rows = t.stack([t.autograd.grad(g[k], x, retain_graph=True)[0] for k in range(len(x))])
    return -t.linalg.solve(rows, g.detach())


right(5, newton)
right(5, lambda f, x, steps: newton(f, x, steps, direction_of=lambda r, d, size, old: r + d * (size / old)))
wrong(5, by_matrix, "n×n")
wrong(5, lambda f, x, steps: -t.linalg.solve(t.autograd.functional.hessian(f, x), t.func.grad(f)(x)), "不许用 hessian")
wrong(5, lambda f, x, steps: newton(f, x, steps, sign=1), "应为")
wrong(5, lambda f, x, steps: newton(f, x, 2), "应为")
wrong(5, lambda f, x, steps: newton(f, x, len(x)), "只走 1 步")
