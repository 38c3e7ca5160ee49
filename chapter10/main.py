"""图像描述：python main.py train | generate | test | web | prepare | help"""

import math
from collections.abc import Callable
from pathlib import Path

import torch as t
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.data import DataLoader
from tqdm import tqdm

from captioner import (
    IMAGE_OPTIONS,
    MODEL_OPTIONS,
    PROJECT,
    build_model,
    check_folder,
    check_given,
    check_shape,
    check_vocabulary,
    fingerprint,
    load_captioner,
    search,
    starting_point,
)
from config import Config
from data import CaptionDataset, CaptionSampler, Features, Vocabulary, collate, join, segment
from data.lookup import locate
from data.pictures import check_picture, complain
from data.prepare import load_items, load_scenes, load_split
from data.prepare import prepare as prepare_data
from describing import SHOWN, describe, things_to_describe
from metrics import bleu, cider
from pictures import draw_looks, draw_sheet, smallest
from report import print_report
from search import Candidate, greedy_search
from utils.checkpoint import load_state
from utils.files import legible, say
from utils.job import Job
from utils.options import run
from utils.runtime import Runtime, seed_step, setup

FIXED = (*MODEL_OPTIONS, *IMAGE_OPTIONS, "batch_size", "seed", "min_appear", "max_words", "model_path")   # 接着训练时不能换的选项
SAMPLES = 6                 # 每轮给验证集的前几张图写描述，看看进步
EVALUATE_BATCH = 100        # 评价时一批几张图


def train(opt: Config) -> None:
    """训练一个看图说话的网络，结果存在 runs/<env>/"""
    runtime = setup(opt.use_gpu)
    job = Job(opt, PROJECT, FIXED, runtime, unit="句")
    check_folder(opt, job.folder)
    check_given(opt)

    items, features = load_split(opt, "train", runtime)
    val_items, val_features = load_split(opt, "val", runtime)
    job.match_data(f"{fingerprint(items)}:{fingerprint(val_items)}", "--caption-data-path")
    shared = {item.image_id for item in items} & {item.image_id for item in val_items}
    if shared:
        say(f"验证集里有 {len(shared)} 张图训练集里也有（如 {legible(min(shared))}）：验证的成绩会偏高")
    references = [[segment(caption) for caption in item.captions] for item in val_items]
    vocabulary, weights = starting_point(opt, job.last, items, features)
    train_set = CaptionDataset(features, items, vocabulary, opt.seed)
    sampler = CaptionSampler(len(train_set), opt.batch_size, opt.seed, runtime.rank, runtime.world_size)
    loader = DataLoader(train_set, batch_sampler=sampler, collate_fn=collate, num_workers=opt.num_workers)

    seed_step(opt.seed)
    model = build_model(opt, len(vocabulary), features.cells, features.channels)
    if weights:
        load_state(model, weights, opt.model_path)
    elif not job.last:
        model.standardize.fit(features.sample())
    net = runtime.wrap(model)
    optimizer = t.optim.AdamW(net.parameters(), lr=opt.lr, weight_decay=opt.weight_decay)
    record = job.start(model=model, optimizer=optimizer, best=-1.0, vocabulary=vocabulary.words, repeated=sorted(vocabulary.repeated),
                       cells=features.cells, channels=features.channels)

    for epoch in job.epochs(loader):
        net.train()
        for grid, words, lengths in epoch:                          # (B, L, C), (B, T), (B,)
            lr = opt.lr * lr_factor(job.step, opt.warmup_steps, job.total)
            optimizer.param_groups[0]["lr"] = lr
            grid, words = grid.to(runtime.device).float(), words.to(runtime.device)
            with runtime.autocast(opt.cpu_bf16):
                scores = net(grid, words, lengths)                  # 打包的 (Σlengths, V)
            targets = pack_padded_sequence(words, lengths, batch_first=True)
            count, = runtime.sum(len(targets.data))                 # 这一步全体进程共有几个词
            loss = F.cross_entropy(scores.data.float(), targets.data, reduction="sum", label_smoothing=opt.label_smoothing)
            loss = loss * runtime.world_size / count                # DDP 会除以进程数
            optimizer.zero_grad()
            loss.backward()
            t.nn.utils.clip_grad_norm_(net.parameters(), opt.grad_clip)
            optimizer.step()
            epoch.log(len(words), loss=loss, lr=lr)

        if runtime.is_main:         # 贪心，快；成绩比 test 的束搜索略低
            written = write_all(val_features, vocabulary, runtime, lambda grid: greedy_search(model, grid, opt.max_caption_length))
            bleu4, consensus = bleu(written, references)[3], cider(written, references)
            show_samples(written, val_items, job)
            job.vis.plot_many({"val_bleu4": bleu4, "val_cider": consensus}, job.step)
            text = f"，验证集（词）BLEU-4 {bleu4:.3f}、CIDEr {consensus:.3f}"
            if bleu4 > record.best:
                record.best = bleu4
                job.save("best.pth", model={name: value.half() for name, value in model.state_dict().items()})
        epoch.report(f"损失 {epoch.mean('loss'):.3f} nats/词" + (text if runtime.is_main else ""))
    say(f"完成。描述图片：python main.py generate --model-path={job.path('best.pth')}")


def generate(opt: Config) -> None:
    """描述图片：--test-img=图片或文件夹；--picture=画出每个词看的是哪里"""
    runtime = setup(opt.use_gpu)
    jobs = things_to_describe(opt, runtime.device)
    everything = [path for _, paths in jobs for path in paths]
    if opt.picture:
        check_picture(opt.picture, "--picture", everything, smallest(len(everything)))
    described, bad = [], []
    for captioner, paths in jobs:
        print(f"权重 {here(captioner.path)}，每个词后面是写它时的概率：")
        for one in describe(captioner, paths, opt, runtime, bad):
            described.append((captioner, one))
            print(here(one.path))
            for i, candidate in enumerate(one.candidates[:SHOWN]):
                words = captioner.vocabulary.decode(candidate.ids)
                print(f"  {candidate.score:7.3f}  {join(words)}")
                if i == 0 and words:
                    print(f"           {'  '.join(f'{word} {prob:.0%}' for word, prob in zip(words, one.probs))}")
    if opt.picture and described:
        draw_looks(described, opt.picture)
        print(f"图存到 {legible(opt.picture)}")
    complain(bad)


def test(opt: Config) -> None:
    """在测试集上算 BLEU、ROUGE-L、CIDEr；自带的场景还检查每样东西是否都说对"""
    runtime = setup(opt.use_gpu)
    captioner = load_captioner(opt, runtime.device)
    for name in IMAGE_OPTIONS:
        setattr(opt, name, getattr(captioner, name))
    items = load_items(opt, "test", runtime)
    check_vocabulary(captioner.vocabulary, items, captioner.path)
    paths = locate(opt.img_path, [item.image_id for item in items], "--img-path") if opt.picture else []
    if opt.picture:
        check_picture(opt.picture, "--picture", paths)
    _, features = load_split(opt, "test", runtime)
    check_shape(captioner.cells, captioner.channels, features, captioner.path)
    written = write_all(features, captioner.vocabulary, runtime, lambda grid: search(captioner, grid, opt))
    scenes = load_scenes(opt.caption_data_path, "test", items)
    print_report(written, items, scenes)
    if opt.picture:
        draw_sheet(paths, written, scenes, opt.picture)
        print(f"图存到 {legible(opt.picture)}")


def web(opt: Config) -> None:
    """打开一个网页，给不写程序的人用：先 pip install -r requirements-web.txt"""
    from web import show
    show(opt)


def prepare(opt: Config) -> None:
    """画自带的场景并提取特征；--source=npm 先重画精灵图；--source=文件夹 检查并转换官方数据"""
    prepare_data(opt, setup(opt.use_gpu))


def here(path: Path) -> str:
    """路径写得短些：在当前文件夹里的，写相对路径。"""
    return legible(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def lr_factor(step: int, warmup_steps: int, total: int) -> float:
    """第 step 步的学习率是最大值的几倍：先直线升到 1，再按余弦降到 0。"""
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(1, total - warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * min(1, progress)))


def write_all(features: Features, vocabulary: Vocabulary, runtime: Runtime,
              search_batch: Callable[[t.Tensor], list[list[Candidate]]]) -> list[list[str]]:
    """给 features 里的每张图写一句，返回分好词的句子。search_batch 给一批网格特征 (B, L, C) 各写几句，好的在前。"""
    written = []
    for start in tqdm(range(0, len(features), EVALUATE_BATCH), "写描述", leave=False):
        grid = t.stack([features[i] for i in range(start, min(start + EVALUATE_BATCH, len(features)))])
        for candidates in search_batch(grid.to(runtime.device).float()):
            written.append(vocabulary.decode(candidates[0].ids))
    return written


def show_samples(written: list[list[str]], items: list, job: Job) -> None:
    """验证集前几张图的描述，附到 runs/<env>/samples.txt。"""
    lines = [f"{legible(item.image_id)}　{join(words)}" for item, words in zip(items[:SAMPLES], written)]
    job.vis.log("\n".join(lines), "captions", job.step)
    with open(job.folder / "samples.txt", "a", encoding="utf-8") as file:
        file.write("\n".join([f"第 {job.step} 步", *lines, "", ""]))


if __name__ == "__main__":
    run({"train": train, "generate": generate, "test": test, "web": web, "prepare": prepare}, Config)
