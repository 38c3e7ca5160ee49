"""5.6 的对答案与错答案。"""


def safe_step(scaler, optimizer, net, loss, max_norm, unscale=True, clip=True, step=True, update=True, norm=nn.utils.clip_grad_norm_):
    scaler.scale(loss).backward()
    if unscale:
        scaler.unscale_(optimizer)
    if clip:
        norm(net.parameters(), max_norm)
    if step:
        scaler.step(optimizer)
    else:
        optimizer.step()
    if update:
        scaler.update()


def by_hand(scaler, optimizer, net, loss, max_norm):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    grads = [p.grad for p in net.parameters() if p.grad is not None]
    total = t.stack([g.norm() for g in grads]).norm()
    for g in grads:
        g.mul_((max_norm / (total + 1e-6)).clamp(max=1))
    scaler.step(optimizer)
    scaler.update()


def plain(scaler, optimizer, net, loss, max_norm):
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), max_norm)
    optimizer.step()


def clip_late(scaler, optimizer, net, loss, max_norm):
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    nn.utils.clip_grad_norm_(net.parameters(), max_norm)
    scaler.update()


right(1, safe_step)
right(1, by_hand)
wrong(1, lambda *a: safe_step(*a, unscale=False), "unscale_")
wrong(1, lambda *a: safe_step(*a, clip=False), "max_norm=1")
wrong(1, lambda *a: safe_step(*a, step=False), "溢出")
wrong(1, lambda *a: safe_step(*a, update=False), "update")
wrong(1, lambda *a: safe_step(*a, norm=nn.utils.clip_grad_value_), "max_norm=1")
wrong(1, plain, "溢出")
wrong(1, clip_late, "max_norm=1")


def largest_batch(attempt, top, errors=t.OutOfMemoryError, low=1):
    high = top
    while low < high:
        middle = (low + high + 1) // 2
        try:
            attempt(middle)
        except errors:
            high = middle - 1
        else:
            low = middle
    return low


def doubling(attempt, top):
    def fits(batch):
        try:
            attempt(batch)
            return True
        except t.OutOfMemoryError:
            return False
    good, bad = 1, top + 1
    while good * 2 < bad and fits(good * 2):
        good *= 2
    bad = min(bad, good * 2)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    return good


def one_by_one(attempt, top):
    for batch in range(1, top + 1):
        try:
            attempt(batch)
        except t.OutOfMemoryError:
            return batch - 1
    return top


def powers(attempt, top):
    best = 1
    while best * 2 <= top:
        try:
            attempt(best * 2)
        except t.OutOfMemoryError:
            break
        best *= 2
    return best


def past_top(attempt, top):
    high = 1
    try:
        while True:
            attempt(high)
            if high >= top:
                break
            high *= 2
    except t.OutOfMemoryError:
        pass
    return largest_batch(attempt, min(top, high))


def never_top(attempt, top):
    return largest_batch(attempt, top - 1) if top > 1 else 1


right(2, largest_batch)
right(2, doubling)
wrong(2, one_by_one, "二分")
wrong(2, powers, "应为 3")
wrong(2, past_top, "只该试 1 到")
wrong(2, never_top, "应为 1024")
wrong(2, lambda attempt, top: largest_batch(attempt, top, errors=Exception), "ValueError 应当冒出来")
wrong(2, lambda attempt, top: largest_batch(attempt, top, errors=RuntimeError), "RuntimeError 应当冒出来")


def size_of(x):
    return x.numel() * x.element_size()


def memory(net, optimizer, size=size_of, every=False):
    states = [x for state in optimizer.state.values() for x in state.values() if isinstance(x, t.Tensor)]
    params = list(net.parameters())
    return {"parameters": sum(map(size, params)), "gradients": sum(size(p.grad) for p in params if p.grad is not None),
            "optimizer": sum(map(size, states))}


def memory_groups(net, optimizer):
    result = dict.fromkeys(("parameters", "gradients", "optimizer"), 0)
    for p in net.parameters():
        result["parameters"] += p.nbytes
        if p.grad is not None:
            result["gradients"] += p.grad.nbytes
        result["optimizer"] += sum(v.nbytes for v in optimizer.state.get(p, {}).values() if t.is_tensor(v))
    return result


right(3, memory)
right(3, memory_groups)
wrong(3, lambda net, optimizer: memory(net, optimizer, size=lambda x: 4 * x.numel()), "bfloat16")
wrong(3, lambda net, optimizer: memory(net, optimizer, size=lambda x: x.numel()), "应为")
wrong(3, lambda net, optimizer: {**memory(net, optimizer), "gradients": memory(net, optimizer)["parameters"]}, "应为")
wrong(3, lambda net, optimizer: {**memory(net, optimizer), "optimizer": 2 * memory(net, optimizer)["parameters"]}, "SGD")
wrong(3, lambda net, optimizer: {**memory(net, optimizer), "parameters": sum(size_of(p) for p in net.parameters() if p.requires_grad)}, "应为")
wrong(3, lambda net, optimizer: {**memory(net, optimizer), "parameters": sum(map(size_of, net.parameters())) + 2 * memory(net, optimizer)["gradients"]}, "应为")
wrong(3, lambda net, optimizer: {"params": 0}, "键应为")


def resume(folder, epochs, parts=("net", "optimizer", "scheduler"), random=True, order="last", mode=True):
    path, (net, optimizer, scheduler), done = Path(folder) / "checkpoint.pt", make(), 0
    things = dict(net=net, optimizer=optimizer, scheduler=scheduler)
    if path.is_file():
        saved = t.load(path)
        if random:
            t.set_rng_state(saved["random"])
        if order == "early":
            make()  # 恢复随机数之后又用掉了一些
        for name in parts:
            things[name].load_state_dict(saved[name])
        done = saved["done"]
    while done < epochs:
        for index in t.randperm(len(X)).split(8):
            optimizer.zero_grad()
            F.mse_loss(net(X[index]), y[index]).backward()
            optimizer.step()
        scheduler.step()
        done += 1
        t.save({**{name: thing.state_dict() for name, thing in things.items()}, "done": done, "random": t.get_rng_state()}, path)
    return net


def no_progress(folder, epochs):
    net = resume(folder, epochs)
    path = Path(folder) / "checkpoint.pt"
    t.save({**t.load(path), "done": 0}, path)
    return net


right(4, resume)
right(4, lambda folder, epochs: [resume(folder, k) for k in range(1, epochs + 1)][-1])
wrong(4, wrong_4, "应完全相同")
wrong(4, lambda folder, epochs: resume(folder, epochs, parts=("net", "scheduler")), "应完全相同")
wrong(4, lambda folder, epochs: resume(folder, epochs, parts=("net", "optimizer")), "应完全相同")
wrong(4, lambda folder, epochs: resume(folder, epochs, random=False), "应完全相同")
wrong(4, lambda folder, epochs: resume(folder, epochs, order="early"), "应完全相同")
wrong(4, no_progress, "应完全相同")


class Chunked(Buckets):
    """另一种写法：先打乱，每一大堆里排序再切。"""

    def __iter__(self):
        order = t.randperm(len(self.lengths), generator=self.generator)
        pool, batches = 64 * self.batch_size, []
        for part in order.split(pool):
            batches += part[self.lengths[part].argsort()].split(self.batch_size)
        return iter([batches[k].tolist() for k in t.randperm(len(batches), generator=self.generator)])


class Swapped(Buckets):
    def __iter__(self):
        keys = self.lengths + t.rand(len(self.lengths), generator=self.generator)
        order = keys.sort().indices.tolist()
        batches = [order[k:k + self.batch_size] for k in range(0, len(order), self.batch_size)]
        for k in t.randperm(len(batches), generator=self.generator).tolist():
            yield batches[k]


class InOrder(Buckets):
    def __iter__(self):
        noise = 3 * t.rand(len(self.lengths), generator=self.generator)
        return iter([part.tolist() for part in (self.lengths + noise).argsort().split(self.batch_size)])


class SameBatches(Buckets):
    def __iter__(self):
        batches = self.lengths.argsort().split(self.batch_size)
        return iter([batches[k].tolist() for k in t.randperm(len(batches), generator=self.generator)])


class Random(Buckets):
    def __iter__(self):
        return iter([part.tolist() for part in t.randperm(len(self.lengths), generator=self.generator).split(self.batch_size)])


class Global(Buckets):
    def __iter__(self):
        self.generator = t.default_generator
        return super().__iter__()


class DropsLast(Buckets):
    def __iter__(self):
        return iter([batch for batch in super().__iter__() if len(batch) == self.batch_size])


right(5, Chunked)
right(5, Swapped)
wrong(5, InOrder, "从短到长")
wrong(5, SameBatches, "每一轮的分批都一样")
wrong(5, Random, "浪费应不超过")
wrong(5, Global, "generator")
wrong(5, DropsLast, "恰好一次")
