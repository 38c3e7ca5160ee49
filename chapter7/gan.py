"""造出、载入、平均和导出 GAN 的两个网络。"""

from pathlib import Path

import torch as t
import torch.distributed as dist
from torch import nn

import models
from config import Config
from data import to_input, to_picture
from losses import LOSSES
from utils.checkpoint import load_checkpoint, load_state, saved_config
from utils.files import UserError, legible
from utils.runtime import Runtime, seed_step

PROJECT = "avatar"
SHIPPED = {"netg": Path(__file__).parent / "checkpoints" / "netg.pth",
           "netd": Path(__file__).parent / "checkpoints" / "netd.pth",
           "reference": Path(__file__).parent / "checkpoints" / "reference.pth"}    # 没训练过的真脸，特征的均值和协方差
SHAPE = {"netg": ("arch", "nz", "ngf", "image_size"), "netd": ("arch", "ndf", "image_size", "loss")}
CLASSES = {"dcgan": (models.NetG, models.NetD), "residual": (models.ResNetG, models.ResNetD)}
TITLES = {"netg": "生成器", "netd": "判别器"}
CALIBRATION = (20, 64)      # 校准批归一化用几批噪声，每批几个


def build_netg(opt: Config) -> nn.Module:
    return CLASSES[opt.arch][0](opt.nz, opt.ngf, opt.image_size)


def build_netd(opt: Config) -> nn.Module:
    """判别器的归一化由损失决定，见 losses.py。"""
    return CLASSES[opt.arch][1](opt.ndf, opt.image_size, LOSSES[opt.loss].norm)


BUILD = {"netg": build_netg, "netd": build_netd}


def load_part(part: str, opt: Config, path: str | Path) -> nn.Module:
    """载入 part（"netg" 或 "netd"）的权重，返回 CPU 上的网络。

    形状选项（SHAPE）没有亲手给出的，改成文件里记的；亲手给出而不符，或文件里是另一个网络，抛出 UserError。
    """
    option = f"--{part}-path"
    content = load_checkpoint(path, PROJECT, option)
    if content.get("part") != part:
        found = TITLES.get(content.get("part"), "训练的断点")
        raise UserError(f"{path} 是{found}，不是{TITLES[part]}：{option} 要 {part}.pth")
    config = saved_config(Config, content["config"], path, SHAPE[part])
    for name in SHAPE[part]:
        saved = getattr(config, name)
        if name in opt.given and getattr(opt, name) != saved:
            raise UserError(f"{path} 的 {name} 是 {saved}，与给出的 {getattr(opt, name)} 不符：去掉这个选项，或换一份权重")
        setattr(opt, name, saved)
    net = BUILD[part](opt)
    load_state(net, content["model"], path)
    return net


def load_pair(opt: Config, default: dict[str, Path] = SHIPPED) -> tuple[nn.Module, nn.Module | None]:
    """生成器和给它打分的判别器：选项里给出文件的载入，没有给出的用 default 里的，那里也没有就新造。

    自带的判别器没见过别的生成器画的图，打的分没有意义：只给了 --netg-path 时判别器是 None，要挑（gen_search_num > 0）
    就抛出 UserError。图片边长不同的一对也抛出 UserError。
    """
    if default and opt.netg_path and not opt.netd_path:
        if opt.gen_search_num:
            raise UserError(f"自带的判别器没见过 {legible(opt.netg_path)} 画的图，挑不了：用 --netd-path 指明同一次训练的 netd.pth，或去掉 --gen-search-num")
        return load_part("netg", opt, opt.netg_path), None

    def get(part: str) -> nn.Module:
        path = getattr(opt, f"{part}_path") or default.get(part)
        return load_part(part, opt, path) if path else BUILD[part](opt)

    netg = get("netg")
    side = opt.image_size
    netd = get("netd")
    if opt.image_size != side:
        raise UserError(f"生成器画 {side}×{side} 的图，判别器看 {opt.image_size}×{opt.image_size} 的：image_size 不同，"
                        "--netg-path 和 --netd-path 要出自同一次训练")
    return netg, netd


def portable(part: str, opt: Config, net: nn.Module) -> dict:
    """权重文件的内容：一个网络的半精度权重和它的形状，够生成用；比训练的断点小得多。"""
    weights = {name: value.half() if value.is_floating_point() else value for name, value in net.state_dict().items()}
    return {"part": part, "model": weights, "config": {name: getattr(opt, name) for name in SHAPE[part]}}


def average_gradients(net: nn.Module, runtime: Runtime) -> None:
    """几个进程的梯度取平均，一次通信。

    不用 DDP：同一步里判别器要前向两三次，梯度惩罚还要对梯度求导，DDP 的钩子不支持这些；直接平均则对每种损失都成立。
    """
    if runtime.world_size == 1:
        return
    gradients = [p.grad for p in net.parameters() if p.grad is not None]
    flat = t.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= runtime.world_size
    for gradient, mean in zip(gradients, flat.split([gradient.numel() for gradient in gradients])):
        gradient.copy_(mean.view_as(gradient))


@t.no_grad()
def update_average(average: nn.Module, net: nn.Module, keep: float) -> None:
    """average 的每个参数保留 keep，其余换成 net 的。"""
    t._foreach_lerp_(list(average.parameters()), list(net.parameters()), 1 - keep)


@t.no_grad()
def calibrate(netg: nn.Module, nz: int, device: t.device) -> None:
    """按 netg 现在的权重重新统计批归一化的均值和方差。

    滑动平均只平均了参数；批归一化里存的统计量不是这组参数的，直接用来生成，颜色会偏。
    """
    norms = [module for module in netg.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None                    # 各批等权平均
    netg.train()
    count, size = CALIBRATION
    for _ in range(count):
        netg(t.randn(size, nz).to(device))
    netg.eval()
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum


@t.inference_mode()
def sample(netg: nn.Module, noise: t.Tensor, runtime: Runtime, batch_size: int) -> t.Tensor:
    """噪声 (N, nz) → 图片 (N, 3, S, S)，CPU 上的 uint8。分批生成，内存不随 N 增长多少。"""
    netg.eval()
    pictures = []
    for part in noise.split(batch_size):
        with runtime.autocast():
            images = netg(part.to(runtime.device))
        pictures.append(to_picture(images).cpu())
    return t.cat(pictures)


@t.inference_mode()
def draw(netg: nn.Module, netd: nn.Module | None, opt: Config, runtime: Runtime) -> tuple[t.Tensor, t.Tensor]:
    """照 opt 画 gen_num 张头像，返回它们的噪声 (N, nz) 和图片 (N, 3, S, S) 的 uint8。gen_search_num > 0 时，先画那么多张，留下判别器打分最高的。"""
    seed_step(opt.seed)
    noise = t.randn(opt.gen_search_num or opt.gen_num, opt.nz) * opt.gen_std + opt.gen_mean
    if not opt.gen_search_num:
        return noise, sample(netg, noise, runtime, opt.batch_size)
    kept = t.empty(0), noise[:0], t.empty(0, dtype=t.uint8)         # 得分、噪声、图片：画一批，只留下至今最好的
    for part in noise.split(opt.batch_size):
        pictures = sample(netg, part, runtime, opt.batch_size)
        scores = netd(to_input(pictures.to(runtime.device))).cpu()
        whole = [t.cat(pair) for pair in zip(kept, (scores, part, pictures))]
        best = whole[0].topk(min(opt.gen_num, len(whole[0]))).indices
        kept = [values[best] for values in whole]
    return kept[1], kept[2]
