"""量速度和内存：python benchmark.py。

比值来自同一次运行：两种做法交替执行几轮，取每轮之比的中位数，机器忽快忽慢时也可信。
"""

import io
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch as t
from PIL import Image
from torch.nn import functional as F
from torchvision import transforms

from config import Config
from data import Avatars, to_input
from gan import build_netd, build_netg
from losses import BCE

ROUNDS, STEPS, BATCH = 5, 2, 64         # 几轮，每轮几步，一步几张
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


def speed(work: Callable[[], None]) -> float:
    """每秒几张。"""
    begin = time.perf_counter()
    for _ in range(STEPS):
        work()
    return STEPS * BATCH / (time.perf_counter() - begin)


def main() -> None:
    print(f"torch {t.__version__}，{t.get_num_threads()} 个线程，一步 {BATCH} 张，{ROUNDS} 轮取中位数")
    begin = time.perf_counter()
    ours, plain = Ours(), Plain()
    print(f"一次解码 {len(ours.avatars)} 张：{time.perf_counter() - begin:.1f} 秒")
    speed(ours.step), speed(plain.step)
    pairs = [(speed(ours.step), speed(plain.step)) for _ in range(ROUNDS)]
    fast, slow = (statistics.median(column) for column in zip(*pairs))
    ratio = statistics.median(one / other for one, other in pairs)
    print(f"训练一整步：{fast:.0f} 张/秒，常见写法 {slow:.0f} 张/秒，{ratio:.2f} 倍")
    netg, noise = ours.netg.eval(), t.randn(BATCH, 100)
    with t.inference_mode():
        netg(noise)
        print(f"生成：{speed(lambda: netg(noise)):.0f} 张/秒")
    print_memory()


def print_memory() -> None:
    """另起进程运行 generate 和 train，报告各自的内存峰值。"""
    if sys.platform == "win32":
        print("内存峰值：Windows 没有 resource 模块，量不了")
        return
    code = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, "
            "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); "
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    main_file = AVATARS.parent.parent / "main.py"
    for words in (["generate"], ["train", f"--data-path={AVATARS}", "--max-steps=5"]):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, "-c", code, sys.executable, str(main_file), *words], cwd=folder,
                                  capture_output=True, text=True, check=True)
        unit = 2 ** 20 if sys.platform == "darwin" else 2 ** 10     # macOS 以字节计，Linux 以 KB 计
        print(f"内存峰值 {words[0]}：{int(done.stdout) / unit:,.0f} MB")


if __name__ == "__main__":
    main()
