"""打开 JupyterLab，读和写都在自己的副本 my/ 里。

    python lab.py                        # 补齐 my/，打开 JupyterLab；其余选项原样交给它，如 --no-browser --port=9000
    python lab.py --copy-only            # 只补齐 my/，不打开

my/ 里的笔记本是副本，随便改；数据、README、程序是指回仓库的链接，笔记本里的相对路径照样能用。git 不管 my/，
git pull 碰不到里面的答案。已经有的一概不动，只添还没有的：要重做某一本，在 my/ 里把它删去或改名，再运行一次。
界面是中文的、先打开 README、不弹新闻，这些默认设置在 docs/lab/，在 JupyterLab 的设置里可以改。
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
MY = ROOT / "my"
CONFIG = ROOT / "docs" / "lab"
GENERATED = {"my", "outputs", "runs", "__pycache__"}


def fill(folder: Path = MY) -> int:
    """补齐自己的副本，返回新添了几本笔记本。已经有的文件一概不动。"""
    count = 0
    for path in visible(ROOT):
        mine = folder / path.name
        if not (path.is_dir() and any(path.glob("*.ipynb"))):
            link(path, mine)
            continue
        if mine.is_symlink():                                       # 这一章从前没有笔记本，整个是链接
            mine.unlink()
        for inner in visible(path):
            if inner.name == "solutions":                           # 答案也有人会改
                count += sum(copy(answer, mine / "solutions" / answer.name) for answer in inner.glob("*.ipynb"))
            elif inner.suffix == ".ipynb":
                count += copy(inner, mine / inner.name)
            else:
                link(inner, mine / inner.name)
    return count


def visible(folder: Path) -> list[Path]:
    """文件夹里属于仓库的：不是隐藏的，也不是运行时生成的。"""
    return sorted(path for path in folder.iterdir() if path.name[0] != "." and path.name not in GENERATED)


def copy(source: Path, target: Path) -> bool:
    """抄一份，已有就不动；先写临时文件再改名，中断也不会留下半本。"""
    if os.path.lexists(target):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".part")
    shutil.copyfile(source, partial)
    os.replace(partial, target)
    return True


def link(source: Path, target: Path) -> None:
    """指回仓库的相对链接；仓库里已经没有了的旧链接换掉。没有权限建链接（Windows）就抄一份。"""
    if target.is_symlink() and not target.exists():
        target.unlink()
    if os.path.lexists(target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.symlink_to(os.path.relpath(source, target.parent), target_is_directory=source.is_dir())
    except OSError:
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns(*GENERATED))
        else:
            shutil.copyfile(source, target)


def main(arguments: list[str], folder: Path = MY) -> int:
    try:
        if added := fill(folder):
            print(f"新抄了 {added} 本笔记本到 {folder.name}/，那里的由你改，git 不管。", flush=True)
        if "--copy-only" in arguments:
            return 0
        # 加在读者自己的配置之前，不替换它：密码之类照旧
        os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(
            [str(CONFIG), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])])
        from jupyterlab.labapp import main as jupyter
    except OSError as error:
        print(f"没能补齐 {folder.name}/：{error}", file=sys.stderr)
        return 2
    except ImportError:
        print("没有安装 JupyterLab，见 requirements.txt", file=sys.stderr)
        return 2
    # 根是仓库而不是 my/：链接指到根以外的文件，服务器不给
    sys.argv = ["jupyter-lab", f"--ServerApp.root_dir={ROOT}", f"--ServerApp.preferred_dir={folder}",
                str(folder / "README.md"), *arguments]
    return jupyter() or 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
