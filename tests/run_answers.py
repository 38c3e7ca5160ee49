"""拿 tests/answers/ 里的对答案与错答案去试各题的检查；test_answers.py 也用这里的函数。

    python tests/run_answers.py                    # 全部
    python tests/run_answers.py chapter3           # 一章
    python tests/run_answers.py chapter3/3.1.2*.ipynb

answers/ 里一本笔记本一个文件，名字与笔记本相同。它在解答的名字空间里执行（t、F、check_2、answer_2 等都在），只做两种登记：

    right(2, 答案)                    # 应得「正确」
    wrong(2, 答案, "片段")            # 应被拒绝，而且说明里有这个片段

有不符的，逐条打印，以退出码 1 结束。
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import notebook_rules as rules
import notebooks
from IPython.core.interactiveshell import InteractiveShell

ANSWERS = notebooks.ROOT / "tests/answers"
LEAST = {"right": 2, "wrong": 3}  # 每题至少几个；对答案里不算解答本身


def answers_of(lesson: Path) -> Path:
    return ANSWERS / f"{lesson.stem}.py"


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """暂时把工作目录换到 folder，sys.path 事后复原。"""
    here, paths = Path.cwd(), list(sys.path)
    os.chdir(folder)
    sys.path_importer_cache.clear()  # 解答用 ".." 找 checks.py；换了文件夹，它就是另一个地方
    try:
        yield
    finally:
        os.chdir(here)
        sys.path[:] = paths


def namespace_of(solution: Path) -> dict:
    """执行解答里直到最后一个 check_N 的单元，返回它的名字空间；工作目录应已在解答的文件夹里。"""
    cells = rules.code_cells(notebooks.read(solution))
    last = max(k for k, cell in enumerate(cells) if "def check_" in cell.source)
    shell = InteractiveShell()
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        for cell in cells[:last + 1]:
            shell.run_cell(cell.source).raise_error()
    return shell.user_ns


def problems_of(lesson: Path) -> list[str]:
    """试一本笔记本的全部答案，返回不符之处。"""
    solution, counts, problems = notebooks.solution_of(lesson), Counter(), []
    with inside(solution.parent):
        names = namespace_of(solution)
        cases = registered(answers_of(lesson), dict(names))
        for line, kind, number, answer, fragment in cases:
            counts[number, kind] += 1
            state = names["grade"](names[f"check_{number}"], answer)
            said = f"第 {line} 行，第 {number} 题"
            if kind == "right" and state != "正确":
                problems.append(f"{said}：对的答案被拒绝：{state}")
            elif kind == "wrong" and state in ("正确", "未完成"):
                problems.append(f"{said}：错的答案得到「{state}」")
            elif kind == "wrong" and (fragment not in state or not fragment):
                problems.append(f"{said}：说明里没有「{fragment}」：{state}")
    for number in [int(name[6:]) for name in rules.checkers(notebooks.read(lesson)) if name != "grade"]:
        for kind, least in LEAST.items():
            if counts[number, kind] < least:
                problems.append(f"第 {number} 题只有 {counts[number, kind]} 个 {kind}，应不少于 {least} 个")
    return problems


def registered(path: Path, names: dict) -> list[tuple]:
    """执行一个答案文件，返回登记的 (行号, 种类, 题号, 答案, 片段)。"""
    cases = []
    def right(number, answer):
        cases.append((sys._getframe(1).f_lineno, "right", number, answer, ""))
    def wrong(number, answer, fragment):
        cases.append((sys._getframe(1).f_lineno, "wrong", number, answer, fragment))
    names |= {"right": right, "wrong": wrong, "__name__": path.stem}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    return cases


def main(arguments: list[str]) -> int:
    sys.stdout.reconfigure(errors="replace")
    os.environ["MPLBACKEND"] = "Agg"
    paths = [path for name in arguments for path in ([Path(name)] if name.endswith(".ipynb") else sorted(Path(name).glob("*.ipynb")))]
    failures = 0
    for path in paths or [path for path in notebooks.find() if answers_of(path).exists()]:
        start = time.perf_counter()
        problems = problems_of(path.resolve())
        failures += len(problems)
        print(f"{time.perf_counter() - start:6.1f} 秒  {path.name}", *problems, sep="\n    ", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
