"""各项目的网页：在真的浏览器里打开，给它东西，看到回答；不连外网，不留文件，坏的文件得到与命令一样的一行话。

没有 Gradio（pip install -r requirements-web.txt）或没有浏览器就跳过。CI 不装 Gradio：那里测的是不要 Gradio 的部分，在各项目的 tests/。
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser import Browser, find_browser
from PIL import Image
from repository import ROOT, projects

need = pytest.mark.skipif(not importlib.util.find_spec("gradio") or not find_browser(),
                          reason="没有 Gradio（pip install -r requirements-web.txt），或没有 Chromium、Chrome")
DESKTOP, PHONE = (1280, 900), (390, 844)
CLICK = "[...document.querySelectorAll('button')].find(button => button.innerText.trim() == {}).click()"
TOASTS = "[...document.querySelectorAll('.toast-message-text')].map(toast => toast.innerText).join('\\n')"
SHOWN = "[...document.querySelectorAll('img')].filter(image => image.src.startsWith('data:') && image.naturalWidth > 8).length"


def environment(folder: Path) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    return {**os.environ, "PYTHONIOENCODING": "utf-8", "TMPDIR": str(folder), "OMP_NUM_THREADS": "1"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(command: list[str], cwd: Path, folder: Path, port: int):
    """运行一个网页的服务器，用完按 Ctrl-C：状态 130，临时文件都没有了，端口空了。"""
    process = subprocess.Popen([sys.executable, *command, f"--port={port}"], cwd=cwd, env=environment(folder), encoding="utf-8",
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    try:
        assert f"http://127.0.0.1:{port}" in (process.stdout.readline() or process.communicate(timeout=60)[1])
        yield process
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=120)
        assert process.returncode == 130 and said.strip() == "已停止。", said
        assert [path for path in folder.rglob("*") if path.is_file() and path.name != "pymp"] == []
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    finally:
        if process.poll() is None:
            process.kill()


@contextmanager
def page_of(chapter: str, tmp_path: Path, size: tuple[int, int] = DESKTOP):
    """打开一个项目的网页。离开时检查：没有连过外网，手机的宽度上不用左右拖动，答完了没有留下文件。"""
    port = free_port()
    (tmp_path / "work").mkdir()
    with serving([str(ROOT / chapter / "main.py"), "web"], tmp_path / "work", tmp_path / "tmp", port), \
            Browser(find_browser(), tmp_path / "profile", size) as page:
        page.open(f"http://127.0.0.1:{port}/")
        page.wait_for("document.querySelectorAll('gradio-app button').length > 0")
        assert page.evaluate("document.documentElement.lang") == "zh-CN"
        yield page
        assert page.outside(port) == []
        assert [what for what in page.failed() if "ERR_ABORTED" not in what] == []
        picture = ROOT / "outputs" / f"web-{chapter}.png"
        picture.parent.mkdir(exist_ok=True)
        page.screenshot(picture)
        page.resize(*PHONE)
        time.sleep(1)
        assert page.evaluate("document.scrollingElement.scrollWidth") <= PHONE[0]
        page.screenshot(picture.with_name(f"web-{chapter}-phone.png"))
        assert wait_until(lambda: not [path for path in (tmp_path / "tmp").rglob("*") if path.is_file()])
        assert list((tmp_path / "work").iterdir()) == []


def wait_until(true, seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.2)
    return true()


def command(chapter: str, *words) -> str:
    """一条命令打印的话。"""
    done = subprocess.run([sys.executable, "main.py", *map(str, words)], cwd=ROOT / chapter, capture_output=True, encoding="utf-8",
                          env={**os.environ, "PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1"}, timeout=600)
    return done.stdout + done.stderr


@need
def test_cat_or_dog(tmp_path):
    photo, other = ROOT / "chapter6/data/photos/cat.0.webp", ROOT / "chapter6/data/photos/windmill.webp"
    with page_of("chapter6", tmp_path) as page:
        page.put(photo)
        page.wait_for(f"{SHOWN} == 2")                              # 照片，和照亮的照片
        share = re.search(r"cat +(\d+)\.", command("chapter6", "predict", f"--path={photo}"))[1]
        shown = page.evaluate("document.body.innerText")
        assert re.search(rf"猫\s+{share}%|猫\s+{int(share) + 1}%", shown), shown
        page.evaluate(CLICK.format("'看一看'"))                      # 同一张再看一次：文件早已删了
        time.sleep(2)
        assert page.evaluate(TOASTS) == ""
        page.evaluate("document.querySelector('[title=去掉]').click()")
        page.wait_for("!!document.querySelector('input[type=file]')")
        page.put(other)
        page.wait_for("document.body.innerText.includes('都不像')")


def hostile(folder: Path) -> dict[str, str]:
    """几个有害的文件：名字 → 网页上应当说的话，空的是照常回答。"""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    (folder / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
                                      + chunk(b"IDAT", zlib.compress(bytes(10 ** 7))) + chunk(b"IEND", b""))
    (folder / "text.jpg").write_text("这不是图片", encoding="utf-8")
    (folder / "script.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="window.top.hacked = 1">'
                                       '<script>window.top.hacked = 1</script></svg>', encoding="utf-8")
    Image.new("RGB", (64, 48), "gray").save(folder / "exif.jpg", exif=b"Exif\0\0" + bytes(65_000))
    long = (folder / "exif.jpg").read_bytes()
    (folder / "exif.jpg").write_bytes(long[:2] + 100 * (b"\xff\xe1\xff\xf0Exif\0\0" + bytes(0xFFF0 - 8)) + long[2:])
    (folder / "<b>x.jpg").write_bytes(b"\xff\xd8")
    unreadable = "读不出来：不是图片，或文件已损坏；换掉或删去它"
    return {"bomb.png": "bomb.png 太大（60000×60000）：先缩小到 4 亿像素以内", "text.jpg": f"text.jpg {unreadable}",
            "script.svg": f"script.svg {unreadable}", "exif.jpg": "", "<b>x.jpg": unreadable}


@need
def test_hostile_files_get_the_line_of_the_command(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    expected = hostile(folder)
    said = {name: command("chapter6", "predict", f"--path={folder / name}") for name, line in expected.items() if line}
    with page_of("chapter6", tmp_path) as page:
        for name, line in expected.items():
            page.evaluate("document.querySelectorAll('.toast-close').forEach(close => close.click())")
            page.evaluate("document.querySelector('[title=去掉]')?.click()")
            page.wait_for(f"document.querySelector('input[type=file]') && {TOASTS} == ''")
            page.put(folder / name)
            if line:
                page.wait_for(f"{TOASTS}.includes({json.dumps(line)})")
                assert line in said[name] and str(tmp_path) not in page.evaluate(TOASTS)
            else:
                page.wait_for(f"{SHOWN} == 2")
        (folder / "large.jpg").write_bytes(bytes(31 * 2 ** 20))
        page.evaluate("document.querySelector('[title=去掉]')?.click()")
        page.wait_for("!!document.querySelector('input[type=file]')")
        page.put(folder / "large.jpg")
        page.wait_for(f"{TOASTS}.includes('照片太大，至多 30 MB：\"large.jpg\"')")
        assert page.evaluate("window.hacked") is None


@need
def test_faces(tmp_path):
    with page_of("chapter7", tmp_path) as page:
        page.wait_for("document.querySelectorAll('.faces img').length == 16 && document.querySelectorAll('.walk img').length == 3")
        middle = "document.querySelectorAll('.walk img')[1].src"
        page.evaluate(f"before = {middle}; 0")
        page.evaluate("document.querySelector('input[type=range][aria-label*=\"走到哪里\"]').focus()")
        page.press("ArrowRight", 39)                                # 用键盘
        page.wait_for(f"{middle} != before")
        page.evaluate("first = document.querySelector('.faces img').src; 0")
        page.evaluate(CLICK.format("'换一批'"))
        page.wait_for("document.querySelector('.faces img').src != first")


@need
def test_a_photo_becomes_a_painting(tmp_path):
    photo = tmp_path / "owl.png"
    Image.open(ROOT / "chapter8/data/photos/owl.webp").resize((240, 180)).save(photo)
    with page_of("chapter8", tmp_path) as page:
        styles = [path.stem for path in (ROOT / "chapter8/checkpoints").glob("*.json") if path.stem != "vgg16"]
        page.wait_for(f"document.querySelectorAll('input[type=radio]').length == {len(styles)}")
        page.wait_for(f"{SHOWN} == 1")                              # 那幅画
        page.put(photo)
        page.wait_for("document.body.innerText.includes('240×180 像素，画了')")
        page.wait_for(f"{SHOWN} == 3")
        page.evaluate("before = [...document.querySelectorAll('img')].at(-1).src; 0")
        page.evaluate("document.querySelector('input[type=radio]:not(:checked)').click()")
        page.evaluate(CLICK.format("'画'"))
        page.wait_for("[...document.querySelectorAll('img')].at(-1).src != before")


@need
def test_a_poem_is_written_character_by_character(tmp_path):
    written = command("chapter9", "gen", "--start-words=深度学习", "--acrostic", "--form=七绝", "--rhyme", "--tones").split()
    with page_of("chapter9", tmp_path) as page:
        page.wait_for("!!document.querySelector('.poem')")           # 打开时先写一首
        page.evaluate("""window.seen = []; new MutationObserver(() => {
            const draft = document.querySelector('.drafts p'); if (draft) seen.push(draft.innerText) }).observe(document.body, {childList: true, characterData: true, subtree: true})""")
        page.evaluate(CLICK.format("'写'"))
        page.wait_for("seen.length > 2 && !!document.querySelector('.poem')")
        assert page.evaluate("document.querySelector('.poem').getAttribute('aria-label')") == "".join(written)
        assert page.evaluate("getComputedStyle(document.querySelector('.poem')).writingMode") == "vertical-rl"
        drafts = list(dict.fromkeys(page.evaluate("seen")))
        assert len(drafts) > 1 and all(later.startswith(sooner) for sooner, later in zip(drafts, drafts[1:]))


@need
def test_a_photo_and_a_scene_are_described(tmp_path):
    photo = ROOT / "chapter10/data/photos/dog.jpg"
    with page_of("chapter10", tmp_path) as page:
        page.put(photo)
        page.wait_for("!!document.querySelector('.said h2')")
        sentence = page.evaluate("document.querySelector('.said h2').innerText")
        assert sentence in command("chapter10", "generate", f"--test-img={photo}")
        assert page.evaluate("document.querySelectorAll('.words img').length") > 2
        page.evaluate(CLICK.format("'画一个场景'"))
        page.wait_for(f"document.querySelector('.said h2').innerText != {json.dumps(sentence)}")


@need
def test_the_start_page_opens_them_and_stops_them(tmp_path):
    port = free_port()
    with serving(["web.py"], ROOT, tmp_path / "tmp", port), Browser(find_browser(), tmp_path / "profile", DESKTOP) as page:
        page.open(f"http://127.0.0.1:{port}/")
        page.wait_for(f"[...document.querySelectorAll('main a img')].filter(image => image.naturalWidth > 8).length == {len(projects())}")
        page.evaluate("document.querySelectorAll('main a')[3].click()")         # 第9章
        page.wait_for("!!document.querySelector('gradio-app .sheet')")
        assert page.evaluate("location.port") == str(port + 9)
        assert [url for url in page.outside(port) if not url.startswith(f"http://127.0.0.1:{port + 9}/")] == []
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port + 9)) != 0


@need
def test_a_busy_port_is_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for folder, words in ((ROOT / "chapter9", ["main.py", "web"]), (ROOT, ["web.py"])):
            done = subprocess.run([sys.executable, *words, f"--port={port}"], cwd=folder, env=environment(tmp_path / "tmp"),
                                  capture_output=True, encoding="utf-8", timeout=300)
            assert done.returncode == 2 and done.stderr.startswith(f"错误：--port={port}") and done.stderr.count("\n") == 1
