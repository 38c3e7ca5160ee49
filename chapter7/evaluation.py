"""评价一个生成器：比没训练过的好多少，像不像真的，是不是抄了训练图。"""

from dataclasses import dataclass
from pathlib import Path

import torch as t
from torch import nn

from config import Config
from data import Avatars
from data.pictures import check_picture, save_picture
from data.prepare import held_out
from gan import SHIPPED, build_netg, calibrate, sample
from metrics import (
    MAIN,
    extract,
    frechet_distance,
    gaussian,
    load_reference,
    make_judge,
    nearest,
    precision_recall,
    save_reference,
)
from pictures import grid
from utils.files import UserError, check_target, legible
from utils.runtime import Runtime, seed_step

NEAREST = 10                            # 画出最像训练图的这么多张


@dataclass
class Reference:
    """没训练过的真图：从图片算起，或是事先存好的（那时只有特征的均值和协方差）。"""

    count: int                          # 用了几张
    statistics: dict                    # 特征的名字 → (均值, 协方差)
    pictures: Avatars | None = None
    features: t.Tensor | None = None    # (count, D)，算精确率和召回率用


def report(netg: nn.Module, opt: Config, runtime: Runtime) -> None:
    """打印 FID、精确率和召回率、到训练图的距离，最近的几对存到 opt.nearest_img。选项不对时，动手之前就抛出 UserError。"""
    judge = make_judge(runtime.device, opt.vgg_path)
    # 自带的权重有存好的对照，但没有训练图；自己训练的，对照默认是没训练过的 DiceBear 头像
    place = opt.ref_path or (held_out(opt.eval_num) if opt.netg_path else SHIPPED["reference"])
    known = Avatars(place, opt.image_size, opt.cache_mb, "--ref-path") if Path(place).suffix != ".pth" else None
    if opt.save_ref and not known:
        raise UserError(f"--save-ref 要从图片算起，而对照 {legible(place)} 已经是存好的：用 --ref-path 给出图片")
    if opt.save_ref:
        check_target(opt.save_ref, "--save-ref", [opt.netg_path or SHIPPED["netg"], opt.vgg_path or place, *(known.path / name for name in known.names)])
    training = Avatars(opt.data_path, opt.image_size, opt.cache_mb) if opt.netg_path or "data_path" in opt.given else None
    if training:
        check_picture(opt.nearest_img, "--nearest-img", [data.path / name for data in (known, training) if data for name in data.names])
    reference = measure(known, opt, judge, runtime) if known else stored(place, opt)

    seed_step(opt.seed)
    noise = t.randn(reference.count, opt.nz) * opt.gen_std + opt.gen_mean
    untrained = build_netg(opt).to(runtime.device)
    calibrate(untrained, opt.nz, runtime.device)
    pictures = sample(netg, noise, runtime, opt.batch_size)
    fake = extract(pictures, judge, runtime, "生成的特征")
    blank = extract(sample(untrained, noise, runtime, opt.batch_size), judge, runtime, "未训练的特征")
    print(f"{reference.count} 张生成的，对照 {legible(place)}：")
    for name in filter(reference.statistics.__contains__, fake):
        fid, start = (frechet_distance(reference.statistics[name], gaussian(part[name])) for part in (fake, blank))
        print(f"  FID（{name}）{fid:.2f}，是未训练的生成器（{start:.2f}）的 {fid / start:.1%}")
    if known:
        precision, recall = precision_recall(reference.features, fake[MAIN])
        print(f"  精确率 {precision:.1%}，召回率 {recall:.1%}")
    if training:
        compare(pictures, training, reference, opt)


def measure(known: Avatars, opt: Config, judge, runtime: Runtime) -> Reference:
    """从图片算起的对照；有 --save-ref 就存下来。"""
    count = min(opt.eval_num, len(known))
    features = extract(known[list(range(count))], judge, runtime, "对照的特征")
    statistics = {name: gaussian(part) for name, part in features.items()}
    if opt.save_ref:
        save_reference(opt.save_ref, statistics, count)
    return Reference(count, statistics, known, features[MAIN])


def stored(place: str | Path, opt: Config) -> Reference:
    """存好的对照。"""
    statistics, count = load_reference(place)
    if opt.vgg_path and len(statistics) == 1:
        raise UserError(f"对照 {legible(place)} 里没有 VGG16 的特征：用 --ref-path 给出图片，或去掉 --vgg-path")
    return Reference(min(opt.eval_num, count), statistics)


def compare(pictures: t.Tensor, training: Avatars, reference: Reference, opt: Config) -> None:
    """生成的图 (N, 3, S, S) 到最像的训练图有多远；没训练过的真图到训练图的距离是比照。"""
    known, count = reference.pictures, len(pictures)
    everything = t.cat([pictures, known[list(range(reference.count))]]) if known else pictures      # 训练集只看一遍
    index, distance = nearest(everything, training)
    usual = f"，没训练过的 {distance[count:].median():.1f}" if known else ""
    closest = distance[:count].argsort()[:NEAREST]
    save_picture(grid(t.cat([pictures[closest], training[index[closest].tolist()]]), NEAREST), opt.nearest_img, "--nearest-img")
    print(f"到最像的训练图的距离（灰度级，中位数）：生成的 {distance[:count].median():.1f}{usual}；"
          f"最近的 {NEAREST} 张和它们的训练图存到 {opt.nearest_img}")
