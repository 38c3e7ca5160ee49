"""README 说的，在你的加速卡上都成立吗：python tests/accelerator.py（make accelerator）

在 torch 找到的卡（CUDA、MPS、XPU）上，五个项目各训练几步，中断再接着，用自带的权重出结果，都与 CPU 上的比；数一步里等了卡几次；
torchrun 每块卡起一个进程；执行有卡才走的笔记本单元。每项一行：一致、不同、没试。全部结果存进 accelerator.json，里面有版本、卡和驱动，
没有路径和名字，报告问题时可以附上。找不到卡时说一声，以 0 结束；有一行「不同」时以 1 结束。

    python tests/accelerator.py chapter8 notebooks      # 只试几样，写在后面：chapter6 到 chapter10、torchrun、notebooks、某个笔记本
    python tests/accelerator.py --device=cpu            # 没有卡时，拿 CPU 与它自己比：试的是这个程序
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
SAME, DIFFERENT, SKIPPED = "一致", "不同", "没试"
WARM_UP = 3                     # 前几步编译核、分配显存，不算进速度
LIMIT = 600                     # 一个项目最多几秒

# 各样相差多少仍算一致。float32 的差来自求和的次序；bfloat16 只有 8 位有效数字
LOSS_FLOAT32, LOSS_BFLOAT16 = 1e-3, 0.03        # 第一步的损失，相对 CPU 的
GRADIENT = 0.01                                 # 第一步的梯度之差的范数，相对 CPU 上的范数
RESUMED = 0.05                                  # 接着训练与一次跑完的权重之差的范数，相对后一半训练走过的路
GREY_LEVELS = 2                                 # 画出来的图平均差几级灰度


@dataclass(frozen=True)
class Project:
    """一个项目怎样试。train 是训练用的选项，数据小到几秒读完；use 是用自带的权重出结果的命令；picture 是结果里的图，空为看文字。
    needs 是训练要的、prepare 才有的文件，空为不要。"""
    train: tuple[str, ...]
    use: tuple[str, ...]
    picture: str = ""
    needs: str = ""
    ignored: str = "$^"         # 比较文字时不看的：概率等各种设备上略有不同的数


PROJECTS = {
    "chapter6": Project(("--cache-mb=0",), ("predict", "--path=data/photos"), ignored=r"[\d.]+%"),
    "chapter7": Project(("--cache-mb=0",), ("generate", "--gen-num=16"), "result.png"),
    "chapter8": Project(("--repeat=1", "--cache-mb=0", "--batch-size=4"), ("stylize", "--max-size=256"), "result.png",
                        needs="checkpoints/vgg16.pth"),
    "chapter9": Project(("--author=李白", "--dropout=0"), ("gen", "--temperature=0", "--num=1")),
    "chapter10": Project(("--dropout=0",), ("generate",), ignored=r" *-?\d+\.\d+|\s+\d+%"),
}


@dataclass
class Row:
    """表里的一行。figures 是量到的数，给 accelerator.json。"""
    where: str
    what: str
    outcome: str
    said: str = ""
    figures: dict = field(default_factory=dict)


# ---------------------------------------------------------------- 在项目里（另起的进程，当前目录是抄来的项目文件夹）


class Trial:
    """一个项目的各项检查。device 是要试的设备，"cpu" 时拿 CPU 与自己比。"""

    def __init__(self, name: str, device: str, steps: int, batch_size: int):
        sys.path.insert(0, os.getcwd())
        import main
        import torch as t
        from torch.optim.optimizer import register_optimizer_step_pre_hook

        import utils.runtime
        self.before_each_step = register_optimizer_step_pre_hook
        self.t, self.main, self.utils, self.name, self.project = t, main, utils, name, PROJECTS[name]
        self.steps, self.on_card = steps, device != "cpu"
        self.options = (*self.project.train, *([f"--batch-size={batch_size}"] if batch_size else []))
        self.card = t.accelerator.current_accelerator() if self.on_card else t.device("cpu")

    def rows(self):
        yield self.use()
        if self.project.needs and not Path(self.project.needs).is_file():
            yield Row(self.name, "训练", SKIPPED, f"缺少 {self.project.needs}：先在 {self.name} 里运行 python main.py prepare")
            return
        if self.name == "chapter10":
            self.draw_scenes()
        bf16 = self.utils.runtime.setup(self.on_card).autocast(True).__class__ is self.t.autocast
        plain = self.train("cpu", card=False, bf16=False)
        single = self.train("float32", card=True, bf16=False)
        yield self.compare_losses("float32 训练", plain, single, LOSS_FLOAT32)
        yield self.compare_gradients(plain, single)
        if bf16:
            mixed = self.train("bf16", card=True, bf16=True)
            yield self.compare_losses("bfloat16 训练", plain, mixed, LOSS_BFLOAT16)
        else:
            mixed = single
            yield Row(self.name, "bfloat16 训练", SKIPPED, "这个设备不支持 bfloat16，项目在它上面用 float32")
        yield self.resume(bf16)
        yield self.synchronizations(bf16)
        yield Row(self.name, "速度", SAME, f"{mixed['speed']:,.1f} 个样本/秒，CPU 的 {mixed['speed'] / plain['speed']:.1f} 倍"
                  + (f"；显存最多 {mixed['memory'] / 1e6:,.0f} MB" if mixed["memory"] else ""),
                  {"samples_per_second": mixed["speed"], "samples_per_second_float32": single["speed"],
                   "samples_per_second_cpu": plain["speed"], "peak_memory_bytes": mixed["memory"]})

    def draw_scenes(self) -> None:
        from data import prepare
        for split, count in (("train", 256), ("val", 16)):
            with contextlib.redirect_stderr(io.StringIO()):
                prepare.render_split(split, Path("runs/scenes"), Path("runs/scenes/images"), count)

    def call(self, *words: str, card: bool, bf16: bool) -> str:
        """运行一条命令，返回它打印的。不用 bfloat16 时，卡上的卷积也不用 TF32；不丢弃，各种设备上才可以比。"""
        t, printed = self.t, io.StringIO()
        commands = {name: getattr(self.main, name) for name in ("train", self.project.use[0])}
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(printed))
            stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
            stack.enter_context(mock.patch.object(t.nn.functional, "dropout", lambda x, *_, **__: x))
            if not bf16:
                stack.enter_context(mock.patch.object(self.utils.runtime, "_has_bfloat16", lambda _: False))
                stack.enter_context(t.backends.cudnn.flags(allow_tf32=False))
            words = [*words, f"--use-gpu={card and self.on_card}", f"--cpu-bf16={bf16}"]
            self.utils.options.run(commands, self.main.Config, words)
        return printed.getvalue()

    def train(self, env: str, card: bool, bf16: bool, watch=lambda step: None, steps: int = 0) -> dict:
        """训练 steps 步（默认 self.steps），返回各步的损失、第一步的梯度、速度和显存。watch(走完了几步) 每步调用一次。"""
        t, losses, gradients, times, counts = self.t, [], [], {}, []
        steps = steps or self.steps
        memory = getattr(t, self.card.type, None) if card and self.on_card else None
        if hasattr(memory, "reset_peak_memory_stats"):
            memory.reset_peak_memory_stats()

        def log(epoch, count, **values):
            counts.append(count)
            losses.append({name: value.detach() for name, value in values.items() if name.startswith("loss") and t.is_tensor(value)})
            if len(counts) in (min(WARM_UP, steps - 1), steps):
                if card and self.on_card:
                    t.accelerator.synchronize()
                times[len(counts)] = time.perf_counter()
            watch(len(counts))
            return kept(epoch, count, **values)

        def first_gradients(optimizer, *_):
            if len(gradients) < limit:
                gradients.append([p.grad.detach().float().cpu() for group in optimizer.param_groups for p in group["params"]
                                  if p.grad is not None])

        limit = 2 if self.name == "chapter7" else 1         # GAN 有两个网络，各有各的优化器
        kept = self.utils.job.Epoch.log
        hook = self.before_each_step(first_gradients)
        try:
            with mock.patch.object(self.utils.job.Epoch, "log", log):
                self.call("train", *self.options, f"--env={env}", f"--max-steps={steps}", "--plot-every=1000",
                          card=card, bf16=bf16)
        finally:
            hook.remove()
        (begin, start), (end, stop) = sorted(times.items())
        peak = getattr(memory, "max_memory_allocated", lambda: 0)()
        return {"losses": [{name: float(value) for name, value in step.items()} for step in losses], "gradients": gradients,
                "speed": sum(counts[begin:end]) / (stop - start), "memory": peak}

    def compare_losses(self, what: str, plain: dict, other: dict, tolerance: float) -> Row:
        """第一步的损失与 CPU 上的相差不大，后面每步都是有限的数。"""
        first, found = plain["losses"][0], other["losses"][0]
        apart = max(abs(found[name] - value) / max(abs(value), 0.1) for name, value in first.items())
        finite = all(math.isfinite(value) for step in other["losses"] for value in step.values())
        last = "、".join(f"{name} {value:.3f}（CPU {plain['losses'][-1][name]:.3f}）" for name, value in other["losses"][-1].items())
        return Row(self.name, what, SAME if finite and apart <= tolerance else DIFFERENT,
                   f"第一步的损失相差 {apart:.1e}，{len(other['losses'])} 步之后 {last}", {"first_loss": apart, "finite": finite})

    def compare_gradients(self, plain: dict, other: dict) -> Row:
        """第一步的梯度，每个网络的合在一起看。"""
        apart = []
        for ours, theirs in zip(plain["gradients"], other["gradients"]):
            ours, theirs = (self.t.cat([part.flatten() for part in parts]).double() for parts in (ours, theirs))
            apart.append(float((ours - theirs).norm() / ours.norm()))
        return Row(self.name, "第一步的梯度", SAME if max(apart) <= GRADIENT else DIFFERENT,
                   "与 CPU 上的相差 " + "、".join(f"{value:.1e}" for value in apart), {"gradient": apart})

    def resume(self, bf16: bool) -> Row:
        """走一半停下、接着走完，对照一次走完。卡上有的核求和次序不定，所以不要求逐位相同。"""
        half, weights = max(1, self.steps // 2), {}
        for env, steps, more in (("once", self.steps, ()), ("twice", half, ()), ("twice", self.steps, ("--resume",))):
            before = weights.get("twice")
            self.call("train", *self.options, f"--env={env}", f"--max-steps={steps}", *more, card=True, bf16=bf16)
            content = self.t.load(Path("runs", env, "last.pth"), map_location="cpu", weights_only=True)
            weights[env] = self.t.cat([value.double().flatten() for part in ("model", "raw", "net", "netg", "netd")
                                       for value in content.get(part, {}).values() if value.is_floating_point()])
        apart = float((weights["twice"] - weights["once"]).norm() / (weights["once"] - before).norm())
        return Row(self.name, "中断后接着训练", SAME if apart <= RESUMED else DIFFERENT,
                   f"第 {half} 步停下，到第 {self.steps} 步时权重与一次跑完的" + ("逐位相同" if apart == 0 else f"相差后一半路程的 {apart:.1e}"),
                   {"resumed": apart})

    def use(self) -> Row:
        """自带的权重，在卡上和 CPU 上各出一次结果。"""
        from PIL import Image
        results = []
        for card in (True, False):
            text = self.call(*self.project.use, card=card, bf16=card and self.on_card)
            if self.project.picture:
                with Image.open(self.project.picture) as picture:
                    results.append(self.t.frombuffer(bytearray(picture.convert("RGB").tobytes()), dtype=self.t.uint8).float())
                os.remove(self.project.picture)
            else:
                results.append([re.sub(self.project.ignored, "", line) for line in text.splitlines() if line.strip()])
        command = " ".join(self.project.use)
        if self.project.picture:
            apart = float((results[0] - results[1]).abs().mean())
            return Row(self.name, command, SAME if apart <= GREY_LEVELS else DIFFERENT, f"画与 CPU 上的平均差 {apart:.2f} 级灰度", {"grey_levels": apart})
        ours, theirs = results
        wrong = sum(one != two for one, two in zip(ours, theirs)) + abs(len(ours) - len(theirs))
        return Row(self.name, command, DIFFERENT if wrong else SAME, f"{len(theirs)} 行结果，与 CPU 上不同的 {wrong} 行", {"lines": len(theirs), "different": wrong})

    def synchronizations(self, bf16: bool) -> Row:
        """走完 WARM_UP 步之后，一步里等了卡几次。把数据搬上卡总要等一次，此外一次也不该有。"""
        profiler = self.t.profiler
        activities = [profiler.ProfilerActivity.CPU] + [getattr(profiler.ProfilerActivity, self.card.type.upper())] * (self.card.type in ("cuda", "xpu"))
        record = profiler.profile(activities=activities)
        watched = min(20, self.steps - WARM_UP)
        if watched < 1:
            return Row(self.name, "一步里等卡几次", SKIPPED, f"步数太少，要多于 {WARM_UP}")
        turns = {WARM_UP: record.start, WARM_UP + watched: record.stop}
        self.train("profiled", True, bf16, watch=lambda step: turns.get(step, lambda: None)(), steps=WARM_UP + watched)
        counts = {event.key: event.count for event in record.key_averages()}
        copies = sum(count for name, count in counts.items() if "Memcpy HtoD" in name)
        waits = sum(counts.get(name, 0) for name in ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize"))
        items = counts.get("aten::_local_scalar_dense", 0)
        figures = {"steps": watched, "synchronize": waits, "host_to_device": copies, "item": items}
        if self.card.type != "cuda":
            return Row(self.name, "一步里等卡几次", SKIPPED, f"只在 CUDA 上数得清；这里每步取回 {items / watched:.1f} 个数（优化器的步数也算）", figures)
        extra = max(0, waits - copies) / watched
        return Row(self.name, "一步里等卡几次", SAME if extra < 0.5 else DIFFERENT,
                   f"{watched} 步里等 {waits} 次，其中把数据搬上卡 {copies} 次", figures | {"extra_per_step": extra})


# ---------------------------------------------------------------- 在外面


def try_project(name: str, device: str, steps: int, batch_size: int, work: Path):
    """抄一份项目，在那里另起进程来试；它每得到一行就交出一行。"""
    copy = copy_project(name, work)
    command = [sys.executable, __file__, "--inside", name, f"--device={device}", f"--steps={steps}", f"--batch-size={batch_size}"]
    with open(work / f"{name}.err", "w+", encoding="utf-8", errors="replace") as complaints:
        inside = subprocess.Popen(command, cwd=copy, stdout=subprocess.PIPE, stderr=complaints, encoding="utf-8", env=environment())
        try:
            for line in inside.stdout:
                yield Row(**json.loads(line))
            inside.wait(LIMIT)
        finally:
            inside.kill()
            inside.wait()
        if inside.returncode:
            complaints.seek(0)
            yield Row(name, "没有走完", DIFFERENT, anonymous(complaints.read()))


def copy_project(name: str, work: Path) -> Path:
    copy = work / name
    if not copy.exists():
        shutil.copytree(ROOT / name, copy, ignore=shutil.ignore_patterns("runs", "__pycache__", "tests", "*.ipynb", "solutions"))
    return copy


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONIOENCODING": "utf-8"}


def anonymous(complaint: str) -> str:
    """出错信息的最后一行，去掉路径：这个文件是要给别人看的。"""
    lines = [line.strip() for line in complaint.replace("\r", "\n").splitlines() if line.strip()]
    return re.sub(r"(?<![\w.])(?:[A-Za-z]:)?[/\\~][^\s'\"，：]*", "…", lines[-1] if lines else "没有说原因")


def try_torchrun(device: str, cards: int, work: Path) -> Row:
    """torchrun 每块卡一个进程（nccl），训练四步。"""
    copy = copy_project("chapter9", work)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={cards}", "main.py", "train",
               *PROJECTS["chapter9"].train, "--max-steps=4", "--env=many", f"--batch-size={16 * cards}", f"--use-gpu={device != 'cpu'}"]
    done = subprocess.run(command, cwd=copy, capture_output=True, encoding="utf-8", errors="replace", env=environment(), timeout=LIMIT)
    worked = done.returncode == 0 and "第 4 步" in done.stdout
    return Row("torchrun", f"{cards} 个进程", SAME if worked else DIFFERENT, "第9章训练了四步" if worked else anonymous(done.stderr))


def guarded_notebooks() -> list[Path]:
    """有卡才走的单元所在的笔记本：除了开头定 device 的那一行，还问过有没有卡、有几块。"""
    from notebooks import code_cells, find, is_solution, read
    asks = re.compile(r"is_available\(\)|has_accelerator|device_count\(\)|device\.type ==")
    return [path for path in find() if not is_solution(path) and any(
        asks.search(line) and not re.match(r"(device|has_accelerator) = ", line)
        for cell in code_cells(read(path)) for line in cell.source.splitlines())]


def try_notebook(path: Path) -> Row:
    """从头执行到底，结果不写回去。"""
    from notebooks import NotebookFailed, execute, read
    try:
        execute(read(path), path.parent)
    except NotebookFailed as error:
        return Row("笔记本", path.stem, DIFFERENT, anonymous(str(error)))
    return Row("笔记本", path.stem, SAME, "每个单元都执行了，没有出错")


def describe_machine(device: str) -> dict:
    """版本、卡和驱动；没有路径和名字。"""
    import torch as t
    import torchvision
    machine = {"python": platform.python_version(), "torch": t.__version__, "torchvision": torchvision.__version__,
               "system": f"{platform.system()} {platform.release()}", "cpu": platform.machine(), "device": device}
    if device == "cuda":
        card = t.cuda.get_device_properties(0)
        query = shutil.which("nvidia-smi") and subprocess.run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
                                                             capture_output=True, encoding="utf-8")
        machine |= {"card": card.name, "memory_bytes": card.total_memory, "capability": f"{card.major}.{card.minor}", "cuda": t.version.cuda,
                    "cudnn": t.backends.cudnn.version(), "driver": query.stdout.split("\n")[0] if query else ""}
    return machine


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help="只试这几样：chapter6 到 chapter10、torchrun、notebooks，或某个笔记本的路径")
    parser.add_argument("--device", choices=["cpu"], help="没有卡时，拿 CPU 与它自己比")
    parser.add_argument("--steps", type=int, default=24, help="每次训练几步")
    parser.add_argument("--batch-size", type=int, default=0, help="一批几个样本；0 是各项目的默认，显存不够时减小")
    parser.add_argument("--out", default="accelerator.json", help="结果存到这里")
    options = parser.parse_args()
    import torch as t
    if not options.device and not t.accelerator.is_available():
        print("torch 没有找到加速卡：没有什么可试的。有卡的话，看 docs/faq.md 的「装完怎样确认是好的？」")
        return 0
    device = options.device or t.accelerator.current_accelerator().type
    cards = 1 if device == "cpu" else t.accelerator.device_count()
    machine = describe_machine(device)
    print("，".join(f"{name} {value}" for name, value in machine.items()))
    parts = options.parts or [*PROJECTS, "torchrun", "notebooks"]
    unknown = [part for part in parts if part not in (*PROJECTS, "torchrun", "notebooks") and not Path(part).is_file()]
    if unknown:
        print(f"不认识 {unknown[0]}：可以试的是 {'、'.join(PROJECTS)}、torchrun、notebooks，或一个笔记本的路径", file=sys.stderr)
        return 2

    def all_rows(work: Path):
        for part in parts:
            if part in PROJECTS:
                yield from try_project(part, device, options.steps, options.batch_size, work)
            elif part == "torchrun":
                yield try_torchrun(device, cards, work)
            else:
                yield from map(try_notebook, guarded_notebooks() if part == "notebooks" else [Path(part).resolve()])

    rows, began = [], time.time()
    with tempfile.TemporaryDirectory(prefix="accelerator-", ignore_cleanup_errors=True) as work:
        for row in all_rows(Path(work)):
            rows.append(row)
            print(f"{row.outcome}  {row.where:<9} {row.what}：{row.said}", flush=True)
    counts = {outcome: sum(row.outcome == outcome for row in rows) for outcome in (SAME, DIFFERENT, SKIPPED)}
    Path(options.out).write_text(json.dumps({"machine": machine, "seconds": round(time.time() - began), "rows": [asdict(row) for row in rows]},
                                            ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print("，".join(f"{outcome} {count} 项" for outcome, count in counts.items()) + f"；用了 {time.time() - began:.0f} 秒，结果存到 {options.out}")
    return 1 if counts[DIFFERENT] else 0


def inside() -> None:
    """另起的进程：当前目录是抄来的项目，每得到一行就打印成一行 json。"""
    parser = argparse.ArgumentParser()
    for name in ("--inside", "--device"):
        parser.add_argument(name)
    for name in ("--steps", "--batch-size"):
        parser.add_argument(name, type=int)
    options = parser.parse_args()
    for row in Trial(options.inside, options.device, options.steps, options.batch_size).rows():
        print(json.dumps(asdict(row), ensure_ascii=False), flush=True)


if __name__ == "__main__":
    raise SystemExit(inside() if "--inside" in sys.argv else main())
