"""网页：给几个字，看网络一个字一个字地把诗写出来，竖排，像旧书那样。python main.py web"""

import re
from copy import copy
from html import escape
from random import randrange

from config import Config
from generation import best, sampling, write
from page import answer, gr, serve
from poet import load_model
from rules import make_prefix, make_rule, possibilities
from utils.runtime import setup

CSS = """.sheet {writing-mode: vertical-rl; height: 25rem; margin: 0 auto; overflow-x: auto; padding: 1.6rem 1.2rem; border: 6px double #a58a5c;
  background: #f8f1e0; font-family: Kaiti SC, KaiTi, STKaiti, AR PL UKai CN, Songti SC, SimSun, Noto Serif CJK SC, serif} .sheet * {margin: 0; color: #2a2018 !important}
.drafts p {font-size: .95rem; opacity: .55; padding: 0 .3rem} .poem p {font-size: 1.75rem; letter-spacing: .12em; padding: 0 .5rem; border-left: 1px solid #b5523b55}
.poem p:last-of-type {border-left: 0} .poem span {animation: ink .7s both; animation-delay: calc(var(--at) * 90ms)}
@keyframes ink {from {opacity: 0; filter: blur(4px)}} @media (prefers-reduced-motion: reduce) {.poem span {animation: none}}"""


def show(opt: Config) -> None:
    model, vocabulary = load_model(opt, setup(opt.use_gpu).device)
    heads, forms = possibilities(vocabulary)

    @answer                                             # 草稿写到哪里就给出哪里，最后给出留下的那首：与 gen 命令写的相同
    def poem(words: str, acrostic: str, form: str, rhyme: bool, tones: bool, mood: str, temperature: float, seed: float):
        own = copy(opt)
        own.start_words, own.acrostic, own.form, own.prefix_words, own.temperature = words, acrostic == "藏头", form, mood, temperature
        own.rhyme, own.tones, own.seed = rhyme and form != "", tones and form != "", int(seed or 0)     # 句式自由的诗没有押韵和平仄
        rules, prefix = [make_rule(own, vocabulary)] * own.candidates, make_prefix(own, vocabulary)
        for drafts in write(model, vocabulary, rules, prefix, **sampling(own)):
            yield f'<div class="sheet drafts">{"".join(f"<p>{escape(draft)}</p>" for draft in drafts)}</div>'
        yield sheet(best(model, vocabulary, drafts, prefix))

    with gr.Blocks(title="写一首诗") as page:
        gr.Markdown("# 写一首诗\n给几个字，网络一个字一个字地往下写。先同时打几份草稿，再留下它自己读来最通顺的一首。")
        with gr.Row():
            with gr.Column():
                words = gr.Textbox(heads, label="给几个字", max_length=40)
                acrostic = gr.Radio(["藏头", "开头"], value="藏头", label="这几个字是", info="藏头：各句的头一个字；开头：诗从它们写起")
                form = gr.Dropdown([("句式自由", ""), *forms], value="七绝" if forms else "", label="体裁")
                with gr.Row():
                    rhyme, tones = gr.Checkbox(bool(forms), label="押韵"), gr.Checkbox(bool(forms), label="平仄合律")
                    button, again = gr.Button("写", variant="primary"), gr.Button("换一首")
                with gr.Accordion("更多", open=False):
                    mood = gr.Textbox(opt.prefix_words, label="意境", placeholder="如：大漠孤烟直，长河落日圆。", info="先读给网络听的句子，不写进诗里", max_length=100)
                    temperature = gr.Slider(0, 1.5, opt.temperature, step=0.05, label="出奇", info="0 总取最可能的字，越高越出人意料")
                    seed = gr.Number(opt.seed, label="种子", info="同样的种子，写出同样的诗", precision=0, minimum=0)
            paper = gr.HTML('<div class="sheet"></div>')
        for start in (page.load, words.submit, button.click, again.click(lambda: randrange(10 ** 6), None, seed).then):
            start(poem, [words, acrostic, form, rhyme, tones, mood, temperature, seed], paper, show_progress="hidden")
    serve(page, opt.port, CSS)


def sheet(text: str) -> str:
    """竖排的一首：一句一行，从右往左，各字依次显出来。"""
    spans = [f"<span style=--at:{at}>{escape(char)}</span>" for at, char in enumerate(text)]
    columns = "".join(f"<p>{''.join(spans[slice(*line.span())])}</p>" for line in re.finditer(r"\W*\w+\W*", text))
    return f'<div class="sheet poem" role="img" aria-label="{escape(text)}">{columns}</div>'
