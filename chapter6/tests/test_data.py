import io
import shutil
import zipfile

import pytest
import torch as t
from conftest import paint
from helpers import PROJECT, call
from PIL import Image

from data import CLASSES, DogCat, augment, read_image, to_input
from data.augment import compress
from data.icons import read_sources
from utils.files import UserError
from utils.loading import BatchSampler
from utils.runtime import Runtime, seed_step


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
    assert "3 个" in shown and "fox.1.jpg" in shown and "DS_Store" not in shown and "Thumbs.db" not in shown
    assert len(DogCat(pictures / "test", "test", 32)) == 12
    assert "notes.txt" in capsys.readouterr().out


def test_pictures_of_any_mode_and_shape(tmp_path):
    for mode, size, suffix in (("L", (50, 90), "png"), ("P", (33, 32), "png"), ("CMYK", (90, 20), "jpg"),
                               ("RGBA", (5, 5), "webp"), ("1", (200, 40), "bmp")):
        path = tmp_path / f"{mode}.{suffix}"
        Image.new(mode, size).save(path)
        assert read_image(path, 32).shape == (4, 32, 32)


def test_ends_are_cut_and_transparent_becomes_white(tmp_path):
    image = Image.new("RGBA", (96, 32), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (40, 8, 56, 24))
    image.paste((0, 0, 255, 255), (0, 0, 20, 32))           # 3:1 裁到 4:3，两头各去 27 像素
    image.save(tmp_path / "a.png")
    x = to_input(read_image(tmp_path / "a.png", 32)[None], (0, 0, 0), (1, 1, 1))[0]
    assert x[:, 16, 16].tolist() == [1, 0, 0] and x[:, 1, 1].tolist() == [1, 1, 1]
    image.crop((18, 0, 60, 32)).save(tmp_path / "b.png")    # 不到 4:3 的整张都看得见
    assert to_input(read_image(tmp_path / "b.png", 32)[None], (0, 0, 0), (1, 1, 1))[0, :, 16, 0].tolist() == [0, 0, 1]


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
    assert (changed - photo[:, :3].float().mean((2, 3)) / 255).abs().max() < 0.45


def test_two_processes_see_what_one_sees():
    images = t.randint(256, (8, 4, 32, 32), dtype=t.uint8)
    seed_step(3)
    whole = augment(images, (0, 0, 0), (1, 1, 1))
    for rank in (0, 1):
        seed_step(3)
        part = augment(images[rank::2], (0, 0, 0), (1, 1, 1), Runtime(t.device("cpu"), rank, 2))
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
    (lambda folder: shutil.rmtree(folder / "train"), "没有猫和狗"),
    (lambda folder: [path.unlink() for path in (folder / "train").glob("dog*")], "没有狗"),
    (lambda folder: (folder / "train/cat.3.jpg").write_bytes(b"<html>"), "train/cat.3.jpg"),
    (lambda folder: ((folder / "b").mkdir(), paint(folder / "b/dog.99.jpg", "dog", 1)), "几个文件夹"),
    (lambda folder: [shutil.rmtree(folder / part) for part in ("train", "test")], "认得的放法"),
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


def zipped(folder, target, under="photos"):
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"{under}/{path.name}")
        archive.writestr(f"{under}/._cat.0.jpg", b"?")      # macOS 的影子文件
    return target


def test_a_zip_is_the_same_as_its_folder(pictures):
    packed = zipped(pictures / "train", pictures / "train.zip")
    for split in ("train", "val"):
        folder, archive = (DogCat(place, split, 32, cache_mb=1) for place in (pictures / "train", packed))
        assert names(folder) == names(archive) and folder.targets == archive.targets
        assert folder.fingerprint() == archive.fingerprint()
        assert all(t.equal(folder[i][0], archive[i][0]) for i in range(len(folder)))
    tests = DogCat(zipped(pictures / "test", pictures / "test.zip"), "test", 32)
    assert tests.targets == list(range(1, 13))


def test_several_places(pictures, capsys):
    packed = zipped(pictures / "train", pictures / "photos.zip")
    icons = PROJECT / "data/train"
    alone = {(place, split): DogCat(place, split, 32) for place in (icons, packed) for split in ("train", "val")}
    train, val = (DogCat(f"{icons}:3,{packed}", split, 32) for split in ("train", "val"))
    assert names(val) == names(alone[icons, "val"]) + names(alone[packed, "val"])           # 折和比例都照旧，不重复
    assert names(train) == names(alone[icons, "train"]) * 3 + names(alone[packed, "train"])
    assert not set(train.files) & set(val.files)
    assert [val.origin.count(i) for i in (0, 1)] == [len(alone[icons, "val"]), 12]
    odd = pictures / "a,b:2"
    shutil.copytree(pictures / "train", odd)
    assert len(DogCat(odd, "train", 32)) == 28              # 名字里本来就有逗号、冒号


def test_a_sources_csv_saved_by_a_spreadsheet(pictures, capsys):
    lines = ["file;label; fold", *(f"train/{name}.{i}.jpg;{name}; {i % 2}" for name in ("cat", "dog") for i in range(20))]
    (pictures / "sources.csv").write_text("\r\n".join(lines), encoding="utf-8-sig")
    files = DogCat(pictures / "train", "val", 32, val_fold=1).paths
    assert len(files) == 20 and all(int(path.stem.split(".")[1]) % 2 for path in files)
    (pictures / "sources.csv").write_text("\r\n".join(lines[:-1]), encoding="utf-8-sig")
    assert len(DogCat(pictures / "train", "val", 32, val_fold=1)) == 12 and "dog.19.jpg 等 1 张的 fold" in capsys.readouterr().out


def test_another_sources_csv_is_left_alone(pictures):
    (pictures / "sources.csv").write_bytes("\ufeffname,url\ncat.0.jpg,x\n".encode())
    assert len(DogCat(pictures / "train", "train", 32)) == 28
    (pictures / "sources.csv").write_bytes("名字,网址\n".encode("gbk"))
    with pytest.raises(UserError, match="sources.csv"):
        DogCat(pictures / "train", "train", 32)


def test_photos_are_made_like_those_of_others():
    photo = t.zeros(64, 4, 48, 48, dtype=t.uint8) + 255
    photo[:, :3, :, 24:] = t.randint(40, 220, (3, 1, 1), dtype=t.uint8)
    seed_step(0)
    changed = augment(photo, (0, 0, 0), (1, 1, 1))
    assert changed.min() >= 0 and changed.max() <= 1
    assert (changed.std(1).flatten(1).max(1).values < 0.01).sum() >= 2      # 有的成了黑白的
    noise = t.rand(4, 3, 50, 50)
    packed = compress(noise, t.full((4, 1, 1, 1, 1, 1), 1e-6))
    t.testing.assert_close(packed, noise, atol=1e-4, rtol=0)                # 取整极细，就是原图
    packed = compress(noise, t.full((4, 1, 1, 1, 1, 1), 0.1))
    assert 0.01 < (packed - noise)[..., :48, :48].std() < 0.3 and t.equal(packed[..., 48:], noise[..., 48:])


def lay_out(folder, layout):
    """在 folder 里照 layout 的样子放猫狗各 4 张，返回 --source 的值。"""
    places = {"petimages": ("PetImages/Cat/{}.jpg", "PetImages/Dog/{}.jpg"), "cats": ("pets/cats/小猫{}.JPG", "pets/dogs/b{}.png"),
              "splits": ("a/training_set/cats/cat.{}.jpg", "a/training_set/dogs/dog.{}.jpg"),
              "oxford": ("oxford-iiit-pet/images/Abyssinian_{}.jpg", "oxford-iiit-pet/images/basset_hound_{}.jpg")}[layout]
    for shape, pattern in zip(("cat", "dog"), places):
        for i in range(4):
            path = folder / "source" / pattern.format(i)
            path.parent.mkdir(parents=True, exist_ok=True)
            paint(path, shape, i)
    if layout == "petimages":
        for name in ("Cat/666.jpg", "Dog/11702.jpg"):       # 微软的那一份里坏的两张
            (folder / "source/PetImages" / name).write_bytes(b"")
    if layout == "oxford":
        (folder / "source/oxford-iiit-pet/images/Abyssinian_100.mat").write_bytes(b"?")
        (folder / "source/oxford-iiit-pet/annotations/trimaps").mkdir(parents=True)
        paint(folder / "source/oxford-iiit-pet/annotations/trimaps/Abyssinian_1.png", "cat", 1)
    if layout == "splits":
        for name in ("cat", "dog"):
            paint_to = folder / f"source/a/test_set/{name}s/{name}.1.jpg"
            paint_to.parent.mkdir(parents=True)
            paint(paint_to, name, 5)
    return folder / "source"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("layout", ["petimages", "cats", "splits", "oxford"])
def test_other_layouts(tmp_path, monkeypatch, capsys, layout, packed):
    monkeypatch.setattr("data.prepare.HERE", tmp_path / "data")
    source = lay_out(tmp_path, layout)
    before = {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}
    if packed:
        shutil.make_archive(tmp_path / "source", "zip", source)
        source = tmp_path / "source.zip"
    call("prepare", f"--source={source}")
    shown = capsys.readouterr().out
    made = sorted(path.name for path in (tmp_path / "data/pets/train").iterdir())
    each = 5 if layout == "splits" else 4
    assert [name.split(".")[0] for name in made] == ["cat"] * each + ["dog"] * each
    assert ("读不出来的 2 张" in shown and "666.jpg" in shown and "11702.jpg" in shown) == (layout == "petimages")
    assert "--train-data-root=" in shown and {path: path.read_bytes() for path in before} == before
    assert len(DogCat(tmp_path / "data/pets/train", "train", 32)) + len(DogCat(tmp_path / "data/pets/train", "val", 32)) == 2 * each
    if layout == "petimages":
        assert made[:2] == ["cat.0.jpg", "cat.1.jpg"] and (tmp_path / "data/pets/train/dog.3.jpg").read_bytes() == next(
            content for path, content in before.items() if path.as_posix().endswith("Dog/3.jpg"))
    with pytest.raises(SystemExit):                         # 已经有了，不去碰它
        call("prepare", f"--source={source}")
    assert "已经有了" in capsys.readouterr().err


@pytest.mark.parametrize("fault", ["dogs are broken", "disk is full", "only cats"])
def test_nothing_is_left_of_what_failed(tmp_path, monkeypatch, capsys, fault):
    monkeypatch.setattr("data.prepare.HERE", tmp_path / "data")
    source = lay_out(tmp_path, "cats")
    if fault == "dogs are broken":
        for path in (source / "pets/dogs").iterdir():
            path.write_bytes(b"<html>")
    elif fault == "only cats":
        shutil.rmtree(source / "pets/dogs")
    else:
        def full(*_):
            raise OSError(28, "No space left on device")
        monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(SystemExit) as stop:
        call("prepare", f"--source={source}")
    assert stop.value.code == 2 and capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "data").exists() or list((tmp_path / "data").iterdir()) == []
