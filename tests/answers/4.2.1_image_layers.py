"""4.2.1 的对答案与错答案。"""

right(1, t.tensor([[0., -1., 0.], [0., 0., 0.], [0., 1., 0.]]) / 2)
right(1, t.tensor([[-1., -2., -1.], [0., 0., 0.], [1., 2., 1.]]) / 8)
right(1, t.tensor([[0, 0, 0], [0, -1, 0], [0, 1, 0]]))
wrong(1, t.tensor([[-1., -2., -1.], [0., 0., 0.], [1., 2., 1.]]), "从上到下应处处为 1")
wrong(1, t.tensor([[1., 1., 1.], [0., 0., 0.], [-1., -1., -1.]]) / 6, "从上到下应处处为 1")
wrong(1, t.tensor([[-1., 0., 1.]] * 3) / 6, "应处处为")
wrong(1, t.tensor([[0., 0., 0.], [0., 1., 0.], [0., 0., 0.]]), "纯色图")
wrong(1, t.tensor([[-1., 0., 0.], [0., 0., 0.], [0., 0., 1.]]) / 2, "从左到右应处处为 0")
wrong(1, t.tensor([-0.5, 0., 0.5]).view(3, 1), "(3, 3)")

right(2, (56, 27, 27, 13))
right(2, [(227 + 4 - 11) // 4 + 1, (56 - 3) // 2 + 1, 27 + 4 - 5 + 1, (27 - 3) // 2 + 1])
wrong(2, [55, 27, 27, 13], "第一个卷积的输出不是 55")
wrong(2, [56, 28, 28, 14], "第一个池化")
wrong(2, [56, 27, 23, 11], "第二个卷积")
wrong(2, [56, 27, 27, 14], "第二个池化")
wrong(2, [56, 27, 27], "应有 4 个数")


def by_unfold(x, weight, flip=False, swap=False, view=True):
    N, _, H, W = x.shape
    out, _, k, _ = weight.shape
    weight = weight.flip(2, 3) if flip else weight
    flat = weight.transpose(2, 3).flatten(1) if swap else weight.flatten(1)
    result = flat @ F.unfold(x, k)
    return result.view(N, out, H - k + 1, W - k + 1) if view else result


def by_einsum(x, weight):
    k = weight.shape[2]
    windows = x.unfold(2, k, 1).unfold(3, k, 1)
    return t.einsum("nchwij,ocij->nohw", windows, weight)


def by_square(x, weight):  # 以为输出总是方的
    result = by_unfold(x, weight, view=False)
    side = int(result.shape[2] ** 0.5)
    return result.view(len(x), len(weight), side, side)


right(3, by_einsum)
right(3, lambda x, w: t.einsum("oi,nil->nol", w.flatten(1), F.unfold(x, w.shape[-1])).unflatten(2, (x.shape[2] - w.shape[2] + 1, -1)))
wrong(3, lambda x, w: F.conv2d(x, w), "不许用 conv2d")
wrong(3, lambda x, w: t.conv2d(x, w), "不许用 conv2d")
wrong(3, lambda x, w: F.conv3d(x[:, :, None], w[:, :, None]).squeeze(2), "不许用 conv3d")
wrong(3, lambda x, w: by_unfold(x, w, flip=True), "不必翻转")
wrong(3, lambda x, w: by_unfold(x, w, swap=True), "应为")
wrong(3, lambda x, w: by_unfold(x, w, view=False), "形状")
wrong(3, lambda x, w: by_unfold(x, w).detach(), "计算图")
wrong(3, by_square, "检查时出错")

right(4, nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1, bias=False))
right(4, nn.ConvTranspose2d(8, 4, (4, 4), (2, 2), (1, 1), groups=4, bias=False))
wrong(4, nn.ConvTranspose2d(8, 4, 4, stride=2, bias=False), "应变成")
wrong(4, nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1), "没有偏置")
wrong(4, nn.ConvTranspose2d(8, 4, 2, stride=2, bias=False), "4×4")
wrong(4, nn.Conv2d(8, 4, 4, stride=2, padding=1, bias=False), "nn.ConvTranspose2d")
wrong(4, nn.ConvTranspose2d(8, 4, 4, stride=1, padding=0, bias=False), "应变成")
wrong(4, nn.ConvTranspose2d(8, 8, 4, stride=2, padding=1, bias=False), "应变成")


def group(x, groups, correction=0, eps=1e-5, outside=False, per=False, detach=False):
    N, C = x.shape[:2]
    y = x.reshape(N, C // groups if per else groups, -1)
    mean, var = y.mean(2, keepdim=True), y.var(2, correction=correction, keepdim=True)
    if detach:
        mean, var = mean.detach(), var.detach()
    y = (y - mean) / (var.sqrt() + eps if outside else (var + eps).sqrt())
    return y.view_as(x)


def grouped_by_loop(x, groups):
    parts = []
    for part in x.chunk(groups, dim=1):
        mean = part.mean((1, 2, 3), keepdim=True)
        var = ((part - mean) ** 2).mean((1, 2, 3), keepdim=True)
        parts.append((part - mean) * (var + 1e-5) ** -0.5)
    return t.cat(parts, dim=1)


right(5, group)
right(5, grouped_by_loop)
wrong(5, lambda x, groups: F.group_norm(x, groups), "不许用 group_norm")
wrong(5, lambda x, groups: nn.GroupNorm(groups, x.shape[1], affine=False)(x), "不许用 group_norm")
wrong(5, lambda x, groups: F.layer_norm(x.reshape(len(x), groups, -1), (x[0].numel() // groups,)).view_as(x), "不许用 layer_norm")
wrong(5, lambda x, groups: group(x, groups, correction=1), "应为")
wrong(5, lambda x, groups: group(x, groups, outside=True), "应为")
wrong(5, lambda x, groups: group(x, groups, per=True), "groups 是组数")
wrong(5, lambda x, groups: group(x, groups, detach=True), "梯度")
wrong(5, lambda x, groups: group(x, x.shape[1]), "每个通道各自")
wrong(5, lambda x, groups: group(x.flatten(2).transpose(1, 2), 1).transpose(1, 2).view_as(x), "应为")
