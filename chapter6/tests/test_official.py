"""猫狗数据集的几种官方的放法：prepare 认得出，检查，整理。"""

import io
import shutil
import zipfile

import pytest
from conftest import paint
from helpers import call

from data import CLASSES, Pictures


def test_dog_is_one():
    assert CLASSES.index("dog") == 1


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
    train = Pictures(pictures / "data/kaggle/train", "train", 32)
    assert len(train) == 28


def test_kaggle_folder_is_used_in_place(pictures, capsys):
    call("prepare", f"--source={pictures}")
    assert (pictures / "train").as_posix() in capsys.readouterr().out


@pytest.mark.parametrize("spoil, says", [
    (lambda folder: shutil.rmtree(folder / "train"), "没有猫和狗"),
    (lambda folder: [path.unlink() for path in (folder / "train").glob("dog*")], "没有狗"),
    (lambda folder: (folder / "train/cat.3.jpg").write_bytes(b"<html>"), "train/cat.3.jpg"),
    (lambda folder: ((folder / "b").mkdir(), paint(folder / "b/dog.99.jpg", 1, 1)), "几个文件夹"),
    (lambda folder: [shutil.rmtree(folder / part) for part in ("train", "test")], "认得的放法"),
])
def test_kaggle_folder_with_faults(pictures, capsys, spoil, says):
    spoil(pictures)
    with pytest.raises(SystemExit):
        call("prepare", f"--source={pictures}")
    message = capsys.readouterr().err.strip()
    assert says in message and "\n" not in message


def lay_out(folder, layout):
    """在 folder 里照 layout 的样子放猫狗各 4 张，返回 --source 的值。"""
    places = {"petimages": ("PetImages/Cat/{}.jpg", "PetImages/Dog/{}.jpg"), "cats": ("pets/cats/小猫{}.JPG", "pets/dogs/b{}.png"),
              "splits": ("a/training_set/cats/cat.{}.jpg", "a/training_set/dogs/dog.{}.jpg"),
              "oxford": ("oxford-iiit-pet/images/Abyssinian_{}.jpg", "oxford-iiit-pet/images/basset_hound_{}.jpg")}[layout]
    for kind, pattern in enumerate(places):
        for i in range(4):
            path = folder / "source" / pattern.format(i)
            path.parent.mkdir(parents=True, exist_ok=True)
            paint(path, kind, i)
    if layout == "petimages":
        for name in ("Cat/666.jpg", "Dog/11702.jpg"):       # 微软的那一份里坏的两张
            (folder / "source/PetImages" / name).write_bytes(b"")
    if layout == "oxford":
        (folder / "source/oxford-iiit-pet/images/Abyssinian_100.mat").write_bytes(b"?")
        (folder / "source/oxford-iiit-pet/annotations/trimaps").mkdir(parents=True)
        paint(folder / "source/oxford-iiit-pet/annotations/trimaps/Abyssinian_1.png", 0, 1)
    if layout == "splits":
        for kind, name in enumerate(("cat", "dog")):
            paint_to = folder / f"source/a/test_set/{name}s/{name}.1.jpg"
            paint_to.parent.mkdir(parents=True)
            paint(paint_to, kind, 5)
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
    made = sorted(path.name for path in (tmp_path / "data/sorted/train").iterdir())
    each = 5 if layout == "splits" else 4
    assert [name.split(".")[0] for name in made] == ["cat"] * each + ["dog"] * each
    assert ("读不出来的 2 张" in shown and "666.jpg" in shown and "11702.jpg" in shown) == (layout == "petimages")
    assert "--train-data-root=" in shown and {path: path.read_bytes() for path in before} == before
    assert len(Pictures(tmp_path / "data/sorted/train", "train", 32)) + len(Pictures(tmp_path / "data/sorted/train", "val", 32)) == 2 * each
    if layout == "petimages":
        assert made[:2] == ["cat.0.jpg", "cat.1.jpg"] and (tmp_path / "data/sorted/train/dog.3.jpg").read_bytes() == next(
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


@pytest.mark.parametrize("layout, inner", [("petimages", "PetImages"), ("cats", "pets")])
def test_folders_of_cats_and_dogs_need_no_preparing(tmp_path, layout, inner):
    place = lay_out(tmp_path, layout) / inner
    train, val = (Pictures(place, split, 32) for split in ("train", "val"))
    assert [(train.targets + val.targets).count(label) for label in (0, 1)] == [5 if layout == "petimages" else 4] * 2      # 有坏图的读到时才说
    assert all(path.parent.name.lower().startswith(("cat", "dog")[label]) for path, label in zip(train.paths, train.targets))
