"""在原处重新执行笔记本；test_notebooks.py 也用这里的函数。

    python tests/notebooks.py                      # 执行全部笔记本与解答
    python tests/notebooks.py chapter3             # 一个文件夹
    python tests/notebooks.py chapter3/3.1.3*.ipynb

内核就是运行本文件的这个 Python，与机器上登记过什么 kernelspec 无关；工作目录是笔记本所在的文件夹。
执行失败的笔记本保持原样，其余照常执行，最后以退出码 1 结束。
"""

from __future__ import annotations

import copy
import hashlib
import logging
import os
import re
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
PATTERNS = ("chapter*/*.ipynb", "chapter*/solutions/*.ipynb")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class NotebookFailed(Exception):
    """某个单元没有执行成功；消息是一段可以直接给人看的说明。"""


class ThisPython(AsyncKernelManager):
    """用 sys.executable 启动的 ipykernel。"""

    @property
    def kernel_spec(self) -> KernelSpec:
        # 日志级别 50：内核自己的提示不混进终端
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=[*command, "--log-level=50"], display_name="Python 3")


# ---------------------------------------------------------------- 寻找、读、写


def chapter_of(path: Path) -> int:
    """路径中 chapterN 的 N；不在章节文件夹里则为 0。"""
    return next((int(part[7:]) for part in path.parts if re.fullmatch(r"chapter\d+", part)), 0)


def is_solution(path: Path) -> bool:
    return path.parent.name == "solutions"


def find(root: Path = ROOT) -> list[Path]:
    """按章、再按名字排好的全部笔记本，包括解答。"""
    paths = {path for pattern in PATTERNS for path in root.glob(pattern)}
    return sorted(paths, key=lambda path: (chapter_of(path.relative_to(root)), str(path)))


def solution_of(path: Path) -> Path:
    return path.parent / "solutions" / f"{path.stem}_solutions.ipynb"


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def write(notebook: NotebookNode, path: Path) -> None:
    """先写临时文件再改名：中途断电也不会留下半个笔记本。"""
    partial = path.with_name(path.name + ".part")
    with open(partial, "w", encoding="utf-8", newline="\n") as stream:
        nbformat.write(notebook, stream)
    os.replace(partial, path)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def doubled(notebook: NotebookNode) -> NotebookNode:
    """每个代码单元连着出现两次的复制品：读者常把一个单元运行好几遍，那时也不该出错。"""
    notebook = copy.deepcopy(notebook)
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type == "code":
            cells.append(copy.deepcopy(cell))
            cells[-1].id += "-again"
    notebook.cells = cells
    return notebook


# ---------------------------------------------------------------- 执行


def execute(notebook: NotebookNode, folder: Path, timeout: float = 600, go_on: bool = False) -> NotebookNode:
    """在 folder 里从头到尾执行，返回带输出的新笔记本。

    出错，或整本用时超过 timeout 秒，抛出 NotebookFailed；go_on=True 时出错的单元把错误留在输出里，接着执行下一个。
    """
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    deadline = time.monotonic() + timeout
    quiet = logging.getLogger("notebooks")
    quiet.setLevel(logging.CRITICAL)
    client = NotebookClient(
        notebook,
        kernel_manager_class=ThisPython,
        kernel_name="python3",
        record_timing=False,
        allow_errors=go_on,
        timeout_func=lambda cell: max(1, int(deadline - time.monotonic())),
        resources={"metadata": {"path": str(folder)}},
        log=quiet,
    )
    with TemporaryDirectory(prefix="ipython-", ignore_cleanup_errors=True) as profile:
        env = {k: v for k, v in os.environ.items() if k not in ("MPLBACKEND", "COLUMNS", "LINES")}
        # PASSIVE：线程等同伴时睡去，不空转；机器上还有别的程序时，空转会把十秒的笔记本拖到几分钟
        env |= {"IPYTHONDIR": profile, "PYDEVD_DISABLE_FILE_VALIDATION": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        try:
            client.execute(env=env)
        except Exception as error:
            # nbclient 收到 Ctrl-C 时只关内核；在这里让整个程序停下来
            if getattr(client, "_async_cleanup_kernel_future", None):
                raise KeyboardInterrupt from None
            raise NotebookFailed(describe(notebook, reason_of(error, timeout))) from None
    return tidy(notebook)


def reason_of(error: Exception, timeout: float) -> str:
    if isinstance(error, CellTimeoutError):
        return f"整本超过 {timeout:.0f} 秒"
    if isinstance(error, DeadKernelError):
        return "内核意外退出（内存不足？）"
    return f"{type(error).__name__}: {error}"  # 单元里的错误，或内核没能启动


def describe(notebook: NotebookNode, reason: str) -> str:
    """指出停在哪个单元：序号、源码、错误与回溯的末尾。"""
    started = [(i, c) for i, c in enumerate(notebook.cells) if c.get("execution_count")]
    failed = [(i, c) for i, c in started if any(o.output_type == "error" for o in c.outputs)]
    if not failed and not started:
        return f"还没有执行任何单元。{reason}"
    index, cell = (failed or started)[-1]
    for output in cell.outputs:
        if output.output_type == "error" and output.ename != "KeyboardInterrupt":
            trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output.traceback)).splitlines()
            reason = "\n".join([f"{output.ename}: {output.evalue}", "回溯的末尾：", *trace[-12:]])
    body = f"第 {index + 1} 个单元：\n{cell.source}\n{reason}"
    return "\n".join("    " + line for line in body.splitlines())


def tidy(notebook: NotebookNode) -> NotebookNode:
    """去掉每次执行都会变、而读者用不着的东西，让两次执行的差别只在结果里。"""
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for index, cell in enumerate(notebook.cells):
        if not re.fullmatch(r"[\w-]{1,64}", cell.get("id", "")):
            cell.id = hashlib.sha1(f"{index}{cell.source}".encode()).hexdigest()[:8]
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = merge_streams(cell.outputs)
    return notebook


def merge_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """相邻的同名输出流合成一段：何时分段由缓冲区决定，每次不同。"""
    merged: list[NotebookNode] = []
    for output in outputs:
        last = merged[-1] if merged else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            merged.append(output)
    return merged


# ---------------------------------------------------------------- 命令行


def main(arguments: list[str]) -> int:
    sys.stdout.reconfigure(errors="replace")
    paths: list[Path] = []
    for path in [Path(argument).resolve() for argument in arguments]:
        paths += sorted(path.rglob("*.ipynb")) if path.is_dir() else [path]
    failures = 0
    for path in paths or find():
        name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        start = time.perf_counter()
        try:
            write(execute(read(path), path.parent), path)
        except KeyboardInterrupt:
            print(f"中断，{name} 保持原样", flush=True)
            return 130
        except (NotebookFailed, OSError) as error:
            failures += 1
            print(f"失败 {name}\n{error}", flush=True)
        else:
            seconds, size = time.perf_counter() - start, path.stat().st_size / 1000
            print(f"{seconds:6.1f} 秒 {size:6.0f} KB  {name}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
