"""自己的副本 my/，和中文读者看到的 JupyterLab：真的浏览器里，每章一本从头运行到尾，不出错，不连外网。"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import notebooks
import pytest
from browser import Browser, find_browser
from repository import ROOT, files

sys.path.insert(0, str(ROOT))
import grade  # noqa: E402
import lab  # noqa: E402

SHORT = ("chapter2/2.2_first_steps", "chapter3/3.1.5_linear_regression", "chapter4/4.7_nn_and_autograd",
         "chapter5/5.1a_dataset")
# my/ 与 README 里说的一样在仓库里，只是换个名字：这里不动读者的
START = "import sys, pathlib; sys.path.insert(0, sys.argv[1]); import lab\nraise SystemExit(lab.main(sys.argv[3:], pathlib.Path(sys.argv[2])))"


@pytest.fixture
def copy():
    """一份刚补齐的副本，在仓库里 git 不管的地方。"""
    folder = ROOT / "outputs" / f"my-{os.getpid()}"
    lab.fill(folder)
    yield folder
    shutil.rmtree(folder)


def test_the_copy_has_every_notebook_and_what_they_use(copy):
    for path in files():
        name = path.relative_to(ROOT)
        if name.parts[0].startswith("chapter") or name.parts[0] in {"data", "docs"} or name.name == "README.md":
            twin = copy / name
            assert twin.read_bytes() == path.read_bytes(), name
            own = name.suffix == ".ipynb"
            assert (twin.resolve() == path.resolve()) != own, name      # 笔记本是副本，其余是链接


def test_answers_are_never_overwritten(copy):
    mine, other = (copy / "chapter3" / f"{name}.ipynb" for name in ("3.1.3_storage", "3.1.2_numpy_and_broadcasting"))
    mine.write_text("我的答案", encoding="utf-8")
    other.unlink()
    (copy / "chapter3" / "old.py").symlink_to("../../gone.py")
    (copy / "chapter3" / "notes.md").write_text("笔记", encoding="utf-8")
    assert lab.fill(copy) == 1                                  # 删去的那一本重新抄来
    assert mine.read_text(encoding="utf-8") == "我的答案"
    assert (copy / "chapter3" / "notes.md").read_text(encoding="utf-8") == "笔记"
    assert other.read_bytes() == (ROOT / "chapter3" / other.name).read_bytes()


def test_a_link_to_a_file_that_moved_is_made_again(copy):
    (copy / "chapter3" / "checks.py").unlink()
    (copy / "chapter3" / "checks.py").symlink_to("../../gone/checks.py")
    assert lab.fill(copy) == 0
    assert (copy / "chapter3" / "checks.py").samefile(ROOT / "chapter3" / "checks.py")


@pytest.fixture
def small(tmp_path, monkeypatch):
    """一个小仓库，代替这个仓库；返回它的副本该在的地方。"""
    monkeypatch.setattr(lab, "ROOT", tmp_path / "book")
    for name in ("chapter2/1.ipynb", "chapter2/checks.py", "chapter3/main.py", "data/a.txt"):
        (lab.ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (lab.ROOT / name).write_text(name, encoding="utf-8")
    return lab.ROOT / "my"


def test_a_chapter_gets_its_first_notebook(small):
    assert lab.fill(small) == 1 and (small / "chapter3").is_symlink()
    (lab.ROOT / "chapter3" / "2.ipynb").write_text("新的", encoding="utf-8")
    assert lab.fill(small) == 1
    assert not (small / "chapter3").is_symlink() and not (small / "chapter3" / "2.ipynb").is_symlink()
    assert (small / "chapter3" / "main.py").samefile(lab.ROOT / "chapter3" / "main.py")


def test_without_links_files_are_copied(small, monkeypatch):
    def refused(*_, **__):
        raise OSError("客户端没有所需的特权")                     # Windows 的普通用户

    monkeypatch.setattr(Path, "symlink_to", refused)
    assert lab.fill(small) == 1
    assert lab.fill(small) == 0
    for name in ("chapter2/1.ipynb", "chapter2/checks.py", "chapter3/main.py", "data/a.txt"):
        assert (small / name).read_text(encoding="utf-8") == name


def test_what_cannot_be_filled_is_told_in_one_line(small, capsys):
    small.write_text("不是文件夹", encoding="utf-8")
    assert lab.main(["--copy-only"], small) == 2
    said = capsys.readouterr().err
    assert said.startswith("没能补齐 my/") and said.count("\n") == 1


def test_git_leaves_the_copy_alone():
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("不是 git 克隆")
    done = subprocess.run(["git", "check-ignore", "-q", "my/chapter3/3.1.3_storage.ipynb"], cwd=ROOT)
    assert done.returncode == 0


def test_the_copy_can_be_graded(copy):
    known = {grade.heading(notebooks.read(path)): path for path in grade.lessons()}
    for path in (copy / "chapter3").glob("*.ipynb"):
        assert grade.read_copy(str(path), known)[1] == ROOT / "chapter3" / path.name


# ---------------------------------------------------------------- 服务器、浏览器


@pytest.fixture
def server(copy, tmp_path):
    """读着这份副本的 JupyterLab，返回它的地址。"""
    if find_browser() is None:
        pytest.skip("没有装 Chromium 或 Chrome")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [f"--port={port}", "--ServerApp.port_retries=0", "--no-browser", "--allow-root", "--ip=127.0.0.1",
               "--IdentityProvider.token=", "--expose-app-in-browser"]
    home = {name: str(tmp_path / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    log = tmp_path / "server.log"
    with open(log, "w", encoding="utf-8") as stream:
        process = subprocess.Popen([sys.executable, "-c", START, str(ROOT), str(copy), *options],
                                   env={**os.environ, **home}, stdout=stream, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.2)
    else:
        process.kill()
        pytest.fail("JupyterLab 没有启动：" + log.read_text(encoding="utf-8")[-1500:])
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(60)


def outside(page: Browser, address: str) -> list[str]:
    """连到别处的地址，包括 websocket 的。"""
    sockets = [event["params"]["url"] for event in page.events if event.get("method") == "Network.webSocketCreated"]
    allowed = (address, address.replace("http", "ws"), "data:", "blob:", "about:")
    return [url for url in page.requested() + sockets if not url.startswith(allowed)]


def test_a_chinese_reader_runs_a_notebook_of_each_chapter(server, copy, tmp_path):
    with Browser(find_browser(), tmp_path / "profile", (1280, 900), timeout=900) as page:
        start = f"{server}/lab/tree/{copy.relative_to(ROOT).as_posix()}"
        page.call("Emulation.setFocusEmulationEnabled", enabled=True)      # 没有焦点，JupyterLab 不知道当前是哪一页
        page.open(f"{start}/README.md")
        page.wait_for("document.querySelectorAll('.jp-MarkdownViewer table a').length > 0")       # README，已经排好版
        menus = page.evaluate("[...document.querySelectorAll('.lm-MenuBar-itemLabel')].map(item => item.innerText)")
        assert menus[:5] == ["文件", "编辑", "查看", "运行", "内核"]
        picture = "document.querySelector('.jp-MarkdownViewer img[src*=results]')"
        page.wait_for(f"{picture}.naturalWidth > 0")
        for name in SHORT:
            path = f"{copy.relative_to(ROOT).as_posix()}/{name}.ipynb"
            page.evaluate(f"jupyterapp.commands.execute('docmanager:open', {{path: {json.dumps(path)}}}), 0")
            page.wait_for(f"(window.lesson = jupyterapp.shell.currentWidget)?.context?.path == {json.dumps(path)}"
                          " && lesson.sessionContext.session?.kernel?.status == 'idle'")
            page.evaluate("window.ran = false,"
                          "jupyterapp.commands.execute('notebook:run-all-cells').finally(() => window.ran = true), 0")
            page.wait_for("window.ran")
            cells = page.evaluate("""lesson.content.model.sharedModel.cells
                .filter(cell => cell.cell_type == 'code' && cell.source.trim())
                .map(cell => [cell.execution_count, cell.outputs.map(output => output.output_type)])""")
            assert [count for count, _ in cells] == list(range(1, len(cells) + 1)), name     # 每个单元都运行了
            assert not any("error" in kinds for _, kinds in cells), name
        assert outside(page, server) == []
        assert not any("/lab/api/news" in url or "/lab/api/update" in url for url in page.requested())
