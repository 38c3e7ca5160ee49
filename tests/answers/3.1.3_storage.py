"""3.1.3 的对答案与错答案。"""

right(1, lambda x, y: x.untyped_storage().data_ptr() == y.untyped_storage().data_ptr())
right(1, lambda x, y: x.untyped_storage()._cdata == y.untyped_storage()._cdata)
wrong(1, lambda x, y: x.data_ptr() == y.data_ptr(), "x 与 x[1:]")
wrong(1, lambda x, y: x.untyped_storage().tolist() == y.untyped_storage().tolist(), "x 与 x.clone()")
wrong(1, lambda x, y: y._base is x or x._base is y or (x._base is not None and x._base is y._base), "x.detach()")
wrong(1, lambda x, y: True, "应为 False")
wrong(1, lambda x, y: x.shape == y.shape and t.equal(x, y), "应为 True")

right(2, lambda x, index: x.storage_offset() + sum(i * s for i, s in zip(index, x.stride())))
right(2, lambda x, index: (x[index].data_ptr() - x.untyped_storage().data_ptr()) // x.element_size())
right(2, lambda x, index: x[index].storage_offset())
wrong(2, lambda x, index: sum(i * s for i, s in zip(index, x.stride())), "x[1]")  # 忘了起点
wrong(2, lambda x, index: x[index].item(), "所在的格")
wrong(2, lambda x, index: x.storage_offset() + index[0] * x.stride(0) + (index[1] * x.stride(1) if x.dim() > 1 else 0) if index else 0, "应为")
wrong(2, lambda x, index: (x[index].data_ptr() - x.untyped_storage().data_ptr()), "应为")  # 以字节计
wrong(2, lambda x, index: (x[index].data_ptr() - x.data_ptr()) // x.element_size(), "x[1]")
wrong(2, lambda x, index: sum((t.tensor(x.stride()) * t.tensor(index)).tolist(), x.storage_offset()) + 1, "应为 0，现在是 1")

right(3, board.as_strided((4,), (3,), 3))
right(3, t.as_strided(board, size=[4], stride=[3], storage_offset=3))
wrong(3, board.as_strided((4,), (5,)), "应为 [3, 6, 9, 12]")
wrong(3, board.as_strided((4,), (3,)), "应为 [3, 6, 9, 12]")
wrong(3, board.as_strided((4,), (3,), 3).clone(), "被复制")
wrong(3, board.flip(1).diagonal(), "被复制")
wrong(3, board.as_strided((2,), (3,), 3), "形状")
wrong(3, [3, 6, 9, 12], "应为张量")


def contiguous(x):
    expected = 1
    for size, stride in zip(reversed(x.shape), reversed(x.stride())):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True


def kept(x):
    sizes = [(n, s) for n, s in zip(x.shape, x.stride()) if n != 1]
    return all(s == t.Size([n for n, _ in sizes[k + 1:]]).numel() for k, (_, s) in enumerate(sizes))


def strict(x):  # 没有放过长度为 1 的维
    return x.stride() == t.empty(x.shape).stride()


def decreasing(x):
    return list(x.stride()) == sorted(x.stride(), reverse=True)


def last(x):
    return x.dim() == 0 or x.stride(-1) == 1


def viewable(x):
    try:
        x.view(-1)
    except RuntimeError:
        return False
    return True


right(4, contiguous)
right(4, kept)
wrong(4, strict, "应为 True，现在是 False")
wrong(4, decreasing, "应为 False，现在是 True")
wrong(4, last, "应为 False，现在是 True")
wrong(4, viewable, "不许用 view")
wrong(4, lambda x: x.is_contiguous(), "不许用 is_contiguous")
wrong(4, lambda x: x.contiguous().data_ptr() == x.data_ptr(), "不许用 contiguous")
wrong(4, lambda x: x.storage_offset() == 0, "应为")
