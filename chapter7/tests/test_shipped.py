"""随书的权重：达到它自己写明的成绩。"""

import json

import pytest
import torch as t
from helpers import PROJECT, call
from PIL import Image

from config import Config
from data import Avatars
from gan import build_netg, calibrate, load_part, sample
from metrics import extract, frechet_distance, nearest
from utils import seed_step, setup

STORY = json.loads((PROJECT / "checkpoints/netg.json").read_text(encoding="utf-8"))
CPU = setup(False)
FEW = 400


def test_small_and_half_precision():
    for name in ("netg", "netd"):
        path = PROJECT / "checkpoints" / f"{name}.pth"
        assert path.stat().st_size < 8e6
        content = t.load(path, weights_only=True)
        assert {value.dtype for value in content["model"].values() if value.is_floating_point()} == {t.float16}
        assert content["config"]["image_size"] == 96


@pytest.fixture(scope="module")
def avatars():
    return Avatars(str(PROJECT / "data/avatars.zip"), 96, cache_mb=200).cache


@pytest.fixture(scope="module")
def pictures():
    netg = load_part("netg", Config(), PROJECT / "checkpoints/netg.pth")
    seed_step(0)
    return sample(netg, t.randn(FEW, 100), CPU, 64)


def test_distance_to_real_avatars(avatars, pictures):
    """比未训练的生成器近得多。张数少，FID 会偏大，所以看与同样张数的未训练的之比；写明的成绩用 5000 张。"""
    seed_step(0)
    blank = build_netg(Config())
    calibrate(blank, 100, t.device("cpu"))
    real = extract(avatars[:FEW], CPU, "")
    start = frechet_distance(real, extract(sample(blank, t.randn(FEW, 100), CPU, 64), CPU, ""))
    fid = frechet_distance(real, extract(pictures, CPU, ""))
    assert fid < 0.25 * start
    stated = STORY["metrics"]["fid"] / STORY["metrics"]["fid_untrained"]
    assert abs(fid / start - stated) < 0.1


def test_pictures_differ_and_copy_nothing(avatars, pictures):
    """没有坍缩成几张，也没有照抄训练集：它们彼此的距离与真头像之间的相近，离训练图都有一段距离。"""
    def spread(images):
        small = t.nn.functional.adaptive_avg_pool2d(images[:200].float(), 24).flatten(1)
        return t.pdist(small).median().item()
    assert spread(pictures) > 0.6 * spread(avatars)
    _, distance = nearest(pictures, avatars)
    assert distance.min() > 5


def test_the_default_command(workdir, capsys):
    call("generate")
    assert Image.open("result.png").size == (8 * 98 + 2,) * 2
    assert "从 512 张里挑出 64 张" in capsys.readouterr().out
