"""每个笔记本都能在仓库的一份复制品里从头执行到尾，存下来的输出齐全、干净，练习与解答配套。"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import notebook_rules as rules
import notebooks
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

TIMEOUT = 300  # 秒。一个笔记本在空闲的机器上不到 2 分钟；放宽是免得机器忙时误报
ALL = notebooks.find()
TWICE = {2, 3, 4, 5}  # 这些章的正文，每个单元连着执行两遍
ONCE = {"2.2.4_cifar10.ipynb", "4.8_resnet34.ipynb", "5.6_faster_training.ipynb"}  # 训练占去一分钟的，只执行一遍
BORROWED = {"4.2.5_attention.ipynb": ["chapter9/data"],
            "5.2_torchvision.ipynb": ["chapter6/models", "chapter6/utils", "chapter6/task.py"]}  # 除了本章和 data/，还用到哪些
TAUGHT = {2, 3, 4, 5, 6, 7, 8, 10}  # 这些章的笔记本有小结、练习与解答，每个断言都有输出让读者看见
LESSONS = [p for p in ALL if not notebooks.is_solution(p) and notebooks.chapter_of(p) in TAUGHT]
SOLUTIONS = [p for p in ALL if notebooks.is_solution(p)]


def named(paths: list[Path]) -> dict:
    return {"argvalues": paths, "ids": [p.relative_to(notebooks.ROOT).as_posix() for p in paths]}


def fail_on(problems: list[str]) -> None:
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Path]:
    """用完即删的文件夹，免得每个笔记本都留下一份数据。"""
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)


# ---------------------------------------------------------------- 仓库里的笔记本


def test_there_are_notebooks():
    assert ALL, "chapter*/ 里一个笔记本也没有找到"


@pytest.mark.parametrize("path", **named(ALL))
def test_executes(path: Path, sandbox: Path):
    relative = path.relative_to(notebooks.ROOT)
    skip = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "runs", "outputs", ".venv")
    for folder in (relative.parts[0], "data", *BORROWED.get(path.name, [])):
        if (notebooks.ROOT / folder).is_dir():
            shutil.copytree(notebooks.ROOT / folder, sandbox / folder, ignore=skip)
        elif (notebooks.ROOT / folder).is_file():
            shutil.copy(notebooks.ROOT / folder, sandbox / folder)
    copied = sandbox / relative
    notebook, timeout = notebooks.read(copied), TIMEOUT
    if path in LESSONS and notebooks.chapter_of(path) in TWICE and path.name not in ONCE:
        notebook, timeout = notebooks.doubled(notebook), 2 * TIMEOUT
    try:
        executed = notebooks.execute(notebook, copied.parent, timeout)
    except notebooks.NotebookFailed as error:
        pytest.fail(f"{relative}\n{error}", pytrace=False)
    problems = rules.output_problems(executed)
    if path in LESSONS:
        problems += rules.exercise_problems(executed)
    fail_on(problems)


@pytest.mark.parametrize("path", **named(ALL))
def test_stored_notebook(path: Path):
    notebook = notebooks.read(path)
    problems = rules.output_problems(notebook)
    problems += rules.structure_problems(notebook, lesson=path in LESSONS)
    if (size := path.stat().st_size) > rules.MAX_BYTES:
        problems.append(f"文件有 {size // 1000} KB，超过 {rules.MAX_BYTES // 1000} KB")
    fail_on(problems)


@pytest.mark.parametrize("path", **named(LESSONS))
def test_asserts_are_shown(path: Path):
    fail_on(rules.silent_problems(notebooks.read(path)))


@pytest.mark.parametrize("path", **named(sorted(notebooks.ROOT.glob("chapter*/figures.py"))))
def test_every_figure_is_drawn(path: Path):
    """作图模块里没有用不到的函数：不是笔记本在用，就是别的图在用。"""
    code = path.read_text(encoding="utf-8")
    used = "\n".join(cell.source for lesson in path.parent.glob("*.ipynb") for cell in rules.code_cells(notebooks.read(lesson)))
    for name in re.findall(r"^def (\w+)", code, flags=re.M):
        called = len(re.findall(rf"(?<!def )\b{name}\(", code))
        assert f"figures.{name}(" in used or called, f"{path.name} 的 {name} 没有谁用到"


@pytest.mark.parametrize("path", **named(LESSONS))
def test_exercises(path: Path):
    lesson, solution = notebooks.read(path), notebooks.solution_of(path)
    problems = rules.exercise_problems(lesson)
    if solution.exists():
        problems += rules.solution_problems(lesson, notebooks.read(solution))
    else:
        problems.append(f"没有解答 solutions/{solution.name}")
    fail_on(problems)


@pytest.mark.parametrize("chapter", range(2, 6))
def test_every_chapter_has_two_challenges(chapter: int):
    prose = ["\n".join(cell.source for cell in notebooks.read(path).cells) for path in LESSONS if notebooks.chapter_of(path) == chapter]
    counts = [len(re.findall(r"^\*\*挑战 \d+\.\*\*", text, flags=re.M)) for text in prose]
    assert sorted(counts) == [0] * (len(counts) - 1) + [2]


@pytest.mark.parametrize("path", **named(SOLUTIONS))
def test_solution_belongs_to_a_notebook(path: Path):
    lesson = path.parent.parent / f"{path.stem.removesuffix('_solutions')}.ipynb"
    assert path.stem.endswith("_solutions") and lesson.exists()


# ---------------------------------------------------------------- 检查本身：故意弄坏，应被认出


GRADE = "from checks import grade"
CHECK = "def check_{n}(answer):\n    if answer != {n}:\n        return '不对'"
ASK = "answer_{n} = None\n\n" + CHECK + "\n\nprint(grade(check_{n}, answer_{n}))"
SOLVE = (
    "answer_{n} = {n}\n\n" + CHECK + "\n\nwrong_{n} = 0\n"
    'assert grade(check_{n}, answer_{n}) == "正确"\n'
    'assert grade(check_{n}, wrong_{n}) not in ("正确", "未完成")'
)
VERSION = 'print("torch 2.14.1")'


def build(*sources: str, output: NotebookNode | None = None) -> NotebookNode:
    """由各单元的源码造笔记本；以 # 开头的是文字。output 是最后一个代码单元的输出。"""
    cells, count = [], 0
    for source in sources:
        if source.startswith("#"):
            cells.append(new_markdown_cell(source))
            continue
        count += 1
        said = [
            new_output("stream", text=text + "\n") for text in re.findall(r'^print\("(.+)"', source)
        ]
        if "print(grade" in source:
            said = [new_output("stream", text="未完成\n")]
        cells.append(new_code_cell(source, execution_count=count, outputs=said))
    if output:
        cells[-1].outputs = [output]
    return new_notebook(cells=cells, metadata=notebooks.METADATA)


def lesson(**changes: str) -> NotebookNode:
    asks = [changes.get(f"ask_{n}", ASK.format(n=n)) for n in (1, 2, 3)]
    return build(VERSION, "## 小结", "## 练习", changes.get("grade", GRADE), *asks)


def solution(**changes: str) -> NotebookNode:
    solved = [changes.get(f"solve_{n}", SOLVE.format(n=n)) for n in (1, 2, 3)]
    return build(VERSION, changes.get("grade", GRADE), *solved)


def test_good_notebooks_have_no_problems():
    assert rules.output_problems(lesson()) == []
    assert rules.structure_problems(lesson(), lesson=True) == []
    assert rules.exercise_problems(lesson()) == []
    assert rules.solution_problems(lesson(), solution()) == []


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (new_output("error", ename="ValueError", evalue="", traceback=[]), "错误 ValueError"),
        (new_output("stream", name="stderr", text="UserWarning: x"), "写了 stderr"),
        (new_output("stream", text="saved to /tmp/tmpx1/a.pt"), "本机路径"),
        (new_output("stream", text="/home/lee/data"), "本机路径"),
        (new_output("stream", text=r"C:\Users\lee"), "本机路径"),
        (
            new_output("execute_result", data={"text/plain": r"WindowsPath('C:\\Users\\lee')"}),
            "本机路径",
        ),
        (
            new_output("display_data", data={"text/html": "lib/python3.11/site-packages/x.py"}),
            "本机路径",
        ),
        (
            new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {}}),
            "控件",
        ),
    ],
)
def test_bad_output_is_found(output: NotebookNode, expected: str):
    problems = rules.output_problems(build(VERSION, "run()", output=output))
    assert len(problems) == 1 and expected in problems[0]


def test_image_data_is_not_searched_for_paths():
    picture = new_output("display_data", data={"image/png": "abc/tmp/def/home/", "text/plain": "x"})
    assert rules.output_problems(build(VERSION, "draw()", output=picture)) == []


@pytest.mark.parametrize("count", [None, 1, 3])
def test_cells_executed_out_of_order_are_found(count: int | None):
    notebook = build(VERSION, "x = 1")
    notebook.cells[1].execution_count = count
    assert "从头到尾" in rules.output_problems(notebook)[0]


def test_widget_state_is_found():
    notebook = lesson()
    notebook.metadata["widgets"] = {}
    assert rules.output_problems(notebook) == ["含有控件状态"]


def test_bad_structure_is_found():
    silent = build("import torch", "## 小结", "## 练习")
    assert rules.structure_problems(silent, lesson=True) == ["第一个代码单元没有打印版本"]
    assert rules.structure_problems(silent, lesson=False) == []
    no_headings = build(VERSION, "# 小结在文字里不算", "正文 练习")
    assert "没有「练习」标题" in rules.structure_problems(no_headings, lesson=True)
    for kind, limit in rules.MAX_LINES.items():
        long = build(VERSION, "## 小结", "## 练习", "\n".join(["x = 1"] * (limit + 1)))
        assert "超过" in rules.structure_problems(long, lesson=kind == "lesson")[0]
    timed = lesson()
    timed.cells[0].metadata["execution"] = {"iopub.execute_input": "2020-01-01"}
    timed.metadata["language_info"] = {"name": "python", "version": "3.11.7"}
    assert len(rules.structure_problems(timed, lesson=True)) == 2


def test_silent_asserts_are_found():
    shown = new_output("stream", text="1\n")
    assert rules.silent_problems(build(VERSION, "x = 1\nassert x")) == ["单元 [2] 只有断言，什么也没有显示"]
    assert rules.silent_problems(build(VERSION, "x = 1\nprint(x)\nassert x", output=shown)) == []
    assert rules.silent_problems(build(VERSION, "def f(x):\n    assert x")) == []
    assert rules.silent_problems(build(VERSION, "## 练习", "assert True")) == []


def test_bad_exercises_are_found():
    assert rules.exercise_problems(build(VERSION)) != []
    gap = lesson(ask_2="x = 1")
    assert "连续编号" in rules.exercise_problems(gap)[0]
    answered = lesson()
    answered.cells[-1].outputs[0].text = "正确\n"
    assert rules.exercise_problems(answered) == ["grade(check_3, answer_3) 没有打印「未完成」"]
    forgotten = lesson(ask_1=CHECK.format(n=1) + "\n\nanswer_1 = None")
    assert rules.exercise_problems(forgotten) == ["grade(check_1, answer_1) 没有打印「未完成」"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("answer != 2", "answer == 0", "check_2 与题目里的不同"),
        ("'不对'", "'不对 '", "check_2 与题目里的不同"),
        ("def check_2", "def check_4", "check_2 与题目里的不同"),
        ('assert grade(check_2, answer_2) == "正确"', "", "没有断言 grade(check_2, answer_2)"),
        ('== "正确"', '!= "正确"', "没有断言 grade(check_2, answer_2)"),
        ("check_2, wrong_2", "check_2, answer_2", "没有断言 check_2 能识别一个错误答案"),
        (' not in ("正确", "未完成")', ' == "正确"', "没有断言 check_2 能识别一个错误答案"),
        ("wrong_2) not in", "wrong_2) in", "没有断言 check_2 能识别一个错误答案"),
    ],
)
def test_changed_solution_is_found(old: str, new: str, expected: str):
    assert old in SOLVE.format(n=2)
    problems = rules.solution_problems(
        lesson(), solution(solve_2=SOLVE.format(n=2).replace(old, new))
    )
    assert any(problem.startswith(expected) for problem in problems)


def test_changed_or_missing_grade_is_found():
    assert rules.solution_problems(lesson(), solution(grade="from checks import grade, same")) != []
    assert rules.solution_problems(lesson(), solution(grade="pass")) != []


# ---------------------------------------------------------------- 执行器


def save(path: Path, *sources: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    notebooks.write(build(*sources), path)
    return path.read_text(encoding="utf-8")


def test_runner_reports_one_failure_and_runs_the_rest(tmp_path: Path, capsys, monkeypatch):
    misleading = (
        tmp_path / "jupyter/kernels/python3/kernel.json"
    )  # 登记过的 python3 不是这个 Python
    misleading.parent.mkdir(parents=True)
    spec = {"argv": ["no-such-python"], "display_name": "Python 3", "language": "python"}
    misleading.write_text(json.dumps(spec), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    bad, good = tmp_path / "chapter2/a.ipynb", tmp_path / "chapter2/b.ipynb"
    before = save(bad, "x = 1", "y = 0\nprint(x / y)", "print('never')")
    save(good, "import sys", "print(sys.executable)", "from pathlib import Path", "Path.cwd().name")
    assert notebooks.main([str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "a.ipynb" in said and "b.ipynb" in said
    assert "第 2 个单元" in said and "print(x / y)" in said and "ZeroDivisionError" in said
    assert "never" not in said
    assert bad.read_text(encoding="utf-8") == before
    printed = [rules.text_outputs(cell).strip() for cell in notebooks.read(good).cells]
    assert printed == ["", sys.executable, "", "'chapter2'"]
    assert not list(tmp_path.rglob("*.part"))


def test_second_run_changes_nothing(tmp_path: Path):
    path = tmp_path / "chapter3/a.ipynb"
    save(path, "# 标题", "for i in range(300):\n    print(i, flush=True)")
    assert notebooks.main([str(path)]) == 0
    first = path.read_text(encoding="utf-8")
    assert notebooks.main([str(path)]) == 0
    assert path.read_text(encoding="utf-8") == first
    assert len(notebooks.read(path).cells[1].outputs) == 1
    assert notebooks.read(path).metadata == notebooks.METADATA


def test_cell_that_fails_the_second_time_is_found(tmp_path: Path):
    once = build("x = [1]", "# 文字", "print(x.pop())", "print('end')")
    assert rules.text_outputs(notebooks.execute(once, tmp_path).cells[2]) == "1\n"
    with pytest.raises(notebooks.NotebookFailed, match="IndexError") as caught:
        notebooks.execute(notebooks.doubled(once), tmp_path)
    assert "x.pop()" in str(caught.value)
    harmless = notebooks.execute(notebooks.doubled(build("x = [1]", "print(x)")), tmp_path)
    assert [rules.text_outputs(cell) for cell in harmless.cells] == ["", "", "[1]\n", "[1]\n"]
    assert rules.output_problems(harmless) == []


def test_slow_notebook_is_stopped(tmp_path: Path):
    slow = build("import time", "time.sleep(60)")
    with pytest.raises(notebooks.NotebookFailed, match="整本超过 8 秒") as caught:
        notebooks.execute(slow, tmp_path, timeout=8)
    assert "time.sleep(60)" in str(caught.value)


def test_find_sorts_chapters_by_number(tmp_path: Path):
    for name in ("chapter10/a", "chapter2/b", "chapter2/solutions/b_solutions", "other/c"):
        save(tmp_path / f"{name}.ipynb", "x = 1")
    found = [path.relative_to(tmp_path).as_posix() for path in notebooks.find(tmp_path)]
    assert found == [
        "chapter2/b.ipynb",
        "chapter2/solutions/b_solutions.ipynb",
        "chapter10/a.ipynb",
    ]
