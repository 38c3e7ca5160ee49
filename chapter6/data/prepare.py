"""准备数据：检查自带的图标，或检查、解开 Kaggle 的 Dogs vs. Cats。"""

import io
import re
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from utils import UserError

from .icons import check_icons, rebuild_icons

HERE = Path(__file__).parent
KAGGLE_CLASSES = ("cat", "dog")
KAGGLE_TRAIN, KAGGLE_TEST = 12500, 12500                        # 训练集每类的张数，测试集的张数
NAMES = {"train": re.compile(r"(cat|dog)\.\d+\.jpg"), "test": re.compile(r"\d+\.jpg")}


def prepare(source: str) -> None:
    """source 为空时检查自带数据；为 npm 时重新画图标；否则是 Kaggle 的 zip，或解开后的文件夹。"""
    if source == "npm":
        rebuild_icons()
    elif source:
        return prepare_kaggle(Path(source))
    check_icons()


def prepare_kaggle(source: Path) -> None:
    """zip 解到 data/kaggle/；文件夹就地使用。检查张数、名字，逐张试读，并说出接着用的命令。"""
    if not source.exists():
        raise UserError(f"--source={source} 不存在：要 Kaggle 的 dogs-vs-cats zip 文件，或解开后的文件夹")
    packed = [source] if source.is_file() else sorted(source.glob("t*.zip"))
    if source.is_file() and not zipfile.is_zipfile(source):
        raise UserError(f"--source={source} 不是 zip 文件，或没有下载完整")
    root = source
    if packed:
        root = HERE / "kaggle"
        for archive in packed:
            try:
                with zipfile.ZipFile(archive) as content:
                    unpack(content, root)
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:    # 损坏、加了密
                raise UserError(f"{archive} 解不开（{error}）：重新下载") from None
    files = {part: sorted(path for path in root.rglob("*.jpg") if pattern.fullmatch(path.name))
             for part, pattern in NAMES.items()}
    check_layout(files, root)
    unreadable = find_unreadable(files["train"] + files["test"])
    if unreadable:
        names = "、".join(path.relative_to(root).as_posix() for path in unreadable[:10])
        raise UserError(f"{len(unreadable)} 张读不出来，删去或重新下载：{names}")
    print("每张都读得出来。接着：")
    print(f"python main.py train --train-data-root={files['train'][0].parent.as_posix()} --num-workers=4")
    if files["test"]:
        print(f"python main.py test --test-data-root={files['test'][0].parent.as_posix()} --model-path=runs/dogcat/best.pth")


def unpack(content: zipfile.ZipFile, root: Path) -> None:
    """把 zip 里的图片放进 root/train 和 root/test；Kaggle 的 zip 里还套着 zip，一并解开。"""
    for member in tqdm(content.infolist(), f"解开 {Path(content.filename or '内层 zip').name}", leave=False):
        name = Path(member.filename).name                       # 只取文件名，不会写到 root 以外
        if name.endswith(".zip"):
            with content.open(member) as inner, zipfile.ZipFile(io.BytesIO(inner.read())) as nested:
                unpack(nested, root)
        for part, pattern in NAMES.items():
            if pattern.fullmatch(name):
                target = root / part / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read(member))


def check_layout(files: dict[str, list[Path]], root: Path) -> None:
    """报告各部分的张数和缺少的号码；一类都没有时抛出 UserError。"""
    numbers = {name: {int(path.name.split(".")[1]) for path in files["train"] if path.name.startswith(name)}
               for name in KAGGLE_CLASSES}
    for name, found in numbers.items():
        if not found:
            raise UserError(f"{root} 里没有 {name}.0.jpg 这样的训练图片")
        describe(f"训练集 {name}", found, set(range(KAGGLE_TRAIN)), f"{name}.{{}}.jpg")
    if len({path.parent for path in files["train"]}) > 1:
        raise UserError(f"{root} 里的训练图片散在几个文件夹：放到同一个文件夹里")
    describe("测试集", {int(path.stem) for path in files["test"]}, set(range(1, KAGGLE_TEST + 1)), "{}.jpg")


def describe(title: str, found: set[int], expected: set[int], pattern: str) -> None:
    missing = sorted(expected - found)
    names = "、".join(pattern.format(number) for number in missing[:5]) + ("……" if len(missing) > 5 else "")
    print(f"{title}：{len(found)} 张，" + (f"缺 {len(missing)} 张（{names}）" if missing else "齐全"))


def find_unreadable(paths: list[Path]) -> list[Path]:
    """逐张解码，返回读不出来的。"""
    with ThreadPoolExecutor() as pool:
        good = list(tqdm(pool.map(_readable, paths), "检查图片", len(paths), leave=False))
    return [path for path, fine in zip(paths, good) if not fine]


def _readable(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            image.draft("RGB", (32, 32))                        # JPEG 解码成小图，快得多，截断也看得出
            image.load()
    except (OSError, SyntaxError, ValueError):
        return False
    return True
