"""图片的事：找、读、存。原件在 chapter6/data/pictures.py，第7、8、10章的逐字节相同（make sync-utils）。"""

import functools
import hashlib
import io
import os
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from utils.files import UserError, check_target, legible, refusing, replacing, say

Image.init()
# 打开时只认这些格式，不靠猜：Pillow 会把其实是 EPS 的 .jpg 交给外部程序去画。MPO 由 JPEG 打开
FORMATS = [name for name in ("JPEG", "PNG", "WEBP", "AVIF", "JPEG2000", "BMP", "GIF", "TIFF", "PPM", "TGA", "PCX", "ICO", "PSD", "QOI", "SGI") if name in Image.OPEN]
SUFFIXES = {suffix for suffix, name in Image.registered_extensions().items() if name in (*FORMATS, "MPO")}
WRITABLE = {".png": 0, ".jpg": 65_500, ".jpeg": 65_500, ".webp": 16_383, ".bmp": 0, ".gif": 65_535, ".tif": 0, ".tiff": 0}   # 每边的上限，0 为没有
NOT_DATA = {"__MACOSX", "Thumbs.db", "ehthumbs.db", "desktop.ini", "$RECYCLE.BIN", "System Volume Information", "lost+found"}
NOTES = {".txt", ".md", ".csv", ".tsv", ".json", ".xml", ".yaml", ".yml", ".html", ".py", ".npy"}   # 图片旁边常有，不必说
LARGEST, HUGE = 400_000_000, 50_000_000         # 最多解码这么多像素（1.6 GB 内存）；超过 HUGE 而只要小图时，一解码就缩小
TURN = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}   # EXIF 的方向 → 怎样转正，是 Image.Transpose 里的序号
MARK = Image.Exif()
MARK[305] = "pytorch-book"                          # 存的图里都记下是哪个软件写的：再存到这个名字时，没有记着的是读者自己的
Image.MAX_IMAGE_PIXELS = None                       # 太大的由 open_picture 自己说
warnings.filterwarnings("ignore", module=r"PIL\.")  # 读得出来的图，小毛病不必报


def open_picture(source: str | Path | bytes, name: str = "", draft: int = 0, alpha: bool = False) -> Image.Image:
    """读一张图（路径，或文件的内容），按 EXIF 转正，变成 RGB；alpha 为真时是 RGBA，留着透明，否则透明处衬白。
    灰度、调色板、CMYK、16 位都可以，动图取第一帧。draft > 0 时只求短边不小于 draft：JPEG 直接解码成小图，快得多。
    读不出来、找不到、太大时抛出 UserError，用 name（不给就是路径）说出是哪一张。"""
    file, name, turn = io.BytesIO(source) if isinstance(source, bytes) else source, legible(name or str(source)[:200]), None
    if file is source and not Path(source).exists():
        raise UserError(f"找不到图片 {name}")
    with refusing(f"{name} 读不出来：不是图片，或文件已损坏；换掉或删去它"), Image.open(file, formats=FORMATS) as image:
        if draft:
            image.draft("RGB", (draft, draft))
        if image.width * image.height > LARGEST:
            raise UserError(f"{name} 太大（{image.width}×{image.height}）：先缩小到 {LARGEST // 10 ** 8} 亿像素以内")
        image.load()
        with suppress(Exception):               # 没有方向，或 EXIF 坏了：照原样
            exif = Image.Exif()
            exif.load(image.info["exif"])
            turn = TURN[exif[274]]
        picture = _convert(image, alpha, draft)
        return picture if turn is None else picture.transpose(turn)


def _convert(image: Image.Image, alpha: bool, draft: int) -> Image.Image:
    if image.mode.startswith(("I", "F")):       # 16、32 位的灰度：Pillow 直接转换会把 255 以上的全截成白
        values = np.nan_to_num(np.asarray(image, np.float32))
        top = values.max(initial=1)
        white = top if top > 65535 else 65535 if image.mode != "F" or top > 255 else 255 if top > 1 else 1
        image = Image.fromarray((values * (255 / white)).clip(0, 255).round().astype(np.uint8))
    if draft and image.width * image.height > HUGE and image.mode != "P":
        image = (image.convert("L") if image.mode == "1" else image).reduce(max(1, min(image.size) // draft))
    if not alpha and not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    return image if alpha else Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def find_pictures(place: str | Path, option: str, recursive: bool = True) -> list[Path]:
    """place 是一张图片、一个文件夹（recursive 时含子文件夹）或带 * 的写法，返回其中的图片，见 choose_pictures。"""
    title, root, pattern = f"{option}={legible(str(place))}", Path(place), []
    while not root.exists() and root != root.parent:            # 「相册[2023]/*.jpg」：确实有的那几级不当作写法
        root, pattern = root.parent, [root.name, *pattern]
    if not pattern and root.is_file():
        return [root]
    if pattern and not any(sign in "".join(pattern) for sign in "*?[") or not root.is_dir():
        raise UserError(f"{title} 不存在：要一张图片、一个文件夹，或 'photos/*.jpg' 这样带引号的写法")
    with refusing(f"{title} 的写法不对（{{}}）"):
        pattern += ["*"] * (pattern[-1:] == ["**"])              # Python 3.13 以前，末尾的 ** 只是文件夹
        found = root.glob("/".join(pattern) or ("**/*" if recursive else "*"))
        names = [path.relative_to(root).as_posix() for path in found if path.is_file()]
    return [root / name for name in choose_pictures(names, title)]


def is_data(name: str) -> bool:
    """相对路径 name 里没有隐藏的（. 开头）、群晖的（@ 开头）、系统自己放的一级。"""
    return not any(part.startswith((".", "@")) or part in NOT_DATA for part in name.split("/"))


def choose_pictures(names: Iterable[str], title: str) -> list[str]:
    """names（相对路径）里扩展名（不分大小写）在 SUFFIXES 里的，按名字排列；隐藏的和系统的文件不算，别的格式一行说出。
    一张图片都没有时抛出 UserError。title 是指明它们在哪里的话。"""
    names = sorted(filter(is_data, names))
    counts = Counter(Path(name).suffix.lower() for name in names)
    other = "、".join(f"{suffix or '没有扩展名的'} {counts[suffix]} 个" for suffix in sorted(set(counts) - SUFFIXES - NOTES))
    good = [name for name in names if Path(name).suffix.lower() in SUFFIXES]
    if not good:
        raise UserError(f"{title} 里没有图片（认得 .jpg、.png 等 {len(SUFFIXES)} 种扩展名）" + (f"，只有 {other}" if other else ""))
    if other:
        say(f"{title} 里不是能读的图片、略过的有：{other}")
    return good


def fingerprint(names: Iterable[str], sizes: Iterable[int]) -> str:
    """一批文件的指纹：名字的哈希，再接上大小的哈希。换成同名的另一批，也看得出来，又不必读一遍。"""
    return ":".join(hashlib.sha256(os.fsencode("\n".join(map(str, part)))).hexdigest() for part in (names, sizes))


def open_zip(path: str | Path) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    """打开一个 zip，返回它和其中的文件：名字（/ 分隔，中文不乱码）→ 条目；隐藏的和系统的不算。打不开、加了密时抛出 UserError。"""
    with refusing(f"{legible(str(path)) if isinstance(path, (str, Path)) else 'zip 里的 zip'} 不是 zip 文件，或没有下载完整"):
        archive = zipfile.ZipFile(path)
    entries = {_name(info): info for info in archive.infolist()}
    if any(info.flag_bits & 1 for info in entries.values()):
        raise UserError(f"{legible(archive.filename or 'zip 里的 zip')} 加了密：先用密码解开，再给出解开后的文件夹")
    return archive, {name: info for name, info in entries.items() if not name.endswith("/") and is_data(name)}


def opened_zip(path: Path) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    """open_zip，开着留用：几万个文件的目录，每读一批都重新来，比解码还慢。每个进程各开各的，免得争同一个读写位置；文件换过就重开。"""
    state = path.stat()
    return _open(path, (state.st_mtime_ns, state.st_size, state.st_ino), os.getpid())


@functools.lru_cache(8)
def _open(path: Path, state: tuple, process: int) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    return open_zip(path)


def _name(info: zipfile.ZipInfo) -> str:
    """没有标明是 UTF-8 的名字，Python 当作 cp437 来读；其实 macOS 写的是 UTF-8，中文 Windows 写的是 GBK。"""
    for encoding in () if info.flag_bits & 0x800 else ("utf-8", "gbk"):
        with suppress(UnicodeError):
            return info.filename.encode("cp437").decode(encoding).replace("\\", "/")
    return info.filename.replace("\\", "/")


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """zip 里一个文件的内容；损坏时抛出 UserError。"""
    with refusing(f"{legible(archive.filename or 'zip')} 里的 {legible(_name(info))} 解不开（{{}}）：重新下载"):
        return archive.read(info)


def check_picture(path: str | Path, option: str, inputs: Iterable[str | Path] = (), size: tuple[int, int] = (0, 0)) -> Path:
    """动手之前就说：这种扩展名不能存图，size（宽、高）超过格式的上限，或 check_target 说不行，抛出 UserError。"""
    title, limit = f"{option}={legible(str(path))}", WRITABLE.get(Path(path).suffix.lower())
    if limit is None or 0 < limit < max(size):
        raise UserError(f"{title} 的扩展名不能存图：用 .png、.jpg 或 .webp" if limit is None else
                        f"{title} 存不下 {size[0]}×{size[1]} 的图，这种格式每边至多 {limit} 像素：用 .png")
    return check_target(path, option, inputs)


def save_picture(image: Image.Image, path: str | Path, option: str, inputs: Iterable[str | Path] = (), **more) -> None:
    """存一张图（动画的其余各帧等写在 more 里），没有的文件夹新建。存不了时抛出 UserError，旧文件还在。"""
    path = check_picture(path, option, inputs, image.size)
    more = {"quality": 92, **more} if path.suffix.lower() in (".jpg", ".jpeg", ".webp") else more
    with refusing(f"{option}={legible(path)} 存不了（{{}}）：检查剩余空间和写的权限"), replacing(path, has_mark) as file:
        image.save(file, Image.registered_extensions()[path.suffix.lower()], exif=MARK, comment=MARK[305], **more)


def has_mark(path: Path) -> bool:
    """path 是不是 save_picture 存的图。BMP 里记不下，总是不算。"""
    with suppress(Exception), Image.open(path, formats=FORMATS) as image:
        return MARK[305] in (image.getexif().get(305), image.info.get("comment", b"").decode())
    return False


def complain(bad: list[str]) -> None:
    """一批里其余的已经做完，把坏了的各张的一句话合成一行抛出；一张没坏就什么也不做。"""
    if bad:
        raise UserError("；".join(bad[:3]) + (f"；共 {len(bad)} 张" if len(bad) > 3 else ""))
