"""一次训练的账目：runs/<env>/ 里的断点和曲线、从哪里接着来、时钟、进度条。怎样算损失、怎样走一步，全在 main.py 的 train 里。"""

import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import torch as t
from torch.utils.data import DataLoader
from tqdm import tqdm

from .checkpoint import Content, load_checkpoint, load_state, save_checkpoint, saved_config
from .files import UserError, claim, legible, quote, say, set_aside
from .loading import batches
from .runtime import Runtime, bfloat16_unit, seed_step
from .visualize import Visualizer

SAVE_SECONDS = 60           # 一轮没有走完时，断点至少隔这么多秒存一次


class Job:
    """一次训练，用法见各项目的 train。

    step：走完了几步。last：接着训练时是断点的内容，从头训练时是 None。断点 last.pth 在三个时候存：每轮结束、到了 --max-steps、
    离上次满 SAVE_SECONDS 秒后第一次画曲线。torchrun --max-restarts 重新起的进程自动从断点接着来。
    """
    def __init__(self, opt, project: str, fixed: tuple[str, ...], runtime: Runtime, unit: str):
        """fixed 是接着训练时不能换的选项，unit 是样本的量词，说速度时用。"""
        self.opt, self.project, self.runtime, self.unit = opt, project, runtime, unit
        self.folder, self.data = Path("runs", opt.env), None
        self.last = resume_point(opt, self.folder, project, fixed)
        self.step = self.last["step"] if self.last else 0
        if not self.last and self.folder.is_dir() and any(self.folder.iterdir()) and not [*self.folder.glob("*.pth"), *self.folder.glob("events.*")]:
            raise UserError(f"{legible(self.folder)} 里是别的东西，不是训练的结果：用 --env 另起一个名字")

    def match_data(self, fingerprint: str, option: str) -> None:
        """记下数据的指纹；接着训练而数据换过时抛出 UserError，说出 option。从前的指纹短些，只有前一截。"""
        if self.last and not fingerprint.startswith(str(self.last["data"])):
            raise UserError(f"{legible(self.folder / 'last.pth')} 是用另一份数据训练的：换回原来的 {option}，或去掉 --resume")
        self.data = fingerprint

    def start(self, **kept) -> SimpleNamespace:
        """kept 是断点里要有的东西：网络、优化器按名字存 state_dict，其余（数、文本、列表）放进返回的名字空间，
        可以随时改，存每个文件时都带上。接着训练时在这里恢复；从头训练时在这里把上一次的结果移开。"""
        self.parts = {name: part for name, part in kept.items() if hasattr(part, "state_dict")}
        self.record = SimpleNamespace(**{name: value for name, value in kept.items() if name not in self.parts})
        for name, part in self.parts.items() if self.last else ():
            load = partial(load_optimizer, self.opt) if isinstance(part, t.optim.Optimizer) else load_state
            load(part, self.last[name], self.folder / "last.pth")
        for name in vars(self.record) if self.last else ():
            setattr(self.record, name, self.last.get(name, getattr(self.record, name)))
        for left in self.folder.rglob("*.tmp") if self.runtime.is_main and self.last else ():
            left.unlink()                                       # 上次被杀时没有写完的
        if self.runtime.is_main and not self.last:
            claim(self.folder)
            if any(not path.name.startswith("events.") for path in self.folder.glob("*")):     # 只有曲线的，是没有走到存断点的训练
                set_aside(self.folder)
        silent = self.last or self.runtime.device.type != "cpu" or getattr(self.opt, "cpu_bf16", True) or "cpu_bf16" in self.opt.given
        if not silent and (unit := bfloat16_unit()):
            say(f"这个 CPU 有 {unit} 指令：加 --cpu-bf16=True，训练多半能快到 1.1–2 倍（各网络的见 README）")
        self.vis = Visualizer(self.opt.env, self.folder, first_step=self.step, enabled=self.runtime.is_main)
        self.began, self.saved = time.monotonic() - (self.last["elapsed"] if self.last else 0), time.monotonic()
        return self.record

    def epochs(self, loader: DataLoader) -> Iterator["Epoch"]:
        """从 step 走到 --max-epoch 轮或 --max-steps 步。loader 的 batch_sampler 要有 set_position。"""
        self.loader, self.total = loader, self.opt.max_epoch * len(loader)
        self.stop = min(self.total, self.opt.max_steps or self.total)
        while self.step < self.stop:
            yield Epoch(self)
        self.vis.close()

    def save(self, name: str, **content) -> None:
        """把 content 存到 runs/<env>/<name>，连同项目名、选项、步数和 start 返回的那些；只有 0 号进程存。"""
        if self.runtime.is_main:
            save_checkpoint(self.folder / name, {"project": self.project, "config": asdict(self.opt), "step": self.step,
                                                 **vars(self.record), **content})

    def save_last(self, sums: dict) -> None:
        self.save("last.pth", data=self.data, elapsed=time.monotonic() - self.began, run=run_id(), sums=sums,
                  **{name: part.state_dict() for name, part in self.parts.items()})
        self.saved = time.monotonic()

    def path(self, name: str) -> str:
        """runs/<env>/<name>，可以原样粘贴到命令里。"""
        return quote(self.folder / name)


class Epoch:
    """一轮（或到 --max-steps 为止的半轮）：逐批交出数据，走完后用 report 说一行话、存断点。

    number：第几轮，从 1 起。complete：走完了整轮。final：训练到此为止。
    """
    def __init__(self, job: Job):
        self.job, self.count = job, 0
        number, self.done = divmod(job.step, len(job.loader))
        self.number = number + 1
        self.recent = defaultdict(list)             # 上次画曲线之后各步的值，留在设备上
        self.sums = dict(job.last.get("sums", {})) if job.last and self.done else {}      # 名字 → [这一轮各步之和, 步数]

    @property
    def complete(self) -> bool:
        return self.job.step % len(self.job.loader) == 0

    @property
    def final(self) -> bool:
        return self.job.step == self.job.stop

    def __iter__(self) -> Iterator:
        job, opt, main = self.job, self.job.opt, self.job.runtime.is_main
        job.loader.batch_sampler.set_position(self.number - 1, self.done)
        self.began = self.ended = time.monotonic()
        with tqdm(batches(job.loader), f"第 {self.number}/{opt.max_epoch} 轮", len(job.loader), initial=self.done,
                  disable=not main, leave=False, delay=1) as bar:
            for batch in bar:
                seed_step(opt.seed, job.step + 1, job.runtime.rank)         # 随机数只看第几步，所以能原样接着训练
                yield batch
                job.step, self.ended = job.step + 1, time.monotonic()
                if Path(opt.debug_file).exists():
                    import ipdb
                    ipdb.set_trace(sys._getframe(1))                        # 停在 train 里
                if job.step % opt.plot_every == 0 or self.complete or self.final:
                    self._draw(bar)
                    if time.monotonic() - job.saved > SAVE_SECONDS and not (self.complete or self.final):
                        job.save_last(self.sums)                            # 轮末的断点要等验证之后，由 report 存
                if self.final:
                    break

    def log(self, count: int, **values: t.Tensor | float) -> None:
        """记下这一步（本进程）有 count 个样本，和要画曲线的各个值（标量）。值画的时候才取回来，这里不等设备。"""
        self.count += count
        for name, value in values.items():
            self.recent[name].append(t.as_tensor(value).detach())

    def mean(self, name: str) -> float:
        """log 记下的 name 在这一轮各步、各进程上的平均。"""
        total, count = self.sums[name]
        return total / count

    def report(self, text: str, **curves: float) -> None:
        """一轮的最后：画 curves，打印一行 text、速度和用时，存断点。每个进程都要调用。"""
        job = self.job
        speed, = job.runtime.sum(self.count / max(self.ended - self.began, 1e-6))
        job.vis.plot_many(curves, job.step)
        say(f"第 {self.number} 轮，第 {job.step} 步：{text}，{speed:,.{0 if speed > 10 else 2}f} {job.unit}/秒，共 {(time.monotonic() - job.began) / 60:.1f} 分钟")
        job.save_last({} if self.complete else self.sums)

    def _draw(self, bar: tqdm) -> None:
        """各步的值在各进程上平均，一步一步加进 sums：这样不管中间停过几次，和都逐位相同。"""
        job, means = self.job, {}
        for name, values in self.recent.items():
            values = [value / job.runtime.world_size for value in job.runtime.sum(*t.stack(values).tolist())]
            for value in values:
                total, count = self.sums.get(name, (0.0, 0))
                self.sums[name] = [total + value, count + 1]
            means[name] = sum(values) / len(values)
        self.recent.clear()
        if job.runtime.is_main:
            bar.set_postfix({name: f"{value:.3g}" for name, value in means.items()}, refresh=False)     # 立刻画的话，delay 之内结束的擦不掉
            job.vis.plot_many(means, job.step)


def resume_point(opt, folder: Path, project: str, fixed: tuple[str, ...]) -> Content | None:
    """opt.resume，或进程是 torchrun 重新起的而断点正是它存的：占住 folder，返回其中 last.pth 的内容，并把没有亲手给出的选项恢复成
    当时的值（走满了的 max_steps 除外）；否则返回 None。没有断点，或亲手给出的选项里有 `fixed` 中的一个与当时不同，抛出 UserError。"""
    path, restarted = folder / "last.pth", int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)) > 0
    if not opt.resume and not (restarted and path.is_file()):
        return None
    if not path.is_file():
        raise UserError(f"没有断点 {legible(path)}，无法 --resume：去掉它从头训练，或用 --env 指明是哪一次")
    claim(folder)
    content = load_checkpoint(path, project)
    if not opt.resume and content.get("run") != run_id():
        return None                                     # 更早的、别的训练留下的
    if "elapsed" not in content:
        raise UserError(f"{legible(path)} 是用来使用的权重（best.pth 之类），不是断点：换回原来的 last.pth，或用 --model-path 从这份权重开始")
    saved = saved_config(type(opt), content["config"], path, fixed=fixed)
    for name, value in vars(saved).items():
        if name not in opt.given:
            setattr(opt, name, value)
        elif name in fixed and getattr(opt, name) != value:
            raise UserError(f"{legible(path)} 的 {name} 是 {value}，与给出的 {getattr(opt, name)} 不符：去掉这个选项")
    if "max_steps" not in opt.given and content["step"] >= opt.max_steps:
        opt.max_steps = 0                               # 接着训练，就是要走下去
    if restarted:
        say(f"torchrun 重新起了各个进程，从 {legible(path)} 的第 {content['step']} 步接着训练")
    return content


def run_id() -> str:
    """torchrun 给这次训练起的名字，它重新起的进程里也是这个；不是 torchrun 起的为空。"""
    return os.environ.get("TORCHELASTIC_RUN_ID", "")


def load_optimizer(opt, optimizer: t.optim.Optimizer, state: dict, path: Path) -> None:
    """恢复动量等状态。超参数用 optimizer 现在的，它是照恢复了的选项造的；只有学习率会在训练中变，亲手给出了才用新的。"""
    changed = {"params"} if any(name.endswith("lr") for name in opt.given) else {"params", "lr"}
    fresh = [{key: value for key, value in group.items() if key not in changed} for group in optimizer.param_groups]
    load_state(optimizer, state, path)
    for group, new in zip(optimizer.param_groups, fresh):
        group.update(new)
