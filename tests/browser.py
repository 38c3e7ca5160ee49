"""用 DevTools 协议驱动无界面的 Chromium：打开网页、执行脚本、截图。

只要有浏览器：通信用的 websocket-client 随 visdom 一起装好了。
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

import websocket

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
    "--remote-debugging-port=0",
]


def find_browser() -> str | None:
    """装着的 Chromium 或 Chrome；没有则为 None。"""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Browser:
    """一个浏览器和它的一个页面。

    with Browser(find_browser(), tmp_path / "profile", (1280, 800)) as page:
        page.open("http://127.0.0.1:8097")
        page.wait_for("document.title == 'visdom'")
        page.screenshot(Path("page.png"))
    """

    def __init__(self, program: str, profile: Path, size: tuple[int, int], timeout: float = 120):
        self.timeout, self.last_id, self.events = timeout, 0, []
        window = f"--window-size={size[0]},{size[1]}"
        self.process = subprocess.Popen(
            [program, *FLAGS, window, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        try:
            port = self._read_port(profile / "DevToolsActivePort")
            local = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with local.open(f"http://127.0.0.1:{port}/json/list", timeout=timeout) as answer:
                pages = [target for target in json.load(answer) if target["type"] == "page"]
            self.socket = websocket.create_connection(
                pages[0]["webSocketDebuggerUrl"], timeout=timeout, suppress_origin=True,
                http_no_proxy=["127.0.0.1"],
            )
        except BaseException:
            self.process.kill()
            raise
        self.call("Page.enable")
        self.call("Network.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()
        self.process.terminate()
        self.process.wait(self.timeout)

    def _read_port(self, path: Path) -> str:
        deadline = time.monotonic() + self.timeout
        while time.monotonic() < deadline and self.process.poll() is None:
            if path.is_file() and (lines := path.read_text(encoding="utf-8").splitlines()):
                return lines[0]
            time.sleep(0.1)
        raise RuntimeError("浏览器没有启动")

    def call(self, method: str, **params):
        """发一条命令，返回它的结果；等待期间到达的事件存进 events。"""
        self.last_id += 1
        self.socket.send(json.dumps({"id": self.last_id, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") != self.last_id:
                self.events.append(message)
            elif "error" in message:
                raise RuntimeError(f"{method}：{message['error']['message']}")
            else:
                return message["result"]

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def evaluate(self, script: str):
        """页面里一个 JavaScript 表达式的值。"""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["result"].get("description", script))
        return result["result"].get("value")

    def wait_for(self, script: str) -> None:
        """等到表达式为真；超时则抛出 TimeoutError。"""
        deadline = time.monotonic() + self.timeout
        while time.monotonic() < deadline:
            if self.evaluate(script):
                return
            time.sleep(0.2)
        raise TimeoutError(f"等了 {self.timeout:.0f} 秒：{script}")

    def put(self, path: Path, selector: str = "input[type=file]") -> None:
        """把一个文件交给页面上的（第一个）文件框，与拖进来、选中一样。"""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)

    def press(self, key: str, code: int = 0) -> None:
        """按一下键盘上的 key（如 ArrowRight、Tab），code 是它的虚拟键码。"""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def resize(self, width: int, height: int) -> None:
        """页面的宽高，像素；390×844 是手机的。"""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def outside(self, port: int) -> list[str]:
        """页面请求过的、不在 127.0.0.1:port 上的地址。"""
        return [url for url in self.requested() if not url.startswith((f"http://127.0.0.1:{port}/", "data:", "about:", "blob:"))]

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def requested(self) -> list[str]:
        """页面请求过的全部地址。"""
        return [event["params"]["request"]["url"] for event in self.events
                if event.get("method") == "Network.requestWillBeSent"]

    def failed(self) -> list[str]:
        """没有取到的：连不上的，和状态为 400 以上的。"""
        unreachable = [event["params"]["errorText"] for event in self.events
                       if event.get("method") == "Network.loadingFailed"]
        answers = [event["params"]["response"] for event in self.events
                   if event.get("method") == "Network.responseReceived"]
        return unreachable + [f"{a['status']} {a['url']}" for a in answers if a["status"] >= 400]
