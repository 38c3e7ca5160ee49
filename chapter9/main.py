"""AI 诗人：python main.py train | gen | test | web | prepare | help"""

from config import Config
from utils.options import preflight, run

if __name__ == "__main__":
    preflight(__file__, Config)         # 帮助、写错的选项，不等 torch 载入就回答

import math

import torch as t
from torch.nn import functional as F
from torch.utils.data import DataLoader

from data import LengthBatchSampler, PoemDataset, Vocabulary, load_poems, split_poems
from data.prepare import prepare as prepare_data
from generation import compose, generate, sampling
from poet import (
    MODEL_OPTIONS,
    PROJECT,
    build_model,
    check_poems,
    fingerprint,
    load_model,
    starting_point,
)
from prosody import is_regular
from rules import FORMS, layout, lines_of, make_prefix, make_rule
from utils.checkpoint import load_state
from utils.files import UserError, say
from utils.job import Job
from utils.runtime import seed_step, setup

FIXED = (*MODEL_OPTIONS, "batch_size", "maxlen", "seed", "model_path")      # 接着训练时不能换的选项
TOGETHER = 64                               # gen 一次写几首
PART = 512                                  # 很长的一首，评价时一段一段地读，状态接着用：整首的得分和注意力放不进内存
FEW_STEPS = 600                             # 从头训练，少于这么多步就提醒一声
SAMPLE_HEADS = "春江花月夜凉如水"             # 训练中以这些字开头各写一首，看看进步


def train(opt: Config) -> None:
    """训练一个诗人，结果存在 runs/<env>/"""
    runtime = setup(opt.use_gpu)
    job = Job(opt, PROJECT, FIXED, runtime, unit="字")

    parts = split_poems(load_poems(opt.data_path, opt.category, opt.author, opt.constrain))
    if not parts["train"] or not parts["val"]:
        raise UserError(f"诗太少：训练集 {len(parts['train'])} 首、验证集 {len(parts['val'])} 首，都要至少一首（有几十首多半就有）")
    job.match_data(fingerprint(parts), "--data-path 等数据选项")
    vocabulary, weights = starting_point(opt, job.last, parts)
    train_set = PoemDataset(parts["train"], vocabulary, opt.maxlen)
    val_set = PoemDataset(parts["val"], vocabulary)
    sampler = LengthBatchSampler(train_set, opt.batch_size, opt.seed, rank=runtime.rank, world_size=runtime.world_size)
    loader = DataLoader(train_set, batch_sampler=sampler, collate_fn=t.stack, num_workers=opt.num_workers)
    if not len(loader):
        raise UserError("批数比进程数还少：减小 --batch-size，或少开进程")
    if opt.max_epoch * len(loader) < FEW_STEPS and not opt.model_path:
        say(f"一共只有 {opt.max_epoch * len(loader)} 步，多半学不会：多走几轮，如 --max-epoch={-(-FEW_STEPS // len(loader))}")

    seed_step(opt.seed)
    model = build_model(opt, vocabulary)
    if weights:
        load_state(model, weights, opt.model_path)
    net = runtime.wrap(model)
    optimizer = t.optim.AdamW(net.parameters(), lr=opt.lr, weight_decay=opt.weight_decay)
    record = job.start(model=model, optimizer=optimizer, best=math.inf, vocabulary=vocabulary.characters)

    for epoch in job.epochs(loader):
        net.train()
        for ids in epoch:                                           # (B, T+1)
            lr = opt.lr * lr_factor(job.step, opt, job.total)
            optimizer.param_groups[0]["lr"] = lr
            ids = ids.to(runtime.device)
            with runtime.autocast(opt.cpu_bf16):
                scores, _ = net(ids[:, :-1])                        # (B, T, V)
                loss = F.cross_entropy(scores.flatten(0, 1), ids[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            t.nn.utils.clip_grad_norm_(net.parameters(), opt.grad_clip)
            optimizer.step()
            epoch.log(ids[:, 1:].numel(), loss=loss, lr=lr)
            if runtime.is_main and ((job.step + 1) % opt.plot_every == 0 or job.step + 1 == job.stop):
                show_samples(model, vocabulary, job)
                net.train()

        nats = evaluate(net, val_set, opt.batch_size, runtime)
        if nats < record.best:
            record.best = nats
            job.save("best.pth", model=half(model.state_dict()))
        epoch.report(f"验证集 {nats:.4f} nats/字，困惑度 {math.exp(nats):.1f}", val_nats=nats)
    say(f"完成。作诗：python main.py gen --model-path={job.path('best.pth')}")


def gen(opt: Config) -> None:
    """作诗"""
    runtime = setup(opt.use_gpu)
    model, vocabulary = load_model(opt, runtime.device)
    rule, prefix = make_rule(opt, vocabulary), make_prefix(opt, vocabulary)
    for start in range(0, opt.num, TOGETHER):                       # 几十首一起写最快；再多也不更快，只占内存
        rules = [rule] * min(TOGETHER, opt.num - start)
        for poem in compose(model, vocabulary, rules, prefix, opt.candidates, **sampling(opt) | {"seed": opt.seed + start}):
            print(layout(poem), end="\n\n", flush=True)


def test(opt: Config) -> None:
    """在测试集上算困惑度，再作 4 × 200 首诗检查格式与重复"""
    runtime = setup(opt.use_gpu)
    model, vocabulary = load_model(opt, runtime.device)
    parts = split_poems(load_poems(opt.data_path, opt.category, opt.author, opt.constrain))
    check_poems(parts["test"], vocabulary)
    nats = evaluate(model, PoemDataset(parts["test"], vocabulary), opt.batch_size, runtime)
    print(f"测试集 {len(parts['test'])} 首：{nats:.4f} nats/字，困惑度 {math.exp(nats):.2f}（结束符计入）")

    known = {line for poem in parts["train"] for line in lines_of(poem.text)}
    heads = [lines_of(poem.text)[0][0] for poem in parts["test"][:200]]
    real = [lines_of(poem.text) for poem in parts["test"]]
    candidates = opt.candidates if "candidates" in opt.given else 1         # 800 首，各写 8 首要几分钟
    try:
        make_rule(Config(form="五绝"), vocabulary)
    except UserError as error:
        return print(f"四种体裁都略过：{error}")
    for form, (width, count) in FORMS.items():
        rules = [make_rule(Config(start_words=head, form=form, rhyme=opt.rhyme, tones=opt.tones), vocabulary) for head in heads]
        poems = [lines_of(poem) for poem in compose(model, vocabulary, rules, "", candidates, **sampling(opt))]
        lines = [line for poem in poems for line in poem]
        exact = sum(has_form(poem, width, count) for poem in poems)
        copied = sum(line in known for line in lines) / len(lines)
        pairs = [line[i:i + 2] for line in lines for i in range(len(line) - 1)]
        theirs = [poem for poem in real if has_form(poem, width, count)]
        ours, tang = (sum(is_regular(poem, vocabulary) for poem in some) / max(1, len(some)) for some in (poems, theirs))
        print(f"{form} {len(poems)} 首：格式正确 {exact / len(poems):.1%}，整句见于训练集 {copied:.1%}，"
              f"distinct-2 {len(set(pairs)) / len(pairs):.3f}，全诗合平仄 {ours:.1%}（测试集的 {len(theirs)} 首 {tang:.1%}）")


def has_form(lines: list[str], width: int, count: int) -> bool:
    return [len(line) for line in lines] == [width] * count


def web(opt: Config) -> None:
    """打开一个网页，给不写程序的人用：先 pip install -r requirements-web.txt"""
    from web import show
    show(opt)


def prepare(opt: Config) -> None:
    """检查或重新生成数据：--source=npm，或 --source=<chinese-poetry 文件夹>"""
    prepare_data(opt.source, opt.category)


def lr_factor(step: int, opt: Config, total: int) -> float:
    """第 step 步的学习率是 opt.lr 的几倍：先直线升到 1，再按余弦降到 0（或保持不变）。"""
    warmup = min(opt.warmup_steps, total // 10)         # 文字少，一共也走不了几步的，不能一直在升
    if step < warmup:
        return (step + 1) / warmup
    if opt.lr_schedule == "constant":
        return 1.0
    progress = (step - warmup) / max(1, total - warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1, progress)))


def show_samples(model: t.nn.Module, vocabulary: Vocabulary, job: Job) -> None:
    """以「春江花月夜凉如水」各字（认得的）开头写八首，一个也不认得就由网络开头，显示并附到 runs/<env>/samples.txt。"""
    heads = [head for head in SAMPLE_HEADS if not vocabulary.unknown(head)]
    rules = [make_rule(Config(start_words=head), vocabulary) for head in heads] or [make_rule(Config(), vocabulary)] * 8
    poems = "\n".join(poem.strip() for poem in generate(model, vocabulary, rules, "", Config.temperature, top_p=Config.top_p))
    job.vis.log(poems, "poems", job.step + 1)
    with open(job.folder / "samples.txt", "a", encoding="utf-8") as file:
        file.write(f"第 {job.step + 1} 步\n{poems}\n\n")


def half(weights: dict[str, t.Tensor]) -> dict[str, t.Tensor]:
    """半精度的权重，够作诗用；共用的矩阵仍然共用，文件里只存一份。"""
    halves = {}
    return {name: halves.setdefault(weight.data_ptr(), weight.half()) for name, weight in weights.items()}


@t.inference_mode()
def evaluate(net: t.nn.Module, dataset: PoemDataset, batch_size: int, runtime) -> float:
    """平均每字的负对数似然（nats）。每个字和每首末尾的结束符各算一个，别无其他。"""
    net.eval()
    net = getattr(net, "module", net)           # 各进程批数可能不等，不能经过 DDP 的同步
    sampler = LengthBatchSampler(dataset, batch_size, shuffle=False, rank=runtime.rank,
                                 world_size=runtime.world_size)
    nats = count = 0
    for ids in DataLoader(dataset, batch_sampler=sampler, collate_fn=t.stack):
        ids, state = ids.to(runtime.device), None
        for part, target in zip(ids[:, :-1].split(PART, 1), ids[:, 1:].split(PART, 1)):
            with runtime.autocast():
                scores, state = net(part, state)
            nats += F.cross_entropy(scores.flatten(0, 1).float(), target.flatten(), reduction="sum").item()
        count += ids[:, 1:].numel()
    nats, count = runtime.sum(nats, count)
    return nats / count


if __name__ == "__main__":
    run({"train": train, "gen": gen, "test": test, "web": web, "prepare": prepare}, Config)
