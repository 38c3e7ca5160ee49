"""data/ 里的数据：接口、划分、校验和与说明书一致。不用网络。"""

import ast
import csv
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch as t
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"
sys.path.insert(0, str(ROOT))

from data.icons10 import GRID, Icons10, join_sheet, split_sheet  # noqa: E402


def listed_files() -> dict[str, str]:
    """README 表格里的 路径 → sha256。"""
    text = (DATA / "README.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| `([^`]+)` .*\| `([0-9a-f]{64})` \|$", text, flags=re.M))


def actual_files() -> set[str]:
    return {
        path.relative_to(DATA).as_posix()
        for path in DATA.rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"} and path.name != "README.md"
    }


def read_rows(name: str) -> list[dict]:
    with (DATA / "icons10" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_file_is_listed_with_its_checksum():
    listed = listed_files()
    assert set(listed) == actual_files()
    for name, digest in listed.items():
        assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() == digest, name


def test_each_set_is_small():
    for folder in ("icons10", "fashion_mnist", "dogcat"):
        size = sum(path.stat().st_size for path in (DATA / folder).rglob("*") if path.is_file())
        assert size < 8 * 2**20, folder


@pytest.mark.parametrize("train, count", [(True, 5000), (False, 1000)])
def test_icons10_looks_like_cifar10(train, count):
    dataset = Icons10(DATA, train=train)
    assert len(dataset) == count
    assert dataset.data.shape == (count, 32, 32, 3) and dataset.data.dtype == np.uint8
    assert isinstance(dataset.targets, list) and set(map(type, dataset.targets)) == {int}
    assert np.bincount(dataset.targets).tolist() == [count // 10] * 10
    image, target = dataset[count - 1]
    assert image.size == (32, 32) and image.mode == "RGB" and type(target) is int
    assert np.array_equal(np.asarray(image), dataset.data[count - 1])


def test_icons10_has_the_class_names_of_cifar10():
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    dataset = Icons10(train=False)
    assert dataset.classes == names
    assert dataset.class_to_idx == {name: index for index, name in enumerate(names)}
    parameters = ["root", "train", "transform", "target_transform"]
    for cls in (Icons10, datasets.CIFAR10):
        code = cls.__init__.__code__
        assert list(code.co_varnames[1:5]) == parameters


def test_icons10_applies_both_transforms():
    dataset = Icons10(
        DATA,
        train=False,
        transform=transforms.ToTensor(),
        target_transform=lambda label: label + 100,
    )
    images, targets = next(iter(DataLoader(dataset, batch_size=20)))
    assert images.shape == (20, 3, 32, 32) and images.dtype == t.float32
    assert targets.tolist() == [100 + label for label in dataset.targets[:20]]
    assert t.equal(
        (images[7] * 255).round().to(t.uint8).permute(1, 2, 0), t.from_numpy(dataset.data[7])
    )


def test_sheet_rows_hold_one_class_each():
    dataset = Icons10(train=False)
    sheet = join_sheet(dataset.data, "test")
    assert np.array_equal(split_sheet(sheet, "test"), dataset.data)
    rows = GRID["test"][0] // 10  # 一类占几行
    label = dataset.class_to_idx["frog"]
    top_left = sheet[label * rows * 32 : label * rows * 32 + 32, :32]
    first = dataset.targets.index(label)
    assert np.array_equal(top_left, dataset.data[first])


def test_no_image_is_blank_or_repeated_across_the_splits():
    train, test = Icons10(train=True), Icons10(train=False)
    for dataset in (train, test):
        spread = dataset.data.reshape(len(dataset), -1).std(axis=1)
        assert spread.min() > 3
    seen = {image.tobytes() for image in train.data}
    assert not any(image.tobytes() in seen for image in test.data)


def test_test_families_are_never_in_train():
    rows = read_rows("sources.csv")
    families = {
        split: {row["family"] for row in rows if row["split"] == split}
        for split in ("train", "test")
    }
    sets = {
        split: {row["set"] for row in rows if row["split"] == split} for split in ("train", "test")
    }
    assert families["train"] and families["test"]
    assert not families["train"] & families["test"]
    assert not sets["train"] & sets["test"]
    for same_drawings in (
        ("mdi", "mdi-light"),
        ("twemoji", "fxemoji"),
        ("noto", "noto-v1"),
        ("fluent-emoji", "fluent-emoji-flat", "fluent"),
        ("lucide", "feather", "keyline-icons"),
    ):
        assert len({row["family"] for row in rows if row["set"] in same_drawings}) == 1
    for name in Icons10.classes:
        assert {row["split"] for row in rows if row["class"] == name} == {"train", "test"}


def test_every_icon_set_has_author_and_free_licence():
    sets = {row["set"]: row for row in read_rows("sets.csv")}
    rows = read_rows("sources.csv")
    assert set(sets) == {row["set"] for row in rows}
    free = {"MIT", "Apache-2.0", "CC-BY-4.0", "ISC", "OFL-1.1", "CC0-1.0", "BSD-3-Clause"}
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    for name, row in sets.items():
        assert row["author"] and row["licence"] in free
        assert int(row["icons"]) == sum(source["set"] == name for source in rows)
        if row["licence"] == "CC-BY-4.0":
            assert f"（`{name}`）" in readme, f"CC BY 的 {name} 没有署名"
    assert sum(int(row["images"]) for row in sets.values()) == 6000


@pytest.mark.parametrize("split", ["train", "test"])
def test_icons_names_the_icon_of_each_picture(split):
    dataset = Icons10(train=split == "train")
    rows = {(row["class"], f"{row['set']}:{row['icon']}")
            for row in read_rows("sources.csv") if row["split"] == split}
    assert {(dataset.classes[label], icon)
            for label, icon in zip(dataset.targets, dataset.icons, strict=True)} == rows
    drawn = Counter(icon.split(":")[0] for icon in dataset.icons)
    for row in read_rows("sets.csv"):
        assert drawn[row["set"]] == (int(row["images"]) if row["split"] == split else 0)

    # 同一个图标的两张图，图标所占的面积相近（大小只差一成）；换一个图标就不是了
    gray = dataset.data.mean(axis=-1)                               # (N, 32, 32)
    border = np.median(np.concatenate([gray[:, [0, -1]].reshape(len(gray), -1),
                                       gray[:, :, [0, -1]].reshape(len(gray), -1)], axis=1), axis=1)
    area = (np.abs(gray - border[:, None, None]) > 25).mean(axis=(1, 2))
    by_icon: dict = {}
    for index, (label, icon) in enumerate(zip(dataset.targets, dataset.icons, strict=True)):
        by_icon.setdefault((label, icon), []).append(area[index])
    within = np.mean([np.std(areas) for areas in by_icon.values() if len(areas) > 1])
    assert within < 0.5 * area.std()


def test_missing_and_corrupt_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train\.webp.*python data/build\.py icons10"):
        Icons10(tmp_path)
    shutil.copytree(DATA / "icons10", tmp_path / "icons10")
    path = tmp_path / "icons10" / "test.webp"
    good = path.read_bytes()
    assert len(Icons10(tmp_path, train=False)) == 1000
    path.write_bytes(good[:5000])  # 下载到一半
    with pytest.raises(RuntimeError, match=r"test\.webp 已损坏.*python data/build\.py icons10"):
        Icons10(tmp_path, train=False)
    Image.new("RGB", (1600, 640)).save(path, lossless=True)  # 能打开，但不是那张图
    with pytest.raises(RuntimeError, match="校验和不符"):
        Icons10(tmp_path, train=False)
    path.write_bytes(good)
    (tmp_path / "icons10" / "sources.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"sources\.csv.*取回"):
        Icons10(tmp_path, train=False)


@pytest.mark.parametrize("train, count", [(True, 2000), (False, 500)])
def test_torchvision_reads_the_fashion_mnist_subset(train, count):
    dataset = datasets.FashionMNIST(DATA / "fashion_mnist", train=train, download=False)
    assert dataset.data.shape == (count, 28, 28) and dataset.data.dtype == t.uint8
    assert dataset.targets.bincount().tolist() == [count // 10] * 10
    brightness = t.stack(
        [dataset.data[dataset.targets == label].float().mean() for label in range(10)]
    )
    sandal, coat = dataset.classes.index("Sandal"), dataset.classes.index("Coat")
    assert brightness[coat] > 2 * brightness[sandal]  # 类别与图对得上：大衣比凉鞋占地多


def test_exactly_one_dogcat_picture_is_broken():
    paths = sorted((DATA / "dogcat").iterdir())
    assert [path.name for path in paths] == [
        f"{animal}.{index}.png" for animal in ("cat", "dog") for index in range(6)
    ]
    broken = []
    sizes = set()
    for path in paths:
        try:
            with Image.open(path) as image:
                sizes.add(image.convert("RGB").size)
        except OSError:
            broken.append(path.name)
    assert broken == ["dog.5.png"]
    assert len(sizes) > 1 and all(100 <= side <= 160 for size in sizes for side in size)


def test_photo_is_a_small_colour_picture():
    path = DATA / "photo.jpg"
    assert path.stat().st_size <= 100 * 1024
    with Image.open(path) as image:
        assert image.mode == "RGB" and max(image.size) <= 512


def test_drawing_depends_on_the_key_alone():
    pytest.importorskip("resvg_py", reason="只有重新生成数据时才需要 resvg-py")
    sys.path.insert(0, str(DATA))
    from render import STEP, draw
    icon = {"body": '<circle cx="8" cy="8" r="6" fill="currentColor"/>',
            "width": 16, "height": 16, "left": 0, "top": 0}
    first, again, other = (draw(icon, 40, 32, key) for key in ("a", "a", "b"))
    assert first.shape == (32, 40, 3) and first.dtype == np.uint8
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert not (first % STEP).any()
    contrast = np.abs(first[16, 20].astype(int) - first[0, 0]).max()
    assert contrast > 40                                # 图标与背景分得开


def run_build(*options: str, **environment: str) -> subprocess.CompletedProcess:

    return subprocess.run(
        [sys.executable, str(DATA / "build.py"), *options],
        text=True,
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONIOENCODING": "utf-8"} | environment,
    )


def test_build_without_the_clients_says_what_to_install(tmp_path):
    done = run_build("fashion_mnist", "--check", PATH=str(tmp_path))
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("出错：没有 apt-get") and done.stderr.count("\n") == 1


def test_build_names_the_choices():
    done = run_build("icon")
    assert done.returncode == 2 and "没有 icon 这份数据" in done.stderr and "icons10" in done.stderr


def test_build_refuses_a_package_with_a_wrong_checksum(tmp_path):
    name = "dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb"
    (tmp_path / name).write_bytes(b"not the package")
    done = run_build("fashion_mnist", "--check", "--keep", str(tmp_path))
    assert done.returncode == 2
    assert name in done.stderr and "sha256 不对" in done.stderr


def test_build_code_names_no_host():
    for path in DATA.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        strings = [
            node.value
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        assert not any(re.search(r"https?://(?!www\.w3\.org)", value) for value in strings), (
            path.name
        )
