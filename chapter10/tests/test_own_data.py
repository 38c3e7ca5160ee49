"""读者自己的数据：不盖掉一个文件，不给图片配错描述，不把英文拆散。"""

import hashlib
import json
import os
import shlex
import shutil
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch as t
from conftest import DATA, TINY, write_folder
from helpers import PROJECT, call, fails
from PIL import Image

from config import Config
from data import join, load_annotations, read_image, segment
from data.features import Features
from data.lookup import locate
from data.prepare import load_scenes, render_split
from data.scenes import make_scenes
from pictures import draw_sheet, wrap
from utils.files import UserError

SMALL = ["--scale-size=64", "--img-size=64"]
PLACES = ["--caption-data-path=data", "--img-path=data/images"]


def digests(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in root.rglob("*") if path.is_file()}


def unchanged(before: dict[str, str], root: Path) -> bool:
    after = digests(root)
    return {name: after.get(name) for name in before} == before


def write_json(path: Path, content) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


def rows(*ids, caption="一个红色的圆"):
    return [{"image_id": image_id, "caption": [caption]} for image_id in ids]


def coco(*names, start=0):
    return {"images": [{"id": start + i, "file_name": name} for i, name in enumerate(names)],
            "annotations": [{"image_id": start + i, "caption": f"第{i}个圆"} for i in range(len(names))]}


def picture(path: Path, color=(200, 40, 40), **more) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (80, 72), color).save(path, **more)
    return path


@pytest.fixture(autouse=True)
def few_scenes(monkeypatch):
    monkeypatch.setattr("data.prepare.COUNTS", {"train": 8, "val": 6, "test": 6})


def test_features_of_pictures_that_were_replaced_are_computed_again(folder, capsys):
    call("prepare", *DATA)
    before, story = Path("data/features/train.npy").read_bytes(), Path("data/features/val.npy").stat().st_mtime_ns
    picture(Path("data/images/train0.jpg"), (0, 0, 255))
    call("prepare", *DATA)
    assert Path("data/features/train.npy").read_bytes() != before and Path("data/features/val.npy").stat().st_mtime_ns == story
    shutil.copy("data/train.json", "data/val.json")
    call("prepare", *DATA)
    call("train", *TINY, "--max-steps=1")
    assert "验证集里有 24 张图训练集里也有" in capsys.readouterr().out


# ---------------------------------------------------------------- 不盖掉


def test_prepare_of_ones_own_annotations_only_adds_features(workdir, capsys):
    write_folder(workdir)
    before = digests(workdir)
    call("prepare", *PLACES, *SMALL)
    assert unchanged(before, workdir)
    added = set(digests(workdir)) - set(before)
    assert added == {f"data/features/{split}.{suffix}" for split in ("train", "val", "test") for suffix in ("npy", "json")}
    command = capsys.readouterr().out.splitlines()[-1]
    call(*shlex.split(command)[2:], "--max-steps=1", "--batch-size=8", "--rnn-hidden=8")
    assert unchanged(before, workdir)


@pytest.mark.parametrize("words, says", [
    (["--caption-data-path=fresh"], "fresh"),                                       # 写错了的名字：不在那里画
    (["--img-path=data/images"], "runs/scenes"),                                    # 忘了 --caption-data-path
    (["--caption-data-path=fresh", "--img-path=data/images"], "fresh"),
])
def test_scenes_are_drawn_in_the_default_place_only(workdir, capsys, words, says):
    write_folder(workdir)
    before = digests(workdir)
    for command in ("prepare", "train", "test"):
        assert says in fails(capsys, command, *words)
    assert digests(workdir) == before


def test_ones_own_annotations_in_the_default_place_are_used(workdir, capsys):
    write_folder(workdir)
    shutil.copytree("data", "runs/scenes")
    before = digests(workdir)
    call("prepare", *SMALL)
    assert unchanged(before, workdir) and "照着它用" in capsys.readouterr().out
    assert len(Features(Path("runs/scenes/features/train.npy"))) == 24


def test_pictures_that_are_not_ours_stop_the_drawing(workdir, capsys):
    picture(Path("runs/scenes/images/val_00003.jpg"))
    before = digests(workdir)
    assert "val_00003.jpg" in fails(capsys, "prepare")
    assert unchanged(before, workdir)


def test_drawing_begins_again_after_an_interruption(workdir, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt
    monkeypatch.setattr("data.prepare.save_ours", stop)
    with pytest.raises(KeyboardInterrupt):
        render_split("val", workdir, workdir / "images")
    assert (workdir / "images/val_00000.jpg").exists() and not (workdir / "val.json").exists()
    monkeypatch.undo()
    monkeypatch.chdir(workdir)
    monkeypatch.setattr("data.prepare.COUNTS", {"val": 6})
    render_split("val", workdir, workdir / "images")
    assert len(load_annotations("val.json")) == 6
    render_split("val", workdir, workdir / "images")            # 自己画的可以重画


def test_edited_captions_of_our_scenes_are_kept(workdir, capsys):
    call("prepare", *SMALL)
    path = Path("runs/scenes/train.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    content[0]["caption"] = ["something of my own"]
    write_json(path, content)
    capsys.readouterr()
    before = path.read_bytes()
    call("prepare", *SMALL)
    assert path.read_bytes() == before
    shown = capsys.readouterr().out
    assert "train.json 不是 prepare 写的" in shown and "val.json 不是" not in shown
    items = load_annotations(path)
    assert load_scenes("runs/scenes", "train", items) is None   # 剧本对不上了，不再照着它判对错
    assert load_scenes("runs/scenes", "val", load_annotations("runs/scenes/val.json")) is not None


def test_damaged_stories_are_named(workdir):
    render_split("val", workdir, workdir / "images")
    for content in ("[", '[{"things": 3}]', "[3]", '{"a": 1}'):
        Path("val_scenes.json").write_text(content, encoding="utf-8")
        with pytest.raises(UserError, match=r"val_scenes\.json"):
            load_scenes(".", "val", load_annotations("val.json"))


def test_converting_does_not_overwrite_other_annotations(workdir, capsys):
    for i in range(60):
        picture(Path(f"coco/{i}.jpg"))
    write_json(Path("coco/captions.json"), coco(*(f"{i}.jpg" for i in range(60))))
    write_json(Path("mine/train.json"), rows("a.jpg"))
    before = digests(workdir)
    assert "mine/train.json" in fails(capsys, "prepare", "--source=coco", "--caption-data-path=mine", *SMALL)
    assert digests(workdir) == before
    call("prepare", "--source=coco", "--caption-data-path=zh", *SMALL)
    call("prepare", "--source=coco", "--caption-data-path=zh", *SMALL)              # 自己写的可以重写
    assert unchanged(before, workdir)


def test_features_do_not_overwrite_annotations_or_arrays(folder, capsys):
    shutil.rmtree("data/features")
    before = digests(folder)
    for command in ("prepare", "train", "test"):
        words = ["--model-path=AttentionCaptionModel"] if command == "test" else []
        message = fails(capsys, command, *DATA[:2], *SMALL[:0 if words else 2], "--img-feature-path=data", *words)
        assert "--img-feature-path" in message or words
        assert unchanged(before, folder)
    np.save("data/images/train.npy", np.arange(3))
    before = digests(folder)
    assert "train.npy" in fails(capsys, "prepare", *DATA[:2], *SMALL, "--img-feature-path=data/images")
    assert unchanged(before, folder)


def test_a_picture_is_not_drawn_over_what_is_read(tiny_run, folder, capsys):
    weights = f"--model-path={tiny_run / 'runs/tiny/best.pth'}"
    before = digests(folder)
    for words in (["generate", "--test-img=data/images"], ["test", *DATA]):
        assert "data/images/test0.jpg" in fails(capsys, *words, weights, "--picture=data/images/test0.jpg")
        assert "a.psd" in fails(capsys, *words, weights, "--picture=a.psd")
    Path("mine.jpg").write_bytes(b"mine")
    for _ in range(2):                                              # 第二次盖掉的是上次画的
        call("generate", "--test-img=data/images/test0.jpg", weights, "--picture=mine.jpg")
    kept, = folder.glob("mine-*.jpg")
    assert kept.read_bytes() == b"mine" and Image.open("mine.jpg").width > 80
    assert unchanged(before, folder)


# ---------------------------------------------------------------- 不配错


def color_of(source: str, image_id: str) -> str:
    red, _, blue = np.asarray(Image.open(Path(source, image_id)).convert("RGB")).mean((0, 1))
    return "红" if red > blue else "蓝"


def test_pictures_of_one_name_in_two_folders_keep_their_captions(workdir):
    content = coco(*(f"train/{i:04}.jpg" for i in range(40)), *(f"val/{i:04}.jpg" for i in range(40)))
    for row in content["annotations"]:
        row["caption"] = "一个红色的圆" if row["image_id"] < 40 else "一个蓝色的圆"
    for image in content["images"]:
        picture(Path("coco/images") / image["file_name"], (200, 40, 40) if image["id"] < 40 else (40, 40, 200))
    write_json(Path("coco/captions.json"), content)
    call("prepare", "--source=coco", *SMALL)
    seen = set()
    for split in ("train", "val", "test"):
        for item in load_annotations(f"runs/photos/{split}.json"):
            assert color_of("coco", item.image_id) in item.captions[0]
            seen.add(item.image_id)
    assert len(seen) == 80


def test_an_ambiguous_or_missing_name_is_refused(workdir):
    for name in ("a/1.jpg", "b/1.jpg", "b/2.jpg", "3.jpg", "3.png", "thumbs/4.jpg", "4.jpg"):
        picture(Path("root") / name)
    for ids, says in ((["1.jpg"], "a/1.jpg、b/1.jpg"), (["c/2.jpg"], "b/2.jpg，但文件夹对不上"), (["9.jpg"], "9.jpg"),
                      (["2.jpg", "b/2.jpg"], "同一个文件"), (["3.webp"], "3.jpg、3.png")):
        with pytest.raises(UserError, match=says):
            locate("root", ids, "--img-path")
    assert locate("root", ["4.jpg", "2.jpg", "a/1.jpg", "root/b/1.jpg"], "") == [
        Path("root") / name for name in ("4.jpg", "b/2.jpg", "a/1.jpg", "b/1.jpg")]         # 照写的先找


def test_pictures_of_every_format_and_spelling_are_found(workdir, capsys):
    names = ["a.webp", "b.BMP", "c.gif", "d.tiff", "sub/é.jpg", "f g[1].png", "照片.JPG", "h.jpg"]
    for name in names:
        picture(Path("root") / unicodedata.normalize("NFD", name))
    (Path("root") / "x.jpg").mkdir()                            # 叫这个名字的文件夹
    picture(Path("root/x.jpg/a.webp"))
    picture(Path("root/sub/x.jpg"))
    for junk in ("._a.webp", "@eaDir/h.jpg", "__MACOSX/h.jpg", ".cache/h.jpg"):
        picture(Path("root") / junk)
    found = locate("root", [*names, "x.jpg"], "--img-path")
    assert [unicodedata.normalize("NFC", path.relative_to("root").as_posix()) for path in found] == [*names, "sub/x.jpg"]
    capsys.readouterr()
    assert locate("root", ["h.webp", "C.GIF", "sub\\é.jpg"], "") == [Path("root/h.jpg"), Path("root/c.gif"), found[4]]
    assert "2 张图片的扩展名或大小写与标注不同" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="别的系统的文件名必须是 Unicode")
def test_names_in_another_encoding_are_found_kept_and_trained_on(folder):
    """中文 Windows 的压缩包解出来的名字，字节是 GBK。"""
    for i in range(8):
        os.rename(f"data/images/train{i}.jpg", os.fsencode("data/images/") + f"照片{i}.jpg".encode("gbk"))
    content = json.loads(Path("data/train.json").read_text(encoding="utf-8"))
    for i in range(8):
        content[i]["image_id"] = f"照片{i}.jpg"
    (folder / "source").mkdir()
    write_json(Path("source/caption_train.json"), content)
    write_json(Path("source/caption_val.json"), [row for split in ("val", "test") for row in json.loads(Path(f"data/{split}.json").read_text(encoding="utf-8"))])
    shutil.move("data/images", "source/images")
    call("prepare", "--source=source", *SMALL)
    ids = [item.image_id for item in load_annotations("runs/photos/train.json")]
    assert all(Path("source", image_id).is_file() for image_id in ids) and any("\udcd5" in image_id for image_id in ids)
    shutil.copy("runs/photos/train.json", "runs/photos/val.json")                   # 验证时也要写出这些名字
    shutil.rmtree("runs/photos/features")
    call("train", *TINY[5:], *SMALL, "--caption-data-path=runs/photos", "--img-path=source", "--max-steps=1")
    assert "照片0.jpg" in Path("runs/caption/samples.txt").read_text(encoding="utf-8")
    call("train", "--resume", "--max-steps=2")


@pytest.mark.parametrize("content, says", [
    (rows("a.jpg", "b.jpg", "a.jpg"), "第 1 项和第 3 项都是 a.jpg"),
    (rows("a.jpg", None), "第 2 项"),
    (rows("a.jpg", ""), "第 2 项"),
    (rows("a.jpg", ["b.jpg"]), "第 2 项"),
    (rows("a.jpg", caption="\ud800"), "a.jpg"),
    ({"images": [{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}], "annotations": []}, "两个 id=1"),
    ({"images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "a.jpg"}], "annotations": []}, "两个 a.jpg"),
    ({"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"image_id": 7, "caption": "圆"}]}, "image_id=7"),
    ({"images": 3, "annotations": []}, "caption_train.json"),
    ({"images": [3], "annotations": []}, "caption_train.json"),
])
def test_repeated_or_strange_ids_are_refused(workdir, capsys, content, says):
    for name in ("a.jpg", "b.jpg"):
        picture(Path("source") / name)
    path = Path("source/caption_train.json")
    path.write_text(json.dumps(content), encoding="utf-8")
    assert says in fails(capsys, "prepare", "--source=source")
    assert not Path("runs").exists()


def test_one_picture_in_training_and_validation_is_refused(workdir, capsys):
    for i in range(8):
        picture(Path(f"source/{i}.jpg"))
    write_json(Path("source/caption_train.json"), rows(*(f"{i}.jpg" for i in range(6))))
    write_json(Path("source/caption_val.json"), rows("5.jpg", "6.jpg", "7.jpg"))
    message = fails(capsys, "prepare", "--source=source")
    assert "5.jpg" in message and "caption_train.json" in message and "caption_val.json" in message


def test_ids_may_be_text_here_and_numbers_there(workdir):
    content = coco(*(f"{i}.jpg" for i in range(60)))
    for row in content["annotations"]:
        picture(Path(f"source/{row['image_id']}.jpg"))
        row["image_id"] = str(row["image_id"])
    write_json(Path("source/captions.json"), content)
    call("prepare", "--source=source", *SMALL)
    assert sum(len(load_annotations(f"runs/photos/{split}.json")) for split in ("train", "val", "test")) == 60


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_saved_by_notepad(tmp_path, encoding):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(rows("图.jpg"), ensure_ascii=False), encoding=encoding)
    assert load_annotations(path)[0].image_id == "图.jpg"


def test_numbers_as_ids_are_the_names_of_pictures(workdir):
    picture(Path("images/000391895.jpg"))
    picture(Path("images/7.jpg"))
    assert locate("images", [item.image_id for item in load_annotations(write_json(Path("a.json"), rows(7, "000391895")))], "") == [
        Path("images/7.jpg"), Path("images/000391895.jpg")]


# ---------------------------------------------------------------- 读图


def test_pictures_of_many_modes_give_the_same_features(workdir):
    gray = np.tile(np.linspace(0, 255, 80, dtype=np.uint8), (72, 1))
    Image.fromarray(gray).save("8.png")
    Image.fromarray(gray.astype(np.uint16) * 257).save("16.png")
    clear = Image.merge("LA", (Image.new("L", (80, 72), 0), Image.fromarray(255 - gray)))
    clear.save("clear.png")                                     # 黑的，越往右越透明：衬白就是上面的渐变
    plain, deep, white = (read_image(name, 64, 64).int() for name in ("8.png", "16.png", "clear.png"))
    assert (plain - deep).abs().max() <= 1 and (plain - white).abs().max() <= 1 and plain.float().std() > 30


def test_sheets_draw_photos_upright(workdir):
    tall = Image.new("RGB", (40, 120), (250, 0, 0))
    exif = Image.Exif()
    exif[274] = 6
    tall.transpose(Image.Transpose.ROTATE_90).save("lying.jpg", exif=exif, quality=95)
    tall.save("upright.jpg", quality=95)
    for name in ("lying", "upright"):
        draw_sheet([Path(f"{name}.jpg")], [["一个", "圆"]], None, f"{name}.png")
    one, two = (np.asarray(Image.open(f"{name}.png"), np.int32) for name in ("lying", "upright"))
    assert one.shape == two.shape and abs(one - two).max() < 20


# ---------------------------------------------------------------- 词


@pytest.mark.parametrize("sentence, words, joined", [
    ("A dog runs, fast.", ["A", "dog", "runs", ",", "fast"], "A dog runs, fast"),
    ("Two men (one old) play T-ball; it's 3.5 m!", ["Two", "men", "(", "one", "old", ")", "play", "T-ball", ";", "it's", "3.5", "m"],
     "Two men (one old) play T-ball; it's 3.5 m"),
    ("Un chien  noir\tcourt", ["Un", "chien", "noir", "court"], "Un chien noir court"),
    ("e\u0301te\u0301", ["été"], "été"),
    ("개가 달리고 있다.", ["개가", "달리고", "있다"], "개가 달리고 있다"),
    ("कुत्ता दौड़ रहा है", ["कुत्ता", "दौड़", "रहा", "है"], "कुत्ता दौड़ रहा है"),
    ("一只 猫 在草地 上。", None, "一只猫在草地上"),
    ("\ufeff穿 NIKE Air 鞋的\u200b人", None, "穿NIKE Air鞋的人"),
    ("犬が 走る", None, "犬が走る"),
    ("...", [], ""),
])
def test_words_stay_words(sentence, words, joined):
    assert words is None or segment(sentence) == words
    assert join(segment(sentence)) == joined
    assert segment(join(segment(sentence))) == segment(sentence)


def test_scene_captions_are_cut_as_before():
    """随书的权重的词表是只用 rjieba 切出来的。"""
    import rjieba
    vocabulary = t.load(PROJECT / "checkpoints/AttentionCaptionModel.pth", weights_only=True)["vocabulary"]
    assert len(list(make_scenes("val"))) and not any(" " in word for word in vocabulary)
    for sentence in ("草地上站着一只猫、一只狗和一匹马", "左边是一辆红色的汽车，右边是两只小小的猫头鹰"):
        assert segment(sentence + "。") == rjieba.cut(sentence)


def test_english_captions_train_and_are_written_with_spaces(folder, capsys):
    shutil.rmtree("data/features")
    for split in ("train", "val", "test"):
        path = Path(f"data/{split}.json")
        content = json.loads(path.read_text(encoding="utf-8"))
        for row in content:
            color = "red" if "红" in row["caption"][0] else "green or blue"
            row["caption"] = [f"A {color} shape on paper."]
        write_json(path, content)
    call("train", *DATA, "--embedding-dim=32", "--rnn-hidden=64", "--batch-size=8", "--max-epoch=20", "--lr=5e-3",
         "--warmup-steps=5", "--dropout=0")
    assert "A green or blue shape on paper" in Path("runs/caption/samples.txt").read_text(encoding="utf-8")
    capsys.readouterr()
    call("generate", "--model-path=runs/caption/best.pth", "--test-img=data/images/test0.jpg", "--beam-size=2", "--picture=a.png")
    assert "shape on paper" in capsys.readouterr().out
    call("test", *DATA, "--model-path=runs/caption/best.pth", "--beam-size=1", "--picture=b.png")


def test_lines_break_between_english_words():
    from pictures import font
    lines = wrap("A brown dog runs over the green grass with a ball", font(15), 120)
    assert len(lines) > 2 and " ".join(line.strip() for line in lines) == "A brown dog runs over the green grass with a ball"
    assert "".join(wrap("一只狗，在草地上奔跑", font(15), 60)) == "一只狗，在草地上奔跑"


def test_config_default_places_are_the_documented_ones():
    assert (Config.caption_data_path, Config.img_path) == ("runs/scenes", "runs/scenes/images")
