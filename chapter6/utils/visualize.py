"""看训练过程：总是写 TensorBoard 事件；visdom 服务器开着时也画到网页上。"""

import os
import socket
import threading
import time

import numpy as np
import torch as t
from torch.utils.tensorboard import SummaryWriter

TIMEOUT = 1.0           # 等 visdom 回答至多这么多秒
# 写事件的线程写不进去时，主线程下次写的时候会再抛出同一个错误，不必先显示一段调用栈
threading.excepthook = lambda failure, show=threading.excepthook: show(failure) if not (
    type(failure.thread).__name__ == "_AsyncWriterThread" and issubclass(failure.exc_type, OSError)) else None


class Visualizer:
    """书中 Visualizer 的接口：plot、plot_many、img、img_many、log，其余方法转交 visdom 客户端。
    曲线写在 `log_dir`，用 `tensorboard --logdir runs` 看。没有 visdom 服务器时说一声，之后不再尝试，训练照常进行。
    `enabled=False` 时（多进程里的非 0 号进程）什么都不做。"""
    def __init__(self, env: str = "default", log_dir: str | os.PathLike = "runs", first_step: int = 0, enabled: bool = True,
                 server: str = "localhost", port: int = 8097):
        self.log_text, self.index = "", {}      # index：每条曲线画到了第几个点
        if not enabled:
            self.plot = self.img = self.log = lambda *_, **__: None
        self.vis = _connect(server, port, env.replace("/", "_")) if enabled else None     # visdom 把 a/b 的图画到 a_b，网页上却列出空的 a/b
        self.writer = SummaryWriter(log_dir, purge_step=first_step) if enabled else None     # 续训时抹去中断前多画的一段

    def plot(self, name: str, y: float, step: int | None = None) -> None:
        """给曲线 `name` 加一个点。不给 `step` 时横坐标自动加一。"""
        step = self.index.get(name, 0) if step is None else step
        self.writer.add_scalar(name, y, step)
        update = "append" if name in self.index else None
        self._draw("line", Y=np.array([y]), X=np.array([step]), win=name, opts={"title": name}, update=update)
        self.index[name] = step + 1

    def plot_many(self, values: dict[str, float], step: int | None = None) -> None:
        """一次画几条曲线。"""
        for name, y in values.items():
            self.plot(name, y, step)

    def img(self, name: str, image: t.Tensor, step: int | None = None) -> None:
        """显示一张图 (C, H, W) 或一批图 (N, C, H, W)，数值 0 到 1。"""
        step = self.index.get(name, 0) if step is None else step
        batch = (image if image.dim() == 4 else image[None]).detach().float().cpu().clamp(0, 1)
        self.writer.add_images(name, batch, step)
        self._draw("images", batch.numpy(), win=name, opts={"title": name})
        self.index[name] = step + 1

    def img_many(self, images: dict[str, t.Tensor], step: int | None = None) -> None:
        """一次显示几个名字的图。"""
        for name, image in images.items():
            self.img(name, image, step)

    def log(self, info: str, win: str = "log_text", step: int | None = None) -> None:
        """记一段文字，前面带时刻；换行保留。"""
        self.writer.add_text(win, info.replace("\n", "  \n"), step)
        self.log_text += f"[{time.strftime('%m-%d %H:%M:%S')}] {info}<br>".replace("\n", "<br>")
        self._draw("text", self.log_text, win=win)

    def close(self) -> None:
        """把还没写完的事件写完。"""
        if self.writer is not None:
            self.writer.close()

    def __getattr__(self, name: str):
        """未定义的方法（bar、scatter、histogram …）转交 visdom；没有服务器时不做事。"""
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **options: self._draw(name, *args, **options)

    def _draw(self, method: str, *args, **options):
        try:
            return getattr(self.vis, method)(*args, **options) if self.vis else None
        except (OSError, ConnectionError) as error:
            print(f"visdom 连接断开（{error.__class__.__name__}），之后只写 TensorBoard。")
            self.vis = None


def _connect(server: str, port: int, env: str):
    try:
        socket.create_connection((server, port), timeout=TIMEOUT).close()
        import visdom

        class Client(visdom.Visdom):
            def _handle_post(self, url, data=None):     # 不回答的服务器，一秒就放弃
                self.session.trust_env = False          # 不经过代理：服务器在本机或本地的网络里
                return self.session.post(url, data=data or {}, timeout=TIMEOUT).text

        return Client(server=f"http://{server}", port=port, env=env, use_incoming_socket=False, raise_exceptions=True)
    except (ImportError, OSError) as error:
        problem = "服务器没有开" if isinstance(error, ConnectionRefusedError) else f"用不了（{type(error).__name__}）"
        print(f"visdom {problem}，曲线写入 TensorBoard（tensorboard --logdir runs）。")
