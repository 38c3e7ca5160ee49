"""猫狗分类：python main.py train | val | test | predict | web | prepare | help"""

import copy
import math
from functools import partial

import torch as t
from torch.nn import functional as F
from torch.utils.data import DataLoader, Subset

from classifier import (
    build_model,
    load_model,
    make_dataset,
    new_model,
    parameter_groups,
    score,
    set_train,
    starts_from_imagenet,
    update_average,
)
from config import Config
from data import CLASSES, DogCat, augment, read_image
from data.pictures import check_picture, complain
from data.prepare import prepare as prepare_data
from evaluation import Part, split_parts
from models.basic_module import PROJECT
from prediction import (
    Readable,
    draw_grid,
    grid_size,
    images_at,
    judge,
    known_answers,
    write_table,
)
from stranger import Stranger
from utils.files import check_target, legible, say
from utils.job import Job
from utils.loading import BatchSampler, batches
from utils.options import run
from utils.runtime import seed_step, setup

FIXED = ("model", "image_size", "val_fold", "batch_size", "freeze_early", "freeze_bn", "lr_schedule",
         "model_path", "pretrained", "seed")     # 接着训练时不能换的选项


def train(opt: Config) -> None:
    """训练，结果存在 runs/<env>/"""
    runtime = setup(opt.use_gpu)
    job = Job(opt, PROJECT, FIXED, runtime, unit="张")

    build_model(opt.model)                                          # 名字不对就早说
    train_set, val_set = make_dataset(opt, "train"), make_dataset(opt, "val")
    job.match_data(f"{train_set.fingerprint()}:{val_set.fingerprint()}", "--train-data-root")
    sampler = BatchSampler(len(train_set), opt.batch_size, opt.seed, runtime.rank, runtime.world_size)
    loader = DataLoader(train_set, batch_sampler=sampler, num_workers=workers(opt, train_set))

    seed_step(opt.seed)
    model = build_model(opt.model) if job.last else new_model(opt)
    tuned = job.last["tuned"] if job.last else bool(opt.model_path) or starts_from_imagenet(opt)     # 是微调，不是从头
    if tuned and opt.freeze_early:
        model.freeze_early()
    layout = t.channels_last if opt.channels_last else t.contiguous_format
    net = runtime.wrap(model.to(memory_format=layout))
    average = copy.deepcopy(model)                                  # 各步权重的滑动平均，验证和保存的是它
    optimizer = t.optim.AdamW(parameter_groups(model, opt, tuned), weight_decay=opt.weight_decay)
    record = job.start(raw=model, model=average, optimizer=optimizer, best=-1.0, previous_loss=math.inf, temperature=1.0,
                       tuned=tuned, model_name=opt.model, classes=list(CLASSES), image_size=opt.image_size)

    for epoch in job.epochs(loader):
        set_train(net, opt.freeze_bn and tuned)
        for images, targets in epoch:                               # (B, 4, S, S), (B,)
            if opt.lr_schedule == "cosine":
                for group in optimizer.param_groups:
                    group["lr"] = group["initial_lr"] * (1 + math.cos(math.pi * job.step / job.total)) / 2
            targets = targets.to(runtime.device)
            seed_step(opt.seed, job.step + 1)                       # 各进程抽同样的数，再各取自己那几张的，合起来与一个进程一样
            x = augment(images, model.mean, model.std, runtime)
            with runtime.autocast(opt.cpu_bf16):
                scores = net(x.contiguous(memory_format=layout))    # (B, 类别数)
                loss = F.cross_entropy(scores, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            update_average(average, model, min(opt.average, (job.step + 1) / (job.step + 11)))
            epoch.log(len(images), loss=loss, lr=optimizer.param_groups[0]["lr"])

        loss, text, curves = epoch.mean("loss"), "", {}
        rate = optimizer.param_groups[0]["lr"]
        if epoch.complete:
            if opt.lr_schedule == "plateau" and loss >= record.previous_loss:       # 损失不再下降，减小学习率
                for group in optimizer.param_groups:
                    group["lr"] *= opt.lr_decay
            record.previous_loss = loss
        if epoch.final or epoch.number % opt.val_every == 0:
            whole, *places = evaluate(average, val_set, opt, runtime)
            record.temperature = whole.fit_temperature()
            curves = {f"val_accuracy{f'_{i}' if i else ''}": part.accuracy for i, part in enumerate((whole, *places))}
            text = f"，验证准确率 {whole.accuracy:.2%}，混淆矩阵 {whole.matrix}" + "".join(f"，{part.name} {part.accuracy:.2%}" for part in places)
            if whole.accuracy > record.best:
                record.best = whole.accuracy
                job.save("best.pth", model=average.state_dict())
        epoch.report(f"损失 {loss:.4f}，学习率 {rate:.1e}{text}", **curves)
    say(f"完成。判断图片：python main.py predict --model-path={job.path('best.pth')}")


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
    answers = {place / name: label for place, _ in dataset.files for name, label in known_answers(place).items()}
    write_table([(dataset.targets[i], row) for i, row in rows.items()], opt.result_file)
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


def web(opt: Config) -> None:
    """打开一个网页，给不写程序的人用：先 pip install -r requirements-web.txt"""
    from web import show
    show(opt)


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
    run({"train": train, "val": val, "test": test, "predict": predict, "web": web, "prepare": prepare}, Config)
