"""随书的权重：达到它自己写明的成绩，描述得出自带的几张图。"""

import json
import re
from itertools import islice
from pathlib import Path
from random import Random

import pytest
import torch as t
from helpers import PROJECT, call
from PIL import Image

from captioner import load_captioner, search
from config import Config
from data import encode, make_encoder, names_all_right, read_image, to_pixels
from data.drawing import draw
from data.prepare import render_chunk
from data.scenes import UNSEEN_TESTS, make_scenes
from describing import OUR_PHOTOS
from report import right_names
from utils.runtime import setup

MODELS = ("AttentionCaptionModel", "CaptionModel")
COUNT = 80             # 「见过的」「没见过的」各画几张来查


def story(model):
    return json.loads((PROJECT / f"checkpoints/{model}.json").read_text(encoding="utf-8"))


def pixels_of(pictures):
    return t.stack([to_pixels(picture, Config.scale_size, Config.img_size) for picture in pictures])


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """测试集里的一部分，图片文件与 prepare 画出来的相同：部分 → (剧本, 特征)。"""
    runtime, encoder, scenes = setup(False), make_encoder("EfficientNetLite0"), list(make_scenes("test"))
    folder, found = tmp_path_factory.mktemp("sample"), {}
    for part, start in (("seen", UNSEEN_TESTS), ("unseen", 0)):
        names = [f"test_{i:05d}.jpg" for i in range(start, start + COUNT)]
        chosen = scenes[start:start + COUNT]
        render_chunk(chosen, names, folder)
        images = t.stack([read_image(folder / name, Config.scale_size, Config.img_size) for name in names])
        found[part] = chosen, t.cat([encode(encoder, batch, runtime) for batch in images.split(30)])
    return found


@pytest.fixture(scope="module")
def written(sample):
    """(网络, 部分) → 各张图的描述。"""
    found = {}
    for model in MODELS:
        captioner = load_captioner(Config(model=model), t.device("cpu"))
        for name, (_, grid) in sample.items():
            found[model, name] = [captioner.vocabulary.decode(candidates[0].ids)
                                  for candidates in search(captioner, grid, Config())]
    return found


@pytest.mark.parametrize("model", MODELS)
def test_small_and_half_precision(model):
    path = PROJECT / f"checkpoints/{model}.pth"
    assert path.stat().st_size < 12e6
    content = t.load(path, weights_only=True)
    assert {weight.dtype for weight in content["model"].values()} == {t.float16}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("part", ["seen", "unseen"])
def test_names_are_as_right_as_the_story_says(sample, written, model, part):
    right = right_names(written[model, part], sample[part][0])["all"]
    assert right == pytest.approx(story(model)["metrics"][f"{part}_pairs_all_names_right"], abs=0.09)


def test_attention_is_clearly_better(sample, written):
    for part, (scenes, _) in sample.items():
        looking, plain = (right_names(written[model, part], scenes)["all"] for model in MODELS)
        assert looking > plain + 0.1, part


def test_captions_are_varied_and_well_formed(sample, written):
    for (model, part), sentences in written.items():
        texts = ["".join(words) for words in sentences]
        assert len(set(texts)) > 0.8 * len(texts), (model, part)
        assert all(4 <= len(text) <= 60 for text in texts)


def test_the_readmes_first_command(workdir, capsys):
    examples = sorted((PROJECT / "data/examples").iterdir())
    call("generate", f"--test-img={PROJECT / 'data/examples'}", "--picture=out/looks.png")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 5 * len(examples) + 1
    with Image.open("out/looks.png") as image:
        assert image.width > 900 and image.height > 100 * len(examples)


def test_photos_are_described(workdir, capsys):
    """随书的照片里，训练集里有的东西（狗、人）说得出来；没见过的（火箭、城堡）不要求。"""
    call("generate", f"--test-img={OUR_PHOTOS}")
    lines = capsys.readouterr().out.splitlines()
    said = {Path(line).stem: lines[i + 1] for i, line in enumerate(lines) if line.endswith(".jpg")}
    assert set(said) == {path.stem for path in OUR_PHOTOS.iterdir()}
    assert "狗" in said["dog"]
    assert all(re.search("人|女|男|孩", said[name]) for name in ("astronaut", "photographer"))


def test_test_prepares_its_own_split(workdir, capsys, monkeypatch):
    """什么都没有准备时，test 只画测试集、只提取它的特征。"""
    monkeypatch.setattr("data.prepare.COUNTS", {"train": 6, "val": 6, "test": 12})
    call("test", "--beam-size=2", "--picture=sheet.png")
    shown = capsys.readouterr().out
    assert "没见过的搭配 12 张：每样东西都说对的" in shown and "BLEU-4" in shown and "CIDEr" in shown
    assert (workdir / "sheet.png").is_file()
    assert {path.name for path in (workdir / "runs/scenes").iterdir()} == {
        "images", "features", "test.json", "test_scenes.json", "prepared.json"}


def test_prepare_without_options(workdir, capsys, monkeypatch):
    monkeypatch.setattr("data.prepare.COUNTS", {"train": 8, "val": 6, "test": 6})
    call("prepare")
    shown = capsys.readouterr().out
    assert "train：8 张图，40 句描述，每张图的特征 36 格 × 1728 维" in shown
    call("train", "--max-steps=1", "--batch-size=4", "--rnn-hidden=8")           # 接着就能训练


def test_left_and_right_come_from_the_picture(sample):
    """左右镜像的图，说法也左右对换。"""
    captioner = load_captioner(Config(), t.device("cpu"))
    pairs = [scene for scene in islice(make_scenes("test"), 300, 700)
             if len(scene.things) == 2 and abs(scene.things[0].x - scene.things[1].x) > 50
             and all(thing.count == 1 for thing in scene.things)][:24]
    encoder, swapped = make_encoder("EfficientNetLite0"), 0
    pictures = [draw(scene, Random(1)) for scene in pairs]
    both = pictures + [picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for picture in pictures]
    grid = encode(encoder, pixels_of(both), setup(False))
    texts = ["".join(captioner.vocabulary.decode(found[0].ids)) for found in search(captioner, grid, Config())]
    for scene, text, mirrored in zip(pairs, texts, texts[len(pairs):]):
        if names_all_right(text, scene) and names_all_right(mirrored, scene):
            first, second = (min(scene.names, key=sentence.find) for sentence in (text, mirrored))
            swapped += first != second
    assert swapped > len(pairs) / 3
