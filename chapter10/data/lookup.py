"""标注里的 image_id 是哪个图片文件。"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from data.pictures import SUFFIXES, find_pictures
from utils.files import UserError, legible, say


def locate(root: str | Path, ids: list[str], option: str) -> list[Path]:
    """各个 image_id 在 root 里的文件，次序不变。

    先照写的找；没有就找路径以它结尾的文件；还没有就不管大小写和图片的扩展名，再找一遍，用上了说一行。
    找不到、够得上的不止一个、两个 image_id 找到同一个文件时抛出 UserError：宁可停下，也不给图片配错描述。
    """
    root = Path(root)
    paths = [root / image_id for image_id in ids]
    if all(path.is_file() for path in paths):
        return paths
    place, files = f"{option}={legible(root)}", find_pictures(root, option)
    strict, loose = tails(root, files, tidy), tails(root, files, blur)
    changed = []
    for i, image_id in enumerate(ids):
        if paths[i].is_file():
            continue
        found = strict[tidy(image_id)]
        if not found:
            found = loose[blur(image_id)]
            changed += [(image_id, path) for path in found]
        if len(found) > 1:
            raise UserError(f"{place} 里的 {shown(root, found)} 都可能是 {legible(image_id)}：在 image_id 里写上文件夹")
        paths[i] = found[0] if found else None
    missing = [image_id for image_id, path in zip(ids, paths) if path is None]
    if missing:
        namesakes = strict[tidy(missing[0]).rpartition("/")[2]]
        hint = f"有同名的 {shown(root, namesakes)}，但文件夹对不上" if namesakes else "图片没有下载完整，或放在别处"
        raise UserError(f"{place} 里缺 {len(missing)} 张标注里的图片，如 {legible(missing[0])}：{hint}")
    owner = {}
    for image_id, path in zip(ids, paths):
        if owner.setdefault(path, image_id) != image_id:
            raise UserError(f"{legible(owner[path])} 和 {legible(image_id)} 是同一个文件 {legible(path)}：一张图只能有一项标注")
    if changed:
        say(f"{len(changed)} 张图片的扩展名或大小写与标注不同，照样采用，如 {legible(changed[0][0])} → {shown(root, [changed[0][1]])}")
    return paths


def tails(root: Path, files: Iterable[Path], key) -> dict[str, list[Path]]:
    """文件路径的各段结尾（c.jpg、b/c.jpg、a/b/c.jpg……，含 root 自己的名字）经 key 之后 → 有这个结尾的文件。"""
    found = defaultdict(list)
    for path in files:
        parts = key((Path(root.absolute().name) / path.relative_to(root)).as_posix()).split("/")
        for i in range(len(parts)):
            found["/".join(parts[i:])].append(path)
    return found


def tidy(name: str) -> str:
    """统一的写法：分隔用 /，没有 ./；macOS 把 é 存成两个字符，这里并成一个。"""
    return unicodedata.normalize("NFC", PurePosixPath(legible(name).replace("\\", "/")).as_posix())


def blur(name: str) -> str:
    """再不管大小写和图片的扩展名。"""
    path = PurePosixPath(tidy(name))
    return (path.with_suffix("") if path.suffix.lower() in SUFFIXES else path).as_posix().casefold()


def shown(root: Path, paths: list[Path]) -> str:
    return "、".join(legible(path.relative_to(root)) for path in paths[:3])
