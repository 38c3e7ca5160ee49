"""test_reliability.py 里的事故，在这个项目里用哪些命令和文件试。"""

import io
import zipfile
from pathlib import Path

import pytest
from conftest import TINY, noise_picture
from helpers import PROJECT, Config, write_zip

from data import Avatars
from gan import PROJECT as AVATAR
from gan import build_netg, load_part, portable
from utils.checkpoint import save_checkpoint

ENV = "avatar"
TRAIN = ["--data-path=faces", *TINY]                    # 每轮 2 批，轮末存断点
WORKERS = ["--batch-size=2", "--num-workers=2", "--cache-mb=0"]
WEIGHTS = [["train", "--resume"], ["train", *TRAIN, "--netg-path=evil.pth"], ["train", *TRAIN, "--netd-path=evil.pth"],
           ["generate", "--netg-path=evil.pth"], ["generate", "--netd-path=evil.pth"],
           ["evaluate", "--data-path=faces", "--netg-path=evil.pth"]]
# (要读的文件, 读它的命令)
DATA_FILES = [("faces.zip", ["train", "--data-path=faces.zip"]), ("faces/3.png", ["train", *TRAIN]),
              ("faces/3.png", ["prepare", "--source=faces"]), ("faces.npz", ["evaluate", "--ref-path=faces.npz"])]


def picture(share: float = 1) -> bytes:
    """一张图的文件内容；share 小于 1 时截断。"""
    file = io.BytesIO()
    noise_picture().save(file, "PNG")
    return file.getvalue()[:int(share * len(file.getvalue()))]


def zip_of_a_picture(method: int) -> bytes:
    """里面的 7.png 有一位与记下的校验和不符。"""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("7.png", picture())
    content = bytearray(file.getvalue())
    content[100:140] = bytes(40)
    return bytes(content)


HTML, SHIPPED = b"<html>404</html>", PROJECT / "data" / "avatars.zip"
UNREADABLE = [("faces/7.png", content, ["train", *TRAIN, *more]) for content in (HTML, picture(0.3))
              for more in (["--cache-mb=10"], ["--cache-mb=0"], WORKERS)]
UNREADABLE += [(name, content, [words[0], f"{words[1]}={name}"]) for words in (["train", "--data-path"], ["prepare", "--source"]) for name, content in
               (("text.zip", HTML), ("cut.zip", SHIPPED.read_bytes()[:100_000]), ("stored.zip", zip_of_a_picture(zipfile.ZIP_STORED)),
                ("deflated.zip", zip_of_a_picture(zipfile.ZIP_DEFLATED)))]
UNREADABLE += [("faces/7.png", HTML, ["prepare", "--source=faces"])]
UNWRITABLE = [("runs", ["train", *TRAIN]), ("out", ["train", *TRAIN, "--save-path=out"]),
              ("out", ["generate", "--gen-search-num=4", "--gen-num=4", "--gen-img=out/a.png"])]
BAD_NAMES = ["../../faces/a.png", "{root}/a.png", "a.png -> ../../../stolen/a"]
GOOD_MEMBERS = [("b.png", "", picture())]


@pytest.fixture
def place(pictures):
    """当前文件夹，里面有训练用的小数据。"""
    return pictures


def give_archives(folder: Path, members: list[tuple], monkeypatch):
    """依次做出 prepare 读的每种压缩包，给出 --source 的值。"""
    write_zip(folder / "faces.zip", members)
    yield "faces.zip"


def write_zip_of_pictures() -> None:
    with zipfile.ZipFile("faces.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(3):
            archive.write(f"faces/{i}.png")


# (文件名, 写出一个好的, 读它)：test_mutated_files 用
READERS = [("faces.zip", write_zip_of_pictures, lambda: Avatars("faces.zip", 64, 10)),
           ("faces/3.png", lambda: None, lambda: Avatars("faces", 64, 10)),
           ("netg.pth", lambda: save_checkpoint("netg.pth", {"project": AVATAR, "step": 1, **portable("netg", SMALL, build_netg(SMALL))}),
            lambda: load_part("netg", Config(), "netg.pth"))]
SMALL = Config(image_size=64, ngf=2, nz=4)
