"""benchmark.py 共用的：两种做法交替计时，报告比值；另起进程量内存。五个项目相同（make sync-utils）。"""

import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch as t

ROUNDS = 5
MAIN = Path(__file__).resolve().parent / "main.py"


@dataclass(frozen=True)
class Comparison:
    """两种做法交替做了几轮。"""

    ours: float                         # 一轮用时的中位数，秒
    plain: float
    ratios: list[float]                 # 每一轮里，plain 的用时是 ours 的几倍

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    def times(self, factor: float) -> "Comparison":
        """plain 只做了同样工作的 1/factor，照比例放大。"""
        return Comparison(self.ours, self.plain * factor, [ratio * factor for ratio in self.ratios])

    def __str__(self) -> str:
        return f"{self.ratio:.2f} 倍（{min(self.ratios):.2f}–{max(self.ratios):.2f}）"


def print_header() -> None:
    print(f"Python {platform.python_version()}，torch {t.__version__}，{t.get_num_threads()} 个线程。"
          f"比值来自同一次运行：交替做 {ROUNDS} 轮，取每轮之比的中位数（括号里是最小和最大），机器忽快忽慢时也可信。")


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def compare(ours: Callable[[], object], plain: Callable[[], object]) -> Comparison:
    """先各做一次预热，再交替各做 ROUNDS 次。"""
    ours(), plain()
    pairs = [(seconds(ours), seconds(plain)) for _ in range(ROUNDS)]
    return Comparison(*map(statistics.median, zip(*pairs)), [slow / fast for fast, slow in pairs])


def print_memory(*commands: str, files: Callable[[Path], None] = lambda folder: None) -> None:
    """在空文件夹里（先由 files 放好要用的文件）另起进程，依次运行 main.py 的几条命令，报告各自的内存峰值和用时。"""
    if sys.platform == "win32":
        print("内存峰值：Windows 没有 resource 模块，量不了")
        return
    code = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=-3, stderr=-3); "
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    unit = 2 ** 20 if sys.platform == "darwin" else 2 ** 10         # macOS 以字节计，Linux 以 KB 计
    with tempfile.TemporaryDirectory() as folder:
        files(Path(folder))
        for command in commands:
            begin = time.perf_counter()
            done = subprocess.run([sys.executable, "-c", code, sys.executable, str(MAIN), *command.split()], cwd=folder,
                                  capture_output=True, text=True, check=True)
            print(f"{command}：内存峰值 {int(done.stdout) / unit:,.0f} MB，{time.perf_counter() - begin:.0f} 秒")
