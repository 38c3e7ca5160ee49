"""图片的事：找、读、存，五个项目都用这里的。"""

import io
import os
import struct
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, features

from .files import UserError, check_target, legible, replacing, say

# 只认这些格式，不靠猜：Pillow 还会把叫 .jpg 的 EPS 交给外部程序去画
FORMATS = [name for name, library in {
    "JPEG": "jpg", "PNG": "zlib", "WEBP": "webp", "AVIF": "avif", "JPEG2000": "jpg_2000", "BMP": "", "GIF": "", "TIFF": "",
    "PPM": "", "TGA": "", "PCX": "", "ICO": "", "PSD": "", "QOI": "", "SGI": ""}.items()
    if (Image.init() or name in Image.OPEN) and (not library or features.check(library))]
SUFFIXES = {suffix for suffix, name in Image.registered_extensions().items() if name in (*FORMATS, "MPO")}    # MPO 由 JPEG 打开
WRITABLE = {".png": None, ".jpg": 65_500, ".jpeg": 65_500, ".webp": 16_383, ".bmp": None, ".gif": 65_535, ".tif": None, ".tiff": None}
NOT_DATA = {"__MACOSX", "Thumbs.db", "ehthumbs.db", "desktop.ini", "$RECYCLE.BIN", "System Volume Information", "lost+found"}
NOTES = {".txt", ".md", ".csv", ".tsv", ".json", ".xml", ".yaml", ".yml", ".html", ".py", ".npy"}   # 图片旁边常有，不必说
LARGEST = 400_000_000       # 最多解码这么多像素，约 1.6 GB 内存
HUGE = 50_000_000           # 比这还大、又只要一张小图时，一解码就缩小
TURN = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}

Image.MAX_IMAGE_PIXELS = None                                   # 太大的由 open_picture 自己说
warnings.filterwarnings("ignore", module=r"PIL\.")              # 读得出来的图，小毛病不必报


def open_picture(source: str | Path | bytes, name: str = "", draft: int = 0, alpha: bool = False) -> Image.Image:
    """读一张图（路径，或文件的内容），按 EXIF 转正，变成 RGB；alpha 为真时是 RGBA，留着透明，否则透明处衬白。

    灰度、调色板、CMYK、16 位都可以，动图取第一帧。draft > 0 时只求短边不小于 draft：JPEG 直接解码成小图，快得多。
    读不出来、找不到、太大时抛出 UserError，用 name（不给就是路径）说出是哪一张。
    """
    name = legible(name or str(source))
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
            if draft:
                image.draft("RGB", (draft, draft))
            if image.width * image.height > LARGEST:
                raise UserError(f"{name} 太大（{image.width}×{image.height}）：先缩小到 {LARGEST // 10 ** 8} 亿像素以内")
            image.load()
            turn = TURN.get(_orientation(image))
            if draft and image.width * image.height > HUGE and image.mode != "P":
                image = _to_8_bits(image).reduce(max(1, min(image.size) // draft))
            image = _flatten(_to_8_bits(image), alpha)
            return image.transpose(turn) if turn is not None else image
    except (UserError, MemoryError):
        raise
    except FileNotFoundError:
        raise UserError(f"找不到图片 {name}") from None
    except Exception:       # 坏文件能让 Pillow 抛出的错误数不全：OSError、SyntaxError、struct.error、IndexError……
        raise UserError(f"{name} 读不出来：不是图片，或文件已损坏；换掉或删去它") from None


def _orientation(image: Image.Image) -> int:
    """EXIF 的 274 号标签；EXIF 坏了就当没有。"""
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif") or b"")
        return exif.get(274, 1)
    except (OSError, SyntaxError, ValueError, LookupError, TypeError, struct.error):
        return 1


def _to_8_bits(image: Image.Image) -> Image.Image:
    """16、32 位的灰度变成 8 位：Pillow 直接转换会把 255 以上的全截成白。1 位的变成灰度，才能缩小。"""
    if image.mode == "1":
        return image.convert("L")
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.nan_to_num(np.asarray(image, np.float32))
    top = max(1.0, values.max())
    white = 65535 if image.mode != "F" or 255 < top <= 65535 else 255 if 1 < top <= 255 else 1
    gray = Image.fromarray((values * (255 / max(white, top if top > 65535 else 0))).clip(0, 255).round().astype(np.uint8))
    if not isinstance(image.info.get("transparency"), int):
        return gray
    return Image.merge("LA", (gray, Image.fromarray(np.uint8(255) * (values != image.info["transparency"]))))


def _flatten(image: Image.Image, alpha: bool) -> Image.Image:
    if not alpha and not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    return image if alpha else Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def find_pictures(place: str | Path, option: str, recursive: bool = True) -> list[Path]:
    """place 是一张图片、一个文件夹（recursive 时含子文件夹）或带 * 的写法，返回其中的图片，按名字排列，与列出的次序无关。

    认得的扩展名见 SUFFIXES，不分大小写。隐藏的和系统的文件不算；因为格式不能用的，一行说出。一张都没有时抛出 UserError。
    """
    root, pattern = Path(place), []
    while not root.exists() and root != root.parent:            # 「相册[2023]/*.jpg」：文件夹确实有的那几级不当作写法
        root, pattern = root.parent, [root.name, *pattern]
    if not pattern and root.is_file():
        return [root]
    if not any(sign in "/".join(pattern) for sign in "*?[") if pattern else not root.is_dir():
        raise UserError(f"{option}={legible(str(place))} 不存在：要一张图片、一个文件夹，或 'photos/*.jpg' 这样带引号的写法")
    try:
        found = root.glob("/".join(pattern)) if pattern else _walk(root, recursive)
        names = [path.relative_to(root).as_posix() for path in found if path.is_file()]
    except ValueError as error:
        raise UserError(f"{option}={legible(str(place))} 的写法不对（{error}）") from None
    return [root / name for name in choose_pictures(names, f"{option}={legible(str(place))}")]


def _walk(root: Path, recursive: bool) -> Iterable[Path]:
    """root 里的文件。进得去链接来的文件夹，同一个文件夹只进一次；列不出来的文件夹是错误。"""
    def stop(error: OSError) -> None:
        raise error

    seen = set()
    for folder, folders, files in os.walk(root, onerror=stop, followlinks=True):
        real = os.path.realpath(folder)
        folders[:] = [name for name in folders if recursive and real not in seen and is_data(name)]
        if real not in seen:
            yield from (Path(folder, name) for name in files)
        seen.add(real)


def is_data(name: str) -> bool:
    """相对路径 name 里没有隐藏的（. 开头）、群晖的（@ 开头）、系统自己放的一级。"""
    return not any(part.startswith((".", "@")) or part in NOT_DATA for part in name.split("/"))


def choose_pictures(names: Iterable[str], title: str) -> list[str]:
    """names（相对路径）里的图片，按名字排列。别的格式一行说出；一张图片都没有时抛出 UserError。title 是指明它们在哪里的话。"""
    names = sorted(name for name in names if is_data(name))
    good = [name for name in names if Path(name).suffix.lower() in SUFFIXES]
    other = Counter(Path(name).suffix.lower() or "没有扩展名的" for name in names)
    other = "、".join(f"{suffix} {count} 个" for suffix, count in sorted(other.items()) if suffix not in SUFFIXES | NOTES)
    if not good:
        raise UserError(f"{title} 里没有图片（认得 .jpg、.png、.webp、.tif 等 {len(SUFFIXES)} 种扩展名）" + (f"，只有 {other}" if other else ""))
    if other:
        say(f"{title} 里不是能读的图片、略过的有：{other}")
    return good


def open_zip(path: str | Path) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    """打开一个 zip，返回它和其中的文件：名字（/ 分隔，中文不乱码）→ 条目。隐藏的和系统的文件不算。打不开时抛出 UserError。"""
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, MemoryError):
        raise
    except Exception:
        raise UserError(f"{legible(getattr(path, 'name', None) or str(path))} 不是 zip 文件，或没有下载完整") from None
    names = {_tidy(info): info for info in archive.infolist()}
    return archive, {name: info for name, info in names.items() if not name.endswith("/") and is_data(name)}


def _tidy(info: zipfile.ZipInfo) -> str:
    """没有标明是 UTF-8 的名字，Python 当作 cp437 来读；其实 macOS 写的是 UTF-8，中文 Windows 写的是 GBK。"""
    name = info.filename
    if not info.flag_bits & 0x800 and not name.isascii():
        for encoding in ("utf-8", "gbk"):
            try:
                name = name.encode("cp437").decode(encoding)
                break
            except UnicodeError:
                continue
    return name.replace("\\", "/")


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """zip 里一个文件的内容；损坏、加了密时抛出 UserError。"""
    try:
        return archive.read(info)
    except MemoryError:
        raise
    except Exception as error:
        raise UserError(f"{legible(archive.filename or 'zip')} 里的 {_tidy(info)} 解不开（{error}）：重新下载") from None


def check_picture(path: str | Path, option: str, inputs: Iterable[str | Path] = (), size: tuple[int, int] = (0, 0)) -> Path:
    """图能不能存到 path，动手之前就说：见 check_target；扩展名存不了，或 size（宽、高）超过格式的上限，也抛出 UserError。"""
    path = Path(path)
    if path.suffix.lower() not in WRITABLE:
        raise UserError(f"{option}={legible(path)} 的扩展名不能存图：用 .png、.jpg 或 .webp")
    if max(size) > (WRITABLE[path.suffix.lower()] or max(size)):
        raise UserError(f"{option}={legible(path)} 存不下 {size[0]}×{size[1]} 的图，{path.suffix} 每边至多 {WRITABLE[path.suffix.lower()]}：用 .png")
    return check_target(path, option, inputs)


def save_picture(image: Image.Image, path: str | Path, option: str, inputs: Iterable[str | Path] = (), **more) -> None:
    """存一张图（动画的其余各帧等写在 more 里）；没有的文件夹新建。存不了时抛出 UserError，旧文件还在。"""
    path = check_picture(path, option, inputs, image.size)
    if path.suffix.lower() in (".jpg", ".jpeg", ".webp"):
        more.setdefault("quality", 92)
    try:
        with replacing(path) as file:
            image.save(file, Image.registered_extensions()[path.suffix.lower()], **more)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{option}={legible(path)} 存不了（{reason}）：检查剩余空间和写的权限") from None


def complain(bad: list[str]) -> None:
    """一批里坏了几张，其余的已经做完：把各张的一句话合成一行抛出；一张没坏就什么也不做。"""
    if bad:
        raise UserError("；".join(bad[:3]) + (f"；共 {len(bad)} 张" if len(bad) > 3 else ""))
