"""量速度：python benchmark.py。

比的是：成批增强对照逐张增强；读照片对照 torchvision 的写法；训练和判断，通道在最后对照默认的内存格式，bfloat16 对照 float32。
"""

import io
from collections.abc import Callable
from pathlib import Path

import torch as t
from PIL import Image
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

import models
from data import CLASSES, Pictures, augment
from data.dataset import fit
from data.pictures import open_picture
from timing import compare, print_header, seconds
from utils.loading import BatchSampler
from utils.runtime import setup

SIZE, BATCH = 128, 32                   # 边长（像素）、一批几张
PHOTO = (400, 300)                      # 读照片时，照片多大，像素
ROOT = Path(__file__).parent / "data" / "train"


class OneByOne(Dataset):
    """常见的写法：用到一张才打开一张，各自增强，衬白底。"""

    def __init__(self, paths: list[Path], targets: list[int]):
        self.paths, self.targets = paths, targets
        self.transform = transforms.Compose([
            transforms.RandomAffine(20, (0.1, 0.1), (0.75, 1.2), fill=255), transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(0.3, 0.3, 0.3, 0.1), transforms.Resize(SIZE), transforms.CenterCrop(SIZE),
            transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)])

    def __getitem__(self, index: int) -> tuple[t.Tensor, int]:
        image = Image.open(self.paths[index]).convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
        return self.transform(image), self.targets[index]

    def __len__(self) -> int:
        return len(self.paths)


def main() -> None:
    print_header()
    input_speed()
    reading_speed()
    for name in ("EfficientNetLite0", "ResNet34"):
        network_speed(name)


def input_speed() -> None:
    """自带的图标，只取数据和增强，不训练。"""
    cached = Pictures(str(ROOT), "train", SIZE, cache_mb=512)
    print(f"一次解码 {len(cached)} 张：{seconds(lambda: Pictures(str(ROOT), 'train', SIZE, cache_mb=512)):.2f} 秒")
    sampler = BatchSampler(len(cached), BATCH)
    single = DataLoader(OneByOne(cached.paths, cached.targets), batch_sampler=sampler)

    def one_by_one() -> None:
        for _ in single:
            pass

    for title, dataset in (("留在内存", cached), ("每次解码", Pictures(str(ROOT), "train", SIZE))):
        def in_batches(dataset=dataset) -> None:
            for images, _ in DataLoader(dataset, batch_sampler=sampler):
                augment(images, (0.5,) * 3, (0.5,) * 3)
        result = compare(in_batches, one_by_one)
        print(f"{title}、成批增强 {len(cached) / result.ours:,.0f} 张/秒，是逐张读取、增强的 {result}")


def reading_speed(count: int = 50) -> None:
    """JPEG 照片读成 SIZE 见方的张量，对照 torchvision 的写法。"""
    photo = next(path for path in sorted((ROOT.parent / "photos").iterdir()) if path.suffix in (".jpg", ".webp", ".png"))
    file = io.BytesIO()
    Image.open(photo).convert("RGB").resize(PHOTO).save(file, "JPEG", quality=90)
    content = file.getvalue()
    transform = transforms.Compose([transforms.Resize(SIZE), transforms.CenterCrop(SIZE), transforms.ToTensor()])
    result = compare(lambda: [fit(open_picture(content, "照片", SIZE, alpha=True), SIZE) for _ in range(count)],
                     lambda: [transform(Image.open(io.BytesIO(content)).convert("RGB")) for _ in range(count)])
    print(f"读 {PHOTO[0]}×{PHOTO[1]} 的 JPEG：{count / result.ours:,.0f} 张/秒，是 torchvision 写法的 {result}")


def network_speed(name: str) -> None:
    """同样的训练步、同样的前向，对照默认的内存格式；再对照 bfloat16。"""
    x, targets, runtime = t.randn(BATCH, 3, SIZE, SIZE), t.randint(len(CLASSES), (BATCH,)), setup(use_gpu=False)

    def make(layout: t.memory_format, bf16: bool = False) -> tuple[Callable[[], None], Callable[[], None]]:
        model = getattr(models, name)(num_classes=len(CLASSES)).to(memory_format=layout)
        optimizer = t.optim.AdamW(model.parameters(), 1e-4)
        inputs = x.contiguous(memory_format=layout)

        def step() -> None:
            model.train()
            with runtime.autocast(on_cpu=bf16):
                loss = F.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        @t.inference_mode()
        def judge() -> None:
            model.eval()
            model(inputs)
        return step, judge

    (step, judge), (plain_step, plain_judge), (half_step, _) = make(t.channels_last), make(t.contiguous_format), make(t.channels_last, bf16=True)
    result = compare(step, plain_step)
    print(f"{name} 训练：channels_last {BATCH / result.ours:.0f} 张/秒，是默认格式的 {result}；"
          f"再加 --cpu-bf16=True 是 float32 的 {compare(half_step, step)}")
    result = compare(judge, plain_judge)
    print(f"{name} 判断：channels_last {BATCH / result.ours:.0f} 张/秒，是默认格式的 {result}")


if __name__ == "__main__":
    main()
