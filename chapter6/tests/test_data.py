import shutil
import zipfile
from pathlib import Path

import pytest
import torch as t
from conftest import FIRST, SECOND, paint
from PIL import Image

from data import CLASSES, Pictures, augment, read_image, to_input
from data.augment import compress
from data.dataset import folder_label, label_of
from utils.files import UserError
from utils.loading import BatchSampler
from utils.runtime import Runtime, seed_step

KINDS = len(CLASSES)


def names(dataset):
    return [path.name for path in dataset.paths]


def wrap(pictures: Path) -> Path:
    """同样的训练图片，按类别放在文件夹里，名字像相机、扫描仪起的。返回文件夹。"""
    place = pictures / "folders"
    for kind, name in enumerate(CLASSES):
        inner = place / (name.upper() if kind else name) / ("" if kind else "2024 年")       # 大小写不论，里面还可以分
        inner.mkdir(parents=True)
        for i in range(20):
            file = pictures / "train" / f"{name}.{i}.jpg"
            if i % 4 < 2:
                shutil.copy(file, inner / (f"IMG_{i:04d}.JPG" if i % 4 else f"照片 {i}.jpeg"))
            else:
                frames = Image.open(file), Image.new("RGB", (40, 32))
                frames[0].save(inner / f"a.b.{i}.{'GIF' if i % 4 == 2 else 'tif'}", save_all=True, append_images=frames[1:])
    return place


def test_seventy_and_thirty_percent(pictures):
    train, val = (Pictures(pictures / "train", split, 32) for split in ("train", "val"))
    assert (len(train), len(val)) == (14 * KINDS, 6 * KINDS)
    assert not set(names(train)) & set(names(val))
    for dataset, each in ((train, 14), (val, 6)):
        assert [dataset.targets.count(kind) for kind in range(KINDS)] == [each] * KINDS
        assert all(name.startswith(f"{CLASSES[target]}.") for name, target in zip(names(dataset), dataset.targets))


def test_split_does_not_depend_on_the_other_files_or_their_order(pictures):
    before = set(names(Pictures(pictures / "train", "train", 32)))
    again = Pictures(pictures / "train", "train", 32)
    copy = pictures / "copy"
    copy.mkdir()
    for path in sorted((pictures / "train").iterdir(), reverse=True):       # 另一种写入次序
        shutil.copy(path, copy)
    assert before == set(names(again)) == set(names(Pictures(copy, "train", 32)))
    assert again.fingerprint() == Pictures(copy, "train", 32).fingerprint()


def test_test_pictures_are_in_the_order_of_their_numbers(pictures):
    dataset = Pictures(pictures / "test", "test", 32)
    assert [dataset[i][1] for i in range(len(dataset))] == list(range(1, 13))


def test_cached_or_not_the_pictures_are_the_same(pictures):
    read, cached = (Pictures(pictures / "train", "val", 32, cache_mb=size) for size in (0, 1))
    assert read.cache is None and cached.cache is not None
    for i in range(len(read)):
        assert t.equal(read[i][0], cached[i][0]) and read[i][1] == cached[i][1]
    assert read[0][0].shape == (4, 32, 32) and read[0][0].dtype == t.uint8


def test_stray_files_are_skipped_with_a_line(pictures, capsys):
    for name in ("Thumbs.db", f"{FIRST}.jpg", "fox.1.jpg", f"{FIRST}.x.jpg", ".DS_Store", "notes.txt"):
        (pictures / "train" / name).write_bytes(b"?")
    (pictures / "train" / "foxes").mkdir()
    (pictures / "test" / "notes.txt").write_bytes(b"?")
    assert len(Pictures(pictures / "train", "train", 32)) == 14 * KINDS
    shown = capsys.readouterr().out
    assert "3 个" in shown and "fox.1.jpg" in shown and "DS_Store" not in shown and "Thumbs.db" not in shown
    assert shown.count("\n") == 1 and "不是类别的文件夹 1 个（foxes/）" in shown and "不是能读的图片 1 个（notes.txt）" in shown
    assert len(Pictures(pictures / "train", "val", 32)) == 6 * KINDS and capsys.readouterr().out == ""        # 说过了
    assert len(Pictures(pictures / "test", "test", 32)) == 12
    assert "notes.txt" in capsys.readouterr().out


@pytest.mark.parametrize("packed", [False, True])
def test_folders_of_the_classes_are_read_directly(pictures, capsys, packed):
    place = wrap(pictures)
    if packed:
        place = Path(shutil.make_archive(pictures / "folders", "zip", pictures, "folders"))
    train, val = (Pictures(place, split, 32, cache_mb=split == "val") for split in ("train", "val"))
    assert capsys.readouterr().out == "" and (len(train), len(val)) == (14 * KINDS, 6 * KINDS)
    assert {Path(name).suffix for name in names(train)} == {".JPG", ".jpeg", ".GIF", ".tif"}
    for dataset in (train, val):
        assert [dataset.targets.count(kind) for kind in range(KINDS)] == [len(dataset) // KINDS] * KINDS
        for i, (path, target) in enumerate(zip(dataset.paths, dataset.targets)):
            number = int("".join(filter(str.isdigit, path.stem)))
            flat = read_image(pictures / "train" / f"{CLASSES[target]}.{number}.jpg", 32)   # 第一帧，不是接着的黑的一帧
            assert (dataset[i][0].float() - flat).abs().mean() < (8 if path.suffix == ".GIF" else 1)


def test_the_innermost_folder_says_the_label(pictures):
    assert folder_label("train/a.jpg") is None and folder_label(f"x/{FIRST}/{SECOND}/a.jpg") == 1
    assert label_of(f"{SECOND}/{FIRST}.3.jpg") == 1 and label_of(f"x/{FIRST}.3.jpg") == 0       # 挪到别的类里的，照文件夹
    place = wrap(pictures)
    before = Pictures(place, "train", 32).fingerprint()
    shutil.move(place / CLASSES[0] / "2024 年" / "照片 4.jpeg", place / CLASSES[1].upper() / "照片 4b.jpeg")
    assert Pictures(place, "train", 32).fingerprint() != before


def test_tests_without_numbers_are_known_by_their_names(pictures, capsys):
    folder = pictures / "mine"
    folder.mkdir()
    for i, name in enumerate(("IMG_0002.JPG", "b.png", "IMG_0001.JPG")):
        paint(folder / name, 0, i)
    assert Pictures(folder, "test", 32).targets == ["IMG_0001.JPG", "IMG_0002.JPG", "b.png"]
    paint(folder / "7.jpg", 0, 1)
    assert set(Pictures(folder, "test", 32).targets) == {"7.jpg", "IMG_0001.JPG", "IMG_0002.JPG", "b.png"} and capsys.readouterr().out == ""
    for i in range(8, 12):                                  # 多数是号码，就照号码，其余的说一声；训练图片再多也不算
        paint(folder / f"{i}.jpg", 0, 1)
        shutil.copy(folder / "b.png", folder / f"{FIRST}.{i}.png")
    assert Pictures(folder, "test", 32).targets == [7, 8, 9, 10, 11] and "名字不是号码 7 个" in capsys.readouterr().out
    for name in CLASSES:                                    # 各类都有 0.jpg
        (folder / name).mkdir()
        paint(folder / name / "0.jpg", 0, 1)
    assert {f"{name}/0.jpg" for name in CLASSES} < set(Pictures(folder, "test", 32).targets)


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


def zipped(folder, target, under="photos"):
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"{under}/{path.name}")
        archive.writestr(f"{under}/._{FIRST}.0.jpg", b"?")    # macOS 的影子文件
    return target


def test_a_zip_is_the_same_as_its_folder(pictures):
    packed = zipped(pictures / "train", pictures / "train.zip")
    for split in ("train", "val"):
        folder, archive = (Pictures(place, split, 32, cache_mb=1) for place in (pictures / "train", packed))
        assert names(folder) == names(archive) and folder.targets == archive.targets
        assert folder.fingerprint() == archive.fingerprint()
        assert all(t.equal(folder[i][0], archive[i][0]) for i in range(len(folder)))
    tests = Pictures(zipped(pictures / "test", pictures / "test.zip"), "test", 32)
    assert tests.targets == list(range(1, 13))


def test_several_places(pictures, capsys):
    packed = zipped(pictures / "train", pictures / "photos.zip")
    icons = pictures / "icons/train"
    shutil.copytree(pictures / "train", icons)
    rows = [f"train/{name}.{i}.jpg,{i % 5}" for name in CLASSES for i in range(20)]
    (pictures / "icons/sources.csv").write_text("\n".join(["file,fold", *rows]), encoding="utf-8")
    alone = {(place, split): Pictures(place, split, 32) for place in (icons, packed) for split in ("train", "val")}
    train, val = (Pictures(f"{icons}:3,{packed}", split, 32) for split in ("train", "val"))
    assert names(val) == names(alone[icons, "val"]) + names(alone[packed, "val"])           # 折和比例都照旧，不重复
    assert names(train) == names(alone[icons, "train"]) * 3 + names(alone[packed, "train"])
    assert not set(train.files) & set(val.files)
    assert [val.origin.count(i) for i in (0, 1)] == [4 * KINDS, 6 * KINDS]
    odd = pictures / "a,b:2"
    shutil.copytree(pictures / "train", odd)
    assert len(Pictures(odd, "train", 32)) == 14 * KINDS      # 名字里本来就有逗号、冒号


def test_a_sources_csv_saved_by_a_spreadsheet(pictures, capsys):
    lines = ["file;label; fold", *(f"train/{name}.{i}.jpg;{name}; {i % 2}" for name in CLASSES for i in range(20))]
    (pictures / "sources.csv").write_text("\r\n".join(lines), encoding="utf-8-sig")
    files = Pictures(pictures / "train", "val", 32, val_fold=1).paths
    assert len(files) == 10 * KINDS and all(int(path.stem.split(".")[1]) % 2 for path in files)
    (pictures / "sources.csv").write_text("\r\n".join(lines[:-1]), encoding="utf-8-sig")
    assert len(Pictures(pictures / "train", "val", 32, val_fold=1)) == 6 * KINDS and f"{CLASSES[-1]}.19.jpg 等 1 张的 fold" in capsys.readouterr().out


def test_another_sources_csv_is_left_alone(pictures):
    (pictures / "sources.csv").write_bytes(f"\ufeffname,url\n{FIRST}.0.jpg,x\n".encode())
    assert len(Pictures(pictures / "train", "train", 32)) == 14 * KINDS
    (pictures / "sources.csv").write_bytes("名字,网址\n".encode("gbk"))
    with pytest.raises(UserError, match="sources.csv"):
        Pictures(pictures / "train", "train", 32)


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
