"""网页：放一张照片，看网络说它是猫、是狗，还是都不像，凭的是照片里的哪些地方。python main.py web"""

from pathlib import Path

from cam import class_activation, shine
from classifier import load_model, shares
from config import Config
from data import CLASSES, read_image
from data.dataset import seen_box
from data.pictures import open_picture
from page import answer, gr, photo_box, serve
from stranger import Stranger
from utils.runtime import setup

SHOWN = 720                                         # 网页上的图最长这么多像素
NAMES = {"cat": "猫", "dog": "狗"}                  # 换成自己的类别时，没有写在这里的就用原来的名字
INTRO = """# 是猫还是狗？
放一张照片（拖进来、粘贴、用摄像头拍都行），看网络怎么说。照片只在这台机器上用，不会传到别处，答完就删。"""


def show(opt: Config) -> None:
    runtime = setup(opt.use_gpu)
    model, size, temperature = load_model(opt, runtime.device)
    stranger = Stranger(opt, runtime)

    @answer
    def look(path: Path):
        """一张照片 → (各个答案的概率, 照亮的照片)。判断与 predict 的是同样的函数。"""
        image = read_image(path, size)[None]                        # (1, 4, S, S)
        row = shares(model, image, temperature, opt, runtime)[0].tolist()
        (known, other), = stranger.look(image)
        chances = {NAMES.get(name, name): share for name, share in zip(CLASSES, row)}
        if other:                                                   # 照片里有猫狗的概率是 known，余下的是都不像
            chances = {name: share * known for name, share in chances.items()} | {f"都不像（更像 {other}）": 1 - known}
        if not hasattr(model, "maps"):                              # 末尾不是取平均的网络，没有类激活图
            return chances, None
        photo = open_picture(path, draft=SHOWN)
        photo = photo.crop(tuple(map(round, seen_box(photo))))
        photo.thumbnail((SHOWN, SHOWN))
        activation = class_activation(model, image, runtime, opt.cpu_bf16)[0]
        return chances, shine(photo, activation, row.index(max(row)))

    with gr.Blocks(title="是猫还是狗？") as page:
        gr.Markdown(INTRO)
        with gr.Row():
            with gr.Column():
                photo = photo_box("照片", height=360)
                button = gr.Button("看一看", variant="primary")
            with gr.Column():
                chances = gr.Label(label="网络说")
                places = photo_box("凭哪里说的：越亮越要紧", shown_only=True, height=360)
        for start in (photo.kept.success, button.click):
            start(look, photo, [chances, places])
    serve(page, opt.port)
