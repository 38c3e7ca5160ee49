"""风格迁移：python main.py train | stylize | evaluate | web | prepare | help"""

from config import Config
from utils.options import preflight, run

if __name__ == "__main__":
    preflight(__file__, Config)         # 帮助、写错的选项，不等 torch 载入就回答

import copy
import math
from contextlib import nullcontext
from hashlib import sha256
from pathlib import Path

import torch as t
from torch.utils.data import DataLoader
from tqdm import tqdm

from animation import read_frames, sample_frames, save_frames
from data import Photos, fit_within, on_white, to_tensor
from data.pictures import check_picture, complain, find_pictures, save_picture
from data.prepare import prepare as prepare_data
from gatys import optimize
from losses import EDGE_EVERY, EDGE_WEIGHT, edge_loss
from models import TransformerNet
from painting import finish, paint, shared_statistics, to_image
from pictures import chroma_and_contrast, plan_results, sheet, without_results
from style import (
    PROJECT,
    build_loss,
    held_out,
    load_net,
    new_net,
    portable,
    read_style,
    square_crops,
)
from utils.files import UserError, check_target, say
from utils.job import Job
from utils.loading import BatchSampler
from utils.runtime import seed_step, setup

FIXED = ("width", "style_path", "style_size", "image_size", "repeat", "batch_size", "seed", "content_weight",
         "style_weight", "tv_weight", "model_path")     # 接着训练时不能换的选项
GATYS_SIZE = 256                                    # 没有给出 --max-size 时，gatys 把照片缩到最长边这么大：它慢
SHOWN = 4                                           # 样张里画几张照片
RAMP = 0.5                                          # 风格的权重在这么大一段训练里从 0 升到 --style-weight：先学会画出照片，再学笔法；
                                                    # 一上来就全要，网络只顾铺花纹，照片看不出来
WARM_UP = 50                                        # 学习率从 0 升到最大用这么多步


def train(opt: Config) -> None:
    """学一幅画（--style-path），结果存在 runs/<env>/"""
    runtime = setup(opt.use_gpu)
    job = Job(opt, PROJECT, FIXED, runtime, unit="张")

    perceptual = build_loss(opt, runtime)
    dataset = Photos(opt.data_root, opt.image_size, opt.repeat, opt.seed, opt.cache_mb)
    job.match_data(f"{dataset.fingerprint()}:{sha256(Path(opt.style_path).read_bytes()).hexdigest()}", "--data-root 和 --style-path")
    sampler = BatchSampler(len(dataset), opt.batch_size, opt.seed, runtime.rank, runtime.world_size)
    loader = DataLoader(dataset, batch_sampler=sampler, num_workers=opt.num_workers if dataset.cache is None else 0)

    seed_step(opt.seed)
    model = TransformerNet(opt.width) if job.last else new_net(opt)
    layout = t.channels_last if opt.channels_last else t.contiguous_format
    net = runtime.wrap(model.to(memory_format=layout))
    average = copy.deepcopy(model).requires_grad_(False)            # 各步权重的滑动平均，画图和保存的是它
    optimizer = t.optim.Adam(model.parameters(), opt.lr)
    job.start(net=model, average=average, optimizer=optimizer)
    job.vis.img("style", read_style(opt) / 255, job.step)
    fixed = square_crops(held_out()[:SHOWN], 2 * opt.image_size)    # 始终画这几张没训练过的，看进步

    for epoch in job.epochs(loader):
        dataset.set_epoch(epoch.number - 1)
        for photos in epoch:                                        # (B, 3, S, S) uint8
            optimizer.param_groups[0]["lr"] = opt.lr * rate_at(job.step, job.total)
            if not opt.model_path:                                  # 从另一种风格开始时，照片本来就画得出来
                perceptual.style_weight = opt.style_weight * min(1, job.step / (RAMP * job.total))
            photos = photos.to(runtime.device).float().contiguous(memory_format=layout)
            with runtime.autocast(opt.cpu_bf16):
                target = perceptual.content_target(photos)          # 照片的内容
                outputs = net(photos)
                losses = perceptual(outputs, target)                # 画得像不像照片的内容、画的风格
                edge = edge_loss(model, photos, outputs) if job.step % EDGE_EVERY == 0 else 0
            loss = losses.total.mean() + EDGE_WEIGHT * edge
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            update_average(average, model, min(opt.ema, (job.step + 1) / (job.step + 11)))
            epoch.log(len(photos), content=losses.content.mean(), style=losses.style.mean(), loss=losses.total.mean())

        if runtime.is_main:
            with t.inference_mode():
                outputs = average(fixed.to(runtime.device)).cpu()
            save_picture(sheet([fixed, outputs]), job.folder / "samples" / f"epoch_{epoch.number:03d}.png", "样张")
            job.vis.img_many({"photos": fixed / 255, "outputs": outputs / 255}, job.step)
        job.save("style.pth", **portable(average, opt))
        epoch.report(f"内容 {epoch.mean('content'):.4f}，风格 {epoch.mean('style'):.4f}")
    say(f"完成。画照片：python main.py stylize --model-path={job.path('style.pth')}")


def stylize(opt: Config) -> None:
    """画照片或动画：--content-path=照片或文件夹 --model-path=风格；--method=gatys 用慢办法"""
    if opt.steady and opt.method == "gatys":
        raise UserError("--steady 说的是网络里的归一化，--method=gatys 没有网络：去掉其中一个")
    runtime = setup(opt.use_gpu)
    paths = find_pictures(opt.content_path, "--content-path")
    paths = without_results(paths, opt.content_path, opt.result_path)
    results = plan_results(paths, opt.content_path, opt.result_path, "result_path" in opt.given)
    max_size = GATYS_SIZE if opt.method == "gatys" and "max_size" not in opt.given else opt.max_size
    if opt.method == "gatys":
        check_target(results[0], "--result-path", [opt.style_path])
        perceptual = build_loss(opt, runtime)
    else:
        net = load_net(opt).to(runtime.device, memory_format=t.channels_last)

    def draw(photos):                                               # 一张照片，或一段动画的各帧
        photos = [on_white(photo) for photo in photos]
        if opt.method == "gatys":
            tensors = [to_tensor(photo)[None].float().to(runtime.device) for photo in photos]
            return [to_image(optimize(photo, perceptual, opt.gatys_steps)[0]) for photo in tensors]
        with shared_statistics(net, photos, runtime) if len(photos) > 1 and not opt.steady else nullcontext():
            return [paint(net, photo, runtime, opt.tile_size) for photo in tqdm(photos, "帧", leave=False, delay=5)]

    bad = []
    with shared_statistics(net, sample_frames(paths, max_size), runtime) if opt.steady else nullcontext():
        for path, result in zip(paths, tqdm(results, "画", unit="张", leave=False, delay=1)):
            try:
                photos, rhythm = read_frames(path)
                photos = [fit_within(photo, max_size) for photo in photos]
                check_picture(result, "--result-path", size=photos[0].size)
            except UserError as error:
                bad.append(str(error))
                continue
            pictures = [finish(picture, photo, opt.strength, opt.preserve_color) for picture, photo in zip(draw(photos), photos)]
            save_frames(pictures, rhythm, result, "--result-path")
    if len(bad) < len(paths):
        print(f"{len(paths) - len(bad)} 张画存到 {results[0] if len(paths) == 1 else opt.result_path}")
    complain(bad)


def web(opt: Config) -> None:
    """打开一个网页，给不写程序的人用：先 pip install -r requirements-web.txt"""
    from web import show
    show(opt)


def evaluate(opt: Config) -> None:
    """在没训练过的照片上，比较网络、Gatys 的办法和照片本身：损失、彩度、明暗的起伏"""
    runtime = setup(opt.use_gpu)
    net = load_net(opt).to(runtime.device, memory_format=t.channels_last)
    perceptual = build_loss(opt, runtime)
    paths = find_pictures(opt.content_path, "--content-path") if "content_path" in opt.given else held_out()
    photos = square_crops(paths, opt.image_size).to(runtime.device)
    names, rows = ("照片本身", "网络", "Gatys"), []
    for path, photo in zip(paths, photos.split(1)):
        with t.inference_mode():
            target, painted = perceptual.content_target(photo), net(photo).clamp(0, 255)
            losses = [perceptual(photo, target), perceptual(painted, target)]
        best, last = optimize(photo, perceptual, opt.gatys_steps)
        pictures, losses = (photo, painted, best), [*losses, last]
        rows.append([(one.total.item(), *chroma_and_contrast(to_image(picture))) for one, picture in zip(losses, pictures)])
        print(f"{path.stem:<22}" + "，".join(
            f"{name} {one.total.item():.3f}（内容 {one.content.item():.3f}，风格 {one.style.item():.3f}）"
            for name, one in zip(names, losses)), flush=True)
    means = t.tensor(rows).mean(0)                                  # (3, 3)：三张图，三个数
    print(f"{len(paths)} 张 {opt.image_size}×{opt.image_size} 的平均（Gatys 走 {opt.gatys_steps} 步）：")
    for name, (loss, chroma, contrast) in zip(names, means.tolist()):
        print(f"  {name}：损失 {loss:.3f}，彩度 {chroma:.1f}，明暗的标准差 {contrast:.1f}")
    (plain, *_), (ours, *looks), (slow, *slow_looks) = means.tolist()
    print(f"  网络的损失是照片本身的 1/{plain / ours:.1f}，是 Gatys 的 {ours / slow:.2f} 倍；彩度是 Gatys 的 {looks[0] / slow_looks[0]:.2f} 倍，"
          f"明暗的标准差是 {looks[1] / slow_looks[1]:.2f} 倍")


def prepare(opt: Config) -> None:
    """取 VGG16 的权重并检查自带的图片；--source=文件夹，检查自己的照片"""
    prepare_data(opt.vgg, opt.source)


def rate_at(step: int, total: int) -> float:
    """第 step 步的学习率是最大值的几倍：先升 WARM_UP 步，再按余弦降到 0。"""
    return min(1, (step + 1) / WARM_UP) * (1 + math.cos(math.pi * step / total)) / 2


@t.no_grad()
def update_average(average: t.nn.Module, net: t.nn.Module, keep: float) -> None:
    """average 的每个参数保留 keep，其余换成 net 的。"""
    t._foreach_lerp_(list(average.parameters()), list(net.parameters()), 1 - keep)


if __name__ == "__main__":
    run({"train": train, "stylize": stylize, "evaluate": evaluate, "web": web, "prepare": prepare}, Config)
