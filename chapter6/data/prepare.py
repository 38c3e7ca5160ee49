"""准备数据：检查自带的图标；或把别处得来的照片检查一遍，必要时解开、改成 <类别>.<号码> 的名字。"""

import functools
import io
import re
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from config import Config
from data.pictures import SUFFIXES, is_data, open_picture, open_zip, read_member
from task import CLASSES, KAGGLE, OXFORD, TITLES
from utils.files import UserError, legible, quote

from .dataset import NAMED, folder_label
from .icons import check_icons, rebuild_icons
from .places import in_threads

HERE = Path(__file__).parent
LAYOUTS = f"{CLASSES[0]}.0.jpg 那样的名字、按类别放的文件夹（{'、'.join(CLASSES)}）" + "，或 Oxford-IIIT Pet 的 images 文件夹" * bool(OXFORD)

Read = Callable[[], bytes]


def prepare(source: str) -> None:
    """source 为空时检查自带数据；为 npm 时重新画图标；否则是装着照片的 zip 或文件夹。"""
    if source == "npm":
        rebuild_icons()
    elif source:
        return prepare_photos(Path(source))
    check_icons()


def prepare_photos(source: Path) -> None:
    """检查张数、名字，逐张试读，并说出接着用的命令。已是 Kaggle 那样的文件夹就地使用，其余写进 data/kaggle 或 data/sorted。"""
    if not source.exists():
        raise UserError(f"--source={legible(source)} 不存在：要一个 zip，或解开后的文件夹")
    files = list_source(source)
    layout, parts = arrange(sorted(name for name in files if PurePosixPath(name).suffix.lower() in SUFFIXES), source)
    if layout == "kaggle":
        describe_kaggle(parts)
    else:
        counts = "，".join(f"{name} {sum(label_in(new) == name for new in parts['train'])} 张" for name in CLASSES)
        print(f"{counts}，来自 {'、'.join(sorted({legible(str(PurePosixPath(old).parent)) for old in parts['train'].values()}))}")
    in_place = layout == "kaggle" and source.is_dir() and all((source / name).is_file() for part in parts.values() for name in part.values())
    target = HERE / ("kaggle" if layout == "kaggle" else "sorted")
    if not in_place and target.exists():
        raise UserError(f"{legible(target)} 已经有了：直接用它，或先改名、删去，再运行一次")
    if in_place:
        broken = check(parts, files)
        if broken:
            raise UserError(f"{len(broken)} 张读不出来，删去或重新下载：{shorten(broken)}")
        print("每张都读得出来。接着：")
        roots = {part: (source / next(iter(names.values()))).parent for part, names in parts.items() if names}
    else:
        broken = copy(parts, files, target)
        print(f"读不出来的 {len(broken)} 张没有要：{shorten(broken)}。其余存到 {legible(target)}，接着：" if broken
              else f"每张都读得出来，存到 {legible(target)}。接着：")
        roots = {part: target / part for part, names in parts.items() if names}
    print(f"python main.py train --train-data-root={quote(roots['train'])} --num-workers=4")
    if "test" in roots:
        print(f"python main.py test --test-data-root={quote(roots['test'])} --model-path=runs/{Config.env}/best.pth")


def list_source(source: Path) -> dict[str, Read]:
    """source 里全部文件的名字（相对路径）和读它的办法。文件夹里没有图片而有 zip 时，是那些 zip 里的。"""
    if source.is_file():
        return list_zip(source)
    names = [path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()]
    names = [name for name in names if is_data(name)]
    if any(PurePosixPath(name).suffix.lower() in SUFFIXES for name in names):
        return {name: (source / name).read_bytes for name in names}
    packed = [name for name in sorted(names) if name.lower().endswith(".zip")]
    return {f"{name}/{inner}": read for name in packed for inner, read in list_zip(source / name).items()}


def list_zip(file: Path | io.BytesIO) -> dict[str, Read]:
    """zip 里的文件；Kaggle 的 zip 里还套着 zip，一并打开。"""
    archive, entries = open_zip(file)
    found = {}
    for name, info in entries.items():
        if name.lower().endswith(".zip"):
            inner = io.BytesIO(read_member(archive, info))
            inner.name = name
            found.update((f"{name}/{deeper}", read) for deeper, read in list_zip(inner).items())
        else:
            found[name] = functools.partial(read_member, archive, info)
    return found


def arrange(names: list[str], source: Path) -> tuple[str, dict[str, dict[str, str]]]:
    """认出是哪种放法。返回它的名字，和 {"train"、"test": {新名字: 旧名字}}；认不出、缺一类时抛出 UserError。"""
    by_name = {name: match[1] for name in names if (match := NAMED.fullmatch(PurePosixPath(name).stem))}
    by_folder = {name: CLASSES[label] for name in names if (label := folder_label(name)) is not None}
    tests = []
    if by_folder:
        layout, labels = "folders", by_folder
    elif by_name:
        layout, labels = "kaggle", by_name
        tests = [name for name in names if re.fullmatch(r"\d+", PurePosixPath(name).stem)]
    else:
        layout, labels = "oxford", {name: label for name in names if PurePosixPath(name).parent.name == "images"
                                    for label, pattern in OXFORD.items() if re.fullmatch(pattern, PurePosixPath(name).stem)}
    missing = [name for name in CLASSES if name not in labels.values()]
    if missing:
        raise UserError(f"{legible(source)} 里没有{'和'.join(TITLES.get(name, name) for name in missing)}的图片：认得的放法是{LAYOUTS}")
    for part in (list(labels), tests):
        if layout == "kaggle" and len({PurePosixPath(name).parent for name in part}) > 1:
            raise UserError(f"{legible(source)} 里的{'训练' if part != tests else '测试'}图片散在几个文件夹：放到同一个文件夹里")
    train = {}
    for label in CLASSES:
        mine = [name for name in labels if labels[name] == label]
        numbers = [re.fullmatch(rf"(?:{re.escape(label)}\.)?(\d+)", PurePosixPath(name).stem) for name in mine]
        kept = all(numbers) and len({int(match[1]) for match in numbers}) == len(mine)      # 号码各不相同就留着
        train |= {f"{label}.{int(match[1]) if kept else i}{PurePosixPath(name).suffix.lower()}": name
                  for i, (name, match) in enumerate(zip(mine, numbers))}
    return layout, {"train": train, "test": {PurePosixPath(name).name: name for name in tests}}


def check(parts: dict[str, dict[str, str]], files: dict[str, Read], target: Path | None = None) -> list[str]:
    """逐张试读，返回读不出来的名字；给出 target 时，读得出来的存到 target/train 和 target/test。"""
    def handle(job: tuple[str, str, str]) -> str:
        part, new, old = job
        try:
            content = files[old]()
            open_picture(content, old, draft=32)                # JPEG 解码成小图，快得多，截断也看得出
        except UserError:
            return old
        if target:
            (target / part / new).write_bytes(content)
        return ""
    jobs = [(part, new, old) for part, names in parts.items() for new, old in names.items()]
    return [name for name in in_threads(handle, jobs, "检查图片") if name]


def copy(parts: dict[str, dict[str, str]], files: dict[str, Read], target: Path) -> list[str]:
    """读得出来的存到 target，返回读不出来的。先写在旁边，全好了才改名：中断、出错时什么也不留下。"""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as folder:
        new = Path(folder, target.name)
        for part, names in parts.items():
            if names:
                (new / part).mkdir(parents=True)
        broken = check(parts, files, new)
        for name in CLASSES:
            if not any((new / "train").glob(f"{name}.*")):
                raise UserError(f"{name} 的图片一张也读不出来（{shorten(broken)}）：重新下载")
        new.rename(target)
    return broken


def describe_kaggle(parts: dict[str, dict[str, str]]) -> None:
    """报告各部分的张数和缺少的号码。"""
    for name in CLASSES:
        found = {int(PurePosixPath(new).stem.rpartition(".")[2]) for new in parts["train"] if label_in(new) == name}
        describe(f"训练集 {name}", found, range(KAGGLE.get(name, 0)), f"{name}.{{}}.jpg")
    describe("测试集", {int(PurePosixPath(new).stem) for new in parts["test"]}, range(1, KAGGLE.get("test", 0) + 1), "{}.jpg")


def describe(title: str, found: set[int], expected: range, pattern: str) -> None:
    """expected 是官方的那一份应有的号码；不知道时为空，只报张数。"""
    missing = sorted(set(expected) - found)
    names = "、".join(pattern.format(number) for number in missing[:5]) + ("……" if len(missing) > 5 else "")
    print(f"{title}：{len(found)} 张" + (f"，缺 {len(missing)} 张（{names}）" if missing else "，齐全" if expected else ""))


def label_in(new: str) -> str:
    """<类别>.<号码>.jpg → 类别。"""
    return PurePosixPath(new).stem.rpartition(".")[0]


def shorten(names: list[str]) -> str:
    return legible("、".join(names[:10])) + ("……" if len(names) > 10 else "")
