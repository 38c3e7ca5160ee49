"""笔记本的规矩：每个函数检查一方面，返回问题的列表，没有问题则为空。"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from nbformat import NotebookNode
from notebooks import METADATA, code_cells

MAX_BYTES = 600_000
MAX_LINES = {"lesson": 30, "solution": 40}  # 解答的单元里还有检查函数，容许长一些
# 魔术命令、!命令、对象?，以及 result = %timeit -o …
MAGIC = re.compile(r"^([ \t]*(?:[\w, ]+=[ \t]*)?)(?:[%!?].*|[\w.]+\?{1,2}[ \t]*)$", flags=re.M)
MACHINE_PATH = re.compile(r"/(?:home|root|work|tmp|Users)/|C:\\+Users|(?:site|dist)-packages")


def text_of(output: NotebookNode) -> str:
    """一个输出里能读到的文字；不含图片。"""
    if output.output_type == "stream":
        return output.text
    if output.output_type == "error":
        return "\n".join([output.ename, output.evalue, *output.traceback])
    return "\n".join(str(value) for kind, value in output.data.items() if "image/" not in kind)


def text_outputs(cell: NotebookNode) -> str:
    return "\n".join(text_of(output) for output in cell.outputs)


def output_problems(notebook: NotebookNode) -> list[str]:
    """存下来的输出：齐全、按序、没有错误与 stderr、没有本机路径、没有控件。"""
    problems = []
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        problems.append(f"单元不是从头到尾执行一遍的结果，执行序号为 {counts}")
    if "widgets" in notebook.metadata:
        problems.append("含有控件状态")
    for number, cell in enumerate(code_cells(notebook), 1):
        for output in cell.outputs:
            kind, text = output.output_type, text_of(output)
            if kind == "error":
                problems.append(f"单元 [{number}] 的输出是错误 {output.ename}")
            if kind == "stream" and output.name == "stderr":
                problems.append(f"单元 [{number}] 写了 stderr：{text.strip()[:80]}")
            if found := MACHINE_PATH.search(text):
                problems.append(f"单元 [{number}] 的输出含本机路径：{text[found.start() :][:60]}")
            if any("widget" in mime for mime in output.get("data", {})):
                problems.append(f"单元 [{number}] 的输出是控件")
    return problems


def structure_problems(notebook: NotebookNode, *, lesson: bool) -> list[str]:
    """写法：元数据干净、单元不长；lesson（供阅读的章节笔记本）还要有版本、小结与练习。"""
    problems = []
    longest = MAX_LINES["lesson" if lesson else "solution"]
    if notebook.metadata.get("language_info") != METADATA["language_info"]:
        problems.append("language_info 含有随机器变化的内容，请用 make notebooks 执行")
    cells = code_cells(notebook)
    for number, cell in enumerate(cells, 1):
        if "execution" in cell.metadata:
            problems.append(f"单元 [{number}] 记录了执行时间")
        if (lines := len(cell.source.splitlines())) > longest:
            problems.append(f"单元 [{number}] 有 {lines} 行，超过 {longest} 行")
    if lesson:
        if not cells or not re.search(r"\d+\.\d+", text_outputs(cells[0])):
            problems.append("第一个代码单元没有打印版本")
        prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        for heading in ("小结", "练习"):
            if not re.search(rf"^#+ .*{heading}", prose, flags=re.M):
                problems.append(f"没有「{heading}」标题")
    return problems


def silent_problems(notebook: NotebookNode) -> list[str]:
    """练习以前的单元若在最外层有断言，就要有输出：读者应看见它证明的东西，而不只是没有报错。"""
    problems, number = [], 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            if re.search(r"^#+ .*练习", cell.source, flags=re.M):
                break
        elif cell.source.strip():
            number += 1
            asserts = [node for node in ast.parse(MAGIC.sub(r"\1None", cell.source)).body if isinstance(node, ast.Assert)]
            if asserts and not cell.outputs:
                problems.append(f"单元 [{number}] 只有断言，什么也没有显示")
    return problems


def trees(notebook: NotebookNode) -> Iterator[tuple[NotebookNode, ast.Module, str]]:
    """逐个代码单元给出 (单元, 语法树, 去掉魔术命令的源码)。"""
    for cell in code_cells(notebook):
        source = MAGIC.sub(r"\1None", cell.source)
        try:
            yield cell, ast.parse(source), source
        except SyntaxError:
            if not cell.source.lstrip().startswith("%%"):  # %%writefile 之类的单元不是 Python
                raise


def checkers(notebook: NotebookNode) -> dict[str, str]:
    """各个 check_N 的源码，和键 "grade"：从 checks.py 导入的名字；项目的文件夹要能单独拿走，那里的笔记本自己写一个，就是它的源码。"""
    found = {}
    for _, tree, source in trees(notebook):
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and re.fullmatch(r"grade|check_\d+", node.name):
                found[node.name] = ast.get_source_segment(source, node) or ""
            if isinstance(node, ast.ImportFrom) and node.module == "checks" and "grade" in {alias.name for alias in node.names}:
                found["grade"] = ", ".join(sorted(alias.name for alias in node.names))
    return found


def exercise_problems(notebook: NotebookNode) -> list[str]:
    """读者的笔记本：练习从 1 连续编号，每题都留空、都打印「未完成」。"""
    found = checkers(notebook)
    names = sorted(found.keys() - {"grade"}, key=lambda name: int(name[6:]))
    if "grade" not in found or not names:
        return ["没有 grade（from checks import grade），或没有 check_N 函数"]
    problems = []
    if names != [f"check_{n}" for n in range(1, len(names) + 1)] or not 3 <= len(names) <= 6:
        problems.append(f"练习应为 3 到 6 题、从 1 连续编号，现在是 {names}")
    shown = [(ast.unparse(tree), text_outputs(cell)) for cell, tree, _ in trees(notebook)]
    for name in names:
        call = f"grade({name}, answer_{name[6:]})"
        said = [output for source, output in shown if call in source]
        if not said or "未完成" not in said[-1]:
            problems.append(f"{call} 没有打印「未完成」")
    return problems


def solution_problems(lesson: NotebookNode, solution: NotebookNode) -> list[str]:
    """解答：检查函数与题目一字不差；每题断言答案正确，并断言一个错误答案不被放过。"""
    problems, asked, used = [], checkers(lesson), checkers(solution)
    for name in asked.keys() | used.keys():
        if asked.get(name) != used.get(name):
            problems.append(f"{name} 与题目里的不同")
    proved = {kind for _, tree, _ in trees(solution) for kind in map(assertion, ast.walk(tree))}
    for name in sorted(asked.keys() - {"grade"}):
        if (name, True) not in proved:
            problems.append(f'没有断言 grade({name}, answer_{name[6:]}) == "正确"')
        if (name, False) not in proved:
            problems.append(f"没有断言 {name} 能识别一个错误答案")
    return problems


def assertion(node: ast.AST) -> tuple[str, bool] | None:
    """认出两种断言，返回 (check_N, 是否断言为正确)：

    assert grade(check_N, answer_N) == "正确"；
    assert grade(check_N, 别的) not in ("正确", …)，或 != "正确"。
    """
    match node:
        case ast.Assert(
            test=ast.Compare(
                left=ast.Call(func=ast.Name(id="grade"), args=[ast.Name(id=check), answer]),
                ops=[relation],
                comparators=[expected],
            )
        ):
            named = isinstance(answer, ast.Name) and answer.id == f"answer_{check[6:]}"
            right = "正确" in ast.unparse(expected)
            if named and right and isinstance(relation, ast.Eq):
                return check, True
            if not named and right and isinstance(relation, (ast.NotIn, ast.NotEq)):
                return check, False
    return None
