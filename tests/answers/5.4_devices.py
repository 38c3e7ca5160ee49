"""5.4 的对答案与错答案。"""


def to_device(batch, device):
    if isinstance(batch, t.Tensor):
        return batch.to(device)
    if isinstance(batch, dict):
        return {key: to_device(value, device) for key, value in batch.items()}
    if isinstance(batch, (list, tuple)):
        return type(batch)(to_device(value, device) for value in batch)
    return batch


def by_match(batch, device):
    match batch:
        case t.Tensor():
            return batch.to(device, non_blocking=True)
        case dict():
            return dict(zip(batch, map(lambda value: by_match(value, device), batch.values())))
        case list():
            return [by_match(value, device) for value in batch]
        case tuple():
            return tuple(by_match(value, device) for value in batch)
    return batch


def in_place(batch, device):
    if isinstance(batch, dict):
        for key in batch:
            batch[key] = in_place(batch[key], device)
        return batch
    if isinstance(batch, (list, tuple)):
        return type(batch)(in_place(value, device) for value in batch)
    return batch.to(device) if isinstance(batch, t.Tensor) else batch


def shallow(batch, device):
    if isinstance(batch, dict):
        return {key: value.to(device) if isinstance(value, t.Tensor) else value for key, value in batch.items()}
    return batch.to(device) if isinstance(batch, t.Tensor) else batch


def lists_only(batch, device):  # 元组成了列表
    if isinstance(batch, dict):
        return {key: lists_only(value, device) for key, value in batch.items()}
    if isinstance(batch, (list, tuple)):
        return [lists_only(value, device) for value in batch]
    return batch.to(device) if isinstance(batch, t.Tensor) else batch


def no_dict_inside(batch, device):
    if isinstance(batch, (list, tuple)):
        return type(batch)(value.to(device) if isinstance(value, t.Tensor) else value for value in batch)
    if isinstance(batch, dict):
        return {key: no_dict_inside(value, device) for key, value in batch.items()}
    return batch.to(device) if isinstance(batch, t.Tensor) else batch


def drops_none(batch, device):
    if isinstance(batch, dict):
        return {key: drops_none(value, device) for key, value in batch.items() if value is not None}
    if isinstance(batch, (list, tuple)):
        return type(batch)(drops_none(value, device) for value in batch)
    return batch.to(device) if isinstance(batch, t.Tensor) else batch


right(1, to_device)
right(1, by_match)
wrong(1, in_place, "不改动原来的")
wrong(1, shallow, "meta 上的张量")
wrong(1, lists_only, "应为 tuple，现在是 list")
wrong(1, no_dict_inside, "meta 上的张量")
wrong(1, drops_none, "没有了")
wrong(1, lambda batch, device: batch, "不改动原来的")


def accumulate(net, X, y, pieces, divide=True, clear=True, each=lambda net, x, y: F.mse_loss(net(x), y)):
    if clear:
        net.zero_grad()
    for x, target in zip(X.chunk(pieces), y.chunk(pieces)):
        loss = each(net, x, target)
        (loss / pieces if divide else loss).backward()


def accumulate_sum(net, X, y, pieces):
    for p in net.parameters():
        p.grad = None
    size = len(X) // pieces
    for k in range(pieces):
        part = slice(k * size, (k + 1) * size)
        (F.mse_loss(net(X[part]), y[part], reduction="sum") / y.numel()).backward()


def whole(net, X, y, pieces):
    net.zero_grad()
    F.mse_loss(net(X), y).backward()


def clears_inside(net, X, y, pieces):
    for x, target in zip(X.chunk(pieces), y.chunk(pieces)):
        net.zero_grad()
        (F.mse_loss(net(x), target) / pieces).backward()


def one_backward(net, X, y, pieces):  # 损失攒起来一次反向：图全留着，不省内存，但这里看得出前向分了份
    net.zero_grad()
    F.mse_loss(t.cat([net(x) for x in X.split(pieces)]), y).backward()


right(2, accumulate)
right(2, accumulate_sum)
wrong(2, whole, "各次前向应为")
wrong(2, clears_inside, "倍")
wrong(2, lambda *a: accumulate(*a, divide=False), "3.00 倍")
wrong(2, lambda *a: accumulate(*a, clear=False), "倍")
wrong(2, lambda net, X, y, pieces: accumulate(net, X, y, 3), "4 份")
wrong(2, one_backward, "各次前向应为")


def shard(n, world_size, rank):
    each = -(-n // world_size)
    return [(rank + k * world_size) % n for k in range(each)]


def shard_padded(n, world_size, rank):
    indices = list(range(n))
    indices += indices[:-n % world_size]
    return indices[rank::world_size]


def shard_sampler(n, world_size, rank):
    from torch.utils.data.distributed import DistributedSampler
    return list(DistributedSampler(range(n), world_size, rank, shuffle=False))


right(3, shard)
right(3, shard_padded)
wrong(3, shard_sampler, "不许用 DistributedSampler")
wrong(3, lambda n, world_size, rank: list(range(rank, n, world_size)), "7 个样本")
wrong(3, lambda n, world_size, rank: list(range(n))[rank * (n // world_size):(rank + 1) * (n // world_size)], "应为")
wrong(3, lambda n, world_size, rank: list(range(n))[rank::world_size][:n // world_size], "应有")
wrong(3, lambda n, world_size, rank: [min(rank + k * world_size, n - 1) for k in range(-(-n // world_size))], "应为")
wrong(3, lambda n, world_size, rank: shard(n, world_size, (rank + 1) % world_size), "应为")


def physical(setting, index):
    cards = [int(card) for card in setting.split(",") if card.strip()]
    return cards[index] if index < len(cards) else None


def physical_try(setting, index):
    try:
        return int(setting.split(",")[index])
    except (IndexError, ValueError):
        return None


right(4, physical)
right(4, physical_try)
wrong(4, lambda setting, index: setting.split(",")[index] if index < len(setting.split(",")) else None, "应为 2，现在是 '2'")
wrong(4, lambda setting, index: index, "应为 2，现在是 1")
wrong(4, lambda setting, index: int(setting.split(",")[index]), "检查时出错")
wrong(4, lambda setting, index: int(setting[2 * index]) if 2 * index < len(setting) else None, "检查时出错")
wrong(4, lambda setting, index: sorted(int(c) for c in setting.split(",") if c.strip())[index:index + 1][0]
      if index < len([c for c in setting.split(",") if c.strip()]) else None, "应为")
wrong(4, lambda setting, index: physical(setting, index) or 0, "应为 None")
