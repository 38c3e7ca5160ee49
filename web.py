"""五个项目的网页：python web.py（或 make web），在浏览器里打开 http://127.0.0.1:8000。

这里只是一张目录。点到哪个项目才启动哪个：每个要几百 MB 内存、几秒，两核的机器不必一起开着。Ctrl-C 停下全部。
"""

import argparse
import html
import os
import signal
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parent
PAGE = """<!doctype html>
<html lang="zh-CN">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
{head}
<title>五个网页</title>
<style>
:root {{ color-scheme: light dark; --line: #8884; --accent: #d9480f; }}
body {{ max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; line-height: 1.7;
  font-family: system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }}
h1 {{ margin: 0 0 1rem; font-size: 1.8rem; }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1.25rem; }}
main a {{ border: 1px solid var(--line); border-radius: 10px; overflow: hidden; color: inherit; text-decoration: none; }}
main a:hover, main a:focus-visible {{ border-color: var(--accent); outline: 2px solid var(--accent); }}
main img {{ display: block; width: 100%; aspect-ratio: 8 / 5; object-fit: cover; object-position: top; }}
main span {{ display: block; padding: .6rem 1rem .8rem; }}
</style>
<h1>{title}</h1>
{body}
</html>
"""
WAITING = '<meta http-equiv="refresh" content="1">'


class Sites:
    """各项目的网页：第 n 章在端口 first + n 上，用到才启动。"""

    def __init__(self, first: int):
        self.first, self.running, self.lock = first, {}, threading.Lock()
        self.logs = tempfile.TemporaryDirectory(prefix="web-")
        self.titles = {}                        # 文件夹的名字 → 标题，取自 README
        for path in sorted(ROOT.glob("chapter*/web.py"), key=lambda path: int(path.parent.name[7:])):
            readme = (path.parent / "README.md").read_text(encoding="utf-8")
            self.titles[path.parent.name] = readme.splitlines()[0].lstrip("# ")

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.first + int(name[7:])}"

    def open(self, name: str) -> tuple[bool, str]:
        """启动 name 的网页，返回 (好了没有，没有启动成的话为什么)。"""
        log = Path(self.logs.name, name)
        with self.lock:
            if name not in self.running:
                with open(log, "w") as file:
                    self.running[name] = subprocess.Popen(
                        [sys.executable, "main.py", "web", f"--port={self.first + int(name[7:])}"], cwd=ROOT / name, stdout=file,
                        stderr=file, env={**os.environ, "PYTHONIOENCODING": "utf-8"}, start_new_session=True)    # Ctrl-C 由 close 转达
            text = log.read_text(encoding="utf-8", errors="replace")
            if self.running[name].poll() is not None:               # 再点一次就再启动一次
                del self.running[name]
                return False, (text.strip().splitlines() or ["网页停了"])[-1].removeprefix("错误：")
            return self.address(name) in text, ""

    def close(self) -> None:
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            process.wait()


class Handler(BaseHTTPRequestHandler):
    """/ 是目录，/chapter6 打开那个项目的网页，/chapter6.webp 是它的样子。"""

    def do_GET(self) -> None:
        sites, name = self.server.sites, self.path.strip("/")
        if name.removesuffix(".webp") in sites.titles and name.endswith(".webp"):
            self.answer((ROOT / name.removesuffix(".webp") / "checkpoints" / "web.webp").read_bytes(), "image/webp")
        elif name in sites.titles:
            ready, problem = sites.open(name)
            if ready:
                self.send_response(302)
                self.send_header("Location", sites.address(name))
                self.end_headers()
            else:
                self.page(sites.titles[name], f"<p>{html.escape(problem) or '正在启动，要等几秒……'}</p><p><a href=/>回目录</a></p>", "" if problem else WAITING)
        elif name:
            self.send_error(404)
        else:
            self.page("五个网页", "<main>" + "".join(
                f'<a href="/{name}"><img src="/{name}.webp" alt=""><span>{html.escape(title)}</span></a>' for name, title in sites.titles.items())
                + "</main>")

    def page(self, title: str, body: str, head: str = "") -> None:
        self.answer(PAGE.format(title=html.escape(title), body=body, head=head).encode(), "text/html; charset=utf-8")

    def answer(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_) -> None:
        """不记每一次访问。"""


def main() -> int:
    parser = argparse.ArgumentParser(description="五个项目的网页，目录在 http://127.0.0.1:8000")
    parser.add_argument("--port", type=int, default=8000, help="目录的端口，第 n 章的是它加 n")
    first = parser.parse_args().port
    try:
        server = ThreadingHTTPServer(("127.0.0.1", first), Handler)
    except (OSError, OverflowError):
        print(f"错误：--port={first} 用不了，多半有别的程序占着：换一个，如 --port={first + 100}", file=sys.stderr)
        return 2
    server.daemon_threads, server.sites = True, Sites(first)
    for number in (signal.SIGINT, signal.SIGTERM):                  # kill 与 Ctrl-C 一样，停下全部
        signal.signal(number, signal.default_int_handler)
    print(f"网页在 http://127.0.0.1:{first} ，按 Ctrl-C 停下", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("\n已停止。", file=sys.stderr)
    finally:
        server.sites.close()
    return 130


if __name__ == "__main__":
    raise SystemExit(main())
