"""给老师：批改学生做过的笔记本，列出全部练习。

    python grade.py 张三/3.1.2.ipynb 李四.ipynb     # 每题的状态；副本可以改名，凭第一个标题认出是哪一节
    python grade.py --list                          # 第 2 到 5 章全部练习的题目
    python grade.py --list chapter3                 # 一章的

副本从头到尾执行一遍，工作目录是原笔记本所在的文件夹；检查用仓库里的，不用副本里的（那里也许改过）。
副本里的程序会在你的机器上运行：只批改你信得过的人交来的。全部正确时退出码是 0，有没做对的是 1，用法不对是 2。
"""

from __future__ import annotations

import json
import os
import re
import sys
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "tests"))
import notebook_rules as rules  # noqa: E402
import notebooks  # noqa: E402
from nbformat import NotebookNode  # noqa: E402
from nbformat.v4 import new_code_cell  # noqa: E402

CHAPTERS = ("chapter2", "chapter3", "chapter4", "chapter5")
TIMEOUT = 900  # 秒，整本


class CannotGrade(Exception):
    """用法不对；消息是一句能照着改的话。"""


def heading(notebook: NotebookNode) -> str:
    """第一个标题，没有则为空。"""
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found = re.search(r"^# +(.+)$", prose, flags=re.M)
    return found[1].strip() if found else ""


def lessons(chapters: tuple[str, ...] = CHAPTERS) -> list[Path]:
    return [path for chapter in chapters for path in sorted((ROOT / chapter).glob("*.ipynb"))]


def statements(notebook: NotebookNode) -> dict[int, str]:
    """题号到题目：每题前面以 **题号.** 开头的那个文字单元。"""
    found = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (number := re.match(r"\*\*(?:挑战 )?(\d+)\.\*\*", cell.source)):
            found[int(number[1])] = cell.source
    return found


def list_exercises(chapters: list[str]) -> None:
    for chapter in chapters:
        if chapter.rstrip("/") not in CHAPTERS:
            raise CannotGrade(f"没有 {chapter}：有练习的是 {'、'.join(CHAPTERS)}")
    for path in lessons(tuple(chapter.rstrip("/") for chapter in chapters) or CHAPTERS):
        notebook = notebooks.read(path)
        print(f"\n# {heading(notebook)}（{path.relative_to(ROOT)}）")
        for statement in statements(notebook).values():
            print(f"\n{statement}")


# ---------------------------------------------------------------- 批改


def read_copy(name: str, known: dict[str, Path]) -> tuple[NotebookNode, Path]:
    """读学生的副本，认出它是哪一本。"""
    path = Path(name)
    if not path.is_file():
        raise CannotGrade(f"没有文件 {name}")
    try:
        notebook = notebooks.read(path)
    except Exception:  # nbformat 对坏文件抛出的错误有好几种
        raise CannotGrade(f"{name} 不是笔记本，或文件不完整：请学生在 Jupyter 里重新保存") from None
    if (title := heading(notebook)) not in known:
        raise CannotGrade(f"认不出 {name} 是哪一节：它的第一个标题是「{title}」，应与原笔记本相同，例如「{next(iter(known))}」")
    return notebook, known[title]


def with_official_checks(copy: NotebookNode, lesson: Path, mark: str) -> tuple[NotebookNode, dict[int, str]]:
    """副本里的检查换成仓库里的，每题之后加一句报告；返回（可以执行的笔记本，题号到单元的 id）。"""
    official, places = rules.checkers(notebooks.read(lesson)), {}
    names = official.pop("grade")
    start = (f"import json as _json, checks as _checks\n"
             f"def _report(number, check, answer):\n"
             f"    print({mark!r} + _json.dumps([number, _checks.grade(check, answer)]))")
    cells = [new_code_cell(start)]
    for cell in copy.cells:
        cells.append(cell)
        for number in map(int, re.findall(r"^def check_(\d+)\(", cell.source, flags=re.M)):
            if cell.cell_type != "code" or f"check_{number}" not in official:
                continue
            places[number] = cell.id
            cell.source = re.sub(rf"^def check_{number}\(.*?(?=^\S|\Z)", lambda _, n=number: official[f"check_{n}"] + "\n\n",
                                 cell.source, flags=re.M | re.S)
            cell.source = f"from checks import {names}\n{cell.source}\n_report({number}, check_{number}, answer_{number})"
    copy.cells = cells
    return copy, places


def states(copy: NotebookNode, lesson: Path) -> dict[int, str]:
    """题号到状态：「正确」「未完成」，或哪里不对。"""
    mark = f"[{uuid.uuid4()}]"
    numbers = [int(name[6:]) for name in rules.checkers(notebooks.read(lesson)) if name != "grade"]
    copy, places = with_official_checks(copy, lesson, mark)
    executed = notebooks.execute(copy, lesson.parent, TIMEOUT, go_on=True)
    result, errors = {}, {}
    for cell in rules.code_cells(executed):
        for line in rules.text_outputs(cell).splitlines():
            if line.startswith(mark):
                number, state = json.loads(line.removeprefix(mark))
                result[number] = state
        errors[cell.id] = next((f"{o.ename}: {o.evalue}" for o in cell.outputs if o.output_type == "error"), "")
    for number in numbers:
        if number not in places:
            result[number] = "副本里没有这一题的单元"
        elif number not in result:
            result[number] = f"这个单元没有执行完：{errors.get(places[number]) or '没有输出'}"
    return {number: result[number] for number in numbers}


def main(arguments: list[str]) -> int:
    sys.stdout.reconfigure(errors="replace")
    try:
        if not arguments or arguments[0] in ("-h", "--help"):
            print(__doc__.strip())
            return 0 if arguments else 2
        if arguments[0] == "--list":
            list_exercises(arguments[1:])
            return 0
        if arguments[0].startswith("-"):
            raise CannotGrade(f"没有选项 {arguments[0]}：用法见 python grade.py --help")
        known = {heading(notebooks.read(path)): path for path in lessons()}
        copies = [(name, *read_copy(name, known)) for name in arguments]
    except CannotGrade as error:
        print(error, file=sys.stderr)
        return 2
    wrong = 0
    for name, copy, lesson in copies:
        print(f"{name}（{lesson.relative_to(ROOT)}）", flush=True)
        try:
            found = states(copy, lesson)
        except notebooks.NotebookFailed as error:
            print(f"  没有批完：{error}", flush=True)
            wrong += 1
            continue
        for number, state in found.items():
            print(f"  {number}  {state}")
        right = sum(state == "正确" for state in found.values())
        print(f"  {len(found)} 题里 {right} 题正确", flush=True)
        wrong += right < len(found)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:                                 # 接在后面的 head 看够了
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 141
    raise SystemExit(status)
