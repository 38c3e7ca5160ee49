"""3.2.2 的对答案与错答案。"""


def find(output, mark=True, dig=lambda node: node.variable):
    leaves, stack, seen = [], [output.grad_fn], set()
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        if mark:
            seen.add(node)
        if node.name().endswith("AccumulateGrad"):
            leaves.append(dig(node))
        stack += [child for child, _ in node.next_functions]
    return leaves


def breadth_first(output):
    seen, level, leaves = {output.grad_fn}, [output.grad_fn], {}
    while level:
        level = [child for node in level for child, _ in node.next_functions if child is not None and child not in seen]
        level = list(dict.fromkeys(level))
        seen.update(level)
        leaves.update({id(n.variable): n.variable for n in level if hasattr(n, "variable")})
    return list(leaves.values())


def recursive(output):
    found, seen = [], set()
    def visit(node):
        if node is None or node in seen:
            return
        seen.add(node)
        if hasattr(node, "variable"):
            found.append(node.variable)
        for child, _ in node.next_functions:
            visit(child)
    visit(output.grad_fn)
    return found


def unmarked(output):  # 没记下访问过的节点，最后去重
    return list({id(x): x for x in find(output, mark=False)}.values())


right(1, find)
right(1, breadth_first)
wrong(1, lambda output: find(output, mark=False), "不止一次")
wrong(1, recursive, "RecursionError")
wrong(1, unmarked, "走了很多遍")
wrong(1, lambda output: find(output, dig=lambda node: node.variable.clone()), "不是叶子张量本身")
wrong(1, lambda output: find(output, dig=lambda node: node), "叶子")
wrong(1, lambda output: find(output)[:1], "应找到 2 个")
wrong(1, lambda output: [], "现在是 0 个")


def row(f, x, i):
    y = f(x)
    return t.autograd.grad(y[i], x)[0]


def row_weighted(f, x, i):
    y = f(x)
    y.backward(t.eye(len(y))[i])
    return x.grad


def every_row(f, x, i):
    y = f(x)
    return t.stack([t.autograd.grad(y[k], x, retain_graph=True)[0] for k in range(len(y))])[i]


def column(f, x, i):
    return t.func.jvp(f, (x.detach(),), (t.eye(len(x))[i],))[1]


right(2, row)
right(2, row_weighted)
right(2, lambda f, x, i: t.autograd.functional.vjp(f, x.detach(), t.eye(len(f(x)))[i])[1])
wrong(2, lambda f, x, i: t.autograd.functional.jacobian(f, x)[i], "不许用 jacobian")
wrong(2, lambda f, x, i: t.func.jacrev(f)(x)[i], "不许用 jacrev")
wrong(2, lambda f, x, i: t.autograd.grad(f(x).sum(), x)[0], "各行之和")
wrong(2, every_row, "只走一次反向")
wrong(2, column, "检查时出错")
wrong(2, lambda f, x, i: row(f, x, 0), "第 1 行")


def watch(tensor, log):
    return tensor.register_hook(lambda grad: log.append(grad.norm().item()))


def watch_named(tensor, log):
    def hook(grad):
        log.append(float((grad ** 2).sum().sqrt()))
    return tensor.register_hook(hook)


def watch_normalizes(tensor, log):
    def hook(grad):
        log.append(grad.norm().item())
        return grad / grad.norm()
    return tensor.register_hook(hook)


def watch_no_handle(tensor, log):
    tensor.register_hook(lambda grad: log.append(grad.norm().item()))


def watch_value(tensor, log):
    return tensor.register_hook(lambda grad: log.append(tensor.norm().item()))


right(3, watch)
right(3, watch_named)
wrong(3, watch_normalizes, "钩子不应改变梯度")
wrong(3, watch_no_handle, "把手")
wrong(3, watch_value, "log")
wrong(3, lambda tensor, log: tensor.register_hook(lambda grad: log.append(grad.norm())), ".item()")
wrong(3, lambda tensor, log: tensor.register_hook(lambda grad: log.append(grad.sum().item())), "log")
wrong(3, lambda tensor, log: tensor.register_hook(lambda grad: log.append(grad.norm().item()) if not log else None), "应有 2 项")


def truncated(w, xs, k, cut=lambda step, k, total: step % k == 0, weight=lambda w: w):
    h = t.zeros(())
    for step, x in enumerate(xs):
        if cut(step, k, len(xs)):
            h = h.detach()
        h = t.tanh(weight(w) * h + x)
    return h


def two_phases(w, xs, k):
    kept = (len(xs) - 1) % k + 1
    h = t.tensor(0.0)
    with t.no_grad():
        for x in xs[:len(xs) - kept]:
            h = (w * h + x).tanh()
    for x in xs[len(xs) - kept:]:
        h = (w * h + x).tanh()
    return h


def cuts_at_the_end(w, xs, k):
    h = t.zeros(())
    for step, x in enumerate(xs):
        h = t.tanh(w * h + x)
        if (step + 1) % k == 0:
            h = h.detach()
    return h


def restarts(w, xs, k):
    h = t.zeros(())
    for step, x in enumerate(xs):
        h = t.tanh(w * (h if step % k else t.zeros(())) + x)
    return h


right(4, truncated)
right(4, two_phases)
wrong(4, cuts_at_the_end, "完全没有历史")
wrong(4, restarts, "不应影响前向")
wrong(4, lambda w, xs, k: truncated(w, xs, k, cut=lambda *_: False), "应留 2 步")
wrong(4, lambda w, xs, k: truncated(w, xs, k, cut=lambda *_: True), "应留 2 步")
wrong(4, lambda w, xs, k: truncated(w, xs, k, cut=lambda step, k, total: step == total - k), "应留 2 步")  # 总留 k 步
wrong(4, lambda w, xs, k: truncated(w.detach().requires_grad_(), xs, k), "梯度")
wrong(4, lambda w, xs, k: truncated(w, xs, k).detach(), "完全没有历史")
