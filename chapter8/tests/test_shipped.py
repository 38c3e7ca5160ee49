"""自带的风格：文件小，画得像它自己说的那样好。"""

import json

import numpy as np
import pytest
import torch as t
from helpers import PROJECT, call
from PIL import Image

import reconstruction
from config import Config
from data import to_tensor
from losses import PerceptualLoss
from models.vgg16 import TAPS
from painting import paint_tiles
from style import held_out, load_net, read_style, square_crops
from utils.runtime import setup

STORIES = {path.stem: json.loads(path.read_text(encoding="utf-8"))
           for path in sorted((PROJECT / "checkpoints").glob("*.json")) if path.stem != "vgg16"}


def load(name):
    opt = Config(model_path=name)
    net = load_net(opt)
    opt.style_path = str(PROJECT / opt.style_path)
    return net, opt


def test_three_or_more_styles_small_and_half_precision():
    assert len(STORIES) >= 3
    for name in STORIES:
        path = PROJECT / "checkpoints" / f"{name}.pth"
        assert path.stat().st_size < 4e6
        content = t.load(path, weights_only=True)
        assert {value.dtype for value in content["model"].values()} == {t.float16}
        assert content["config"]["style_path"] == f"data/paintings/{name}.webp"


@pytest.mark.parametrize("name", STORIES)
def test_loss_on_photos_never_seen(real_vgg, name):
    """达到写明的成绩；风格比照片本身近得多，内容还在（全丢了是 1 左右）。"""
    net, opt = load(name)
    perceptual = PerceptualLoss(real_vgg, read_style(opt), opt.content_weight, opt.style_weight, opt.tv_weight)
    photos = square_crops(held_out(), opt.image_size)
    target = perceptual.content_target(photos)
    with t.inference_mode():
        plain, painted = perceptual(photos, target), perceptual(net(photos), target)
    assert painted.total.mean().item() == pytest.approx(STORIES[name]["metrics"]["network"], rel=0.03)
    assert painted.style.mean() < 0.7 * plain.style.mean() and painted.total.mean() < plain.total.mean()
    assert painted.content.mean() < 0.8


@pytest.mark.parametrize("name", STORIES)
def test_the_photo_is_repainted_and_still_recognised(name):
    """每个像素都重画过，轮廓仍在原处：相邻像素之差的大小与照片的相关。"""
    photos = square_crops(held_out(), 192)
    with t.inference_mode():
        painted = load(name)[0](photos)
    assert (painted - photos).abs().mean() > 25

    def edges(x):
        x = x.mean(1, keepdim=True)
        x = (x[..., 1:, 1:] - x[..., :-1, 1:]).abs() + (x[..., 1:, 1:] - x[..., 1:, :-1]).abs()
        x = t.nn.functional.avg_pool2d(x, 6).flatten(1)
        return (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)
    assert (edges(photos) * edges(painted)).mean() > 0.4


@pytest.mark.parametrize("name", STORIES)
def test_no_border(name):
    """画出来的，四边一圈与往里 12 个像素的一圈颜色相当：没有镶边。"""
    net, _ = load(name)
    painted = t.stack([paint_tiles(net, photo.byte(), setup(use_gpu=False), 1024) for photo in square_crops(held_out(), 192)]).float()

    def ring(at):                                                   # (3,)：离边 at 起 4 个像素宽的一圈的平均颜色
        inside = painted[..., at:192 - at, at:192 - at]
        return (inside.sum((0, 2, 3)) - inside[..., 4:-4, 4:-4].sum((0, 2, 3))) / (len(painted) * 4 * 4 * (192 - 2 * at - 4))
    assert (ring(0) - ring(12)).abs().max() < 15


def test_reconstructions_are_converged(real_vgg):
    """style.ipynb 看的图是走到底的，与 reconstruction.py 现在的损失相合。"""
    pictures = {name: t.from_numpy(pixels)[None].float() for name, pixels in np.load(reconstruction.RESULT).items()}
    small = reconstruction.load(reconstruction.PHOTO, reconstruction.PHOTO_SIDE)
    painting = reconstruction.load(reconstruction.PAINTING, reconstruction.PAINTING_SIDE)
    for depth, name in enumerate(TAPS):
        for kind, loss_of in (("photo", reconstruction.content_loss(real_vgg, small, depth)),
                              ("texture", reconstruction.texture_loss(real_vgg, painting, depth))):
            picture = pictures.pop(f"{kind}_{name}")
            with t.no_grad():
                assert loss_of(picture) < 0.02 * loss_of(reconstruction.noise_like(picture)), (kind, name)
    assert not pictures


def test_styles_differ():
    photo = square_crops(held_out()[:2], 128)
    with t.inference_mode():
        outputs = [load(name)[0](photo) for name in STORIES]
    for i, one in enumerate(outputs):
        for other in outputs[:i]:
            assert (one - other).abs().mean() > 15


def test_the_default_command(workdir, capsys):
    call("stylize", f"--content-path={held_out()[7]}", "--max-size=300")
    assert max(Image.open("result.png").size) == 300
    call("stylize", f"--content-path={held_out()[7]}", "--max-size=300", "--model-path=night_cafe", "--result-path=other.png")
    gap = to_tensor(Image.open("result.png")).float() - to_tensor(Image.open("other.png")).float()
    assert gap.abs().mean() > 15
