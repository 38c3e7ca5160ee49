"""accelerator.py：没有卡，拿 CPU 与它自己比，每一行都走到；出错的项目说得出，不漏出路径。"""

import json
import subprocess
import sys

import pytest
from accelerator import (
    DIFFERENT,
    PROJECTS,
    SAME,
    SKIPPED,
    Row,
    Trial,
    anonymous,
    guarded_notebooks,
    try_project,
)
from repository import ROOT

SCRIPT = ROOT / "tests/accelerator.py"


def run(*words, cwd):
    return subprocess.run([sys.executable, str(SCRIPT), *map(str, words)], cwd=cwd, capture_output=True, encoding="utf-8", timeout=900)


def test_every_row_of_every_project_on_the_cpu(tmp_path):
    done = run("--device=cpu", "--steps=4", "--batch-size=4", *PROJECTS, "torchrun", ROOT / "chapter2/2.2_first_steps.ipynb", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "accelerator.json").read_text(encoding="utf-8"))
    rows = [Row(**row) for row in report["rows"]]
    ready = {name: not project.needs or (ROOT / name / project.needs).is_file() for name, project in PROJECTS.items()}
    assert [row.where for row in rows] == [name for name in PROJECTS for _ in range(7 if ready[name] else 2)] + ["torchrun", "笔记本"]
    skipped = [row for row in rows if row.outcome != SAME]
    assert {row.outcome for row in skipped} == {SKIPPED} and {row.what for row in skipped} <= {"一步里等卡几次", "训练"}      # 前者只在 CUDA 上数得清
    assert all(row.figures["item"] > 0 for row in skipped if row.what == "一步里等卡几次")
    assert [row.where for row in skipped if row.what == "训练"] == [name for name in PROJECTS if not ready[name]]
    for row in rows:                                                                  # CPU 与自己逐位相同
        assert row.figures.get("gradient", [0])[0] == row.figures.get("resumed", 0) == row.figures.get("grey_levels", 0) == 0, row
        assert row.where != "chapter10" or row.what != "generate" or row.figures["lines"] > 30
    text = json.dumps(report, ensure_ascii=False)
    assert str(ROOT) not in text and str(tmp_path) not in text and "accelerator-" not in text


def test_a_broken_project_is_a_row_without_paths(tmp_path):
    broken = tmp_path / "chapter9"
    broken.mkdir()
    (broken / "main.py").write_text("raise OSError(f'打不开 {__file__}')", encoding="utf-8")
    row, = try_project("chapter9", "cpu", 1, 0, tmp_path)
    assert (row.outcome, row.said) == (DIFFERENT, "OSError: 打不开 …")
    assert anonymous("Traceback\n  File x\nFileNotFoundError: 'D:\\书\\a.txt' 没有\n\n") == "FileNotFoundError: '…' 没有"
    assert anonymous("") == "没有说原因"


@pytest.mark.parametrize("losses, outcome", [
    ([{"loss": 2.001}, {"loss": 9.0}], SAME),                   # 只比第一步：后面的会越差越远
    ([{"loss": 2.02}, {"loss": 1.5}], DIFFERENT),
    ([{"loss": 2.0}, {"loss": float("nan")}], DIFFERENT),
])
def test_losses_that_differ_are_seen(losses, outcome):
    trial = object.__new__(Trial)
    trial.name = "chapter9"
    plain = {"losses": [{"loss": 2.0}, {"loss": 1.5}]}
    assert trial.compare_losses("训练", plain, {"losses": losses}, 1e-3).outcome == outcome


def test_the_notebooks_with_cells_for_a_card():
    names = {path.stem for path in guarded_notebooks()}
    assert {"5.4_devices", "5.6_faster_training", "3.1.4_vectorization", "2.2_first_steps"} <= names
    assert "3.2.2_graph" not in names           # 只在开头定 device
