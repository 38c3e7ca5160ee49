"""网页：按种子画头像，在其中两张之间慢慢走。python main.py web"""

from copy import copy
from random import randrange

import torch as t
from PIL import Image

from config import Config
from gan import draw, load_pair, sample
from page import address, answer, gr, serve
from pictures import walk
from utils.runtime import setup

COUNT, SEARCH, STEPS = 16, 256, 40                  # 一次画几张；挑的时候从几张里挑；两张之间走几步
CSS = """.faces, .walk {display: grid; gap: 10px; text-align: center} .faces {grid-template-columns: repeat(4, 1fr)}
.walk {grid-template-columns: 1fr 2fr 1fr; align-items: end} .face {margin: 0} .face img {width: 100%; border-radius: 8px}"""


def show(opt: Config) -> None:
    runtime = setup(opt.use_gpu)
    netg, netd = (net.to(runtime.device).eval() for net in load_pair(opt))

    @answer
    def faces(seed: float, std: float, pick: bool):
        """画一批，返回各张的噪声 (COUNT, nz) 和网页上的样子。"""
        own = copy(opt)
        own.seed, own.gen_std, own.gen_num, own.gen_search_num = int(seed or 0), std, COUNT, SEARCH if pick else 0
        noise, pictures = draw(netg, netd, own, runtime)            # 与 generate 的是同一个函数
        return noise, f'<div class="faces">{"".join(figure(one, f"{i + 1}") for i, one in enumerate(pictures))}</div>'

    @answer
    def between(noise: t.Tensor, first: int, last: int, step: int) -> str:
        """从第 first 张走到第 last 张，走了 STEPS 步里的 step 步。"""
        path = walk(noise[first - 1], noise[last - 1], STEPS + 1)   # (STEPS + 1, nz)
        start, here, end = sample(netg, path[[0, step, -1]], runtime, 3)
        return f'<div class="walk">{figure(start, "从这张")}{figure(here, "走到这里")}{figure(end, "到这张")}</div>'

    with gr.Blocks(title="画头像") as page:
        gr.Markdown("# 画头像\n每一张都是网络凭一串随机数画出来的，世上本没有这个人。同一个种子总是画出同样的十六张；再挑两张，拖动滑块，从一张慢慢走到另一张。")
        with gr.Row():
            with gr.Column():
                board, noise = gr.HTML(), gr.State()
                seed, button = gr.Number(opt.seed, label="种子", precision=0, minimum=0), gr.Button("换一批", variant="primary")
                std = gr.Slider(0.3, 1.5, opt.gen_std, step=0.1, label="放得多开", info="小则稳妥而雷同，大则各不相同，也更容易画坏")
                pick = gr.Checkbox(label=f"画 {SEARCH} 张，只留下判别器最满意的 {COUNT} 张")
            with gr.Column():
                path, step = gr.HTML(), gr.Slider(0, STEPS, STEPS // 2, step=1, label="走到哪里")
                first, last = (gr.Slider(1, COUNT, number, step=1, label=label) for number, label in ((3, "从第几张"), (14, "到第几张")))
        button.click(lambda: randrange(10 ** 6), None, seed)
        last_only = {"trigger_mode": "always_last", "show_progress": "hidden"}      # 拖得快时只画最后停下的
        gr.on([page.load, seed.change, std.change, pick.change], faces, [seed, std, pick], [noise, board], **last_only)
        gr.on([noise.change, first.change, last.change, step.change], between, [noise, first, last, step], path, **last_only)
    serve(page, opt.port, CSS)


def figure(picture: t.Tensor, caption: str) -> str:
    """一张 (3, S, S) 的 uint8 头像和它下面的字。"""
    image = address(Image.fromarray(picture.permute(1, 2, 0).numpy()))
    return f'<figure class="face"><img src="{image}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'
