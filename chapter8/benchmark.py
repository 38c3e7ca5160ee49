"""量速度和内存：python benchmark.py（先 python main.py prepare）。

比的是：stylize 画一张照片，对照同一个网络平常的写法（默认的内存格式，nn.InstanceNorm2d）；网络对照 Gatys 的办法；
训练，--cpu-bf16 对照 float32，看四边对照不看；动画的各帧用共同的统计量，对照各画各的。
"""

import copy
import statistics
from pathlib import Path

import torch as t
from PIL import Image
from torch import nn

from config import Config
from data import to_tensor
from data.pictures import open_picture
from gatys import optimize
from losses import EDGE_EVERY, EDGE_WEIGHT, edge_loss
from models import TransformerNet
from models.transformer_net import InstanceNorm
from painting import OVERLAP, paint, shared_statistics, to_image
from style import build_loss, held_out, load_net
from timing import MAIN, compare, print_header, print_memory
from utils.runtime import setup

SIDES = (256, 512, 1024)
GATYS_STEPS = 300                   # README 和 evaluate 里 Gatys 走的步数
TRIAL_STEPS = {256: 10, 512: 3, 1024: 1}        # 每一步用时相同，量几步再乘上去
FRAMES = 6
LARGE = (3000, 2000)                # 量内存用的图


def photo(side: int) -> t.Tensor:
    """(1, 3, side, side)，float，0 到 255。"""
    return to_tensor(open_picture(held_out()[0]).resize((side, side)))[None].float()


def plain_copy(net: TransformerNet) -> TransformerNet:
    """同样的权重，平常的写法。"""
    net = copy.deepcopy(net).to(memory_format=t.contiguous_format)
    for layer in net.modules():
        for name, child in layer.named_children():
            if isinstance(child, InstanceNorm):
                norm = nn.InstanceNorm2d(child.num_features, affine=True)
                norm.load_state_dict(child.state_dict())
                setattr(layer, name, norm)
    return net


def painting_speed(perceptual) -> None:
    runtime = setup(use_gpu=False)
    net = load_net(Config()).to(memory_format=t.channels_last)
    plain = plain_copy(net)

    @t.no_grad()
    def usual(picture: Image.Image) -> Image.Image:
        return to_image(plain(to_tensor(picture)[None].float()))

    for side in SIDES:
        picture, steps = to_image(photo(side)), TRIAL_STEPS[side]
        result = compare(lambda picture=picture: paint(net, picture, runtime, max(SIDES)), lambda picture=picture: usual(picture))
        slow = compare(lambda picture=picture: paint(net, picture, runtime, max(SIDES)),
                       lambda side=side, steps=steps: optimize(photo(side), perceptual, steps)).times(GATYS_STEPS / steps)
        print(f"{side}×{side}：画一张 {result.ours:.2f} 秒，快到平常写法的 {result}；Gatys {GATYS_STEPS} 步 "
              f"{slow.plain:.0f} 秒（量了 {steps} 步），{slow.ratio:.0f} 倍")


def training_speed(perceptual) -> None:
    """main.py 里的前向和反向，隔 EDGE_EVERY 步看一次四边。"""
    side, batch = Config.image_size, Config.batch_size
    x = t.cat([photo(side)] * batch).contiguous(memory_format=t.channels_last)
    runtime = setup(use_gpu=False)

    def steps(net: TransformerNet, bf16: bool = False, edges: bool = True) -> None:
        for i in range(EDGE_EVERY):
            with runtime.autocast(bf16):
                target = perceptual.content_target(x)
                outputs = net(x)
                losses = perceptual(outputs, target)
                edge = edge_loss(net, x, outputs) if edges and i == 0 else 0
            (losses.total.mean() + EDGE_WEIGHT * edge).backward()
    large, small = (TransformerNet(width).to(memory_format=t.channels_last) for width in (32, 16))
    half, narrow = compare(lambda: steps(large, True), lambda: steps(large)), compare(lambda: steps(small), lambda: steps(large))
    free = compare(lambda: steps(large, edges=False), lambda: steps(large))
    print(f"训练，{side}×{side}，一批 {batch} 张：{EDGE_EVERY * batch / half.plain:.2f} 张/秒；--cpu-bf16=True 快到 {half}，--width=16 快到 {narrow}；"
          f"每 {EDGE_EVERY} 步看一次四边，用时是不看的 {free}")


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


def put_pictures(folder: Path) -> None:
    open_picture(held_out()[0]).resize(LARGE).save(folder / "large.png")
    Image.new("RGB", (16, 16)).save(folder / "small.png")


def main() -> None:
    print_header()
    perceptual = build_loss(Config(style_path=str(MAIN.parent / Config.style_path)), setup(use_gpu=False))
    painting_speed(perceptual)
    training_speed(perceptual)
    flicker()
    print(f"small.png 是 16×16，large.png 是 {LARGE[0]}×{LARGE[1]}")
    print_memory(*(f"stylize --content-path={name} --max-size=0 --tile-size={tile} --use-gpu=False" for name, tile in
                   (("small.png", 1024), ("large.png", 1024), ("large.png", max(LARGE)))), files=put_pictures)


if __name__ == "__main__":
    main()
