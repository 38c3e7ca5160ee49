"""老师用的 grade.py：批改一份副本，列出练习；用法不对只说一句话。"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import notebook_rules as rules
import notebooks
import pytest

sys.path.insert(0, str(notebooks.ROOT))
import grade  # noqa: E402

LESSON = notebooks.ROOT / "chapter3/3.1.2_numpy_and_broadcasting.ipynb"


def student_copy(folder: Path, **answers: str) -> Path:
    """把第 N 题的 answer_N 写成给定的源码，存成改了名字的副本。"""
    notebook = notebooks.read(LESSON)
    for cell in notebook.cells:
        for name, source in answers.items():
            lines = cell.source.splitlines()
            cell.source = "\n".join(f"{name} = {source}" if line.startswith(f"{name} = ") else line for line in lines)
    path = folder / "张三 的作业.ipynb"
    notebooks.write(notebook, path)
    return path


def test_copy_is_graded(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = student_copy(tmp_path, answer_1="[True, True, False, False, True, False]",
                        answer_2="lambda images, mean, std: (images - mean) / std", answer_3="lambda labels: (", answer_4="1 / 0")
    notebook = notebooks.read(path)
    last = next(cell for cell in notebook.cells if "def check_5" in cell.source)
    last.source = "answer_5 = 'cheat'\ndef check_5(answer):\n    return None\n\nprint('正确')"  # 检查改松了
    notebooks.write(notebook, path)
    before = path.read_bytes()
    assert grade.main([str(path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("（chapter3/3.1.2_numpy_and_broadcasting.ipynb）") and "张三" in lines[0]
    assert lines[1] == "  1  正确"
    assert "均值对到宽" in lines[2]
    assert "SyntaxError" in lines[3] and "ZeroDivisionError" in lines[4]
    assert lines[5].startswith("  5  检查时出错：TypeError")
    assert lines[6] == "  5 题里 1 题正确"
    assert path.read_bytes() == before


def test_every_exercise_is_listed(capsys: pytest.CaptureFixture[str]):
    assert grade.main(["--list"]) == 0
    listed = capsys.readouterr().out
    for path in grade.lessons():
        found = grade.statements(notebooks.read(path))
        asked = rules.checkers(notebooks.read(path)).keys() - {"grade"}
        assert sorted(found) == sorted(int(name[6:]) for name in asked), path.name
        assert str(path.relative_to(notebooks.ROOT)) in listed
        assert all(statement in listed for statement in found.values())
    assert grade.main(["--list", "chapter3/"]) == 0
    listed = capsys.readouterr().out
    assert "chapter3/3.1.2" in listed and "chapter4" not in listed


@pytest.mark.parametrize(("arguments", "expected"), [
    (["no.ipynb"], "没有文件 no.ipynb"),
    (["--lsit"], "没有选项 --lsit"),
    (["--list", "chapter9"], "没有 chapter9"),
    (["broken.ipynb"], "不是笔记本"),
    (["other.ipynb"], "认不出"),
    ([str(notebooks.solution_of(LESSON))], "认不出"),
])
def test_bad_input_gets_one_line(arguments: list[str], expected: str, tmp_path: Path):
    (tmp_path / "broken.ipynb").write_text('{"cells": [', encoding="utf-8")
    (tmp_path / "other.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', encoding="utf-8")
    done = subprocess.run([sys.executable, str(notebooks.ROOT / "grade.py"), *arguments], cwd=tmp_path,
                          capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 2 and done.stdout == ""
    assert expected in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_reader_that_has_seen_enough():
    """python grade.py --list | head：不必显示调用栈。"""
    process = subprocess.Popen([sys.executable, str(notebooks.ROOT / "grade.py"), "--list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert b"Traceback" not in process.stderr.read()
    assert process.wait() == 141
