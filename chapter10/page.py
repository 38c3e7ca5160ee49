"""各项目网页的公共部分：只在本机，不连外网，不留文件。只有 web.py 导入它，所以 Gradio 可以不装。原件在 chapter6，其余逐字节相同（make sync-utils）。"""

import base64
import html
import inspect
import io
import mimetypes
import os
import re
import shutil
import signal
import tempfile
import time
import urllib.parse
from pathlib import Path

from utils.files import UserError, legible

try:
    import gradio as gr
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.responses import HTMLResponse
except ImportError:
    raise UserError("网页要用 Gradio：先运行 pip install -r requirements-web.txt") from None

FOLDER = tempfile.TemporaryDirectory(prefix="web-")         # 传来的文件落在这里，用完就删；退出时整个删去
os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": FOLDER.name} | dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1")
THEME = gr.themes.Soft(primary_hue="orange", font=["system-ui", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif"], font_mono=["monospace"])
UPLOAD = 30 * 2 ** 20       # 一张照片至多这么多字节；像素的上限由 open_picture 说
# Gradio 自己的字跟着浏览器的语言走，告诉它是中文；写死成英文的几处另外换掉
CHINESE = """<script>
Object.defineProperty(navigator, 'language', {value: 'zh-CN'}); document.documentElement.lang = 'zh-CN';
const words = [[/^Error$/, '错误'], [/^File.s. exceed the maximum allowed size of (\\d+).*?: /, '照片太大，至多 $1 MB：'], [/^Remove Image$/, '去掉'],
  [/^Upload file$/, '选一张'], [/^Capture from camera$/, '拍一张'], [/^Paste from clipboard$/, '粘贴'], [/^Fullscreen$/, '全屏'], [/^range slider for /, '']];
const chinese = text => words.reduce((text, [from, to]) => text.replace(from, to), text);
new MutationObserver(() => {
  for (const node of document.querySelectorAll('.toast-title, .toast-message-text'))
    if (node.firstChild && chinese(node.innerText) != node.innerText) node.firstChild.nodeValue = chinese(node.innerText);
  for (const node of document.querySelectorAll('[title], [aria-label]')) for (const name of ['title', 'aria-label'])
    if (node.hasAttribute(name) && chinese(node.getAttribute(name)) != node.getAttribute(name)) node.setAttribute(name, chinese(node.getAttribute(name)));
}).observe(document.documentElement, {childList: true, subtree: true});
</script>""".encode()


def photo_box(label: str, shown_only: bool = False, **options) -> gr.Image:
    """放照片的地方。处理函数得到的是 Path，返回 Path 或 PIL 的图，网页上都成了 data: 地址：图只在浏览器里和内存里，传来的文件，
    收到以后和答完以后都删去。照片换好的时候接着做什么，用返回的 kept.success。"""
    box = gr.Image(label=label, interactive=not shown_only, sources=["upload", "webcam", "clipboard"], buttons=["download", "fullscreen"], **options)
    box.preprocess, box.postprocess = received, lambda picture: picture and gr.data_classes.Base64ImageData(url=address(picture))
    box.kept = None if shown_only else box.upload(answer(lambda path: path), box, box, show_progress="hidden")
    return box


def received(payload) -> Path:
    """浏览器交来的图（传来的文件，或 data: 地址）→ 磁盘上的文件，答完就删。"""
    if payload is None:
        raise gr.Error("先放一张照片", title="错误", print_exception=False)
    if payload.path:
        return Path(payload.path)
    head, _, body = payload.url.partition(",")
    name = Path(urllib.parse.unquote(head.partition("name=")[2].partition(";")[0])).name
    path = Path(tempfile.mkdtemp(dir=FOLDER.name), name or "photo")
    path.write_bytes(base64.b64decode(body))
    return path


def address(picture) -> str:
    """图片文件（Path）或 PIL 的图 → data: 地址，可以写进 HTML。"""
    content, name = io.BytesIO(), "picture.webp"
    if isinstance(picture, Path):
        content, name = io.BytesIO(picture.read_bytes()), picture.name
    else:
        picture.save(content, "WEBP", quality=92)
    kind = mimetypes.guess_type(name)[0] or "image/jpeg"
    return f"data:{kind};name={urllib.parse.quote(name, '')};base64,{base64.b64encode(content.getvalue()).decode()}"


def answer(work):
    """处理函数 work（也可以是生成器）→ 交给 Gradio 的：UserError 成为网页上的一行话，与命令说的一样；用完的文件就删。"""
    def call(*inputs):
        try:
            result = work(*inputs)
            yield from result if inspect.isgenerator(result) else [result]
        except UserError as error:
            message = re.sub(rf"{re.escape(legible(Path(FOLDER.name)))}[\\/]\w+[\\/]", "", str(error))
            raise gr.Error(html.escape(message, False), title="错误", print_exception=False) from None
        finally:
            for path in inputs:
                if isinstance(path, Path):
                    shutil.rmtree(path.parent, ignore_errors=True)
    return call


async def in_chinese(request, call_next):
    """在网页的开头加上 CHINESE。"""
    response = await call_next(request)
    if not response.headers.get("content-type", "").startswith("text/html"):
        return response
    text = b"".join([part async for part in response.body_iterator])
    return HTMLResponse(text.replace(b"<head>", b"<head>" + CHINESE, 1), response.status_code)


def serve(page: gr.Blocks, port: int, css: str = "") -> None:
    """在 http://127.0.0.1:port 给出 page，到 Ctrl-C 为止。端口用不了时抛出 UserError。"""
    for number in (signal.SIGINT, signal.SIGTERM):                  # kill 与 Ctrl-C 一样：临时文件也要删
        signal.signal(number, signal.default_int_handler)
    page.queue(max_size=16)._queue.sleep_when_free = 0.05           # 不改的话，没有人用也每毫秒看一次队列，占百分之四的 CPU
    try:
        page.launch(
            server_name="127.0.0.1", server_port=port, share=False, ssr_mode=False, run_history=False, prevent_thread_lock=True, quiet=True,
            max_file_size=UPLOAD, footer_links=[], theme=THEME, css=css, app_kwargs={"middleware": [Middleware(BaseHTTPMiddleware, in_chinese)]})
    except OSError:
        raise UserError(f"--port={port} 用不了，多半有别的程序占着：换一个，如 --port={port + 100}") from None
    try:
        print(f"网页在 http://127.0.0.1:{port} ，按 Ctrl-C 停下", flush=True)
        while True:
            time.sleep(1)
    finally:
        page.close()
