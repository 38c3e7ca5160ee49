"""docs/migration.toml 的每一行：旧写法真的如所说，新写法真的运行并得到所写的值；migration.md 与它一致。"""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import commands
import numpy as np
import pytest
import torch as t
import torchvision as tv
from PIL import Image
from repository import ROOT

sys.path.insert(0, str(ROOT / "docs"))
import build_migration  # noqa: E402

sys.path.remove(str(ROOT / "docs"))

ROWS = build_migration.load()


# 表里能用的 train 命令，加上这些选项就只走一步，几秒
SMALL = {
    "chapter6": "--model=SqueezeNet --image-size=32 --batch-size=8 --max-steps=1 --cache-mb=0 --num-workers=0 --val-fold=4",
    "chapter7": "--ngf=8 --ndf=8 --batch-size=4 --max-steps=1 --cache-mb=0 --num-workers=0",
    "chapter8": "--repeat=1 --cache-mb=0 --image-size=64 --style-size=64 --width=4 --batch-size=2 --max-steps=1 --num-workers=0",
    "chapter9": "--author=李白 --embedding-dim=16 --hidden-dim=16 --max-steps=1",
    "chapter10": "--rnn-hidden=16 --embedding-dim=16 --batch-size=8 --max-steps=1 --num-workers=0",
}
# 命令要的东西：表里写到的权重文件（抄自带的），第 8 章的 VGG16（随机的），第 10 章的场景（少画几张）
READY = {
    "chapter6": 'import shutil; shutil.copy("checkpoints/dogcat.pth", "best.pth")',
    "chapter8": """
import torch as t
from data.prepare import save_vgg
from models import VGG16
save_vgg([(t.randn_like(c.weight) * 0.05, t.zeros_like(c.bias)) for block in VGG16().blocks for c in block], (124.0,) * 3, (58.0,) * 3, "random")
""",
    "chapter10": """
import shutil
from pathlib import Path
from data import prepare
shutil.copy("checkpoints/CaptionModel.pth", "caption.pth")
for split in ("train", "val"):
    prepare.render_split(split, Path("runs/scenes"), Path("runs/scenes/images"), 16)
""",
}
# 在抄来的项目文件夹里，一个进程运行它的各条命令，免得每条都导入一遍 torch
RUNNER = """
import contextlib, io, json, runpy, sys
sys.path.insert(0, "")
ready, lines = json.load(sys.stdin)
exec(ready)
results = []
for words in lines:
    sys.argv, said, code = ["main.py", *words], io.StringIO(), 0
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            runpy.run_path("main.py", run_name="__main__")
        except SystemExit as stop:
            code = stop.code or 0
    results.append((code, said.getvalue()))
with open("results.json", "w") as file:
    json.dump(results, file)
"""


@functools.cache
def executed(project: Path) -> dict[str, tuple[int, str]]:
    """表里这个项目的每条命令（只有 train 添上 SMALL）→ (退出码, 说的话)。"""
    lines = {}
    for row in ROWS:
        for side in ("old", "new"):
            if is_command(row[side]) and project_of(row) == project:
                fails = f"{side}_says" in row or side == "old"          # 书中写法都该被拒绝
                small = SMALL[project.name] if row[side].split()[2] == "train" and not fails else ""
                lines[row[side]] = [*shlex.split(row[side])[2:], *small.split()]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, project.name)
        shutil.copytree(project, copy, ignore=shutil.ignore_patterns("runs", "__pycache__", "outputs"))
        done = subprocess.run([sys.executable, "-c", RUNNER], cwd=copy, input=json.dumps([READY.get(project.name, ""), [*lines.values()]]),
                              capture_output=True, encoding="utf-8", timeout=900, env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"})
        assert done.returncode == 0, done.stderr[-3000:]
        return dict(zip(lines, map(tuple, json.loads((copy / "results.json").read_text(encoding="utf-8")))))


def run_command(project: Path, line: str) -> dict:
    """运行这条命令，返回它的选项；它以状态 2 退出时抛出 UserError。"""
    code, said = executed(project)[line]
    if code == 2:
        raise commands.UserError(said)
    assert code == 0, f"{line} 的退出码是 {code}：{said[-2000:]}"
    return commands.parse(project, line)


class Outcome:
    """运行一段代码的结果：末行表达式的值，或抛出的错误，以及其间的警告。"""

    def __init__(self, code: str, names: dict, project: Path | None = None):
        self.value = self.error = None
        with warnings.catch_warnings(record=True) as self.warnings:
            warnings.simplefilter("always")
            try:
                self.value = run_command(project, code) if is_command(code) else execute(code, names)
            except Exception as error:
                self.error = error


def is_command(code: str) -> bool:
    return code.startswith("python main.py ")


def execute(code: str, names: dict):
    """执行；末行是表达式时返回它的值。"""
    tree = ast.parse(code)
    last = ast.Expression(tree.body.pop().value) if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<row>", "exec"), names)
    return eval(compile(last, "<row>", "eval"), names) if last else None


def says(thing: BaseException | warnings.WarningMessage, claim: str) -> bool:
    """claim 是「类型: 消息的一段」；类型就是它本身，不是父类：读者照着它找。"""
    name, _, text = claim.partition(": ")
    kind = thing.category if isinstance(thing, warnings.WarningMessage) else type(thing)
    shown = str(thing.message if isinstance(thing, warnings.WarningMessage) else thing)
    return kind.__name__ == name and text in shown


def same(a, b) -> bool:
    """值与类型都相同；张量还要形状、dtype 相同，小数容许舍入误差。"""
    if isinstance(a, t.Tensor) and isinstance(b, t.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and t.allclose(a.detach(), b.detach())
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        kinds = isinstance(a, list) == isinstance(b, list)
        return kinds and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.generic):
        a = a.item()
    return type(a) is type(b) and a == b


@pytest.fixture(autouse=True)
def restored():
    """有些警告一个进程只说一次，这里让它们每次都说；一行改动的全局设置不带到下一行。"""
    before = t.is_warn_always_enabled()
    t.set_warn_always(True)
    typed_storage = getattr(t.storage, "_warn_typed_storage_removal", None)
    if typed_storage is not None:
        vars(typed_storage).pop("has_warned", None)
    t.manual_seed(0)
    yield
    t.set_warn_always(before)
    t.set_default_dtype(t.float32)
    if t.distributed.is_initialized():
        t.distributed.destroy_process_group()


@pytest.fixture(params=ROWS, ids=lambda row: row["id"])
def row(request):
    row = request.param
    if "needs" in row:
        pytest.importorskip(row["needs"])
    if "absent" in row and importlib.util.find_spec(row["absent"]):
        pytest.skip(f"装了 {row['absent']}")
    return row


def project_of(row: dict) -> Path | None:
    return ROOT / f"chapter{row['project']}" if "project" in row else None


def run(row: dict, side: str, folder: Path) -> tuple[Outcome, dict]:
    names = {"t": t, "nn": t.nn, "F": t.nn.functional, "tv": tv, "T": tv.transforms, "np": np, "Image": Image,
             "Variable": t.autograd.Variable, "Function": t.autograd.Function, "folder": folder,
             "__name__": "row"}
    if "setup" in row:
        exec(compile(row["setup"], "<setup>", "exec"), names)
    return Outcome(row[side], names, project_of(row)), names


def check_values(row: dict, side: str, outcome: Outcome, names: dict) -> None:
    if f"{side}_gives" in row:
        expected = eval(row[f"{side}_gives"], names)
        assert same(outcome.value, expected), f"得到 {outcome.value!r}，写的是 {expected!r}"
    if f"{side}_check" in row:
        assert eval(row[f"{side}_check"], names), row[f"{side}_check"]


def version(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)[:2]))


def test_old(row, tmp_path):
    if version(t.__version__) < version(row.get("since", "0")):
        pytest.skip(f"torch {row['since']} 起才是这样")
    outcome, names = run(row, "old", tmp_path)
    if row["kind"] == "error":
        assert outcome.error is not None and says(outcome.error, row["says"]), repr(outcome.error)
        return
    if outcome.error is not None:
        raise outcome.error
    if row["kind"] == "warning":
        assert any(says(warning, row["says"]) for warning in outcome.warnings), [str(w.message) for w in outcome.warnings]
    check_values(row, "old", outcome, names)


def test_new(row, tmp_path):
    outcome, names = run(row, "new", tmp_path)
    if "new_says" in row:
        assert outcome.error is not None and says(outcome.error, row["new_says"]), repr(outcome.error)
        return
    if outcome.error is not None:
        raise outcome.error
    check_values(row, "new", outcome, names)
    if "needs" not in row:      # 别的包自己的警告不管
        dated = [str(warning.message) for warning in outcome.warnings if "deprecated" in str(warning.message)]
        assert dated == []


# ---------------------------------------------------------------- 数据文件与页面


def test_rows_are_complete():
    assert len(ROWS) >= 60
    assert len({row["id"] for row in ROWS}) == len(ROWS)
    allowed = {"id", "section", "setup", "old", "new", "kind", "says", "new_says", "old_gives", "new_gives",
               "old_check", "new_check", "why", "project", "needs", "absent", "since"}
    for row in ROWS:
        assert set(row) <= allowed, (row["id"], set(row) - allowed)
        assert {"id", "section", "old", "new", "kind", "why"} <= set(row), row["id"]
        assert row["kind"] in build_migration.KINDS, row["id"]
        assert ("says" in row) == (row["kind"] in ("error", "warning")), row["id"]
        assert row["kind"] != "differs" or {"old_gives", "old_check"} & set(row), f"{row['id']} 没有说结果是什么"
        assert row["why"].endswith("。"), row["id"]


def test_rows_are_in_the_order_of_the_book():
    chapters = [build_migration.chapter_of(row) for row in ROWS]
    assert chapters == sorted(chapters)
    assert set(chapters) == set(build_migration.CHAPTERS)


def test_page_is_up_to_date():
    page = (ROOT / "docs/migration.md").read_text(encoding="utf-8")
    assert page == build_migration.render(ROWS), "运行 python docs/build_migration.py"


def test_every_table_line_has_all_cells():
    page = build_migration.render(ROWS)
    lines = [line for line in page.splitlines() if line.startswith("| <a id=")]
    assert len(lines) == len(ROWS)
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {5}


# ---------------------------------------------------------------- 检查本身


@pytest.mark.parametrize("change", [
    {"says": "TypeError: invalid index of a 0-dim tensor"},
    {"says": "LookupError: invalid index of a 0-dim tensor"},           # 它的父类
    {"says": "IndexError: another message"},
    {"kind": "same"},
    {"old": "running_loss += loss.item()"},
])
def test_a_false_claim_about_the_old_line_is_found(change, tmp_path):
    row = next(row for row in ROWS if row["id"] == "loss-data0")
    test_old(row, tmp_path)
    with pytest.raises((AssertionError, IndexError)):
        test_old({**row, **change}, tmp_path)


@pytest.mark.parametrize("line", ["python main.py train --print-freq=10", "python main.py train --plot-every=10"])
def test_a_command_that_does_not_run_is_found(line, tmp_path, monkeypatch):
    """选项都认得还不够：退出码要对。"""
    row = next(row for row in ROWS if row["id"] == "ch6-print-freq")
    side, test = ("old", test_old) if line == row["old"] else ("new", test_new)
    monkeypatch.setattr(sys.modules[__name__], "executed", lambda project: {row[side]: (1, "Traceback: 选项 --print-freq 已改名为 --plot-every")})
    with pytest.raises(AssertionError):
        test(row, tmp_path)


@pytest.mark.parametrize("claim", ["t.tensor([2, 0])", "t.tensor([0.0, 2.0])", "[0, 2]", "t.tensor([[0, 2]])"])
def test_a_false_value_is_found(claim, tmp_path):
    row = next(row for row in ROWS if row["id"] == "byte-index")
    test_new(row, tmp_path)
    with pytest.raises(AssertionError):
        test_new({**row, "new_gives": claim}, tmp_path)


def test_a_new_line_that_is_dated_itself_is_found(tmp_path):
    row = next(row for row in ROWS if row["id"] == "range")
    with pytest.raises(AssertionError, match="deprecated"):
        test_new({**row, "new": row["old"], "new_gives": row["old_gives"]}, tmp_path)
