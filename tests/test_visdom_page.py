"""visdom 的网页：脚本清单与 visdom 自己的一致；不连外网，真的浏览器里看得到真的训练画出的曲线。"""

from __future__ import annotations

import ast
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from browser import Browser, find_browser
from repository import ROOT
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

HELPER = ROOT / "tests" / "visdom_page.py"
STEPS, EVERY = 60, 6
PLOTS = """[...document.querySelectorAll('.js-plotly-plot')].map(plot => ({
    title: plot.layout.title.text ?? plot.layout.title, x: [...plot.data[0].x], y: [...plot.data[0].y]}))"""
# main.py 总是连 8097；这里把 Visualizer 的默认端口换成测试用的，其余与平时的训练一样
TRAIN = """
import runpy, sys
from utils.visualize import Visualizer
defaults = Visualizer.__init__.__defaults__
assert defaults[-1] == 8097
Visualizer.__init__.__defaults__ = (*defaults[:-1], int(sys.argv.pop(1)))
runpy.run_path("main.py", run_name="__main__")
"""


def need(condition: object, reason: str) -> None:
    """读者的机器上缺什么就跳过；CI 里什么都应当齐备。"""
    if not condition:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONIOENCODING": "utf-8", "NO_PROXY": "localhost,127.0.0.1"}


@pytest.fixture(scope="module")
def helper():
    """tests/visdom_page.py 本身。它用到仓库根的 data 包，别的测试也有叫 data 的包，读完即还原。"""
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "data"}
    path = list(sys.path)
    try:
        import visdom_page
    finally:
        sys.path[:] = path
        for name in [name for name in sys.modules if name.split(".")[0] == "data"]:
            del sys.modules[name]
        sys.modules.update(before)
    return visdom_page


def wanted_by_visdom(build: Path) -> set[str]:
    """从 visdom/server/build.py 里读出它要下载哪些文件，相对 static/。"""
    tree = ast.parse(build.read_text(encoding="utf-8"))
    assigned = {node.targets[0].id: node.value for node in ast.walk(tree)
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)}
    names = [value.value for value in assigned["ext_files"].values]
    kinds = {".js": "js", ".map": "js", ".css": "css"}
    files = {f"{kinds.get(Path(name).suffix, 'fonts')}/{name}" for name in names}
    version = assigned.get("mathjax_version", ast.Constant("2.7.5")).value
    return files | {f"js/mathjax/{version}/{item.value.partition('?')[0]}"
                    for item in assigned["mathjax_path"].elts}


def test_the_list_is_what_visdom_asks_for(helper):
    version, static = helper.installed()
    if version not in helper.FILES:
        pytest.skip(f"清单里没有 visdom {version}")
    assert set(helper.FILES[version]) == wanted_by_visdom(static.parent / "server" / "build.py")


def test_every_package_has_a_checksum_and_is_used(helper):
    used = {spec for files in helper.FILES.values() for spec, _ in files.values()}
    assert used == set(helper.SHA256)


def test_nothing_is_marked_complete_after_a_failure(helper, tmp_path, monkeypatch, capsys):
    def broken(package, folder):
        raise helper.BuildError(f"npm 没能取到 {package.spec}：连不上")

    monkeypatch.setattr(helper, "installed", lambda: ("0.2.4", tmp_path))
    monkeypatch.setattr(helper, "fetch", broken)
    assert helper.main(["--fetch-only"]) == 2
    said = capsys.readouterr().out
    assert "没能取到" in said and "tensorboard" in said and said.count("\n") == 1
    assert not (tmp_path / "version.built").exists()


def test_an_unknown_version_is_refused(helper, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(helper, "installed", lambda: ("9.9", tmp_path))
    assert helper.main(["--fetch-only"]) == 2
    assert "visdom 9.9" in capsys.readouterr().out


# ---------------------------------------------------------------- 服务器、训练、浏览器


@pytest.fixture(scope="module")
def scripts():
    """visdom 的网页脚本已经就位。"""
    done = subprocess.run([sys.executable, str(HELPER), "--fetch-only"], env=environment(),
                          capture_output=True, encoding="utf-8", timeout=600)
    need(done.returncode == 0, done.stdout.strip() or done.stderr.strip()[-300:])


@pytest.fixture
def server(scripts, tmp_path):
    """在空闲端口启动的 visdom 服务器，返回端口。"""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["-port", str(port), "-env_path", str(tmp_path / "env"), "-bind_local"]
    log = tmp_path / "server.log"
    with open(log, "w", encoding="utf-8") as stream:
        process = subprocess.Popen([sys.executable, str(HELPER), *options], env=environment(),
                                   stdout=stream, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.2)
    else:
        process.kill()
        pytest.fail("visdom 没有启动：" + log.read_text(encoding="utf-8")[-1500:])
    yield port
    process.terminate()
    process.wait(30)


def scalars(folder: Path, name: str) -> tuple[list[int], list[float]]:
    events = EventAccumulator(str(folder))
    events.Reload()
    return [e.step for e in events.Scalars(name)], [e.value for e in events.Scalars(name)]


def train_poet(port: int, folder: Path) -> Path:
    """第9章的 main.py train 走几步，画到这个端口；返回它写事件的文件夹。"""
    shutil.copytree(ROOT / "chapter9", folder, ignore=shutil.ignore_patterns("runs", "__pycache__"))
    data = ["--author=王维", "--constrain=5", "--batch-size=16"]
    network = ["--hidden-dim=128", "--embedding-dim=64", "--num-layers=1", "--lr=1e-2", "--warmup-steps=5"]
    options = [*data, *network, f"--max-steps={STEPS}", f"--plot-every={EVERY}", "--env=browser"]
    done = subprocess.run([sys.executable, "-c", TRAIN, str(port), "train", *options], cwd=folder,
                          env=environment(), capture_output=True, encoding="utf-8", timeout=900)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "visdom" not in done.stdout                          # 没有说连不上
    return folder / "runs" / "browser"


def test_the_loss_of_a_real_training_is_in_the_page(server, tmp_path):
    need(find_browser(), "没有装 Chromium 或 Chrome（Debian：apt install chromium fonts-noto-cjk）")
    steps, losses = scalars(train_poet(server, tmp_path / "chapter9"), "loss")
    assert len(steps) >= STEPS // EVERY and losses[-1] < losses[0]
    with Browser(find_browser(), tmp_path / "profile", (1240, 940)) as page:
        page.open(f"http://127.0.0.1:{server}/env/browser")
        page.wait_for(f"{PLOTS}.some(plot => plot.title == 'loss' && plot.x.length == {len(steps)})")
        loss = next(plot for plot in page.evaluate(PLOTS) if plot["title"] == "loss")
        assert loss["x"] == steps
        assert loss["y"] == pytest.approx(losses, rel=1e-5)     # 网页上的点就是训练中的损失
        shown = "[...document.querySelectorAll('.js-plotly-plot .scatterlayer path.js-line')]"
        page.wait_for(f"{shown}.some(line => line.getBoundingClientRect().width > 50)")
        assert "春" in page.evaluate("document.body.innerText")  # 样诗在文字窗格里
        outside = [url for url in page.requested()
                   if not url.startswith((f"http://127.0.0.1:{server}/", "data:", "about:", "blob:"))]
        assert outside == []                                    # 没有连过外网
        assert [what for what in page.failed() if "favicon" not in what] == []
        picture = ROOT / "outputs" / "visdom.png"
        picture.parent.mkdir(exist_ok=True)
        page.screenshot(picture)
    assert picture.stat().st_size > 10_000
