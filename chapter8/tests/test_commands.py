"""命令行：每种错误输入都是一行话、状态 2、什么也不丢；stylize 的各种用法。"""

import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch as t
from conftest import TRAIN, scene
from helpers import call, fails, spawn
from PIL import Image

from config import Config
from data import on_white
from models import VGG16, TransformerNet, vgg16
from pictures import chroma_and_contrast
from style import PROJECT, portable
from utils.checkpoint import save_checkpoint


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


@pytest.mark.parametrize("words, says", [
    (["tran"], ["tran", "train"]),
    (["stylise"], ["stylise", "stylize"]),
    (["train", "--max-epochs=3"], ["--max-epochs", "--max-epoch"]),
    (["train", "--epoches=3"], ["--epoches", "已改名", "--max-epoch"]),
    (["stylize", "--model-ckpt=x"], ["--model-ckpt", "已改名", "--model-path"]),
    (["stylize", "--strenth=1"], ["--strenth", "--strength"]),
    (["train", "--lr", "=", "1e-4"], ["等号"]),
    (["train", "--lr=fast"], ["--lr", "数"]),
    (["train", "--lr=0"], ["--lr", "> 0"]),
    (["train", "--style-weight=-1"], ["--style-weight", "≥ 0"]),
    (["train", "--image-size=32"], ["--image-size", "≥ 64"]),
    (["train", "--data-root=nowhere"], ["nowhere", "--data-root"]),
    (["train", "--style-path=nowhere.jpg"], ["nowhere.jpg"]),
    (["train", "--style-path=note.txt"], ["note.txt", "不是图片"]),
    (["train", "--batch-size=9"], ["--batch-size=9", "8"]),
    (["train", "--resume"], ["last.pth", "--resume"]),
    (["train", "--model-path=nowhere.pth"], ["nowhere.pth", "--model-path"]),
    (["stylize", "--strength=1.5"], ["--strength", "≤ 1"]),
    (["stylize", "--strength=-0.1"], ["--strength", "≥ 0"]),
    (["stylize", "--max-size=-1"], ["--max-size", "≥ 0"]),
    (["stylize", "--tile-size=100"], ["--tile-size", "≥ 128"]),
    (["stylize", "--method=slow"], ["--method", "network、gatys"]),
    (["stylize", "--content-path=nowhere.jpg"], ["nowhere.jpg", "--content-path"]),
    (["stylize", "--content-path=note.txt"], ["note.txt", "不是图片"]),
    (["stylize", "--content-path=half.jpg"], ["half.jpg", "损坏"]),
    (["stylize", "--content-path=photos/*.bmp"], ["photos/*.bmp", "没有图片"]),
    (["stylize", "--result-path=a.xyz"], ["a.xyz", ".png"]),
    (["stylize", "--content-path=photos", "--result-path=a.png"], ["a.png", "文件夹"]),
    (["stylize", "--content-path=photos", "--result-path=note.txt/out"], ["note.txt"]),
    (["stylize", "--content-path=photos", "--result-path=photos"], ["photos/0.png", "盖掉"]),
    (["stylize", "--content-path=photos/*.png", "--result-path=photos"], ["photos/0.png", "盖掉"]),
    (["stylize", "--content-path=photos/0.png", "--result-path=photos/0.png"], ["photos/0.png", "盖掉"]),
    (["stylize", "--model-path=monet"], ["monet", "cafe_terrace"]),
    (["stylize", "--model-path=nowhere.pth"], ["nowhere.pth", "--model-path"]),
    (["stylize", "--width=9"], ["width", "9"]),
    (["stylize", "--method=gatys", "--steady=True"], ["--steady", "--method=gatys"]),
    (["stylize", "photo.jpg"], ["photo.jpg", "--选项=值"]),
    (["evaluate", "--content-path=nowhere"], ["nowhere"]),
])
def test_wrong_options(pictures, random_vgg, tiny, capsys, words, says):
    scene(300, 200).save("whole.jpg")
    (pictures / "half.jpg").write_bytes((pictures / "whole.jpg").read_bytes()[:3000])
    (pictures / "note.txt").write_text("not an image", encoding="utf-8")
    defaults = {"train": TRAIN, "stylize": ["--content-path=photos/0.png", f"--model-path={tiny}"],
                "evaluate": [f"--model-path={tiny}"]}.get(words[0], [])
    given = {word.partition("=")[0] for word in words}
    words = [words[0], *[word for word in defaults if word.partition("=")[0] not in given], *words[1:]]
    before = names(pictures)
    message = fails(capsys, *words)
    assert all(part in message for part in says), message
    assert names(pictures) == before                                # 没有留下任何文件


def test_missing_or_broken_vgg_weights(pictures, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(vgg16, "WEIGHTS", tmp_path / "vgg16.pth")
    for words in (["train", *TRAIN], ["stylize", "--method=gatys", "--content-path=photos/0.png", "--style-path=painting.png"]):
        message = fails(capsys, *words)
        assert "VGG16" in message and "python main.py prepare" in message
    vgg16.WEIGHTS.write_bytes(b"not a checkpoint")
    assert "prepare" in fails(capsys, "train", *TRAIN)
    save_checkpoint(vgg16.WEIGHTS, {"project": "vgg16", "model": {"x": t.zeros(2)}})
    assert "prepare" in fails(capsys, "train", *TRAIN)


def test_broken_style_weights(pictures, tiny, capsys):
    content = tiny.read_bytes()
    (pictures / "half.pth").write_bytes(content[:len(content) // 2])
    photo = "--content-path=photos/0.png"
    assert "half.pth 损坏" in fails(capsys, "stylize", photo, "--model-path=half.pth")
    save_checkpoint("vgg.pth", {"project": "vgg16", "model": VGG16().state_dict()})
    assert "vgg.pth 不是本项目" in fails(capsys, "stylize", photo, "--model-path=vgg.pth")
    changed = t.load(tiny, weights_only=True)
    changed["config"]["width"] = 8
    save_checkpoint("changed.pth", changed)
    assert "changed.pth" in fails(capsys, "stylize", photo, "--model-path=changed.pth")
    assert "result.png" not in names(pictures)


def test_resume_with_other_photos_or_options(pictures, random_vgg, capsys):
    call("train", *TRAIN, "--max-steps=1")
    capsys.readouterr()                                             # 进度条
    before = Path("runs/style/last.pth").read_bytes()
    (pictures / "more").mkdir()
    for i in range(4):
        scene(70, 70, i).save(pictures / "more" / f"new{i}.png")
    shutil.copytree("photos", "namesakes")
    scene(91, 71, 99).save(pictures / "namesakes" / "3.png")
    for word, says in (("--data-root=more", "另一份数据"), ("--data-root=namesakes", "另一份数据"), ("--width=8", "width"), ("--style-weight=9", "style_weight")):
        assert says in fails(capsys, "train", "--resume", word)
    assert Path("runs/style/last.pth").read_bytes() == before


def test_files_of_the_reader_in_the_place_of_a_result_are_kept(pictures, tiny, capsys):
    for name in ("out/0.png", "out/1.png", "one.jpg", "one.jpg.tmp"):
        (pictures / name).parent.mkdir(exist_ok=True)
        (pictures / name).write_bytes(b"mine")
    for _ in range(2):                                              # 第二次盖掉的是上次画的
        call("stylize", "--content-path=photos", "--result-path=out", f"--model-path={tiny}")
        call("stylize", "--content-path=photos/0.png", "--result-path=one.jpg", f"--model-path={tiny}")
    assert capsys.readouterr().out.count("移到") == 3
    assert len(names("out")) == 10 and pixels("out/0.png").shape == pixels("one.jpg").shape == (70, 90, 3)
    assert sum(path.is_file() and path.read_bytes() == b"mine" for path in pictures.rglob("*")) == 4


def test_results_of_names_that_end_like_others(pictures, tiny):
    """a.png 和 a.jpg 的结果带上原来的扩展名以后，不能又与 a.png.jpg 的相同。"""
    for name in ("a.png", "a.jpg", "a.png.jpg", "a.jpg.jpg"):
        scene(40, 30, len(name)).save(pictures / "photos" / name)
    call("stylize", "--content-path=photos/a.*", "--result-path=out", f"--model-path={tiny}")
    assert names("out") == ["a.jpg.jpg.png", "a.jpg.png", "a.png.jpg.png", "a.png.png"]


def test_disk_full_leaves_no_partial_result(pictures, tiny, capsys, monkeypatch):
    """写到一半盘满：一行话，原来的结果还在，没有临时文件。"""
    (pictures / "result.png").write_bytes(b"the old result")
    before = names(pictures)

    def full(self, file, *args, **options):
        file.write(b"half a picture")
        raise OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(Image.Image, "save", full)
    message = fails(capsys, "stylize", "--content-path=photos/0.png", f"--model-path={tiny}")
    assert "result.png" in message and "空间" in message
    assert names(pictures) == before and (pictures / "result.png").read_bytes() == b"the old result"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="只有 Linux 有 /dev/full")
def test_a_really_full_device(pictures, tiny, capsys):
    (pictures / f".{os.getpid()}.tmp").symlink_to("/dev/full")
    message = fails(capsys, "stylize", "--content-path=photos/0.png", f"--model-path={tiny}")
    assert "result.png" in message and "No space left" in message
    assert "result.png" not in names(pictures) and not any(name.endswith(".tmp") for name in names(pictures))


@pytest.mark.parametrize("size", [(1, 1), (10, 600), (600, 10), (2, 2), (33, 47)])
def test_extreme_sizes(workdir, tiny, size):
    scene(*size).save("photo.png")
    call("stylize", "--content-path=photo.png", f"--model-path={tiny}", "--tile-size=256")
    assert Image.open("result.png").size == size


def test_10_by_4000(workdir, tiny):
    scene(10, 4000).save("photo.png")
    call("stylize", "--content-path=photo.png", f"--model-path={tiny}", "--max-size=0")
    assert Image.open("result.png").size == (10, 4000)


@pytest.mark.parametrize("mode, name", [("L", "a.png"), ("RGBA", "a.png"), ("CMYK", "a.jpg"), ("P", "a.gif"), ("I;16", "a.png")])
def test_every_mode_is_painted(workdir, tiny, mode, name):
    if mode == "I;16":
        Image.fromarray(np.arange(1600, dtype=np.uint16).reshape(40, 40) * 40).save(name)
    else:
        scene(40, 40).convert(mode).save(name)
    call("stylize", f"--content-path={name}", f"--model-path={tiny}", "--result-path=b.jpg")
    image = Image.open("b.jpg")
    assert image.size == (40, 40) and image.mode == "RGB"


def test_what_is_transparent_stays_so(workdir, tiny):
    """贴纸：画上去的颜色与衬白画的相同，透明的地方照旧；存不下透明的格式衬白。"""
    photo = scene(60, 40)
    photo.putalpha(Image.linear_gradient("L").resize((60, 40)))
    photo.save("a.png")
    on_white(photo).save("white.png")
    for name, result in (("a.png", "clear.png"), ("a.png", "clear.webp"), ("a.png", "b.jpg"), ("white.png", "plain.png")):
        call("stylize", f"--content-path={name}", f"--model-path={tiny}", f"--result-path={result}", "--max-size=30", "--strength=0.7", "--preserve-color=True")
    clear, plain = Image.open("clear.png"), Image.open("plain.png")
    assert clear.mode == Image.open("clear.webp").mode == "RGBA" and Image.open("b.jpg").mode == plain.mode == "RGB"
    assert np.array_equal(np.asarray(clear)[..., 3], np.asarray(photo.resize((30, 20), Image.Resampling.LANCZOS))[..., 3])
    assert np.abs(np.asarray(clear.convert("RGB")).astype(int) - np.asarray(plain)).mean() < 3       # 先衬白再缩小，差一点
    white = np.asarray(on_white(clear)).astype(int)
    assert np.abs(np.asarray(Image.open("b.jpg")).astype(int) - white).mean() < 5


def test_orientation_and_size(workdir, tiny):
    exif = Image.Exif()
    exif[0x0112] = 8
    scene(80, 40).save("turned.jpg", exif=exif)
    call("stylize", "--content-path=turned.jpg", f"--model-path={tiny}")
    assert Image.open("result.png").size == (40, 80)
    assert not Image.open("result.png").getexif().get(0x0112)      # 已经转正，不能让看图的再转一次
    call("stylize", "--content-path=turned.jpg", f"--model-path={tiny}", "--max-size=40")
    assert Image.open("result.png").size == (20, 40)


def test_a_folder_and_a_pattern(pictures, tiny, capsys):
    (pictures / "photos/sub").mkdir()
    scene(30, 30).save(pictures / "photos/sub/0.png")               # 与 photos/0.png 同名
    call("stylize", "--content-path=photos", f"--model-path={tiny}", "--result-path=out")
    assert len(names("out")) == 9 and "1.png" in names("out") and names("out/sub") == ["0.png"]
    call("stylize", "--content-path=photos/[12].png", f"--model-path={tiny}", "--result-path=few")
    assert names("few") == ["1.png", "2.png"]
    call("stylize", "--content-path=photos/3.png", f"--model-path={tiny}", "--result-path=few")    # 已有的文件夹
    assert names("few") == ["1.png", "2.png", "3.png"]
    capsys.readouterr()
    (pictures / "photos/4.png").write_bytes(b"broken")
    assert "photos/4.png" in fails(capsys, "stylize", "--content-path=photos", f"--model-path={tiny}", "--result-path=rest")
    assert len(names("rest")) == 8                                  # 坏的一张不耽误其余的


def test_photos_of_one_name_and_results_inside(pictures, tiny, capsys):
    """两台相机里的同名照片、同一个文件夹里只差扩展名的、结果放在照片的文件夹里面再画一次、群晖的 @eaDir。"""
    for name in ("a/DCIM/1.jpg", "b/DCIM/1.jpg", "b/DCIM/1.png", "@eaDir/0.png/thumb.jpg", "b/.hidden/2.jpg", "b/x.jpg/3.png"):
        (pictures / "cards" / name).parent.mkdir(parents=True, exist_ok=True)
        scene(30, 30).save(pictures / "cards" / name)
    wanted = ["a/DCIM/1.png", "b/DCIM/1.jpg.png", "b/DCIM/1.png.png", "b/x.jpg/3.png"]
    for _ in range(2):
        call("stylize", "--content-path=cards", f"--model-path={tiny}", "--result-path=cards/painted")
        found = sorted(path.relative_to("cards/painted").as_posix() for path in Path("cards/painted").rglob("*.png") if path.is_file())
        assert found == wanted
    assert "4 张当作上次画的" in capsys.readouterr().out
    before = Path("cards/b/DCIM/1.png").read_bytes()
    message = fails(capsys, "stylize", "--content-path=cards/a", f"--model-path={tiny}", "--result-path=cards/b/DCIM/1.png/x.png")
    assert "1.png" in message and Path("cards/b/DCIM/1.png").read_bytes() == before


def test_a_picture_that_the_format_cannot_hold(workdir, tiny, capsys):
    scene(16384, 1).save("wide.png")
    words = ["stylize", "--content-path=wide.png", f"--model-path={tiny}", "--max-size=0"]
    assert "16383" in fails(capsys, *words, "--result-path=wide.webp") and not Path("wide.webp").exists()


def clip(count=4, size=(96, 64)):
    """一段动画：不动的画面上，一个白方块从左往右走。"""
    frames = [scene(*size) for _ in range(count)]
    for i, frame in enumerate(frames):
        frame.paste("white", (i * size[0] // count, size[1] - 20, i * size[0] // count + 20, size[1]))
    return frames


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_an_animation_stays_one(workdir, tiny, suffix):
    first, *others = clip()
    first.save(f"clip{suffix}", save_all=True, append_images=others, duration=[50, 100, 200, 50], loop=3)
    call("stylize", f"--content-path=clip{suffix}", f"--model-path={tiny}", "--max-size=48")
    with Image.open(f"result{suffix}") as result:
        assert result.n_frames == 4 and result.size == (48, 32) and result.info["loop"] == 3
        durations = []
        for i in range(4):
            result.seek(i)
            result.load()
            durations.append(result.info["duration"])
    assert durations == [50, 100, 200, 50]
    call("stylize", f"--content-path=clip{suffix}", f"--model-path={tiny}", "--result-path=other.webp")
    assert Image.open("other.webp").n_frames == 4
    Path("mixed").mkdir()
    Path(f"clip{suffix}").rename(f"mixed/clip{suffix}")
    scene(50, 40).save("mixed/photo.jpg")
    call("stylize", "--content-path=mixed", f"--model-path={tiny}", "--result-path=out")
    assert names("out") == [f"clip{suffix}", "photo.png"] and Image.open(f"out/clip{suffix}").n_frames == 4


def test_an_animation_cannot_become_a_jpeg_or_lose_its_frames(workdir, tiny, capsys):
    first, *others = clip()
    first.save("clip.gif", save_all=True, append_images=others, loop=0)
    message = fails(capsys, "stylize", "--content-path=clip.gif", f"--model-path={tiny}", "--result-path=a.jpg")
    assert "clip.gif 是动画" in message and ".webp" in message and not Path("a.jpg").exists()
    Path("broken.gif").write_bytes(Path("clip.gif").read_bytes()[:-900])
    assert "broken.gif" in fails(capsys, "stylize", "--content-path=broken.gif", f"--model-path={tiny}")
    assert not Path("result.gif").exists()


@pytest.mark.parametrize("name, kind", [("phone.jpg", "MPO"), ("scan.tif", "TIFF")])
def test_pictures_of_several_pages_are_photos(workdir, tiny, name, kind):
    first, *others = clip()
    first.save(name, kind, save_all=True, append_images=others)
    assert getattr(Image.open(name), "n_frames", 4) == 4            # Pillow 10.1 把自己写的 MPO 当作 JPEG 打开
    call("stylize", f"--content-path={name}", f"--model-path={tiny}", "--result-path=a.jpg")
    call("stylize", f"--content-path={name}", f"--model-path={tiny}")
    assert Image.open("a.jpg").size == (96, 64) and not Image.open("result.png").is_animated


def test_an_animation_too_large_is_refused(workdir, tiny, capsys, monkeypatch):
    first, *others = clip()
    first.save("clip.gif", save_all=True, append_images=others)
    monkeypatch.setattr("animation.LARGEST", 96 * 64 * 4 - 1)
    assert "4 帧" in fails(capsys, "stylize", "--content-path=clip.gif", f"--model-path={tiny}")


def test_frames_keep_their_colours(workdir, tiny):
    """白方块走到哪里，别处的颜色都不变；各帧各算各的就会变。"""
    first, *others = clip()
    Path("frames").mkdir()
    for i, frame in enumerate((first, *others)):
        frame.save(f"frames/{i}.png")
    first.save("clip.png", save_all=True, append_images=others)

    def still(folder):
        """上面 8 行离方块 36 个像素；width=4 的网络看得到 54 个像素以外，差的这一点不到一级。"""
        tops = [pixels(f"{folder}/{i}.png")[:8] for i in range(4)]
        return np.mean([np.abs(a - b).mean() for a, b in zip(tops, tops[1:])])

    call("stylize", "--content-path=frames", f"--model-path={tiny}", "--result-path=own")
    call("stylize", "--content-path=frames", f"--model-path={tiny}", "--result-path=shared", "--steady=True")
    call("stylize", "--content-path=clip.png", f"--model-path={tiny}")
    Path("animated").mkdir()
    with Image.open("result.png") as result:
        for i in range(4):
            result.seek(i)
            result.convert("RGB").save(f"animated/{i}.png")
    assert still("shared") < 0.5 < still("own")
    assert still("animated") < 0.5
    call("stylize", "--content-path=frames/0.png", f"--model-path={tiny}", "--result-path=alone.png")     # 之后又各算各的
    assert np.array_equal(pixels("alone.png"), pixels("own/0.png"))


def test_frames_of_different_sizes(workdir, tiny, capsys):
    Path("frames").mkdir()
    scene(60, 40).save("frames/0.png")
    scene(60, 44).save("frames/1.png")
    message = fails(capsys, "stylize", "--content-path=frames", f"--model-path={tiny}", "--result-path=out", "--steady=True")
    assert "frames/1.png" in message and "60×44" in message and not Path("out").exists()


def test_strength_and_colour(workdir, tiny):
    scene(60, 40).save("photo.png")
    photo = pixels("photo.png")

    def result(*words):
        call("stylize", "--content-path=photo.png", f"--model-path={tiny}", *words)
        return pixels("result.png")
    full, none, half = result(), result("--strength=0"), result("--strength=0.5")
    assert np.array_equal(none, photo)
    assert np.abs(half - (full + photo) / 2).max() <= 1
    kept = np.asarray(Image.fromarray(result("--preserve-color=True").astype(np.uint8)).convert("YCbCr")).astype(int)
    own = np.asarray(Image.open("photo.png").convert("YCbCr")).astype(int)
    light = np.asarray(Image.fromarray(full.astype(np.uint8)).convert("YCbCr")).astype(int)
    inside = (kept[..., 0] > 60) & (kept[..., 0] < 190)             # 极亮极暗处 RGB 装不下原来的色彩
    assert np.abs(kept[inside][:, 1:] - own[inside][:, 1:]).mean() < 12
    assert np.abs(kept[inside][:, 0] - light[inside][:, 0]).mean() < 12


def test_same_photo_same_picture(workdir, tiny):
    scene(60, 40).save("photo.png")
    for name in ("one.png", "two.png"):
        call("stylize", "--content-path=photo.png", f"--model-path={tiny}", f"--result-path={name}")
    assert Path("one.png").read_bytes() == Path("two.png").read_bytes()


def test_gatys(pictures, random_vgg, capsys):
    scene(300, 150).save("wide.png")
    call("stylize", "--method=gatys", "--content-path=wide.png", "--style-path=painting.png", "--gatys-steps=3")
    assert Image.open("result.png").size == (256, 128)              # 没有给出 --max-size 时缩到 256
    call("stylize", "--method=gatys", "--content-path=wide.png", "--style-path=painting.png", "--gatys-steps=1",
         "--max-size=64")
    assert Image.open("result.png").size == (64, 32)


def test_evaluate(pictures, random_vgg, tiny, capsys):
    call("evaluate", "--content-path=photos/[01].png", f"--model-path={tiny}", "--gatys-steps=20", "--image-size=64")
    shown = capsys.readouterr().out
    rows = shown.splitlines()
    assert len(rows) == 7 and rows[0].startswith("0 ") and "2 张 64×64 的平均（Gatys 走 20 步）" in rows[2]
    values = [float(row.split("损失 ")[1].split("，")[0]) for row in rows[3:6]]
    assert values[2] < values[0]                                    # Gatys 比照片本身小


def test_chroma_and_contrast():
    gray, red = (Image.new("RGB", (4, 4), color) for color in ((128, 128, 128), (255, 0, 0)))
    assert chroma_and_contrast(gray) == (0, 0)
    assert 100 < chroma_and_contrast(red)[0] < 110 and chroma_and_contrast(red)[1] == 0         # sRGB 的纯红是 104 到 107，看白点是哪一种
    gray.paste("white", (0, 0, 4, 2))
    assert chroma_and_contrast(gray)[1] == pytest.approx((100 - 53.6) / 2, abs=0.5)              # 一半 100，一半 53.6


def test_options_that_the_weights_were_trained_with(workdir, capsys):
    """权重里记着训练时的选项：没有亲手给出的跟着它。"""
    from style import load_net
    save_checkpoint("big.pth", {"project": PROJECT, "step": 10, **portable(TransformerNet(8), Config(width=8, style_weight=7.5, style_path="x.png"))})
    opt = Config().parse({"model_path": "big.pth", "style_weight": "2"})
    load_net(opt)
    assert opt.width == 8 and opt.style_path == "x.png" and opt.style_weight == 2


def test_help_shows_every_option(capsys, workdir):
    call("help")
    shown = capsys.readouterr().out
    for name, default, comment in Config.describe():
        assert f"--{name.replace('_', '-')} " in shown and default in shown and comment in shown
    assert len(Config.describe()) == len(Config.__dataclass_fields__)
    json.dumps(vars(Config()))


def test_no_traceback_on_the_real_command_line(workdir):
    process = spawn("stylize", "--content-path=nowhere.jpg", cwd=workdir)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 2
    assert out == "" and err.count("\n") == 1 and err.startswith("错误：")
