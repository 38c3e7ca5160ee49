"""5.1a 的对答案与错答案。"""


class Squares(Dataset):
    """可以弄错几处的平方数。"""

    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def make(self, value):
        return t.tensor(float(value))

    def inside(self, i):
        return 0 <= i < self.n

    def __getitem__(self, i):
        if not self.inside(i):
            raise IndexError(i)
        return self.make(i), self.make(i * i)


class Stored(Dataset):
    def __init__(self, n):
        self.x = t.arange(n, dtype=t.float32)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.x[i] ** 2


class Loose(Squares):
    def inside(self, i):
        return True


class OffByOne(Squares):
    def inside(self, i):
        return i <= self.n


class Integers(Squares):
    def make(self, value):
        return t.tensor(value)


class Numbers(Squares):
    def make(self, value):
        return float(value)


class Five(Squares):
    def __init__(self, n):
        super().__init__(5)


class Cubes(Squares):
    def __getitem__(self, i):
        x, _ = super().__getitem__(i)
        return x, x ** 3


right(1, Stored)
right(1, Squares)
wrong(1, Loose, "IndexError")
wrong(1, OffByOne, "IndexError")
wrong(1, Integers, "float32")
wrong(1, Numbers, "float32")
wrong(1, Five, "Squares(1)")
wrong(1, Cubes, "(2, 4)")
wrong(1, type("NotDataset", (), dict(vars(Squares))), "继承 Dataset")

scale = [v2.ToImage(), v2.ToDtype(t.float32, scale=True)]
normal = v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
right(2, v2.Compose([v2.Resize(64), v2.CenterCrop(48), *scale, normal]))
right(2, v2.Compose([v2.ToImage(), v2.Resize(64, antialias=True), v2.CenterCrop(48), v2.ToDtype(t.float32, scale=True), normal]))
right(2, v2.Compose([*scale, v2.Resize(64), v2.CenterCrop((48, 48)), normal]))
right(2, v2.Compose([v2.PILToTensor(), v2.Resize([64]), v2.CenterCrop(48), v2.ConvertImageDtype(t.float32), normal]))
wrong(2, v2.Compose([v2.Resize((64, 64)), v2.CenterCrop(48), *scale, normal]), "数值不对")
wrong(2, v2.Compose([v2.Resize(48), v2.CenterCrop(48), *scale, normal]), "数值不对")
wrong(2, v2.Compose([v2.CenterCrop(64), v2.Resize(48), *scale, normal]), "数值不对")
wrong(2, v2.Compose([v2.Resize(64), v2.CenterCrop(48), *scale]), "数值不对")
wrong(2, v2.Compose([v2.Resize(64), v2.CenterCrop(48), *scale, v2.Normalize([0.5] * 3, [0.5] * 3)]), "数值不对")
wrong(2, v2.Compose([v2.Resize(64), v2.RandomCrop(48), *scale, normal]), "数值不对")
wrong(2, v2.Compose([v2.Resize(64), v2.CenterCrop(48), v2.ToImage(), v2.ToDtype(t.float32), normal]), "数值不对")
wrong(2, v2.Compose([v2.Resize(64), *scale, normal]), "(3, 48, 48)")


def statistics(data):
    total, squares, count = t.zeros(3), t.zeros(3), 0
    for x, _ in data:
        total += x.sum((1, 2))
        squares += (x ** 2).sum((1, 2))
        count += x[0].numel()
    mean = total / count
    return mean, (squares / count - mean ** 2).clamp(min=0).sqrt()


def gathered(data, correction=0):
    pixels = t.cat([data[i][0].reshape(3, -1) for i in range(len(data))], 1)
    return pixels.mean(1), pixels.std(1, correction=correction)


def averaged(data):
    return (t.stack([data[i][0].mean((1, 2)) for i in range(len(data))]).mean(0),
            t.stack([data[i][0].std((1, 2), correction=0) for i in range(len(data))]).mean(0))


right(3, statistics)
right(3, gathered)
wrong(3, averaged, "对每张图的均值再平均")
wrong(3, lambda data: gathered(data, correction=1), "标准差")
wrong(3, lambda data: (gathered(data)[0], averaged(data)[1]), "标准差")
wrong(3, lambda data: (gathered(data)[0], gathered(data)[1] ** 2), "标准差")
wrong(3, lambda data: tuple(v.mean() for v in gathered(data)), "形状")
wrong(3, lambda data: tuple(v.flip(0) for v in gathered(data)), "均值")
wrong(3, lambda data: gathered([data[0]]), "均值")

names = ["dog", "10", "cat", "2", "Zebra"]
right(4, {name: k for k, name in enumerate(sorted(names))})
right(4, dict(zip(["10", "2", "Zebra", "cat", "dog"], range(5))))
wrong(4, {name: k for k, name in enumerate(names)}, "不是")
wrong(4, {name: k for k, name in enumerate(["2", "10", "Zebra", "cat", "dog"])}, "10 不是 1")
wrong(4, {name: k for k, name in enumerate(["10", "2", "cat", "dog", "Zebra"])}, "Zebra 不是 4")
wrong(4, {name: k for k, name in enumerate(sorted(names), 1)}, "不是")
wrong(4, {"cat": 0, "dog": 1}, "五个文件夹")
