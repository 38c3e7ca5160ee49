"""3.1.5 的对答案与错答案。"""


def by_autograd(A, theta, y):
    theta = theta.clone().requires_grad_()
    return t.autograd.grad(0.5 * ((A @ theta - y) ** 2).mean(), theta)[0]


right(1, lambda A, theta, y: A.T @ (A @ theta - y) / len(A))
right(1, lambda A, theta, y: ((A @ theta - y) * A).mean(0)[:, None])
right(1, by_autograd)
wrong(1, lambda A, theta, y: A.T @ (A @ theta - y), "忘了除以 N")
wrong(1, lambda A, theta, y: 2 * A.T @ (A @ theta - y) / len(A), "多了一个 2")
wrong(1, lambda A, theta, y: A.T @ (y - A @ theta) / len(A), "反了")
wrong(1, lambda A, theta, y: ((A @ theta - y) * A).mean(0), "形状")
wrong(1, lambda A, theta, y: A.T @ (A @ theta - y) / A.shape[1], "应为")
wrong(1, lambda A, theta, y: t.stack([(A @ theta - y).T @ a / len(A) for a in A.T]), "还有循环")
wrong(1, lambda A, theta, y: sum(a[:, None] * (a @ theta - b) for a, b in zip(A, y)) / len(A), "还有循环")


def absolute(w, b, x, y):
    sign = (w * x + b - y).sign()
    return (sign * x).mean(), sign.mean()


def absolute_where(w, b, x, y):
    sign = t.where(w * x + b > y, 1.0, -1.0)
    return (sign * x).sum().item() / len(x), sign.sum().item() / len(x)


right(2, absolute)
right(2, absolute_where)
wrong(2, lambda w, b, x, y: ((w * x + b - y).sign() * x).sum() * t.ones(2), "应为")
wrong(2, lambda w, b, x, y: (((w * x + b - y) * x).mean(), (w * x + b - y).mean()), "应为")  # 平方误差的梯度
wrong(2, lambda w, b, x, y: tuple(-g for g in absolute(w, b, x, y)), "应为")
wrong(2, lambda w, b, x, y: absolute(w, b, x, y)[::-1], "应为")
wrong(2, lambda w, b, x, y: (((w * x + b - y).sign() * x).sum(), (w * x + b - y).sign().sum()), "应为")
wrong(2, lambda w, b, x, y: ((w * x + b - y).sign().mean(), (w * x + b - y).sign().mean()), "应为")
wrong(2, lambda w, b, x, y: absolute(w, b, x, y)[0], "检查时出错")

columns = t.cat([t.ones_like(x_curve), x_curve, x_curve ** 2], dim=1)
right(3, t.linalg.lstsq(columns, y_curve).solution.squeeze(1))
right(3, t.linalg.lstsq(columns.double(), y_curve.double()).solution[:, 0].float())
right(3, t.linalg.pinv(columns) @ y_curve[:, 0])
wrong(3, t.tensor([1.0, -2.0, 0.5]), "应为")  # 照抄生成数据的系数，没有拟合
wrong(3, t.linalg.lstsq(columns, y_curve).solution.squeeze(1).flip(0), "顺序反了")
wrong(3, t.linalg.lstsq(columns, y_curve).solution, "形状应为 (3,)")
wrong(3, t.linalg.lstsq(columns[:, 1:], y_curve).solution.squeeze(1), "形状")
wrong(3, t.linalg.lstsq(t.cat([t.ones_like(x_curve), x_curve, x_curve.abs()], 1), y_curve).solution.squeeze(1), "应为")
wrong(3, t.cat([t.linalg.lstsq(columns[:, :2], y_curve).solution.squeeze(1), t.zeros(1)]), "应为")


def descend(x, y, steps=200, lr=0.3, back=True, shift=True):
    mean, std = x.mean(), x.std()
    z, w, b = (x - mean) / std, 0.0, 0.0
    for _ in range(steps):
        error = w * z + b - y
        w, b = w - lr * (error * z).mean(), b - lr * error.mean()
    return w / std if back else w, b - (w * mean / std if shift else 0)


def with_autograd(x, y):
    z, theta = (x - x.mean()) / x.std(correction=0), t.zeros(2, requires_grad=True)
    optimizer = t.optim.SGD([theta], lr=0.5)
    for _ in range(100):
        optimizer.zero_grad()
        (0.5 * (theta[0] * z + theta[1] - y) ** 2).mean().backward()
        optimizer.step()
    w = theta[0].item() / x.std(correction=0).item()
    return w, theta[1].item() - w * x.mean().item()


def lstsq(x, y):
    z = (x - x.mean()) / x.std()
    w, b = t.linalg.lstsq(t.cat([z, t.ones_like(z)], 1), y).solution.flatten()
    return w / x.std(), b - w * x.mean() / x.std()


right(4, descend)
right(4, with_autograd)
right(4, lambda x, y: descend(x, y, steps=20, lr=1.0))
wrong(4, lstsq, "不许用 lstsq")
wrong(4, lambda x, y: t.tensor(__import__("numpy").polyfit(x.numpy()[:, 0], y.numpy()[:, 0], 1)), "不许用 numpy")
wrong(4, lambda x, y: descend(x, y, back=False), "除以标准差")
wrong(4, lambda x, y: descend(x, y, shift=False), "b 应接近")
wrong(4, lambda x, y: descend(x, y, steps=5, lr=0.1), "w 应接近")
wrong(4, lambda x, y: (2.0, 3.0), "应接近")
wrong(4, lambda x, y: descend(x, y)[::-1], "w 应接近")
