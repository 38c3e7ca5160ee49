"""数据：剧本、句子、画面、词表、特征、官方格式。"""

import gc
import hashlib
import json
from itertools import islice
from random import Random

import numpy as np
import pytest
import torch as t
from conftest import DATA, paint
from helpers import call

from config import Config
from data import (
    EOS,
    PAD,
    UNK,
    Annotation,
    CaptionDataset,
    CaptionSampler,
    Vocabulary,
    collate,
    counts_all_right,
    load_annotations,
    names_all_right,
    names_in,
    segment,
)
from data.drawing import HUES, draw, sprite
from data.features import Features, encode, make_encoder, recipe
from data.prepare import load_scenes, load_split, render_split
from data.scenes import (
    COUNTS,
    SIDE,
    STYLES,
    UNSEEN_TESTS,
    Scene,
    Thing,
    concepts,
    covered,
    known_pairs,
    make_scenes,
    pairs_of,
    unseen_pair,
)
from data.sentences import NUMBERS, write_captions
from data.sprites import HERE, SHIPPED
from report import right_names
from utils.files import UserError
from utils.runtime import setup

FIRST_SCENES = "af062d2f35ec12d8"       # 训练集前 200 个剧本的哈希的开头：换了 Python 的版本也不能变


@pytest.fixture(scope="module")
def scenes():
    return {split: list(make_scenes(split)) for split in ("val", "test")} | {
        "train": list(islice(make_scenes("train"), 2000))}


# ---------------------------------------------------------------- 剧本和句子


def test_shipped_files_are_the_documented_ones():
    for name, digest in SHIPPED.items():
        assert hashlib.sha256((HERE / name).read_bytes()).hexdigest() == digest, name


def test_concepts_are_many_and_distinct():
    table = concepts()
    assert len(table) >= 150
    words = [word for concept in table.values() for word in (concept.name, concept.alias) if word]
    assert len(words) == len(set(words))
    assert {concept.layer for concept in table.values()} == {"地", "水", "天"}


def test_scenes_are_the_same_every_time(scenes):
    assert list(islice(make_scenes("train"), 50)) == scenes["train"][:50]
    assert scenes["train"][:50] != scenes["val"][:50]
    text = json.dumps([[scene.background, *sorted(scene.names)] for scene in scenes["train"][:200]], ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest().startswith(FIRST_SCENES)


def test_unseen_pairs_never_occur_in_training_or_validation(scenes):
    trained = known_pairs(0)
    assert not any(unseen_pair(*pair) for pair in trained)
    assert not any(unseen_pair(*pair) for scene in scenes["val"] for pair in pairs_of(scene.names))
    strange, usual = (scenes["test"][:UNSEEN_TESTS], scenes["test"][UNSEEN_TESTS:])
    assert len(usual) == COUNTS["test"] - UNSEEN_TESTS
    for scene in strange:
        assert scene.unseen and any(unseen_pair(*pair) for pair in pairs_of(scene.names))
        assert pairs_of(scene.names) - trained
    for scene in usual:
        assert not scene.unseen and pairs_of(scene.names) <= trained


def test_things_stay_inside_the_picture_and_apart(scenes):
    for scene in scenes["val"]:
        assert 1 <= len(scene.things) <= 3 and 1 <= sum(thing.count for thing in scene.things) <= 4
        assert [thing.x for thing in scene.things] == sorted(thing.x for thing in scene.things)
        for layer in ("地", "水", "天"):
            boxes = sorted(box for thing in scene.things if concepts()[thing.name].layer == layer for box in thing.boxes)
            assert all(0 <= left < right <= SIDE and 0 <= top < bottom <= SIDE for left, top, right, bottom in boxes)
            assert all(one[2] <= two[0] for one, two in zip(boxes, boxes[1:]))


def test_things_of_different_layers_seldom_hide_each_other(scenes):
    worst = []
    for scene in scenes["val"]:
        layers = [{thing.name: thing.boxes for thing in scene.things if concepts()[thing.name].layer == layer} for layer in "地水天"]
        if sum(map(bool, layers)) > 1:
            worst.append(covered(layers))
    assert len(worst) > 200 and sum(part > 0.5 for part in worst) < 0.05 * len(worst)


def test_five_different_sentences_name_everything_with_its_classifier(scenes):
    for i, scene in enumerate([*scenes["val"][:300], *scenes["test"][:100]]):
        sentences = write_captions(scene, Random(i))
        assert len(set(sentences)) == 5
        for sentence in sentences:
            assert counts_all_right(sentence, scene), sentence
            for thing in scene.things:
                assert NUMBERS[thing.count] + concepts()[thing.name].classifier in sentence, sentence


def test_left_and_right_are_true(scenes):
    checked = 0
    for i, scene in enumerate(scenes["val"]):
        for sentence in write_captions(scene, Random(i)):
            if "的左边" in sentence or "的右边" in sentence or "左边是" in sentence:
                said = [next(thing for thing in scene.things if thing.name == name) for name in names_in(sentence)]
                order = [thing.x for thing in said]
                assert order == sorted(order, reverse="的右边" in sentence), sentence
                checked += 1
    assert checked > 100


@pytest.mark.parametrize("sentence, names", [
    ("草地上站着一只猫头鹰和一只猫", ["猫头鹰", "猫"]),
    ("海里游着一条热带鱼，沙滩上有一艘帆船", ["热带鱼", "帆船"]),
    ("房间里有一本书和一个书包", ["书", "书包"]),
    ("一辆公共汽车停在街道上", ["公交车"]),
    ("一辆红色的小汽车在一辆汽车的左边", ["汽车", "汽车"]),
    ("夜空下什么也没有", []),
])
def test_names_are_found_longest_first_and_aliases_count(sentence, names):
    assert names_in(sentence) == names


@pytest.mark.parametrize("sentence, right", [
    ("草地上站着一只猫和一只狗", True),
    ("一只小狗在一只小猫的左边", True),
    ("草地上站着一只猫", False),
    ("草地上站着一只猫、一只狗和一匹马", False),
    ("草地上站着一只猫、一只狗和一只小猫", False),
])
def test_right_means_everything_once_and_nothing_else(sentence, right):
    scene = Scene("草地", "noto", False, [Thing("猫"), Thing("狗")])
    assert names_all_right(sentence, scene) is right


def test_rates_of_right_names():
    one = [[0, 0, 9, 9]]
    scenes = [Scene("草地", "noto", False, [Thing("猫", boxes=one), Thing("狗", boxes=one)])] * 4
    texts = [["一只", "猫", "和", "一只", "狗"], ["两只", "猫", "和", "一只", "狗"], ["一只", "猫", "和", "一只", "小猫"], ["一只", "狗"]]
    assert right_names(texts, scenes) == {"all": 0.5, "counts": 0.25, "precision": 6 / 7, "recall": 0.75}


@pytest.mark.parametrize("sentence, right", [
    ("两辆红色的汽车停在街道上", True),
    ("街道上有两辆大大的小汽车", True),
    ("街道上有一辆汽车", False),
    ("街道上有两辆红色的汽车和一只猫", False),
])
def test_counts_are_read(sentence, right):
    scene = Scene("街道", "noto", False, [Thing("汽车", "红", boxes=[[0, 0, 9, 9], [20, 0, 29, 9]])])
    assert counts_all_right(sentence, scene) is right


def test_the_count_of_an_owl_is_not_the_count_of_a_cat():
    scene = Scene("草地", "noto", False, [Thing("猫", boxes=[[0, 0, 9, 9]]), Thing("猫头鹰", boxes=[[20, 0, 29, 9]])])
    assert counts_all_right("草地上有一只猫和一只猫头鹰", scene) and not counts_all_right("草地上有两只猫和一只猫头鹰", scene)


# ---------------------------------------------------------------- 画面


@pytest.mark.parametrize("style", STYLES)
def test_every_sprite_is_there_and_different(style):
    pictures = {name: sprite(style, name) for name in concepts()}
    assert len({picture.tobytes() for picture in pictures.values()}) == len(concepts())
    assert all(max(picture.size) >= 70 for picture in pictures.values())


@pytest.mark.parametrize("style", STYLES)
def test_colored_things_have_that_color(style):
    for name, concept in concepts().items():
        for color in concept.colors:
            hsv = np.array(sprite(style, name, color).convert("RGB").convert("HSV")).reshape(-1, 3)
            vivid = hsv[(hsv[:, 1] > 70) & (hsv[:, 2] > 60), 0]
            distance = np.abs((vivid.astype(int) - round(HUES[color] * 255) + 128) % 256 - 128)
            assert (distance < 12).mean() > 0.3, (name, color)


def test_a_picture_is_the_same_every_time_and_different_from_others(scenes):
    one, two, other = (draw(scene, Random(seed)) for scene, seed in
                       ((scenes["val"][0], 1), (scenes["val"][0], 1), (scenes["val"][1], 1)))
    assert one.size == (SIDE, SIDE) and one.mode == "RGB"
    assert one.tobytes() == two.tobytes() != other.tobytes()


def test_rendering_writes_the_official_format(workdir):
    render_split("val", workdir, workdir / "images", 6)
    items = load_annotations("val.json")
    scenes = load_scenes(workdir, "val", items)
    assert len(items) == len(scenes) == len(list((workdir / "images").iterdir())) == 6
    for item, scene in zip(items, scenes):
        assert len(item.captions) == 5 and all(names_all_right(caption, scene) for caption in item.captions)
    row, *_ = json.loads((workdir / "val.json").read_text(encoding="utf-8"))
    assert set(row) == {"url", "image_id", "caption"}
    before = {path.name: path.read_bytes() for path in (workdir / "images").iterdir()}
    render_split("val", workdir, workdir / "images", 3)             # 分几张、几个进程都一样
    assert all((workdir / "images" / f"val_{i:05d}.jpg").read_bytes() == before[f"val_{i:05d}.jpg"] for i in range(3))


# ---------------------------------------------------------------- 分词、词表、组批


def test_segmentation_joins_back_and_drops_the_final_stop():
    words = segment("草地上站着 一只猫 和一只狗。")
    assert "".join(words) == "草地上站着一只猫和一只狗" and "一只" in words
    assert segment(" 。 ") == []


def test_vocabulary_is_ordered_by_count_then_text():
    sentences = [["乙", "甲", "丙"], ["丙", "乙"], ["丁", "丁", "丁"]]
    vocabulary = Vocabulary.build(sentences, min_appear=1, max_words=10)
    assert vocabulary.words == ["丁", "丙", "乙", "甲"] or vocabulary.words == ["丁", "乙", "丙", "甲"]
    assert vocabulary.words[1:3] == sorted(vocabulary.words[1:3])
    assert Vocabulary.build(sentences, 2, 10).words == vocabulary.words[:3]
    assert Vocabulary.build(sentences, 1, 2).words == vocabulary.words[:2]
    assert vocabulary.encode(["丁", "戊"]) == [3, UNK, EOS]
    assert vocabulary.decode([3, 4, EOS, 5]) == ["丁", vocabulary.words[1]]


def test_vocabulary_knows_which_words_are_said_once():
    sentences = [["一只", "猫", "和", "一只", "狗"], ["猫", "和", "狗"], ["罕", "罕"]]
    vocabulary = Vocabulary.build(sentences, min_appear=1, max_words=4)
    assert "罕" not in vocabulary.words and vocabulary.repeated == {"一只"}
    assert {token for token, once in zip(vocabulary.tokens, vocabulary.once()) if once} == {"猫", "和", "狗"}
    assert not any(vocabulary.once()[:3])


def test_a_batch_is_sorted_and_padded(prepared):
    dataset, items = dataset_of(prepared)
    grid, words, lengths = collate([dataset[0, i] for i in range(8)])
    assert grid.shape == (8, 4, 1728) and grid.dtype == t.float16
    assert lengths.tolist() == sorted(lengths.tolist(), reverse=True) and words.shape == (8, lengths[0])
    for row, length in zip(words.tolist(), lengths.tolist()):
        assert row[length - 1] == EOS and set(row[length:]) <= {PAD} and PAD not in row[:length]


def test_every_caption_gets_its_turn_and_the_choice_is_repeatable(prepared):
    dataset, items = dataset_of(prepared)
    chosen = [[tuple(dataset[epoch, i][1].tolist()) for i in range(len(dataset))] for epoch in range(8)]
    assert chosen == [[tuple(dataset[epoch, i][1].tolist()) for i in range(len(dataset))] for epoch in range(8)]
    assert all(len({epoch[i] for epoch in chosen}) == 2 for i in range(len(dataset)))


def test_sampler_tells_the_epoch_and_continues_anywhere():
    sampler = CaptionSampler(20, 4, seed=1)
    sampler.set_position(3, 0)
    whole = list(sampler)
    assert {epoch for batch in whole for epoch, _ in batch} == {3}
    assert sorted(index for batch in whole for _, index in batch) == list(range(20))
    sampler.set_position(3, 2)
    assert list(sampler) == whole[2:]
    halves = [CaptionSampler(20, 4, 1, rank, 2) for rank in (0, 1)]
    for half in halves:
        half.set_position(3, 0)
    for batch, one, two in zip(whole, *halves):
        assert sorted([*one, *two]) == sorted(batch)


def dataset_of(prepared):
    items = load_annotations(prepared / "data/train.json")
    vocabulary = Vocabulary.build((segment(caption) for item in items for caption in item.captions), 1, 100)
    return CaptionDataset(Features(prepared / "data/features/train.npy"), items, vocabulary, 0), items


def test_a_sentence_more_is_not_a_tensor_more():
    """句子再多也是那几个张量，取出来的还是自己那一句。"""
    items = [Annotation(f"{i}.jpg", tuple(f"第{number}张的第{row}句" for row in range(1 + i % 3))) for i, number in enumerate("一二三四五六七八九十" * 30)]
    vocabulary = Vocabulary.build((segment(caption) for item in items for caption in item.captions), 1, 1000)
    gc.collect()
    before = sum(type(one) is t.Tensor for one in gc.get_objects())
    whole = CaptionDataset(t.zeros(300, 1), items, vocabulary, 0)
    assert sum(type(one) is t.Tensor for one in gc.get_objects()) - before <= 2
    for i, item in enumerate(items):
        said = {"".join(vocabulary.decode(whole[epoch, i][1].tolist())) for epoch in range(40)}
        assert said == {"".join(segment(caption)) for caption in item.captions}


# ---------------------------------------------------------------- 特征


def test_features_do_not_depend_on_the_batch_or_the_mode():
    """书中代码的错：网络留在训练模式，同一张图的特征随同批的图变化。"""
    encoder, runtime = make_encoder("EfficientNetLite0"), setup(False)
    images = t.randint(0, 256, (5, 3, 64, 64), dtype=t.uint8)
    alone = encode(encoder, images[:1], runtime)
    t.nn.Sequential(encoder).train()
    assert not any(module.training for module in encoder.modules())
    t.testing.assert_close(encode(encoder, images, runtime)[:1], alone, atol=1e-3, rtol=1e-3)
    assert alone.shape == (1, 4, 1728)
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


def test_the_grid_is_two_layers_of_the_same_network():
    from models.efficientnet_lite0 import EfficientNetLite0
    images = t.rand(2, 3, 64, 64)
    with t.inference_mode():
        grid = make_encoder("EfficientNetLite0")(images)
        assert t.allclose(grid[:, :1280], EfficientNetLite0.pretrained()(images), atol=1e-4)
        odd = make_encoder("EfficientNetLite0")(t.rand(2, 3, 100, 70))
    assert grid.shape == (2, 1728, 2, 2) and odd.shape == (2, 1728, 4, 3)


def test_features_are_half_precision_and_mapped(prepared):
    features = Features(prepared / "data/features/train.npy")
    assert isinstance(features.data, np.memmap) and features.data.dtype == np.float16
    assert (len(features), features.cells, features.channels) == (24, 4, 1728)
    assert features[3].shape == (4, 1728) and features.sample(10).shape == (8, 4, 1728)


def test_interrupted_extraction_leaves_nothing_that_looks_complete(folder, monkeypatch):
    for path in (folder / "data/features").glob("train*"):
        path.unlink()
    calls = []

    def stop_at_the_second_batch(*args):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return t.zeros(4, 4, 1728)
    monkeypatch.setattr("data.features.EXTRACT_BATCH", {"cpu": 4})
    monkeypatch.setattr("data.features.encode", stop_at_the_second_batch)
    with pytest.raises(KeyboardInterrupt):
        load_split(options(), "train", setup(False))
    assert not (folder / "data/features/train.npy").exists()
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    items, features = load_split(options(), "train", setup(False))
    assert len(features) == len(items) == 24


def test_prepared_features_are_not_computed_again(folder, monkeypatch):
    monkeypatch.setattr("data.prepare.extract", lambda *_: pytest.fail("重算了"))
    load_split(options(), "train", setup(False))


def test_resnet50_has_the_same_interface(monkeypatch):
    """权重要联网，这里只看没有训练过的网络：形状对，永远在验证模式，装得进 torchvision 的权重。"""
    torchvision = pytest.importorskip("torchvision")
    from models import ResNet50
    whole = torchvision.models.resnet50().eval()
    monkeypatch.setattr("torchvision.models._api.WeightsEnum.get_state_dict", lambda *_, **__: whole.state_dict())
    network = ResNet50.pretrained().train()
    images = t.randint(0, 256, (2, 3, 64, 64), dtype=t.uint8)
    with t.inference_mode():
        grid = network(images)
        x = (images / 255 - network.mean) / network.std
        assert t.allclose(whole.fc(grid.mean((2, 3))), whole(x), atol=1e-4)
    assert grid.shape == (2, 2048, 2, 2) and not network.training


def options(**more):
    words = {word[2:].split("=")[0].replace("-", "_"): word.split("=")[1] for word in DATA}
    return Config().parse(words | more)


# ---------------------------------------------------------------- 官方格式


def official(root, count=40, held=20):
    """AI Challenger 解开后的样子：训练和验证各一个文件夹，各有标注和图片文件夹。"""
    for split, date, number in (("train", "20170902", count), ("validation", "20170910", held)):
        place = root / f"ai_challenger_caption_{split}_{date}"
        pictures = place / f"caption_{split}_images_{date}"
        pictures.mkdir(parents=True)
        rows = []
        for i in range(number):
            name = f"{hashlib.sha1(f'{split}{i}'.encode()).hexdigest()}.jpg"
            paint(pictures / name, "红绿蓝"[i % 3], "圆", i)
            rows.append({"url": f"http://example.invalid/{i}", "image_id": name,
                         "caption": [f"一个{'红绿蓝'[i % 3]}色的圆", "一个 圆在白色的纸上"] * 2 + ["有一个圆"]})
        (place / f"caption_{split}_annotations_{date}.json").write_text(json.dumps(rows), encoding="utf-8")
    return root


def test_ai_challenger_is_checked_and_converted(workdir, capsys):
    official(workdir / "official")
    call("prepare", "--source=official", "--scale-size=64", "--img-size=64")
    shown = capsys.readouterr().out
    assert "caption_train_annotations_20170902.json：40 张图，200 句描述，图片齐全" in shown
    command = shown.splitlines()[-1]
    parts = {split: load_annotations(f"runs/photos/{split}.json") for split in COUNTS}
    assert len(parts["train"]) == 40 and len(parts["val"]) + len(parts["test"]) == 20 and parts["val"] and parts["test"]
    assert all((workdir / "official" / item.image_id).is_file() for part in parts.values() for item in part)
    call(*command.split()[2:], "--max-steps=2", "--batch-size=8", "--rnn-hidden=16")        # 照着打印的命令就能训练
    call("test", "--caption-data-path=runs/photos", "--img-path=official", "--img-feature-path=runs/photos/features",
         "--model-path=runs/caption/best.pth", "--beam-size=2", "--picture=sheet.png")
    assert "见过的搭配" not in capsys.readouterr().out               # 照片没有剧本
    assert (workdir / "sheet.png").is_file()


def test_coco_style_is_converted(workdir):
    (workdir / "coco/images").mkdir(parents=True)
    content = {"images": [], "annotations": []}
    for i in range(60):
        paint(workdir / f"coco/images/{i:012d}.jpg", "红绿蓝"[i % 3], "方块", i)
        content["images"].append({"id": i, "file_name": f"{i:012d}.jpg"})
        content["annotations"] += [{"id": 2 * i + j, "image_id": i, "caption": f"第{j}句，一个方块"} for j in (0, 1)]
    (workdir / "coco/captions_zh.json").write_text(json.dumps(content), encoding="utf-8")
    call("prepare", "--source=coco", "--caption-data-path=zh", "--scale-size=64", "--img-size=64")
    parts = {split: load_annotations(f"zh/{split}.json") for split in COUNTS}
    assert sum(map(len, parts.values())) == 60 and len(parts["train"]) > 45
    assert all(len(item.captions) == 2 for item in parts["train"])
    assert len(Features(workdir / "zh/features/test.npy")) == len(parts["test"])


def test_recipe_changes_with_the_annotation(folder):
    before = recipe(folder / "data/val.json", "EfficientNetLite0", 64, 64)
    (folder / "data/val.json").write_text("[]", encoding="utf-8")
    assert recipe(folder / "data/val.json", "EfficientNetLite0", 64, 64) != before


def test_annotation_errors_name_the_item(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('[{"image_id": "1.jpg", "caption": ["一只猫"]}, {"caption": []}]', encoding="utf-8")
    with pytest.raises(UserError, match="第 2 项缺少 image_id"):
        load_annotations(path)


def test_the_font_has_every_word():
    from pictures import font
    letters = font(20)
    missing = bytes(letters.getmask("\ue000"))                      # 没有的字画成同一个方框
    words = "".join("".join(map(str, vars(concept).values())) for concept in concepts().values())
    assert not [char for char in set(words) if ord(char) > 127 and bytes(letters.getmask(char)) == missing]
