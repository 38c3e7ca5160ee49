"""5.5 的对答案与错答案。"""


def latest(folder, pattern="epoch_*.pt", guard=True, key=lambda pair: pair[0], remove=False):
    found = []
    for path in folder.glob(pattern):
        try:
            found.append((t.load(path)["epoch"], path))
        except Exception:
            if not guard:
                raise
            if remove:
                path.unlink()
    return max(found, key=key)[1] if found else None


def backwards(folder):
    names = [p for p in Path(folder).iterdir() if p.name.startswith("epoch_") and p.suffix == ".pt"]
    for path in sorted(names, key=lambda p: int(p.stem.split("_")[1]), reverse=True):
        try:
            t.load(path, weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError):
            continue
        return str(path)


right(1, latest)
right(1, backwards)
wrong(1, lambda folder: latest(folder, guard=False), "检查时出错")
wrong(1, lambda folder: latest(folder, key=lambda pair: pair[1].name), "现在是 epoch_9.pt")
wrong(1, lambda folder: latest(folder, pattern="*.pt"), "现在是 best.pt")
wrong(1, lambda folder: latest(folder, key=lambda pair: pair[1].stat().st_mtime_ns), "应为 epoch_10.pt")
wrong(1, lambda folder: latest(folder, remove=True), "不许删改")
wrong(1, lambda folder: max(folder.glob("epoch_*.pt"), key=lambda p: int(p.stem[6:]), default=None), "现在是 epoch_13.pt")
wrong(1, lambda folder: (found := latest(folder)) and found.name, "不存在")


def load_matching(net, state):
    own = net.state_dict()
    fits = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}
    net.load_state_dict(fits, strict=False)
    return [name for name in state if name not in fits]


def copies(net, state):
    own, skipped = net.state_dict(), []
    for name, value in state.items():
        if name in own and own[name].shape == value.shape:
            own[name].copy_(value)
        else:
            skipped.append(name)
    return skipped


def only_parameters(net, state):
    own, skipped = dict(net.named_parameters()), []
    for name, value in state.items():
        if name in own and own[name].shape == value.shape:
            own[name].data.copy_(value)
        else:
            skipped.append(name)
    return skipped


def by_number(net, state):  # 只比个数
    own, skipped = net.state_dict(), []
    for name, value in state.items():
        if name in own and own[name].numel() >= value.numel():
            own[name].view(-1)[:value.numel()].copy_(value.view(-1))
        else:
            skipped.append(name)
    return skipped


def replaces(net, state):
    skipped = load_matching(net, state)
    for name, p in list(net[0].named_parameters()):
        setattr(net[0], name, nn.Parameter(p.detach().clone()))
    return skipped


right(2, load_matching)
right(2, copies)
wrong(2, lambda net, state: net.load_state_dict(state, strict=False), "检查时出错")
wrong(2, lambda net, state: sorted(load_matching(net, state)), "跳过的")
wrong(2, lambda net, state: load_matching(net, {k: v for k, v in state.items() if k.startswith("0")}), "应当装进去")
wrong(2, only_parameters, "running_mean")
wrong(2, by_number, "不应改动")
wrong(2, replaces, "Parameter 对象被换掉")
wrong(2, lambda net, state: load_matching(net, state)[:2], "跳过的")
wrong(2, lambda net, state: set(load_matching(net, state)) and None, "检查时出错")


def compact(value, leaf=lambda x: x if x.untyped_storage().nbytes() == x.numel() * x.element_size() else x.clone(), kind=type):
    if isinstance(value, t.Tensor):
        return leaf(value)
    if isinstance(value, dict):
        return {key: compact(item, leaf, kind) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return kind(value)(compact(item, leaf, kind) for item in value)
    return value


def compact_size(value):
    if isinstance(value, t.Tensor):
        return value.clone() if value.untyped_storage().size() > value.nelement() * value.element_size() else value
    if isinstance(value, dict):
        return dict((k, compact_size(v)) for k, v in value.items())
    if isinstance(value, tuple):
        return tuple(map(compact_size, value))
    if isinstance(value, list):
        return list(map(compact_size, value))
    return value


def in_place(value):
    packed = compact(value)
    value.update(packed)
    return value


right(3, compact)
right(3, compact_size)
wrong(3, lambda value: compact(value, leaf=lambda x: x.clone()), "不必复制")
wrong(3, lambda value: compact(value, leaf=lambda x: x.contiguous()), "不必复制")
wrong(3, lambda value: compact(value, leaf=lambda x: x), "字节")
wrong(3, lambda value: compact(value, kind=lambda v: list), "元组应仍是元组")
wrong(3, lambda value: {k: v.clone() if isinstance(v, t.Tensor) and v.untyped_storage().nbytes() > v.nbytes else v for k, v in value.items()}, "字节")
wrong(3, in_place, "不改动原来的")
wrong(3, lambda value: compact(value, leaf=lambda x: x.flatten().clone()), "形状")


def is_safe(path):
    try:
        t.load(path, weights_only=True)
    except Exception:
        return False
    return True


def is_safe_default(path):
    try:
        t.load(path, map_location="cpu")
        return True
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError):
        return False


def runs(path):
    try:
        t.load(path, weights_only=False)
    except Exception:
        return False
    return True


def by_zip(path):
    import zipfile
    return zipfile.is_zipfile(path)


def only_dict(path):
    try:
        return isinstance(t.load(path), dict)
    except Exception:
        return False


def only_unpickling(path):
    try:
        t.load(path)
    except RuntimeError:
        return False
    return True


right(4, is_safe)
right(4, is_safe_default)
wrong(4, runs, "代码被执行了")
wrong(4, by_zip, "有代码的")
wrong(4, only_dict, "单个张量")
wrong(4, only_unpickling, "检查时出错")
wrong(4, lambda path: None if not is_safe(path) else True, "Python 的 bool")
wrong(4, lambda path: True, "应为 False")
