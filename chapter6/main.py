"""猫狗分类：python main.py train | val | test | predict | prepare | help"""

import copy
import csv
import io
import math
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch as t
from torch.nn import functional as F
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from classifier import (
    build_model,
    load_model,
    make_dataset,
    new_model,
    parameter_groups,
    score,
    starts_from_imagenet,
)
from config import Config
from data import CLASSES, DogCat, augment, read_image
from data.prepare import prepare as prepare_data
from evaluation import Part, split_parts
from models.basic_module import PROJECT
from prediction import Readable, draw_grid, grid_size, images_at, judge, known_answers
from stranger import Stranger
from utils import (
    BatchSampler,
    UserError,
    Visualizer,
    batches,
    check_picture,
    check_target,
    complain,
    legible,
    load_optimizer,
    load_state,
    quote,
    replacing,
    resume_point,
    run,
    seed_step,
    set_aside,
    setup,
)

FIXED = ("model", "image_size", "val_fold", "batch_size", "freeze_early", "freeze_bn", "lr_schedule",
         "model_path", "pretrained", "seed")     # 接着训练时不能换的选项


def train(opt: Config) -> None:
    """训练，结果存在 runs/<env>/"""
    runtime = setup(opt.use_gpu)
    folder = Path("runs") / opt.env
    last = resume_point(opt, folder, PROJECT, FIXED)

    build_model(opt.model)                                      # 名字不对就早说
    train_set, val_set = make_dataset(opt, "train"), make_dataset(opt, "val")
    sampler = BatchSampler(len(train_set), opt.batch_size, opt.seed, runtime.rank, runtime.world_size)
    loader = DataLoader(train_set, batch_sampler=sampler, num_workers=workers(opt, train_set))

    seed_step(opt.seed)
    tuned = last["tuned"] if last else bool(opt.model_path) or starts_from_imagenet(opt)     # 是微调，不是从头
    model = build_model(opt.model) if last else new_model(opt)
    if last:
        load_state(model, last["raw"], folder / "last.pth")
        if last["data"] != train_set.fingerprint():
            raise UserError(f"{folder / 'last.pth'} 是用另一份数据训练的：换回原来的数据选项，或去掉 --resume")
    if tuned and opt.freeze_early:
        model.freeze_early()
    layout = t.channels_last if opt.channels_last else t.contiguous_format
    net = runtime.wrap(model.to(memory_format=layout))
    average = copy.deepcopy(model)                              # 各步权重的滑动平均，验证和保存的是它
    optimizer = t.optim.AdamW(parameter_groups(model, opt, tuned), weight_decay=opt.weight_decay)
    step, best, elapsed, temperature, previous_loss, losses = 0, -1.0, 0.0, 1.0, math.inf, []
    if last:
        load_state(average, last["model"], folder / "last.pth")
        load_optimizer(optimizer, last["optimizer"], opt, folder / "last.pth", lr="lr", backbone_lr="lr", weight_decay="weight_decay")
        step, best, elapsed, temperature = last["step"], last["best"], last["elapsed"], last.get("temperature", 1.0)
        previous_loss, losses = last["previous_loss"], last["losses"]

    if runtime.is_main and not last:
        set_aside(folder)
    vis = Visualizer(opt.env, folder, first_step=step, enabled=runtime.is_main)
    total = opt.max_epoch * len(loader)
    stop = min(total, opt.max_steps or total)
    begin = time.time() - elapsed

    def save(name: str) -> None:
        average.save(folder / name, raw=model.state_dict(), classes=list(CLASSES), image_size=opt.image_size,
                     config=asdict(opt), data=train_set.fingerprint(), tuned=tuned,
                     optimizer=optimizer.state_dict(), step=step, best=best, temperature=temperature,
                     elapsed=time.time() - begin, previous_loss=previous_loss, losses=losses)

    while step < stop:
        epoch, done = divmod(step, len(loader))
        sampler.set_position(epoch, done)
        set_train(net, opt.freeze_bn and tuned)
        bar = tqdm(batches(loader), f"第 {epoch + 1}/{opt.max_epoch} 轮", len(loader), initial=done,
                   disable=not runtime.is_main, leave=False)
        start_time, start_step = time.time(), step
        for images, targets in bar:                             # (B, 4, S, S), (B,)
            if step == stop:
                break
            seed_step(opt.seed, step + 1)                       # 随机数只看第几步，所以能原样接着训练
            images, targets = images.to(runtime.device), targets.to(runtime.device)
            x = augment(images, model.mean, model.std, runtime.rank, runtime.world_size)
            if opt.lr_schedule == "cosine":
                for group in optimizer.param_groups:
                    group["lr"] = group["initial_lr"] * (1 + math.cos(math.pi * step / total)) / 2
            with runtime.autocast(opt.cpu_bf16):
                scores = net(x.contiguous(memory_format=layout))        # (B, 类别数)
                loss = F.cross_entropy(scores, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            update_average(average, model, min(opt.average, step / (step + 10)))
            total_loss, = runtime.sum(loss.item())
            losses.append(total_loss / runtime.world_size)

            if Path(opt.debug_file).exists():
                import ipdb
                ipdb.set_trace()
            if runtime.is_main and (step % opt.plot_every == 0 or step == stop):
                mean = sum(losses[-opt.plot_every:]) / len(losses[-opt.plot_every:])
                bar.set_postfix(loss=f"{mean:.3f}")
                vis.plot_many({"loss": mean, "lr": optimizer.param_groups[0]["lr"]}, step)
                if step % len(loader) and step != stop:         # 轮末的断点要等验证、改好学习率之后再存
                    save("last.pth")
        bar.close()

        speed = (step - start_step) * opt.batch_size / (time.time() - start_time)
        mean, lr, ended = sum(losses) / len(losses), optimizer.param_groups[0]["lr"], step % len(loader) == 0
        if ended:                                               # 走完了一轮
            if opt.lr_schedule == "plateau" and mean >= previous_loss:      # 损失不再下降，减小学习率
                for group in optimizer.param_groups:
                    group["lr"] *= opt.lr_decay
            previous_loss, losses = mean, []
        line = f"第 {epoch + 1} 轮，第 {step} 步：损失 {mean:.4f}，学习率 {lr:.1e}，{speed:.0f} 张/秒"
        if step == stop or ended and (epoch + 1) % opt.val_every == 0:
            parts = evaluate(average, val_set, opt, runtime)
            whole, *places = parts
            temperature = whole.fit_temperature()
            line += f"，验证准确率 {whole.accuracy:.2%}，混淆矩阵 {whole.matrix}" + "".join(f"，{part.name} {part.accuracy:.2%}" for part in places)
            if runtime.is_main:
                vis.plot_many({f"val_accuracy{f'_{i}' if i else ''}": part.accuracy for i, part in enumerate(parts)}, step)
                if whole.accuracy > best:
                    best = whole.accuracy
                    save("best.pth")
        if runtime.is_main and (ended or step == stop):
            print(f"{line}，共 {(time.time() - begin) / 60:.1f} 分钟")
            save("last.pth")
    vis.close()
    if runtime.is_main:
        print(f"完成。判断图片：python main.py predict --model-path={quote(folder / 'best.pth')}")


def val(opt: Config) -> None:
    """在验证集上算准确率、对数损失、校准误差和混淆矩阵，几处图片各算各的"""
    runtime = setup(opt.use_gpu)
    model, size, temperature = load_model(opt, runtime.device)
    parts = evaluate(model, make_dataset(opt, "val", size), opt, runtime)
    if runtime.is_main:
        for part in parts:
            part.report(temperature)


def test(opt: Config) -> None:
    """判断测试集，每张图的号码和是狗的概率写进 result.csv"""
    runtime = setup(opt.use_gpu)
    model, size, temperature = load_model(opt, runtime.device)
    dataset = make_dataset(opt, "test", size, cache_mb=0)
    check_target(opt.result_file, "--result-file", [*dataset.paths, *dataset.places])
    rows, bad = {}, []
    for _, shares, problems in judge(Readable(dataset.files, dataset.read, size), model, temperature, opt, runtime):
        start = len(rows) + len(bad)
        rows.update((start + i, row) for i, (row, problem) in enumerate(zip(shares.tolist(), problems)) if not problem)
        bad += filter(None, problems)
    # 两类时像 Kaggle 要的那样只写一列：后一类（狗）的概率；更多类时各写一列
    header, first = (["id", "label"], 1) if len(CLASSES) == 2 else (["id", *CLASSES], 0)
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(header)
    writer.writerows([dataset.targets[i], *(f"{p:.6f}" for p in row[first:])] for i, row in rows.items())
    with replacing(opt.result_file) as file:
        file.write(table.getvalue().encode())
    print(f"{len(rows)} 张的结果写入 {legible(opt.result_file)}")
    answers = {place / name: label for place, _ in dataset.files for name, label in known_answers(place).items()}
    if all(dataset.paths[i] in answers for i in rows):
        targets = t.tensor([CLASSES.index(answers[dataset.paths[i]]) for i in rows])
        Part("测试集", t.tensor(list(rows.values())).log() * temperature, targets).report(temperature)
    complain(bad)


def predict(opt: Config) -> None:
    """判断自己的图片：--path=图片或文件夹，--picture=拼成一张图"""
    runtime = setup(opt.use_gpu)
    paths = images_at(opt.path)
    if opt.picture:
        check_picture(opt.picture, "--picture", paths, grid_size(len(paths)))
    model, size, temperature = load_model(opt, runtime.device)
    stranger = Stranger(opt, runtime)
    results, bad, waiting = [], [], iter(paths)
    for images, shares, problems in judge(Readable(paths, partial(read_image, size=size), size), model, temperature, opt, runtime):
        for row, problem, other, path in zip(shares.tolist(), problems, stranger.names(images), waiting):
            if problem:
                bad.append(problem)
                continue
            best = max(range(len(CLASSES)), key=row.__getitem__)
            results.append((path, "" if other else CLASSES[best], row[best]))
            print(f"{CLASSES[best]:<6}{row[best]:7.2%}  {legible(path)}" + (f"  （都不像，更像 {other}）" if other else ""))
    if opt.picture and results:
        draw_grid(results, opt.picture)
        print(f"图存到 {legible(opt.picture)}")
    complain(bad)


def prepare(opt: Config) -> None:
    """检查自带数据；--source=npm 重新画图标；--source=Kaggle 的 zip 或文件夹，检查并解开"""
    prepare_data(opt.source)


def set_train(net: t.nn.Module, freeze_bn: bool) -> None:
    """置于训练模式；freeze_bn 时批归一化仍留在验证模式，用权重里的统计量。"""
    net.train()
    for module in net.modules():
        if freeze_bn and isinstance(module, t.nn.BatchNorm2d):
            module.eval()


@t.no_grad()
def update_average(average: t.nn.Module, model: t.nn.Module, keep: float) -> None:
    """average 的每个参数保留 keep，其余换成 model 的；批归一化的统计量照抄。"""
    for mean, new in zip(average.parameters(), model.parameters()):
        mean.lerp_(new, 1 - keep)
    for mean, new in zip(average.buffers(), model.buffers()):
        mean.copy_(new)


@t.inference_mode()
def evaluate(model: t.nn.Module, dataset: DogCat, opt: Config, runtime) -> list[Part]:
    """dataset 的结果：先是全部，有几处图片时接着是各处的。几个进程各算一部分，再合起来。"""
    model.eval()
    if runtime.world_size > 1:
        for value in model.buffers():           # 批归一化的统计量各进程略有不同，以 0 号的为准
            t.distributed.broadcast(value, 0)
    own = range(runtime.rank, len(dataset), runtime.world_size)
    loader = plain_loader(Subset(dataset, own), opt, dataset)
    scores = t.zeros(len(dataset), len(CLASSES), dtype=t.float64)
    scores[runtime.rank::runtime.world_size] = t.cat([score(model, images, runtime, opt.cpu_bf16) for images, _ in batches(loader)]).double()
    whole = runtime.sum(*scores.flatten().tolist())
    return split_parts(t.tensor(whole, dtype=t.float64).reshape(scores.shape), dataset)


def workers(opt: Config, dataset: DogCat) -> int:
    return opt.num_workers if dataset.cache is None else 0      # 图片已在内存里，另起进程反而慢


def plain_loader(part, opt: Config, dataset: DogCat | None = None) -> DataLoader:
    return DataLoader(part, opt.batch_size, num_workers=workers(opt, dataset or part))


if __name__ == "__main__":
    run({"train": train, "val": val, "test": test, "predict": predict, "prepare": prepare}, Config)
