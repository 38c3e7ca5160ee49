"""网页：放一张照片，挑一幅画，看照片变成那样的画。python main.py web"""

import time
from copy import copy
from functools import cache
from pathlib import Path

import torch as t

from config import Config
from data import fit_within, on_white
from data.pictures import open_picture
from page import answer, gr, photo_box, serve
from painting import finish, paint
from style import DEFAULT, HERE, load_net, shipped_styles
from utils.runtime import setup


def show(opt: Config) -> None:
    runtime = setup(opt.use_gpu)
    styles = shipped_styles()
    if opt.model_path not in (*styles, ""):
        styles[opt.model_path] = f"你训练的 {Path(opt.model_path).parent.name}"
    first = opt.model_path or DEFAULT

    @cache
    def load(style: str) -> tuple:
        """一种风格的网络，和它学的那幅画（文件不在了就没有）。"""
        own = copy(opt)
        own.model_path = style
        net = load_net(own).to(runtime.device, memory_format=t.channels_last)
        painting = HERE / own.style_path
        return net, painting if painting.is_file() else None

    @answer
    def stylize(path: Path, style: str, strength: float, keep: bool):
        """画一张，与 stylize 命令的是同样的函数。返回画和一句话。"""
        net, _ = load(style)
        began, photo = time.perf_counter(), fit_within(open_picture(path, alpha=True), opt.max_size)
        picture = finish(paint(net, on_white(photo), runtime, opt.tile_size), photo, strength, keep)
        return picture, f"{photo.width}×{photo.height} 像素，画了 {time.perf_counter() - began:.1f} 秒"

    load(first)                                                     # 权重不对的话，打开网页之前就说
    with gr.Blocks(title="照片变成画") as page:
        gr.Markdown("# 照片变成画\n放一张照片，挑一幅画，网络一次就画好。照片只在这台机器上用，不会传到别处，画完就删。")
        with gr.Row():
            with gr.Column():
                photo = photo_box("照片", height=300)
                style = gr.Radio([(title, name) for name, title in styles.items()], value=first, label="像哪幅画")
                original = photo_box("那幅画", shown_only=True, height=220)
                strength = gr.Slider(0, 1, opt.strength, step=0.05, label="画占几成，其余是照片")
                keep = gr.Checkbox(opt.preserve_color, label="只要笔触，颜色仍用照片的")
                button = gr.Button("画", variant="primary")
            with gr.Column():
                picture = photo_box("画好的", shown_only=True, height=480)
                spent = gr.Markdown()
        gr.on([page.load, style.change], answer(lambda style: load(style)[1]), style, original, show_progress="hidden")
        for start in (photo.kept.success, button.click):
            start(stylize, [photo, style, strength, keep], [picture, spent])
    serve(page, opt.port)
