"""量速度和内存：python benchmark.py（先 python main.py prepare）。

比值来自同一次运行：几种做法交替执行几轮，取每轮之比的中位数，机器忽快忽慢时也可信。
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch as t
from PIL import Image

from config import Config
from data import to_tensor
from data.pictures import open_picture
from gatys import optimize
from models import TransformerNet
from painting import OVERLAP, paint, shared_statistics
from style import build_loss, held_out, load_net
from utils.runtime import setup

ROUNDS = 5
SIDES = (256, 512, 1024)
GATYS_STEPS = 300                   # README 和 evaluate 里 Gatys 走的步数
TRIAL_STEPS = {256: 10, 512: 3, 1024: 1}        # 每一步用时相同，量几步再乘上去
FRAMES = 6
LARGE = (3000, 2000)                # 量内存用的图
MAIN = Path(__file__).resolve().parent / "main.py"


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def compare(one: Callable[[], object], other: Callable[[], object]) -> tuple[float, float, float]:
    """交替各做 ROUNDS 次：各自用时的中位数，以及 other ÷ one 的中位数。"""
    one(), other()
    pairs = [(seconds(one), seconds(other)) for _ in range(ROUNDS)]
    first, second = (statistics.median(column) for column in zip(*pairs))
    return first, second, statistics.median(b / a for a, b in pairs)


def photo(side: int) -> t.Tensor:
    """(1, 3, side, side)，float，0 到 255。"""
    return to_tensor(open_picture(held_out()[0]).resize((side, side)))[None].float()


def painting_speed(perceptual) -> None:
    net = TransformerNet().to(memory_format=t.channels_last).eval()
    for side in SIDES:
        x = photo(side).contiguous(memory_format=t.channels_last)

        @t.inference_mode()
        def ours(x=x):
            net(x)
        steps = TRIAL_STEPS[side]
        fast, slow, ratio = compare(ours, lambda x=x, steps=steps: optimize(x, perceptual, steps))
        print(f"{side}×{side}：网络 {fast:.2f} 秒，Gatys {GATYS_STEPS} 步 {slow / steps * GATYS_STEPS:.0f} 秒"
              f"（量了 {steps} 步），{ratio / steps * GATYS_STEPS:.0f} 倍")


def layouts() -> None:
    net, plain = TransformerNet().to(memory_format=t.channels_last).eval(), TransformerNet().eval()
    x = photo(512)
    y = x.contiguous(memory_format=t.channels_last)

    @t.inference_mode()
    def ours():
        net(y)
    fast, slow, ratio = compare(ours, lambda: plain(x))
    print(f"512×512 前向：channels_last 加 inference_mode {fast:.2f} 秒，默认写法 {slow:.2f} 秒，{ratio:.2f} 倍")


def training_speed(perceptual) -> None:
    side, batch = Config.image_size, Config.batch_size
    x = t.cat([photo(side)] * batch).contiguous(memory_format=t.channels_last)
    nets = [TransformerNet(width).to(memory_format=t.channels_last) for width in (32, 16)]

    def step(net):
        perceptual(net(x), perceptual.content_target(x)).total.mean().backward()
    large, small, _ = compare(lambda: step(nets[0]), lambda: step(nets[1]))
    print(f"训练，{side}×{side}，一批 {batch} 张：width 32 {batch / large:.2f} 张/秒，width 16 {batch / small:.2f} 张/秒")


def flicker() -> None:
    """一只鹦鹉从一张照片前走过，各帧各画各的，对照用共同的统计量：不动的地方，相邻两帧平均差几级。"""
    still = open_picture(held_out()[0]).resize((384, 256))
    bird = open_picture(held_out()[-1]).resize((96, 96))
    frames = [still.copy() for _ in range(FRAMES)]
    for i, frame in enumerate(frames):
        frame.paste(bird, (i * (384 - 96) // (FRAMES - 1), 256 - 96))
    net, runtime = load_net(Config()).to(memory_format=t.channels_last), setup(use_gpu=False)

    def change() -> float:
        tops = [to_tensor(paint(net, frame, runtime, 1024))[:, :256 - 96 - OVERLAP].float() for frame in frames]    # 鹦鹉够不着
        return statistics.mean((a - b).abs().mean().item() for a, b in zip(tops, tops[1:]))
    own = change()
    with shared_statistics(net, frames, runtime):
        print(f"动画里不动的地方，相邻两帧平均差：各画各的 {own:.2f} 级，共同的统计量 {change():.2f} 级")


def memory() -> None:
    """另起进程画一张 LARGE 的图，报告内存峰值。"""
    if sys.platform == "win32":
        print("内存峰值：Windows 没有 resource 模块，量不了")
        return
    code = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    unit = 2 ** 20 if sys.platform == "darwin" else 2 ** 10         # macOS 以字节计，Linux 以 KB 计
    with tempfile.TemporaryDirectory() as folder:
        open_picture(held_out()[0]).resize(LARGE).save(Path(folder) / "large.png")
        Image.new("RGB", (16, 16)).save(Path(folder) / "small.png")
        for name, tile in (("small.png", 1024), ("large.png", 1024), ("large.png", max(LARGE))):
            words = ["stylize", f"--content-path={name}", "--max-size=0", f"--tile-size={tile}", "--use-gpu=False"]
            begin = time.perf_counter()
            done = subprocess.run([sys.executable, "-c", code, sys.executable, str(MAIN), *words], cwd=folder,
                                  capture_output=True, text=True, check=True)
            title = "16×16" if name == "small.png" else f"{LARGE[0]}×{LARGE[1]}，" + ("不分块" if tile > 1024 else f"每块 {tile}")
            print(f"{title}：内存峰值 {int(done.stdout) / unit:.0f} MB，{time.perf_counter() - begin:.0f} 秒")


def main() -> None:
    print(f"torch {t.__version__}，{t.get_num_threads()} 个线程，{ROUNDS} 轮取中位数")
    perceptual = build_loss(Config(style_path=str(MAIN.parent / Config.style_path)), setup(use_gpu=False))
    layouts()
    painting_speed(perceptual)
    training_speed(perceptual)
    flicker()
    memory()


if __name__ == "__main__":
    main()
