"""3.1.2 的对答案与错答案。"""

right(1, (True, True, False, False, True, False))
right(1, [1, 1, 0, 0, 1, 0])
wrong(1, [True, True, False, True, True, True], "第 4 个应为 False")
wrong(1, [True, True, True, False, True, False], "第 3 个")
wrong(1, [True, False, False, False, True, False], "第 2 个")
wrong(1, [True] * 5, "应有 6 个")

right(2, lambda images, mean, std: (images - mean.view(3, 1, 1)) / std.view(3, 1, 1))
right(2, lambda images, mean, std: (images - mean[None, :, None, None]) / std[None, :, None, None])
right(2, lambda images, mean, std: ((images.permute(0, 2, 3, 1) - mean) / std).permute(0, 3, 1, 2))
wrong(2, lambda images, mean, std: (images - mean) / std, "宽")
wrong(2, lambda images, mean, std: (images - mean[:, None]) / std[:, None], "高")
wrong(2, lambda images, mean, std: (images - mean[:, None, None]) * std[:, None, None], "处应为")
wrong(2, lambda images, mean, std: images - mean[:, None, None] / std[:, None, None], "处应为")
wrong(2, lambda images, mean, std: (images - images.mean((0, 2, 3), keepdim=True)) / images.std((0, 2, 3), keepdim=True), "处应为")
wrong(2, lambda images, mean, std: images.sub_(mean[:, None, None]).div_(std[:, None, None]), "被改动")

right(3, lambda labels, num_classes: (labels[:, None] == t.arange(num_classes)).float())
right(3, lambda labels, num_classes: t.eq(labels.unsqueeze(1), t.arange(num_classes).unsqueeze(0)).to(t.float32))
right(3, lambda labels, num_classes: 1.0 * (t.arange(num_classes) == labels.view(-1, 1)))
hot = answer_3
wrong(3, lambda labels, num_classes: hot(labels, num_classes) * 0.9 + 0.1 / num_classes, "应为")  # 标签平滑
wrong(3, lambda labels, num_classes: t.nn.functional.one_hot(labels, num_classes).float(), "不许用 one_hot")
wrong(3, lambda labels, num_classes: t.zeros(len(labels), num_classes).scatter_(1, labels[:, None], 1.), "不许用 scatter")
wrong(3, lambda labels, num_classes: t.eye(num_classes)[labels], "不许用 eye")
wrong(3, lambda labels, num_classes: labels[:, None] == t.arange(num_classes), "torch.float32")
wrong(3, lambda labels, num_classes: (labels == t.arange(num_classes)[:, None]).float(), "形状")
wrong(3, lambda labels, num_classes: (labels[:, None] == t.arange(1, num_classes + 1)).float(), "应为")
wrong(3, lambda labels, num_classes: (labels[:, None] == t.arange(int(labels.max()) + 1)).float(), "形状")
wrong(3, lambda labels, num_classes: t.stack([(t.arange(num_classes) == l).float() for l in labels])
      if len(labels) else t.zeros(0, num_classes), "还有循环")


def assign(labels, num_classes):
    result = t.zeros(len(labels), num_classes)
    result[t.arange(len(labels)), labels] = 1
    return result


wrong(3, assign, "不许用 __setitem__")

right(4, frame.broadcast_to(4, 5, 3))
right(4, frame[None, None].expand(4, 5, -1))
right(4, frame.as_strided((4, 5, 3), (0, 0, 1)))
wrong(4, frame.repeat(4, 5, 1), "被复制")
wrong(4, frame.expand(4, 5, 3).contiguous(), "被复制")
wrong(4, frame.expand(5, 3), "(4, 5, 3)")
wrong(4, frame.as_strided((4, 5, 3), (0, 0, 0)), "处应为")
wrong(4, t.stack([frame] * 20).view(4, 5, 3), "被复制")

right(5, lambda points, centers: ((points[:, None] - centers) ** 2).sum(-1).argmin(1))
right(5, lambda points, centers: (points.unsqueeze(1) - centers.unsqueeze(0)).norm(dim=2).min(dim=1).indices)
right(5, lambda points, centers: ((centers ** 2).sum(1) - 2 * points @ centers.T).argmin(1))
wrong(5, lambda points, centers: t.cdist(points, centers).argmin(1), "不许用 cdist")
wrong(5, lambda points, centers: ((points[:, None] - centers) ** 2).sum(-1).argmin(0), "形状")
wrong(5, lambda points, centers: ((points[:, None] - centers) ** 2).sum(-1).min(1).values, "torch.int64")
wrong(5, lambda points, centers: ((points[:, None] - centers) ** 2).sum(-1).argmax(1), "处应为")
wrong(5, lambda points, centers: (points @ centers.T).argmax(1), "处应为")
wrong(5, lambda points, centers: (points[:, None] - centers).sum(-1).abs().argmin(1), "处应为")
wrong(5, lambda points, centers: t.stack([((p - centers) ** 2).sum(1).argmin() for p in points]), "还有循环")
wrong(5, lambda points, centers: t.stack([((points - c) ** 2).sum(1) for c in centers]).argmin(0), "还有循环")
