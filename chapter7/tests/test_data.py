import io
import zipfile

import numpy as np
import pytest
import torch as t
from conftest import TINY, noise_picture
from helpers import PROJECT, call, fails
from PIL import Image
from torch.utils.data import DataLoader

from data import Avatars, collate, to_input, to_picture
from data.draw import HELD_OUT, draw, draw_avatars
from utils.files import UserError

SHIPPED = PROJECT / "data" / "avatars.zip"


def test_shipped_avatars():
    avatars = Avatars(str(SHIPPED), 96, cache_mb=200)
    assert len(avatars) == 3000
    batch = avatars[[0, 1500, 2999]]
    assert batch.shape == (3, 3, 96, 96) and batch.dtype == t.uint8
    assert t.equal(batch[1], avatars[1500])
    corners = avatars.cache[:, :, 2, 2].float()                     # 左上角是五种底色之一
    assert corners.min() > 150 and len(corners.round().unique(dim=0)) >= 5


def test_drawing_is_the_same_every_time(tmp_path):
    pytest.importorskip("dicebear")
    pytest.importorskip("resvg_py")
    with zipfile.ZipFile(SHIPPED) as archive:
        for seed in (0, 1234):
            shipped = Image.open(io.BytesIO(archive.read(f"{seed}.webp"))).convert("RGB")
            drawn = Image.open(io.BytesIO(draw(seed))).convert("RGB")
            difference = t.tensor(list(shipped.tobytes())).sub(t.tensor(list(drawn.tobytes()))).abs()
            assert difference.float().mean() < 1                    # 编码器的版本不同，压缩后会差一点
    for name in ("one.zip", "two.zip"):
        draw_avatars(tmp_path / name, range(HELD_OUT, HELD_OUT + 3), "")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.zip", "two.zip"]


def test_any_size_and_mode(tmp_path):
    folder = tmp_path / "faces" / "part1"
    folder.mkdir(parents=True)
    picture = noise_picture(100)
    picture.convert("L").resize((30, 80)).save(folder / "grey.png")
    picture.convert("P").resize((200, 90)).save(folder / "palette.gif")
    picture.convert("CMYK").save(folder / "print.jpg")
    deep = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(folder / "deep.png")
    Image.new("RGBA", (50, 50), (255, 0, 0, 0)).save(folder / "clear.webp")
    Image.new("1", (64, 64), 1).save(folder / "bits.bmp")
    (folder / "notes.txt").write_text("不是图片", encoding="utf-8")
    avatars = Avatars(str(tmp_path / "faces"), 64, cache_mb=10)
    assert avatars.names == sorted(f"part1/{name}" for name in
                                   ("bits.bmp", "clear.webp", "deep.png", "grey.png", "palette.gif", "print.jpg"))
    assert avatars[list(range(6))].shape == (6, 3, 64, 64)
    assert (avatars[avatars.names.index("part1/clear.webp")] == 255).all()      # 透明处衬白
    assert 60 < avatars[avatars.names.index("part1/deep.png")].float().mean() < 200


def test_the_middle_of_a_long_picture(tmp_path):
    image = Image.new("RGB", (300, 100), "red")
    image.paste((0, 0, 255), (100, 0, 200, 100))
    image.save(tmp_path / "wide.png")
    blue = Avatars(str(tmp_path), 64)[0][:, 5:-5, 5:-5].float().mean((1, 2))
    assert blue.tolist() == pytest.approx([0, 0, 255], abs=2)


def test_orientation_of_a_photo(tmp_path):
    image = Image.new("RGB", (64, 64), "red")
    image.paste((0, 0, 255), (0, 0, 64, 32))                        # 上半蓝
    exif = Image.Exif()
    exif[0x0112] = 3                                                # 拍的时候倒着拿
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    assert Avatars(str(tmp_path), 64)[0][2, 60, 32] > 200


def test_folder_zip_cache_and_workers_give_the_same(pictures):
    with zipfile.ZipFile("faces.zip", "w") as archive:
        for path in sorted((pictures / "faces").iterdir()):
            archive.write(path, path.name)
    order = [3, 0, 7]
    expected = Avatars("faces", 64)[order]
    for path, cache in (("faces", 10), ("faces.zip", 0), ("faces.zip", 10)):
        avatars = Avatars(path, 64, cache)
        assert (avatars.cache is not None) == bool(cache)
        loader = DataLoader(avatars, batch_sampler=[order], collate_fn=collate, num_workers=0 if cache else 1)
        batch, = loader
        assert t.equal(batch, expected)


def test_pixels_and_back():
    pixels = t.arange(256, dtype=t.uint8).view(1, 1, 16, 16).expand(1, 3, 16, 16)
    scaled = to_input(pixels)
    assert (scaled.min(), scaled.max()) == (-1, 1)
    assert t.equal(to_picture(scaled), pixels)
    assert to_picture(t.tensor([-9.0, 9.0])).tolist() == [0, 255]


def test_empty_folder(capsys, pictures):
    for path in (pictures / "faces").iterdir():
        path.unlink()
    assert "faces 里没有图片" in fails(capsys, "train", "--data-path=faces", *TINY)
    assert not (pictures / "runs").exists()


def test_a_broken_picture_in_a_zip_is_named(pictures):
    with zipfile.ZipFile("flipped.zip", "w") as archive:
        archive.writestr("a.png", b"x" * 1000)
    broken = bytearray((pictures / "flipped.zip").read_bytes())
    broken[300] ^= 1                                                # 内容与记下的校验和不符
    (pictures / "flipped.zip").write_bytes(broken)
    with pytest.raises(UserError, match=r"a\.png 读不出来"):
        Avatars("flipped.zip", 64, 10)


def test_prepare_checks_the_shipped_and_ones_own(capsys, pictures):
    call("prepare")
    assert "3000 张" in capsys.readouterr().out
    call("prepare", "--source=faces")
    shown = capsys.readouterr().out
    assert "20 张，每张都读得出来；短边 64 的 20 张" in shown and "--data-path=faces" in shown and "少于" in shown
    assert "nowhere" in fails(capsys, "prepare", "--source=nowhere")
    assert "--source" in fails(capsys, "prepare", "--source=faces", "--num=5")


def test_prepare_notices_a_changed_file(capsys, workdir, monkeypatch):
    changed = workdir / "avatars.zip"
    changed.write_bytes(SHIPPED.read_bytes() + b"x")
    monkeypatch.setattr("data.prepare.SHIPPED", changed)
    assert "prepare --num=3000" in fails(capsys, "prepare")


def test_prepare_draws(capsys, workdir, monkeypatch):
    pytest.importorskip("dicebear")
    monkeypatch.setattr("data.prepare.HERE", workdir)
    call("prepare", "--num=6")
    assert "avatars6.zip" in capsys.readouterr().out
    assert Avatars("avatars6.zip", 96).names == [f"{i}.webp" for i in range(6)]


def test_drawing_without_its_packages_says_what_to_install(capsys, workdir, monkeypatch):
    from data import draw as module
    module.style.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "dicebear", None)
    monkeypatch.setattr("data.prepare.HERE", workdir)
    assert "pip install dicebear-core" in fails(capsys, "prepare", "--num=6")
    assert list(workdir.iterdir()) == []
