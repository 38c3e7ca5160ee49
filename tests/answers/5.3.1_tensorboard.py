"""5.3.1 的对答案与错答案。"""


def curve(folder, tag, most=0):
    events = EventAccumulator(str(folder), size_guidance={"scalars": most})
    events.Reload()
    points = events.Scalars(tag)
    return [p.step for p in points], [p.value for p in points]


def curve_any(folder, tag):
    events = EventAccumulator(folder, {"scalars": 10 ** 9}).Reload()
    steps, values = zip(*((p.step, p.value) for p in events.Scalars(tag)))
    return list(steps), list(values)


right(1, curve)
right(1, curve_any)
wrong(1, lambda folder, tag: curve(folder, tag, most=10000), "size_guidance")
wrong(1, lambda folder, tag: curve(folder, "other"), "12000")
wrong(1, lambda folder, tag: curve(folder, tag)[::-1], "步数")
wrong(1, lambda folder, tag: (list(range(12000)), curve(folder, tag)[1]), "步数")


def log_gradients(writer, net, step, prefix="grad_norm/"):
    squares = 0.0
    for name, p in net.named_parameters():
        if p.grad is not None:
            norm = p.grad.norm()
            writer.add_scalar(prefix + name, norm, step)
            squares += norm.item() ** 2
    writer.add_scalar(prefix + "total", squares ** 0.5, global_step=step)


def by_stack(writer, net, step):
    norms = {name: p.grad.norm() for name, p in net.named_parameters() if p.grad is not None}
    for name, norm in {**norms, "total": t.stack(list(norms.values())).norm()}.items():
        writer.add_scalar(f"grad_norm/{name}", norm.item(), step)


def by_clip(writer, net, step):  # 顺手裁剪了梯度
    total = nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    for name, p in net.named_parameters():
        if p.grad is not None:
            writer.add_scalar("grad_norm/" + name, p.grad.norm(), step)
    writer.add_scalar("grad_norm/total", total, step)


def sum_of_norms(writer, net, step):
    norms = {name: p.grad.norm().item() for name, p in net.named_parameters() if p.grad is not None}
    for name, norm in {**norms, "total": sum(norms.values())}.items():
        writer.add_scalar("grad_norm/" + name, norm, step)


def zeros_too(writer, net, step):
    log_gradients(writer, net, step)
    for name, p in net.named_parameters():
        if p.grad is None:
            writer.add_scalar("grad_norm/" + name, 0.0, step)


def parameters(writer, net, step):  # 记成了参数的范数
    norms = {name: p.norm().item() for name, p in net.named_parameters() if p.grad is not None}
    for name, norm in {**norms, "total": sum(n ** 2 for n in norms.values()) ** 0.5}.items():
        writer.add_scalar("grad_norm/" + name, norm, step)


right(2, log_gradients)
right(2, by_stack)
wrong(2, sum_of_norms, "不是各范数之和")
wrong(2, zeros_too, "标签应为")
wrong(2, parameters, "应为")
wrong(2, by_clip, "应为")
wrong(2, lambda writer, net, step: log_gradients(writer, net, step, prefix="grad/"), "标签应为")
wrong(2, lambda writer, net, step: log_gradients(writer, net, 0), "第 7 步")


def first_below(beta=0.9, correct=True):
    average = 0.0
    for k, value in enumerate([1.0] * 50 + [0.0] * 150, 1):
        average = beta * average + (1 - beta) * value
        if k > 50 and average / (1 - beta ** k if correct else 1) < 0.5:
            return k


right(3, first_below())
right(3, 50 + 7)
wrong(3, first_below() - 1, "差一步")
wrong(3, 51, "不是 51")
wrong(3, 7, "不是 7")
wrong(3, float(first_below()), "整数")
wrong(3, 75, "不是 75")
