"""5.2 的对答案与错答案。"""


def split_grid(grid, count, nrow, padding, start=True, columns=None, byrow=True):
    columns = columns or min(nrow, count)
    rows = -(-count // columns)
    h, w = (grid.shape[1] - padding) // rows, (grid.shape[2] - padding) // columns
    first = padding if start else 0
    cells = []
    for k in range(count):
        i, j = divmod(k, columns) if byrow else (k % rows, k // rows)
        cells.append(grid[:, first + i * h:first + i * h + h - padding, first + j * w:first + j * w + w - padding])
    return t.stack(cells)


def unfolded(grid, count, nrow, padding):
    columns = min(nrow, count)
    rows = (count + columns - 1) // columns
    inner = grid[:, padding:, padding:]
    h, w = inner.shape[1] // rows, inner.shape[2] // columns
    blocks = inner.reshape(3, rows, h, columns, w).permute(1, 3, 0, 2, 4).reshape(rows * columns, 3, h, w)
    return blocks[:count, :, :h - padding, :w - padding]


right(1, split_grid)
right(1, unfolded)
wrong(1, lambda *a: split_grid(*a, start=False), "结果")
wrong(1, lambda *a: split_grid(*a, byrow=False), "结果")
wrong(1, lambda g, count, nrow, padding: split_grid(g, count, nrow, padding, columns=nrow), "2 张、每行 8")
wrong(1, lambda g, count, nrow, padding: split_grid(g, -(-count // nrow) * nrow, nrow, padding), "形状")
wrong(1, lambda g, count, nrow, padding: split_grid(g, count, nrow, 2), "边 1")
wrong(1, lambda g, count, nrow, padding: split_grid(g, count, nrow, padding)[:, :1], "形状")


def small_resnet(classes, head=None, rename=None, **options):
    net = models.resnet18()
    net.conv1 = nn.Conv2d(1, 64, **{**dict(kernel_size=7, stride=2, padding=3, bias=False), **options})
    net.fc = nn.Linear(512, head or classes)
    return net


def built(classes):
    net = models.resnet18(weights=None, num_classes=classes)
    old = net.conv1
    net.conv1 = nn.Conv2d(1, old.out_channels, old.kernel_size, old.stride, old.padding, bias=False)
    return net


def repeats(classes):  # 网络没有改，输入抄三份
    class Gray(models.ResNet):
        def forward(self, x):
            return super().forward(x.expand(-1, 3, -1, -1))
    return Gray(models.resnet.BasicBlock, [2, 2, 2, 2], num_classes=classes)


def extra(classes):
    net = models.resnet18()
    net.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    net.fc = nn.Sequential(net.fc, nn.Linear(1000, classes))
    return net


right(2, built)
right(2, small_resnet)
wrong(2, repeats, "conv1.weight 的形状应为 (64, 1, 7, 7)")
wrong(2, lambda classes: small_resnet(classes, bias=True), "没有偏置")
wrong(2, lambda classes: small_resnet(classes, kernel_size=3, padding=1), "kernel_size")
wrong(2, lambda classes: small_resnet(classes, stride=1), "stride")
wrong(2, lambda classes: small_resnet(classes, head=1000), "输出的形状")
wrong(2, lambda classes: models.resnet18(num_classes=classes), "检查时出错")
wrong(2, extra, "fc")


def iou(a, b, clamp=True, union=True):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if clamp:
        w, h = max(w, 0), max(h, 0)
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return w * h / (areas - w * h if union else areas)


def iou_tensor(a, b):
    a, b = t.tensor(a, dtype=t.float64), t.tensor(b, dtype=t.float64)
    overlap = (t.minimum(a[2:], b[2:]) - t.maximum(a[:2], b[:2])).clamp(min=0).prod()
    return (overlap / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - overlap)).item()


right(3, iou)
right(3, iou_tensor)
wrong(3, lambda a, b: torchvision.ops.box_iou(t.tensor([a]).float(), t.tensor([b]).float()).item(), "不许用 box_iou")
wrong(3, lambda a, b: iou(a, b, clamp=False), "应为")
wrong(3, lambda a, b: iou(a, b, union=False), "应为")
wrong(3, lambda a, b: max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1])), "应为")
wrong(3, lambda a, b: iou([a[0], a[1], a[2] + 1, a[3] + 1], [b[0], b[1], b[2] + 1, b[3] + 1]), "应为")  # 把边长多算了 1
wrong(3, lambda a, b: iou(a, b) if a[0] <= b[0] else 0.0, "应为")
