"""每个项目文件夹都能独立存在：抄到别处，自己的测试照样通过。"""

import filecmp
import json
import os
import shutil
import subprocess
import sys

import pytest
from repository import ROOT, projects

ORIGINAL = ROOT / "chapter6" / "utils"


@pytest.mark.parametrize("project", projects(), ids=lambda path: path.name)
def test_copied_alone_it_passes_its_own_tests(project, tmp_path):
    copy = tmp_path / project.name
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns("runs", "__pycache__", "outputs"))
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "tests", "-p", "no:cacheprovider"], cwd=copy,
                          env=environment, capture_output=True, encoding="utf-8", timeout=1800)
    print(done.stdout[-6000:])
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@pytest.mark.parametrize("project", projects(), ids=lambda path: path.name)
def test_utils_are_exact_copies(project):
    names = sorted(path.name for path in ORIGINAL.glob("*.py"))
    assert sorted(path.name for path in (project / "utils").glob("*.py")) == names
    _, different, missing = filecmp.cmpfiles(ORIGINAL, project / "utils", names, shallow=False)
    assert not different + missing, "运行 make sync-utils"
    copy = project / "data/pictures.py"
    assert not copy.exists() or filecmp.cmp(copy, ROOT / "chapter6/data/pictures.py", shallow=False), "运行 make sync-utils"


@pytest.mark.parametrize("project", projects(), ids=lambda path: path.name)
def test_pages_share_what_is_not_their_own(project):
    """各网页自己的只有 web.py，六十行以内，读得完。"""
    _, different, missing = filecmp.cmpfiles(ROOT / "chapter6", project, ["page.py", "requirements-web.txt"], shallow=False)
    assert not different + missing, "运行 make sync-utils"
    assert filecmp.cmp(project / "requirements-web.txt", ROOT / "requirements-web.txt", shallow=False)
    assert len((project / "web.py").read_text(encoding="utf-8").splitlines()) <= 60
    assert 0 < (project / "checkpoints/web.webp").stat().st_size < 120_000         # README 里的截图


@pytest.mark.parametrize("name", ["helpers.py", "test_reliability.py"])
@pytest.mark.parametrize("project", projects(), ids=lambda path: path.name)
def test_the_same_faults_are_tried_everywhere(project, name):
    """各项目自己的只有 faults.py。"""
    assert filecmp.cmp(project / "tests" / name, ROOT / "chapter6/tests" / name, shallow=False), "运行 make sync-utils"


@pytest.mark.parametrize("project", projects(), ids=lambda path: path.name)
def test_option_table_equals_config(project):
    code = "from config import Config; import json; print(json.dumps(Config.describe()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, encoding="utf-8",
                          env={**os.environ, "PYTHONIOENCODING": "utf-8"}, check=True)
    rows = ["| `--{}` | `{}` | {} |".format(name.replace("_", "-"), default, comment.replace("|", "\\|"))
            for name, default, comment in json.loads(done.stdout)]
    text = (project / "README.md").read_text(encoding="utf-8")
    shown = [line for line in text.splitlines() if line.startswith("| `--")]
    assert shown == rows, "README 的选项表与 config.py 不符，应为：\n" + "\n".join(rows)


@pytest.mark.parametrize("project", projects(), ids=lambda path: path.name)
def test_skeleton_is_complete(project):
    expected = ["README.md", "requirements.txt", "config.py", "main.py", "demo.txt", "benchmark.py",
                "models/__init__.py", "data/prepare.py", "data/README.md", "checkpoints", "tests"]
    assert [name for name in expected if not (project / name).exists()] == []
    weights = [path for path in (project / "checkpoints").iterdir() if path.suffix == ".pth"]
    assert all(path.with_suffix(".json").exists() for path in weights)


def test_a_demo_finds_every_project():
    assert [path.name for path in projects()] == sorted(
        (path.parent.name for path in ROOT.glob("chapter*/demo.txt")), key=lambda name: int(name[7:]))
