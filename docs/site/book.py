"""网站的目录：仓库里有哪些笔记本和 README，照书的次序。不用 Sphinx，测试总能核对。"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def section(path: Path) -> tuple[list[int], str]:
    """笔记本按节号排：2.2 在 2.2.4 之前，3.1.1a 在 3.1.1b 之前。"""
    number = path.name.partition("_")[0]
    return [int(n) for n in re.findall(r"\d+", number)], number


def names(folder: Path, pattern: str) -> list[str]:
    return [path.relative_to(ROOT).with_suffix("").as_posix() for path in sorted(folder.glob(pattern), key=section)]


def contents(page: str) -> list[str]:
    """目录里排在这一页之下的各页；页的名字是相对仓库的路径，不带后缀。"""
    if page == "README":
        chapters = sorted(ROOT.glob("chapter*/README.md"), key=lambda path: int(path.parent.name[7:]))
        return [f"{path.parent.name}/README" for path in chapters] + names(ROOT / "docs", "*.md") + ["data/README", "README.en"]
    if re.fullmatch(r"chapter\d+/README", page):
        folder = ROOT / Path(page).parent
        return names(folder, "*.ipynb") + names(folder, "data/README.md")
    return []


def solutions(page: str) -> list[str]:
    """一章的答案，列在那一章 README 的末尾，不进目录。"""
    is_chapter = re.fullmatch(r"chapter\d+/README", page)
    return names(ROOT / Path(page).parent, "solutions/*.ipynb") if is_chapter else []


def everything(page: str = "README") -> list[str]:
    """目录里的全部页，从头读到尾的次序。"""
    return [page] + [name for child in contents(page) for name in everything(child)]
