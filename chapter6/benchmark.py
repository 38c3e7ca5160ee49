"""量速度：python benchmark.py。

各比值都来自同一次运行：两种做法交替执行几轮，取每轮之比的中位数，机器忽快忽慢时也可信。
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch as t
from PIL import Image
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

import models
from data import CLASSES, DogCat, augment
from utils.loading import BatchSampler

ROUNDS = 5
SIZE, BATCH, BATCHES = 128, 32, 2       # 边长（像素）、一批几张、每轮训练几批
ROOT = Path(__file__).parent / "data" / "train"


class OneByOne(Dataset):
    """常见的写法：用到一张才打开一张，各自增强，衬白底。"""

    def __init__(self, paths: list[Path]):
        self.paths = paths
        self.transform = transforms.Compose([
            transforms.RandomAffine(20, (0.1, 0.1), (0.75, 1.2), fill=255), transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(0.3, 0.3, 0.3, 0.1), transforms.Resize(SIZE), transforms.CenterCrop(SIZE),
            transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)])

    def __getitem__(self, index: int) -> tuple[t.Tensor, int]:
        image = Image.open(self.paths[index]).convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
        return self.transform(image), CLASSES.index(self.paths[index].name.split(".")[0])

    def __len__(self) -> int:
        return len(self.paths)


def main() -> None:
    print(f"torch {t.__version__}，{t.get_num_threads()} 个线程，{ROUNDS} 轮取中位数")
    input_speed()
    for name in ("EfficientNetLite0", "ResNet34"):
        train_speed(name)


def compare(ours: Callable[[], float], plain: Callable[[], float]) -> tuple[float, float, float]:
    """两个函数各返回每秒几张。交替执行，返回各自的中位数，和比值的中位数。"""
    ours(), plain()
    pairs = [(ours(), plain()) for _ in range(ROUNDS)]
    return (*(statistics.median(column) for column in zip(*pairs)), statistics.median(a / b for a, b in pairs))


def input_speed() -> None:
    """只取数据和增强，不训练。"""
    begin = time.perf_counter()
    cached = DogCat(str(ROOT), "train", SIZE, cache_mb=512)
    print(f"一次解码 {len(cached)} 张：{time.perf_counter() - begin:.2f} 秒")
    single = DataLoader(OneByOne(cached.paths), batch_sampler=BatchSampler(len(cached), BATCH))
    batched = DataLoader(cached, batch_sampler=BatchSampler(len(cached), BATCH))
    read = DataLoader(DogCat(str(ROOT), "train", SIZE), batch_sampler=BatchSampler(len(cached), BATCH))

    def speed(loader: DataLoader, own: bool) -> float:
        count, begin = 0, time.perf_counter()
        for images, _ in loader:
            count += len(augment(images, (0.5,) * 3, (0.5,) * 3) if own else images)
        return count / (time.perf_counter() - begin)

    for title, loader in (("留在内存", batched), ("每次解码", read)):
        ours, plain, ratio = compare(lambda: speed(loader, True), lambda: speed(single, False))  # noqa: B023
        print(f"{title}、成批增强 {ours:,.0f} 张/秒，逐张读取增强 {plain:,.0f} 张/秒，{ratio:.1f} 倍")


def train_speed(name: str) -> None:
    """同样的训练步，通道在最后，对照默认的内存格式。"""
    x, targets = t.randn(BATCH, 3, SIZE, SIZE), t.randint(2, (BATCH,))

    def make(layout: t.memory_format) -> Callable[[], float]:
        model = getattr(models, name)(num_classes=2).to(memory_format=layout).train()
        optimizer = t.optim.AdamW(model.parameters(), 1e-4)
        inputs = x.contiguous(memory_format=layout)

        def speed() -> float:
            begin = time.perf_counter()
            for _ in range(BATCHES):
                loss = F.cross_entropy(model(inputs), targets)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            return BATCH * BATCHES / (time.perf_counter() - begin)
        return speed

    ours, plain, ratio = compare(make(t.channels_last), make(t.contiguous_format))
    print(f"{name} 训练：channels_last {ours:.0f} 张/秒，默认格式 {plain:.0f} 张/秒，{ratio:.2f} 倍")


if __name__ == "__main__":
    main()
