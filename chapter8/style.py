"""造出、载入和存下一种风格的网络；读画和留出的照片。"""

import csv
from pathlib import Path

import torch as t
from PIL import Image, ImageOps

from config import Config
from data import fit_within, to_tensor
from data.pictures import find_pictures, open_picture
from losses import PerceptualLoss
from models import VGG16, TransformerNet
from utils.checkpoint import load_checkpoint, load_state, saved_config
from utils.files import UserError
from utils.runtime import Runtime

PROJECT = "style"
HERE = Path(__file__).parent
SHIPPED = HERE / "checkpoints"                  # 自带的风格，每种一个 .pth 和一个 .json
DEFAULT = "cafe_terrace"
HELD_OUT = HERE / "data" / "heldout"            # 从不用来训练的照片
LEARNT = ("width", "style_path", "style_size", "image_size", "content_weight", "style_weight", "tv_weight")   # 随权重存的选项


def load_net(opt: Config) -> TransformerNet:
    """载入 opt.model_path（一个文件，或自带风格的名字，空为 DEFAULT），返回 CPU 上的网络。

    训练它时的选项（LEARNT）没有亲手给出的，改成文件里记的：width 不对载不进去，其余几个 evaluate 要用。
    """
    path = Path(opt.model_path or DEFAULT)
    if not path.suffix and not path.exists():
        names = shipped_styles()
        if path.name not in names:
            raise UserError(f"没有叫 {opt.model_path} 的风格：--model-path 可以是 {'、'.join(names)}，或训练得到的 style.pth")
        path = SHIPPED / f"{path.name}.pth"
    content = load_checkpoint(path, PROJECT)
    saved = saved_config(Config, content["config"], path, LEARNT)
    if "width" in opt.given and opt.width != saved.width:
        raise UserError(f"{path} 的 width 是 {saved.width}，与给出的 {opt.width} 不符：去掉 --width，或换一份权重")
    for name in LEARNT:
        if name not in opt.given:
            setattr(opt, name, getattr(saved, name))
    net = TransformerNet(opt.width)
    load_state(net, content["average" if "average" in content else "model"], path)      # 断点里是 average
    return net.eval()


def shipped_styles() -> dict[str, str]:
    """自带的风格：名字 → 那幅画的题目。"""
    with open(HERE / "data" / "sources.csv", encoding="utf-8", newline="") as file:
        titles = {Path(row["file"]).stem: row["title"] for row in csv.DictReader(file)}
    names = sorted(item.stem for item in SHIPPED.glob("*.json") if item.stem != "vgg16")
    return {name: titles.get(name, name) for name in names}


def new_net(opt: Config) -> TransformerNet:
    """训练的起点：随机的权重，或 --model-path 里另一种风格的。"""
    if not opt.model_path:
        return TransformerNet(opt.width)
    start = Config(model_path=opt.model_path, width=opt.width)
    start.given = opt.given & {"width"}
    net = load_net(start)
    opt.width = start.width                     # 其余选项仍是这次训练的，不是那种风格的
    return net.train()


def portable(net: TransformerNet, opt: Config) -> dict:
    """权重文件的内容：半精度的权重和 LEARNT 各项，够画画用；比断点小得多。"""
    return {"model": {name: value.half() for name, value in net.state_dict().items()},
            "config": {name: getattr(opt, name) for name in LEARNT}}


def read_style(opt: Config) -> t.Tensor:
    """画 (1, 3, H, W)，float，0 到 255，最长边不超过 style_size。"""
    return to_tensor(fit_within(open_picture(opt.style_path), opt.style_size))[None].float()


def build_loss(opt: Config, runtime: Runtime) -> PerceptualLoss:
    """opt 指定的画和权重的损失，VGG16 在设备上。"""
    layout = t.channels_last if opt.channels_last else t.contiguous_format
    vgg = VGG16.pretrained().to(runtime.device, memory_format=layout)
    return PerceptualLoss(vgg, read_style(opt).to(runtime.device), opt.content_weight, opt.style_weight, opt.tv_weight)


def square_crops(paths: list[Path], size: int) -> t.Tensor:
    """各张照片取正中的方块、缩到 size×size → (N, 3, size, size)，float，0 到 255。"""
    crops = [ImageOps.fit(open_picture(path), (size, size), Image.Resampling.LANCZOS) for path in paths]
    return t.stack([to_tensor(crop) for crop in crops]).float()


def held_out() -> list[Path]:
    return find_pictures(str(HELD_OUT), "data/heldout")
