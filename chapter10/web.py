"""网页：放一张照片，或画一个场景，看网络写出一句话，写每个词时看的是哪里。python main.py web"""

from html import escape
from pathlib import Path
from random import Random, randrange

from captioner import load_captioner
from config import Config
from data import join
from data.drawing import draw
from data.pictures import complain
from data.scenes import choose_names, compose
from describing import PHOTOS, SHOWN, describe, with_weights
from page import address, answer, gr, photo_box, serve
from pictures import DOUBT, looks
from utils.runtime import setup

KINDS = ("照片", "画出来的场景")                    # 各用认得它们的权重
CSS = """.said h2 {margin: 0 0 .6rem; font-size: 1.6rem; line-height: 1.5} .said small {opacity: .7} .said .doubt {color: #d9480f}
.words {display: flex; flex-wrap: wrap; gap: 10px; margin-top: .8rem; text-align: center} .words img {width: 92px; border-radius: 6px}"""


def show(opt: Config) -> None:
    runtime = setup(opt.use_gpu)
    captioners = [load_captioner(opt if opt.model_path or "model" in opt.given else with_weights(opt, name), runtime.device) for name in (PHOTOS, "")]

    @answer
    def speak(path: Path, kind: str) -> str:
        """与 generate 命令的是同样的函数。"""
        captioner, bad = captioners[KINDS.index(kind)], []
        for found in describe(captioner, [path], opt, runtime, bad):
            return tell(captioner, found)
        complain(bad)

    def scene():
        random = Random(randrange(2 ** 32))
        return draw(compose(random, *choose_names(random), unseen=False), random), KINDS[1]

    with gr.Blocks(title="看图说话") as page:
        gr.Markdown("# 看图说话\n放一张照片，或让电脑画一个场景，看网络怎样描述它。图只在这台机器上用，不会传到别处，说完就删。")
        with gr.Row():
            with gr.Column():
                photo = photo_box("图", height=360)
                kind = gr.Radio(KINDS, value=KINDS[0], label="这是", info="两种图各有认得它的网络")
                with gr.Row():
                    button, drawn = gr.Button("说一句", variant="primary"), gr.Button("画一个场景")
            said = gr.HTML()
        for start in (photo.kept.success(lambda: KINDS[0], None, kind).then, drawn.click(scene, None, [photo, kind]).then, button.click):
            start(speak, [photo, kind], said)
    serve(page, opt.port, CSS)


def tell(captioner, described) -> str:
    """最好的一句、别的候选，和写每个词时看的地方。"""
    sentence, *others = (join(captioner.vocabulary.decode(one.ids)) for one in described.candidates[:SHOWN])
    rest = "".join(f"<li>{escape(text)} <small>{one.score:.2f}</small></li>" for text, one in zip(others, described.candidates[1:]))
    words = "".join(f'<figure><img src="{address(panel)}" alt=""><figcaption{" class=doubt" if prob < DOUBT else ""}>{escape(word)} <small>{prob:.0%}</small>'
                    "</figcaption></figure>" for panel, word, prob in looks(captioner, described)[1])
    return (f'<div class="said"><h2>{escape(sentence)}</h2>也想过（分数越高越好，这一句是 {described.candidates[0].score:.2f}）：<ul>{rest}</ul>'
            f'<p>写每个词时看的地方（越亮看得越多）和它的概率；不到 {DOUBT:.0%} 的是拿不准的：</p><div class="words">{words}</div></div>')
