"""测试共用：仓库在哪，有哪些文件和项目。"""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IGNORED = {".git", ".venv", "my", "runs", "outputs", "__pycache__", ".pytest_cache", ".ruff_cache", ".ipynb_checkpoints"}


def projects() -> list[Path]:
    """有 main.py 的章节文件夹，按章次。"""
    return sorted((path.parent for path in ROOT.glob("chapter*/main.py")), key=lambda path: int(path.name[7:]))


def files() -> list[Path]:
    """仓库里的文件；在 git 克隆里是 git 记录的，否则是文件夹里除生成物以外的。"""
    listing = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                             capture_output=True)
    if listing.returncode == 0 and listing.stdout:
        paths = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if not IGNORED & set(path.relative_to(ROOT).parts)]
    return sorted(path for path in paths if path.is_file())
