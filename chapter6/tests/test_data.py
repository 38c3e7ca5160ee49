import io
import shutil
import zipfile

import pytest
import torch as t
from conftest import paint
from helpers import PROJECT, call
from PIL import Image

from data import CLASSES, DogCat, augment, read_image, to_input
from data.icons import read_sources
from utils import BatchSampler, seed_step


def names(dataset):
    return [path.name for path in dataset.paths]


def test_dog_is_one():
    assert CLASSES.index("dog") == 1


def test_seventy_and_thirty_percent(pictures):
    train, val = (DogCat(pictures / "train", split, 32) for split in ("train", "val"))
    assert (len(train), len(val)) == (28, 12)
    assert not set(names(train)) & set(names(val))
    for dataset, each in ((train, 14), (val, 6)):
        assert dataset.targets.count(0) == dataset.targets.count(1) == each
        assert all(target == name.startswith("dog") for name, target in zip(names(dataset), dataset.targets))


def test_split_does_not_depend_on_the_other_files_or_their_order(pictures):
    before = set(names(DogCat(pictures / "train", "train", 32)))
    again = DogCat(pictures / "train", "train", 32)
    copy = pictures / "copy"
    copy.mkdir()
    for path in sorted((pictures / "train").iterdir(), reverse=True):       # 另一种写入次序
        shutil.copy(path, copy)
    assert before == set(names(again)) == set(names(DogCat(copy, "train", 32)))
    assert again.fingerprint() == DogCat(copy, "train", 32).fingerprint()


def test_test_pictures_are_in_the_order_of_their_numbers(pictures):
    dataset = DogCat(pictures / "test", "test", 32)
    assert [dataset[i][1] for i in range(len(dataset))] == list(range(1, 13))


def test_cached_or_not_the_pictures_are_the_same(pictures):
    read, cached = (DogCat(pictures / "train", "val", 32, cache_mb=size) for size in (0, 1))
    assert read.cache is None and cached.cache is not None
    for i in range(len(read)):
        assert t.equal(read[i][0], cached[i][0]) and read[i][1] == cached[i][1]
    assert read[0][0].shape == (4, 32, 32) and read[0][0].dtype == t.uint8


def test_families_do_not_cross_folds():
    rows = read_sources()
    folds = {}
    for row in rows:
        folds.setdefault(row["family"], set()).add(row["fold"])
    assert all(len(fold) == 1 for fold in folds.values())
    assert {fold for some in folds.values() for fold in some} == {"0", "1", "2", "3", "4", "test"}
    assert {row["file"].split("/")[0] for row in rows if row["fold"] == "test"} == {"test"}
    for fold in range(5):
        train, val = (DogCat(PROJECT / "data/train", split, 32, fold) for split in ("train", "val"))
        family = {row["file"].split("/")[1]: row["family"] for row in rows if row["fold"] != "test"}
        assert not {family[name] for name in names(train)} & {family[name] for name in names(val)}
        assert set(train.targets) == set(val.targets) == {0, 1}
        assert len(train) + len(val) == len(family)


def test_stray_files_are_skipped_with_a_line(pictures, capsys):
    for name in ("Thumbs.db", "cat.jpg", "fox.1.jpg", "cat.x.jpg", ".DS_Store"):
        (pictures / "train" / name).write_bytes(b"?")
    (pictures / "test" / "notes.txt").write_bytes(b"?")
    assert len(DogCat(pictures / "train", "train", 32)) == 28
    shown = capsys.readouterr().out
    assert "4 个" in shown and "Thumbs.db" in shown and "DS_Store" not in shown
    assert len(DogCat(pictures / "test", "test", 32)) == 12
    assert "notes.txt" in capsys.readouterr().out


def test_pictures_of_any_mode_and_shape(tmp_path):
    for mode, size, suffix in (("L", (50, 90), "png"), ("P", (33, 32), "png"), ("CMYK", (90, 20), "jpg"),
                               ("RGBA", (5, 5), "webp"), ("1", (200, 40), "bmp")):
        path = tmp_path / f"{mode}.{suffix}"
        Image.new(mode, size).save(path)
        assert read_image(path, 32).shape == (4, 32, 32)


def test_centre_is_kept_and_transparent_becomes_white(tmp_path):
    image = Image.new("RGBA", (96, 32), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (40, 8, 56, 24))
    image.save(tmp_path / "a.png")
    x = to_input(read_image(tmp_path / "a.png", 32)[None], (0, 0, 0), (1, 1, 1))[0]
    assert x[:, 16, 16].tolist() == [1, 0, 0] and x[:, 1, 1].tolist() == [1, 1, 1]


def test_augmentation_keeps_range_and_is_set_by_the_seed():
    images = t.stack([read_image(path, 64) for path in sorted((PROJECT / "data/train").glob("*.png"))[::30]])
    out = []
    for seed in (0, 0, 1):
        seed_step(seed)
        out.append(augment(images, (0, 0, 0), (1, 1, 1)))
    assert out[0].shape == (len(images), 3, 64, 64)
    assert out[0].min() >= 0 and out[0].max() <= 1
    assert t.equal(out[0], out[1]) and not t.equal(out[0], out[2])
    spread = out[0].flatten(1).std(1)
    assert (spread > 0.03).all()                    # 图标与底总分得开


def test_augmentation_of_photos_is_mild():
    photo = t.randint(60, 200, (8, 4, 32, 32), dtype=t.uint8)
    photo[:, 3] = 255
    seed_step(0)
    changed = augment(photo, (0, 0, 0), (1, 1, 1)).mean((2, 3))
    assert (changed - photo[:, :3].float().mean((2, 3)) / 255).abs().max() < 0.25


def test_two_processes_see_what_one_sees():
    images = t.randint(256, (8, 4, 32, 32), dtype=t.uint8)
    seed_step(3)
    whole = augment(images, (0, 0, 0), (1, 1, 1))
    for rank in (0, 1):
        seed_step(3)
        part = augment(images[rank::2], (0, 0, 0), (1, 1, 1), rank, 2)
        t.testing.assert_close(part, whole[rank::2])
    one = list(BatchSampler(20, 6, seed=1))
    halves = [list(BatchSampler(20, 6, 1, rank, 2)) for rank in (0, 1)]
    assert len(one) == 3
    assert all(sorted(a + b) == sorted(whole) for whole, a, b in zip(one, *halves))


def test_sampler_goes_on_where_it_stopped():
    sampler = BatchSampler(50, 8, seed=2)
    sampler.set_position(4, 0)
    whole = list(sampler)
    sampler.set_position(4, 3)
    assert list(sampler) == whole[3:]
    sampler.set_position(5, 0)
    assert list(sampler) != whole


def make_zip(folder, target, nested):
    """Kaggle 的 zip：train/cat.0.jpg …；nested 时外面再套一层，里面是 train.zip 和 test.zip。"""
    with zipfile.ZipFile(target, "w") as outer:
        for part in ("train", "test"):
            inner = io.BytesIO()
            with zipfile.ZipFile(inner, "w") as archive:
                for path in sorted((folder / part).iterdir()):
                    (archive if nested else outer).write(path, f"{part}/{path.name}")
            if nested:
                outer.writestr(f"{part}.zip", inner.getvalue())
        outer.writestr("sample_submission.csv", "id,label\n1,0.5\n")


@pytest.mark.parametrize("nested", [False, True])
def test_kaggle_zip(pictures, monkeypatch, capsys, nested):
    monkeypatch.setattr("data.prepare.HERE", pictures / "data")
    make_zip(pictures, pictures / "dogs-vs-cats.zip", nested)
    call("prepare", f"--source={pictures / 'dogs-vs-cats.zip'}")
    shown = capsys.readouterr().out
    assert "训练集 cat：20 张，缺 12480 张（cat.20.jpg、" in shown
    assert "测试集：12 张，缺 12488 张（13.jpg、" in shown
    assert "--train-data-root=" in shown and "每张都读得出来" in shown
    for part, number in (("train", 40), ("test", 12)):
        assert len(list((pictures / "data/kaggle" / part).iterdir())) == number
    train = DogCat(pictures / "data/kaggle/train", "train", 32)
    assert len(train) == 28


def test_kaggle_folder_is_used_in_place(pictures, capsys):
    call("prepare", f"--source={pictures}")
    assert (pictures / "train").as_posix() in capsys.readouterr().out


@pytest.mark.parametrize("spoil, says", [
    (lambda folder: shutil.rmtree(folder / "train"), "cat.0.jpg"),
    (lambda folder: [path.unlink() for path in (folder / "train").glob("dog*")], "dog.0.jpg"),
    (lambda folder: (folder / "train/cat.3.jpg").write_bytes(b"<html>"), "train/cat.3.jpg"),
    (lambda folder: ((folder / "b").mkdir(), paint(folder / "b/dog.99.jpg", "dog", 1)), "几个文件夹"),
])
def test_kaggle_folder_with_faults(pictures, capsys, spoil, says):
    spoil(pictures)
    with pytest.raises(SystemExit):
        call("prepare", f"--source={pictures}")
    message = capsys.readouterr().err.strip()
    assert says in message and "\n" not in message


def test_shipped_pictures_are_intact(capsys):
    call("prepare")
    assert "完好" in capsys.readouterr().out
