"""随书的权重：达到它自己写明的成绩。训练图不在这里，所以对照的是随权重附带的均值和协方差。"""

import json

import pytest
import torch as t
from helpers import PROJECT, call
from PIL import Image

from config import Config
from gan import SHIPPED, build_netg, calibrate, load_part, sample
from metrics import MAIN, extract, frechet_distance, gaussian, load_reference, make_judge
from utils.runtime import seed_step, setup

STORY = json.loads((PROJECT / "checkpoints/netg.json").read_text(encoding="utf-8"))
CPU = setup(False)
FEW = 400


def test_small_and_half_precision():
    for name in ("netg", "netd"):
        assert SHIPPED[name].stat().st_size < 8e6
        content = t.load(SHIPPED[name], weights_only=True)
        assert {value.dtype for value in content["model"].values() if value.is_floating_point()} == {t.float16}
        assert content["config"]["image_size"] == 96


@pytest.fixture(scope="module")
def reference():
    known, count = load_reference(SHIPPED["reference"])
    assert count == STORY["metrics"]["count"]
    return known[MAIN]


@pytest.fixture(scope="module")
def fake():
    """自带的权重画的几百张的特征。"""
    netg = load_part("netg", Config(), SHIPPED["netg"])
    seed_step(0)
    return extract(sample(netg, t.randn(FEW, 100), CPU, 64), make_judge(t.device("cpu")), CPU, "")[MAIN]


def test_distance_to_real_faces(reference, fake):
    """FID 与未训练的生成器之比，就是写明的那么多。张数少时 FID 偏大，写明的这个数也是用同样多张量的。"""
    seed_step(0)
    blank = build_netg(Config())
    calibrate(blank, 100, t.device("cpu"))
    start = extract(sample(blank, t.randn(FEW, 100), CPU, 64), make_judge(t.device("cpu")), CPU, "")[MAIN]
    ratio = frechet_distance(reference, gaussian(fake)) / frechet_distance(reference, gaussian(start))
    assert ratio == pytest.approx(STORY["metrics"]["fid_ratio_of_400"], rel=0.1)


def test_faces_differ(reference, fake):
    """没有坍缩成几张：特征的总方差与真脸的相近。"""
    assert gaussian(fake).covariance.trace() > 0.6 * reference.covariance.trace()


def test_the_default_command(workdir, capsys):
    call("generate")
    assert Image.open("result.png").size == (8 * 98 + 2,) * 2
    assert "生成 64 张" in capsys.readouterr().out


def test_evaluate_needs_no_pictures(workdir, capsys):
    call("evaluate", "--eval-num=20")
    shown = capsys.readouterr().out
    assert "20 张生成的" in shown and MAIN in shown
    assert list(workdir.iterdir()) == []                            # 没有画对照的头像，也没有最像的训练图
