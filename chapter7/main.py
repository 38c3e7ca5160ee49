"""动漫头像：python main.py train | generate | evaluate | web | prepare | help"""

import copy
from pathlib import Path

import torch as t
from torch import nn
from torch.utils.data import DataLoader

from config import Config
from data import Avatars, collate, to_input
from data.pictures import check_picture, save_picture
from data.prepare import prepare as prepare_data
from evaluation import report
from gan import (
    PROJECT,
    SHIPPED,
    average_gradients,
    build_netd,
    build_netg,
    calibrate,
    draw,
    load_pair,
    load_part,
    portable,
    sample,
    update_average,
)
from losses import LOSSES, Hinge
from models import FeatureD
from pictures import grid, grid_size, save_animation, walk
from utils.files import UserError, check_target, legible, say
from utils.job import Job
from utils.loading import BatchSampler
from utils.options import run
from utils.runtime import Runtime, seed_step, setup

FIXED = ("arch", "nz", "ngf", "ndf", "image_size", "loss", "texture", "batch_size", "seed", "netg_path", "netd_path")   # 接着训练时不能换的选项
FIXED_NOISE = 64                        # 训练中始终用这么多个不变的噪声画图，看进步


def train(opt: Config) -> None:
    """训练，结果存在 runs/<env>/"""
    runtime = setup(opt.use_gpu)
    job = Job(opt, PROJECT, FIXED, runtime, unit="张")
    seed_step(opt.seed)
    netg, netd = (build_netg(opt), build_netd(opt)) if job.last else load_pair(opt, default={})
    fixed_noise = t.randn(FIXED_NOISE, opt.nz)
    loader = make_loader(opt, job)
    layout = t.channels_last if opt.channels_last else t.contiguous_format
    netg, netd = (net.to(runtime.device, memory_format=layout) for net in (netg, netd))
    texture = FeatureD().to(runtime.device, memory_format=layout) if opt.texture else None  # 第二个判别器，看质地
    judges = nn.ModuleDict({"netd": netd} | ({"texture": texture.heads} if texture else {}))    # 两个判别器里要训练的部分
    average = copy.deepcopy(netg).requires_grad_(False)             # 生成器的滑动平均，画图和保存的是它
    loss = LOSSES[opt.loss]
    betas = (opt.beta1 if opt.beta1 >= 0 else loss.betas[0], loss.betas[1])
    lr_g, lr_d = opt.lr1 or loss.lr, opt.lr2 or loss.lr
    optimizer_g = t.optim.Adam(netg.parameters(), lr_g, betas)
    optimizer_d = t.optim.Adam(judges.parameters(), lr_d, betas)
    samples = samples_folder(opt, job)
    job.start(netg=netg, average=average, optimizer_g=optimizer_g, optimizer_d=optimizer_d, **judges)

    for epoch in job.epochs(loader):
        netg.train(), netd.train()
        for images in epoch:                                        # (B, 3, S, S) uint8
            rate = min(1, 2 * (1 - job.step / job.total))           # 学习率：前一半不变，后一半直线降到 0
            optimizer_g.param_groups[0]["lr"], optimizer_d.param_groups[0]["lr"] = lr_g * rate, lr_d * rate
            train_d, train_g, values = job.step % opt.d_every == 0, job.step % opt.g_every == 0, {}
            images = to_input(images.to(runtime.device)).contiguous(memory_format=layout)
            noise = t.randn(len(images), opt.nz).to(runtime.device)
            with runtime.autocast(opt.cpu_bf16), t.set_grad_enabled(train_g):
                fakes = netg(noise)                                 # (B, 3, S, S)，两个网络都用这一批
                looks = texture.look(fakes) if texture else []

            if train_d:                                             # 判别器：真的得分高，假的得分低
                judges.requires_grad_(True)
                with runtime.autocast(opt.cpu_bf16):
                    loss_d, real, fake = loss.discriminator(netd, images, fakes.detach(), job.step)  # 截断，梯度不流回生成器
                    if texture:
                        loss_d = loss_d + Hinge.discriminator(texture, texture.look(images), [look.detach() for look in looks])[0]
                descend(loss_d, optimizer_d, judges, runtime)
                values |= {"loss_d": loss_d, "D(x)": loss.show(real), "D(G(z))": loss.show(fake)}

            if train_g:                                             # 生成器：让假图的得分高
                judges.requires_grad_(False)                        # 只要经过判别器的梯度，不要判别器自己的
                with runtime.autocast(opt.cpu_bf16):
                    loss_g = loss.generator(netd(fakes))
                    if texture:
                        loss_g = loss_g + opt.texture * Hinge.generator(texture(looks))
                descend(loss_g, optimizer_g, netg, runtime)
                update_average(average, netg, min(opt.ema, (job.step + 1) / (job.step + 10)))
                values |= {"loss_g": loss_g}
            epoch.log(len(images), **values)

        calibrate(average, opt.nz, runtime.device)
        if runtime.is_main:
            show_samples(sample(average, fixed_noise, runtime, opt.batch_size), samples, epoch.number, job)
        job.save("netd.pth", **portable("netd", opt, netd))
        for name in ["netg.pth"] + [f"netg_{epoch.number}.pth"] * (epoch.number % opt.save_every == 0):
            job.save(name, **portable("netg", opt, average))
        epoch.report("，".join(f"{name} {epoch.mean(name):.3f}" for name in epoch.sums))
    say(f"完成。生成：python main.py generate --netg-path={job.path('netg.pth')} --netd-path={job.path('netd.pth')}")


def make_loader(opt: Config, job: Job) -> DataLoader:
    """训练图片，一批 (B, 3, S, S) 的 uint8。"""
    dataset = Avatars(opt.data_path, opt.image_size, opt.cache_mb)
    job.match_data(dataset.fingerprint(), "--data-path")
    sampler = BatchSampler(len(dataset), opt.batch_size, opt.seed, job.runtime.rank, job.runtime.world_size)
    return DataLoader(dataset, batch_sampler=sampler, collate_fn=collate, num_workers=opt.num_workers if dataset.cache is None else 0)


def descend(loss: t.Tensor, optimizer: t.optim.Optimizer, net: nn.Module, runtime: Runtime) -> None:
    """让 net 沿 loss 下降的方向走一步。"""
    optimizer.zero_grad()
    loss.backward()
    average_gradients(net, runtime)
    optimizer.step()


def samples_folder(opt: Config, job: Job) -> Path:
    """每轮的样图放在哪里。写不进去、会混进训练图片，或从头训练会盖掉那里已有的，抛出 UserError。"""
    folder = Path(opt.save_path or job.folder / "samples")
    check_target(folder / "epoch_001.png", "--save-path")
    if Path(opt.data_path).resolve() in (folder.resolve(), *folder.resolve().parents):
        raise UserError(f"样图要存到 {legible(folder)}，它在 --data-path={legible(opt.data_path)} 里面，下次训练就混进去了：换一个 --save-path")
    if opt.save_path and not job.last and any(folder.glob("epoch_*.png")):
        raise UserError(f"--save-path={opt.save_path} 里已有 epoch_*.png，从头训练会盖掉它们：换一个文件夹")
    return folder


def show_samples(pictures: t.Tensor, folder: Path, number: int, job: Job) -> None:
    """第 number 轮的样图：存一张，网页上显示前 16 张。"""
    save_picture(grid(pictures), folder / f"epoch_{number:03d}.png", "--save-path")
    job.vis.img("fixed_noise", pictures[:16] / 255, job.step)


def generate(opt: Config) -> None:
    """生成 gen_num 张头像；--gen-search-num=N 从 N 张里留下判别器打分最高的；--interpolate=N 在两张之间走"""
    if 0 < opt.gen_search_num < opt.gen_num:
        raise UserError(f"--gen-num={opt.gen_num} 比 --gen-search-num={opt.gen_search_num} 还多：挑不出来，减小前者或加大后者")
    animation = Path(opt.gen_img).with_suffix(".gif")
    if opt.interpolate and animation == Path(opt.gen_img):
        raise UserError(f"--gen-img={opt.gen_img} 是动画的名字，会盖掉拼成的图：改用 .png，动画存在它旁边")
    runtime = setup(opt.use_gpu)
    netg, netd = (net.to(runtime.device).eval() for net in load_pair(opt))
    columns = min(8, opt.interpolate) or None
    if opt.interpolate:
        check_picture(animation, "--gen-img", size=(opt.image_size,) * 2)
    check_picture(opt.gen_img, "--gen-img", size=grid_size(opt.interpolate or opt.gen_num, opt.image_size, columns))
    noise, pictures = draw(netg, netd, opt, runtime)
    if opt.interpolate:
        path = walk(noise[0], noise[-1], opt.interpolate)
        frames = sample(netg, path, runtime, opt.batch_size)
        save_picture(grid(frames, columns), opt.gen_img, "--gen-img")
        save_animation(frames, animation, "--gen-img")
        print(f"两张之间的 {opt.interpolate} 步存到 {opt.gen_img} 和 {animation.as_posix()}")
        return
    save_picture(grid(pictures), opt.gen_img, "--gen-img")
    print(f"{f'从 {opt.gen_search_num} 张里挑出' if opt.gen_search_num else '生成'} {opt.gen_num} 张，存到 {opt.gen_img}")


def evaluate(opt: Config) -> None:
    """FID、精确率与召回率，对照没训练过的图；再看生成的图是不是抄了训练集"""
    runtime = setup(opt.use_gpu)
    netg = load_part("netg", opt, opt.netg_path or SHIPPED["netg"]).to(runtime.device)
    report(netg, opt, runtime)


def web(opt: Config) -> None:
    """打开一个网页，给不写程序的人用：先 pip install -r requirements-web.txt"""
    from web import show
    show(opt)


def prepare(opt: Config) -> None:
    """检查自带的头像；--num=20000 画更多；--source=文件夹或 zip，检查自己的图片"""
    prepare_data(opt.num, opt.source)


if __name__ == "__main__":
    run({"train": train, "generate": generate, "evaluate": evaluate, "web": web, "prepare": prepare}, Config)
