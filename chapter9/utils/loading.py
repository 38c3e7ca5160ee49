"""成批取数据：每轮打乱一次、可以从任何一批接着来的次序，以及取数进程出错时的一句话。"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.queues import Queue

import numpy as np
from torch.utils.data import DataLoader, Sampler

from .files import UserError


class BatchSampler(Sampler):
    """每轮打乱一次，交出一批批下标；不足一批的零头留到别的轮。batch_size 是所有进程合起来的一批，本进程取其中第 rank、
    rank + world_size …… 个。次序只由 (seed, 轮) 决定，所以几个进程合起来见到的，与一个进程见到的完全相同。"""
    def __init__(self, count: int, batch_size: int, seed: int = 0, rank: int = 0, world_size: int = 1):
        if batch_size > count or batch_size % world_size:
            reason = f"比训练集的 {count} 个样本还多：减小它" if batch_size > count else f"要能被进程数 {world_size} 整除"
            raise UserError(f"--batch-size={batch_size} {reason}")
        self.count, self.batch_size, self.seed, self.rank, self.world_size = count, batch_size, seed, rank, world_size
        self.epoch = self.done = 0

    def set_position(self, epoch: int, done: int) -> None:
        """从第 epoch 轮的第 done 批开始（都从 0 数起）。"""
        self.epoch, self.done = epoch, done

    def __iter__(self) -> Iterator[list[int]]:
        mixed = int(np.random.SeedSequence([self.seed, self.epoch]).generate_state(1)[0])
        order = np.random.default_rng(mixed).permutation(self.count).tolist()
        for i in range(self.done, len(self)):
            yield order[i * self.batch_size:(i + 1) * self.batch_size][self.rank::self.world_size]

    def __len__(self) -> int:
        return self.count // self.batch_size


def batches(loader: DataLoader) -> Iterator:
    """逐批取数据。取数进程里的 UserError 到了主进程会带上一大段调用栈，这里还原成一行；取数进程死了也是一行。"""
    try:
        with _uninterrupted():
            iterator = _start(loader)
        yield from iterator
        with _uninterrupted():
            del iterator
    except UserError as error:
        raise UserError(str(error).strip().splitlines()[-1].partition("UserError: ")[2] or str(error)) from None
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise UserError("取数进程意外结束，多半是内存或 /dev/shm 不够：减小 --num-workers 或 --batch-size；Docker 用 --shm-size=1g 加大") from None


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """其间按下的 Ctrl-C 等做完再算：取数进程起停到一半时打断，会显示调用栈，或者丢了这次 Ctrl-C。"""
    pressed = []
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def _start(loader: DataLoader) -> Iterator:
    """启动取数进程。终端里的 Ctrl-C 发给每个进程；它们生来挡住它，由主进程来停，免得各自倒下时乱说一气。"""
    if not hasattr(signal, "pthread_sigmask"):          # Windows
        return iter(loader)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    loader.worker_init_fn = _prepare_worker
    try:
        return iter(loader)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare_worker(_: int) -> None:
    """取数进程里：一批数据交不出去（共享内存满了）时 Python 只显示调用栈，主进程就永远等下去；改为结束这个进程，主进程会知道。"""
    Queue._on_queue_feeder_error = staticmethod(lambda *_: os._exit(1))     # 下面：没人接数据（或接到一半），是主进程停了，不必显示调用栈
    sys.excepthook = lambda kind, *more: issubclass(kind, (OSError, EOFError)) or sys.__excepthook__(kind, *more)
