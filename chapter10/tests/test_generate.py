"""generate：随书的权重按名字找，场景和照片各用各的；坏图不连累好图；每个词的概率；断点和权重的各种样子。"""

import json
import math
import re
import shutil
from pathlib import Path

import pytest
import torch as t
from conftest import DATA, TINY, paint
from helpers import PROJECT, call, fails
from PIL import Image

from captioner import load_captioner, search
from config import Config
from data import EOS, encode, make_encoder, read_image
from describing import OUR_PHOTOS, OUR_SCENES, word_probs
from utils.checkpoint import load_checkpoint, save_checkpoint
from utils.runtime import setup

PHOTO = "--test-img=data/images/test0.jpg"


def reading(path: Path) -> dict:
    """权重文件的内容，可以改动、再存。"""
    content = dict(load_checkpoint(path, "caption"))
    return {**content, "config": dict(content["config"])}


@pytest.fixture
def shipped(tiny_run, folder, monkeypatch):
    """随书的权重换成训练三步的：场景两份，照片一份。当前文件夹里有小数据。"""
    place = folder / "checkpoints"
    content = reading(tiny_run / "runs/tiny/best.pth")
    save_checkpoint(place / "photos.pth", content)
    content["config"]["caption_data_path"] = Config.caption_data_path
    save_checkpoint(place / "AttentionCaptionModel.pth", content)
    shutil.copy(PROJECT / "checkpoints/CaptionModel.pth", place)
    monkeypatch.setattr("captioner.SHIPPED", place)
    return place


def weights_and_pictures(said: str) -> dict[str, list[str]]:
    """generate 打印的：权重的名字 → 用它描述的图片的名字。"""
    found = {}
    for line in said.splitlines():
        if line.startswith("权重 "):
            found[Path(line.split("，")[0][3:]).stem] = pictures = []
        elif re.fullmatch(r"\S+\.jpg", line):
            pictures.append(Path(line).name)
    return found


def names_in(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


# ---------------------------------------------------------------- 哪一份权重


def test_scenes_and_photos_are_described_each_by_its_own_weights(shipped, capsys):
    call("generate", "--beam-size=1", "--picture=all.png")
    assert weights_and_pictures(capsys.readouterr().out) == {
        "AttentionCaptionModel": names_in(OUR_SCENES), "photos": names_in(OUR_PHOTOS)}
    with Image.open("all.png") as image:
        assert image.height > 100 * (len(names_in(OUR_SCENES)) + len(names_in(OUR_PHOTOS)))
    call("generate", "--beam-size=1", "--model-path=photos")
    assert weights_and_pictures(capsys.readouterr().out) == {"photos": names_in(OUR_PHOTOS)}
    call("generate", "--beam-size=1", "--model-path=AttentionCaptionModel.pth")
    assert weights_and_pictures(capsys.readouterr().out) == {"AttentionCaptionModel": names_in(OUR_SCENES)}
    call("generate", "--beam-size=1", "--model=CaptionModel")
    assert weights_and_pictures(capsys.readouterr().out) == {"CaptionModel": names_in(OUR_SCENES)}


def test_a_readers_photo_gets_the_weights_of_photos(shipped, capsys):
    for place, weights in ((PHOTO, "photos"), (f"--test-img={OUR_SCENES / 'beach.jpg'}", "AttentionCaptionModel"),
                           (f"--test-img={OUR_SCENES}", "AttentionCaptionModel")):
        call("generate", "--beam-size=1", place)
        assert list(weights_and_pictures(capsys.readouterr().out)) == [weights]


@pytest.mark.parametrize("name, says", [("photo", "是不是 photos"), ("Photos", "是不是 photos"), ("phots.pth", "是不是 photos"),
                                        ("runs/x.pth", "runs/x.pth"), ("zebra", "zebra")])
def test_a_misspelt_name_lists_the_shipped_ones(shipped, capsys, name, says):
    for words in (["generate", PHOTO], ["test", *DATA], ["train", *DATA, "--batch-size=8"]):
        message = fails(capsys, *words, f"--model-path={name}")
        assert says in message and "AttentionCaptionModel、CaptionModel、photos" in message
    assert not Path("runs").exists()


def test_weights_with_the_vocabulary_of_other_data_are_refused(shipped, capsys, monkeypatch):
    monkeypatch.setattr("data.prepare.COUNTS", {"train": 8, "val": 6, "test": 6})
    assert "photos.pth 的词表与数据不合" in fails(capsys, "test", "--model-path=photos")      # 照片的权重，场景的数据
    assert not Path("runs/scenes/features").exists()                                        # 不必先提取特征
    for words in (["test"], ["train", "--batch-size=8"]):
        message = fails(capsys, *words, *DATA[:3], "--scale-size=192", "--img-size=192", "--model-path=CaptionModel", "--img-feature-path=fresh")
        assert "CaptionModel.pth 的词表与数据不合" in message
    before = set(Path().rglob("*"))
    message = fails(capsys, "train", *DATA[:2], "--model-path=CaptionModel", "--scale-size=64", "--img-size=64", "--img-feature-path=other")
    assert "scale_size" in message and set(Path().rglob("*")) == before                     # 特征的选项不同，提取之前就说


# ---------------------------------------------------------------- 坏图、概率


def test_one_bad_picture_does_not_hide_the_others(shipped, capsys):
    Path("mixed").mkdir()
    for i in range(4):
        paint(Path(f"mixed/{i}.jpg"), "红", "圆", i)
    Path("mixed/2.jpg").write_bytes(Path("mixed/2.jpg").read_bytes()[:400])
    (Path("mixed") / "._0.jpg").write_bytes(b"\0\5\x16\7")
    Path("mixed/a.heic").write_bytes(b"heic")
    Path("mixed/sub.jpg").mkdir()
    with pytest.raises(SystemExit) as stop:
        call("generate", "--test-img=mixed", "--beam-size=1", "--picture=a.png")
    said = capsys.readouterr()
    assert stop.value.code == 2 and said.err.startswith("错误：") and said.err.count("\n") == 1 and "2.jpg" in said.err
    assert weights_and_pictures(said.out)["photos"] == ["0.jpg", "1.jpg", "3.jpg"]
    assert ".heic 1 个" in said.out and Path("a.png").is_file()
    for name in ("0.jpg", "1.jpg", "3.jpg"):
        Path("mixed", name).write_bytes(b"")
    assert "共 4 张" in fails(capsys, "generate", "--test-img=mixed", "--beam-size=1", "--picture=b.png")
    assert not Path("b.png").exists()


@pytest.mark.parametrize("beam_size", [1, 3])
@pytest.mark.parametrize("model", ["AttentionCaptionModel", "CaptionModel"])
def test_the_probabilities_of_the_words_are_those_of_the_sentence(model, beam_size):
    captioner = load_captioner(Config(model=model), t.device("cpu"))
    images = t.stack([read_image(path, captioner.scale_size, captioner.img_size) for path in sorted(OUR_SCENES.iterdir())[:3]])
    grid = encode(make_encoder("EfficientNetLite0"), images, setup(False))
    found = [candidates[0] for candidates in search(captioner, grid, Config(beam_size=beam_size))]
    short = word_probs(captioner.model, grid, [candidate.ids for candidate in found])
    full = word_probs(captioner.model, grid, [[*candidate.ids, EOS] for candidate in found])        # 连同 <eos> 的概率
    for candidate, probs, more in zip(found, short, full):
        assert len(probs) == len(candidate.ids) - 1 and more[:-1] == pytest.approx(probs, rel=1e-4)
        assert sum(map(math.log, more)) == pytest.approx(candidate.log_prob, abs=1e-3)


def test_the_best_sentence_is_shown_word_by_word(workdir, capsys):
    call("generate", f"--test-img={OUR_SCENES / 'beach.jpg'}", "--model=AttentionCaptionModel")
    lines = capsys.readouterr().out.splitlines()
    sentence, words = lines[2].split()[1], lines[3].split()
    assert "".join(words[::2]) == sentence and all(re.fullmatch(r"\d+%", word) for word in words[1::2])
    assert int(words[words.index("菠萝") + 1][:-1]) > 50                         # 画里真有


def test_strange_values_of_options(capsys, workdir):
    for word in ("--length-norm=1000", "--length-norm=inf", "--beam-size=0", "--picture=a.psd", "--picture=b"):
        assert word.split("=")[0] in fails(capsys, "generate", f"--test-img={OUR_SCENES}", "--model=CaptionModel", word)
    assert list(workdir.iterdir()) == []


# ---------------------------------------------------------------- 断点和权重的各种样子


def test_resume_uses_the_new_learning_rate_and_decay(folder):
    call("train", *TINY, "--max-steps=3", "--max-epoch=4")
    call("train", "--resume", "--max-steps=4", "--lr=1e-5", "--weight-decay=0.5")
    content = load_checkpoint("runs/caption/last.pth", "caption")
    group, = content["optimizer"]["param_groups"]
    assert content["config"]["lr"] == 1e-5 and group["weight_decay"] == 0.5 and 0 < group["lr"] <= 1e-5
    before = content["model"]
    call("train", "--resume", "--max-steps=5")                                  # 不给，就还是上次的
    content = load_checkpoint("runs/caption/last.pth", "caption")
    group, = content["optimizer"]["param_groups"]
    assert content["config"]["lr"] == 1e-5 and group["lr"] <= 1e-5 and group["weight_decay"] == 0.5
    assert max((content["model"][name] - before[name]).abs().max() for name in before) < 1e-4


def test_resume_refuses_other_weights_and_the_best_ones(tiny_run, folder, capsys):
    shutil.copytree(tiny_run / "runs", "runs")
    assert "model_path" in fails(capsys, "train", "--resume", "--env=tiny", "--model-path=CaptionModel")
    shutil.copy("runs/tiny/best.pth", "runs/tiny/last.pth")
    assert "不是断点" in fails(capsys, "train", "--resume", "--env=tiny")


def test_options_may_be_added_to_and_removed_from_config(tiny_run, folder, capsys):
    """config.py 改过之后，以前的权重和断点还用得上；换了就接不上的选项没有记下，才拒绝。"""
    shutil.copytree(tiny_run / "runs", "runs")
    for name in ("last", "best"):
        content = reading(Path(f"runs/tiny/{name}.pth"))
        del content["config"]["plot_every"]
        content["config"]["no_longer_there"] = 3
        save_checkpoint(f"runs/tiny/{name}.pth", content)
    call("generate", "--model-path=runs/tiny/best.pth", PHOTO, "--beam-size=1")
    call("train", *DATA, "--batch-size=8", "--model-path=runs/tiny/best.pth", "--max-steps=1", "--env=tuned")
    call("train", "--resume", "--env=tiny", "--max-steps=4")
    assert "no_longer_there" in capsys.readouterr().out
    content = reading(Path("runs/tiny/last.pth"))
    del content["config"]["rnn_hidden"]
    save_checkpoint("runs/tiny/last.pth", content)
    assert "rnn_hidden" in fails(capsys, "train", "--resume", "--env=tiny")


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "module._orig_mod."])
def test_weights_of_wrapped_networks_are_read(tiny_run, folder, capsys, prefix):
    content = reading(tiny_run / "runs/tiny/best.pth")
    call("generate", f"--model-path={tiny_run / 'runs/tiny/best.pth'}", PHOTO)
    plain = capsys.readouterr().out.splitlines()[1:]
    save_checkpoint("wrapped.pth", {**content, "model": {prefix + name: value for name, value in content["model"].items()}})
    call("generate", "--model-path=wrapped.pth", PHOTO)
    assert capsys.readouterr().out.splitlines()[1:] == plain


@pytest.mark.parametrize("change", [
    {"config": {}}, {"config": 3}, {"vocabulary": 3}, {"vocabulary": [[]]}, {"repeated": 3}, {"cells": "x"}, {"channels": -1}, {"model": {}},
    {"model": None}, {"vocabulary": []},
])
def test_strange_contents_of_weights_are_one_line(tiny_run, folder, capsys, change):
    content = reading(tiny_run / "runs/tiny/best.pth")
    save_checkpoint("odd.pth", content | change)
    for words in (["generate", PHOTO], ["test", *DATA], ["train", *DATA, "--batch-size=8"]):
        assert "odd.pth" in fails(capsys, *words, "--model-path=odd.pth")


@pytest.mark.parametrize("name", ["model", "embedding_dim", "rnn_hidden", "encoder", "scale_size"])
def test_strange_options_in_weights_are_one_line(tiny_run, folder, capsys, name):
    content = reading(tiny_run / "runs/tiny/best.pth")
    for value in (None, -3, "nothing", [1]):
        content["config"][name] = value
        save_checkpoint("odd.pth", content)
        fails(capsys, "generate", PHOTO, "--model-path=odd.pth")


def test_a_place_with_spaces_is_quoted(folder, capsys):
    shutil.move("data", "my data")
    words = ["--caption-data-path=my data", "--img-path=my data/images", "--scale-size=64", "--img-size=64"]
    shutil.rmtree("my data/features")
    call("prepare", *words)
    assert "--caption-data-path='my data' --img-path='my data/images'" in capsys.readouterr().out
    call("train", *words, *TINY[5:], "--max-steps=1", "--env=my run")
    assert "--model-path='runs/my run/best.pth'" in capsys.readouterr().out


def test_big_seeds_are_used_or_refused(folder, capsys):
    call("train", *TINY, "--max-steps=2", f"--seed={2 ** 62}", "--plot-every=1")
    call("train", "--resume", "--max-steps=3")
    assert "--seed" in fails(capsys, "train", *TINY, f"--seed={10 ** 20}")


def test_options_are_kept_as_plain_values(tiny_run):
    config = load_checkpoint(tiny_run / "runs/tiny/last.pth", "caption")["config"]
    json.dumps(dict(config))
