"""每题的检查：该拒绝的拒绝，说明有用；该通过的通过，哪怕写法不同。"""

from __future__ import annotations

import subprocess
import sys

import notebooks
import pytest
import run_answers

LESSONS = [path for path in notebooks.find() if run_answers.answers_of(path).exists()]


@pytest.mark.parametrize("chapter", sorted({notebooks.chapter_of(path) for path in LESSONS}))
def test_answers(chapter: int):
    """一章一个进程：各本共用 torch 的导入，又不与别的测试互相影响。"""
    done = subprocess.run([sys.executable, "tests/run_answers.py", f"chapter{chapter}"], cwd=notebooks.ROOT,
                          capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_answer_file_has_a_notebook():
    assert {path.stem for path in LESSONS} == {path.stem for path in run_answers.ANSWERS.glob("*.py")}
