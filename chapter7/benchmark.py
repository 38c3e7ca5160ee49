"""量速度和内存：python benchmark.py。

比的是：训练的一整步，对照常见的写法；生成，通道在最后对照默认的内存格式。
"""

import copy
import io
import zipfile
from pathlib import Path

import torch as t
from PIL import Image
from torch.nn import functional as F
from torchvision import transforms

from config import Config
from data import Avatars, to_input
from gan import build_netd, build_netg
from losses import BCE
from timing import compare, print_header, print_memory, seconds

BATCH = 64                              # 一步几张
AVATARS = Path(__file__).resolve().parent / "data" / "avatars.zip"


class Plain:
    """常见的写法：用到才解码，默认的内存格式；每步生成两次假图，生成器的一步连判别器的梯度也一并算出来。"""

    def __init__(self):
        self.netg, self.netd = build_netg(Config()), build_netd(Config())
        self.optimizers = [t.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (self.netg, self.netd)]
        self.archive = zipfile.ZipFile(AVATARS)
        self.names = self.archive.namelist()
        self.transform = transforms.Compose([transforms.Resize(96), transforms.CenterCrop(96), transforms.ToTensor(),
                                             transforms.Normalize((0.5,) * 3, (0.5,) * 3)])

    def read(self, name: str) -> t.Tensor:
        return self.transform(Image.open(io.BytesIO(self.archive.read(name))).convert("RGB"))

    def step(self) -> None:
        images = t.stack([self.read(self.names[i]) for i in t.randint(len(self.names), (BATCH,)).tolist()])
        optimizer_g, optimizer_d = self.optimizers
        ones, zeros = t.ones(BATCH), t.zeros(BATCH)
        optimizer_d.zero_grad()
        F.binary_cross_entropy_with_logits(self.netd(images), ones).backward()
        fakes = self.netg(t.randn(BATCH, 100))
        F.binary_cross_entropy_with_logits(self.netd(fakes.detach()), zeros).backward()
        optimizer_d.step()
        optimizer_g.zero_grad()
        F.binary_cross_entropy_with_logits(self.netd(self.netg(t.randn(BATCH, 100))), ones).backward()
        optimizer_g.step()


class Ours:
    """main.py 里的一步。"""

    def __init__(self):
        self.netg, self.netd = (net.to(memory_format=t.channels_last) for net in
                                (build_netg(Config()), build_netd(Config())))
        self.optimizers = [t.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (self.netg, self.netd)]
        self.avatars = Avatars(str(AVATARS), 96, cache_mb=1000)

    def step(self) -> None:
        indices = t.randint(len(self.avatars), (BATCH,)).tolist()
        images = to_input(self.avatars[indices]).contiguous(memory_format=t.channels_last)
        optimizer_g, optimizer_d = self.optimizers
        fakes = self.netg(t.randn(BATCH, 100))
        self.netd.requires_grad_(True)
        loss, _, _ = BCE.discriminator(self.netd, images, fakes.detach())
        optimizer_d.zero_grad()
        loss.backward()
        optimizer_d.step()
        self.netd.requires_grad_(False)
        loss = BCE.generator(self.netd(fakes))
        optimizer_g.zero_grad()
        loss.backward()
        optimizer_g.step()


def main() -> None:
    print_header()
    ours = Ours()
    print(f"一次解码 {len(ours.avatars)} 张：{seconds(Ours):.1f} 秒")
    result = compare(ours.step, Plain().step)
    print(f"训练一整步：{BATCH / result.ours:.0f} 张/秒，是常见写法的 {result}")
    netg, noise = build_netg(Config()).eval(), t.randn(BATCH, 100)
    last = copy.deepcopy(netg).to(memory_format=t.channels_last)
    with t.inference_mode():
        result = compare(lambda: last(noise), lambda: netg(noise))
    print(f"生成：channels_last {BATCH / result.ours:.0f} 张/秒，是默认格式的 {result}")
    print_memory("generate", f"train --data-path={AVATARS} --max-steps=5")


if __name__ == "__main__":
    main()
