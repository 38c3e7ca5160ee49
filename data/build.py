"""重新生成 data/ 里的各份数据：python data/build.py icons10|fashion_mnist|photo|dogcat|all

数据取自版本固定的 npm、pip、apt 包，由读者自己的客户端下载，逐个核对 sha256。
一般不必运行：结果已经在仓库里。--check 不改文件，只核对仓库里的文件与重新生成的是否一致。
"""
import argparse
import csv
import hashlib
import io
import json
import lzma
import sys
import tarfile
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

from fetch import FASHION, ICONIFY, SKIMAGE, BuildError, fetch

HERE = Path(__file__).resolve().parent
IMAGES_PER_CLASS = {"train": 500, "test": 100}
SPLIT_FILES = {"train": ("train", 200), "test": ("t10k", 50)}       # (文件名前缀, 每类张数)
DOGCAT = [      # (文件名, 图标集, 图标, 宽, 高)；大小有意各不相同
    ("cat.0.png", "noto", "cat", 128, 128),
    ("cat.1.png", "fluent-emoji-flat", "cat", 160, 120),
    ("cat.2.png", "twemoji", "cat", 120, 140),
    ("cat.3.png", "emojione", "cat", 128, 128),
    ("cat.4.png", "streamline-emojis", "cat", 144, 128),
    ("cat.5.png", "noto", "black-cat", 128, 160),
    ("dog.0.png", "noto", "dog", 128, 128),
    ("dog.1.png", "fluent-emoji-flat", "dog", 120, 150),
    ("dog.2.png", "twemoji", "dog", 150, 120),
    ("dog.3.png", "emojione", "dog", 128, 128),
    ("dog.4.png", "streamline-emojis", "dog", 128, 144),
]
BROKEN = "dog.5.png"
BROKEN_BYTES = b"<html><head><title>404 Not Found</title></head></html>\n"


def need(module: str, package: str) -> None:
    """缺少第三方包时给出安装命令。"""
    try:
        __import__(module)
    except ImportError:
        raise BuildError(f"缺少 {package}：请先运行 pip install {package}") from None


class IconSets:
    """从 @iconify/json 的 tgz 里按需取出图标集。"""

    def __init__(self, archive: Path, wanted: set[str]):
        self.sets: dict[str, dict] = {}
        with tarfile.open(archive) as tar:
            for member in tar:
                name = Path(member.name)
                if name.parent.as_posix() == "package/json" and name.stem in wanted:
                    self.sets[name.stem] = json.load(tar.extractfile(member))
        if missing := sorted(wanted - set(self.sets)):
            raise BuildError(f"{archive.name} 里没有图标集 {'、'.join(missing)}")

    def icon(self, prefix: str, name: str) -> dict:
        whole = self.sets[prefix]
        icon = whole["icons"][name]
        size = {key: icon.get(key, whole.get(key, 16)) for key in ("width", "height")}
        return {"body": icon["body"], "left": icon.get("left", 0), "top": icon.get("top", 0)} | size


def build_icons10(keep: Path, out: Path) -> None:
    need("resvg_py", "resvg-py")
    import numpy as np
    from icons10 import SIDE, Icons10, join_sheet, shares
    from PIL import Image
    from render import draw

    folder = out / "icons10"
    folder.mkdir(parents=True, exist_ok=True)
    with (HERE / "icons10" / "sources.csv").open(encoding="utf-8", newline="") as file:
        sources = list(csv.DictReader(file))
    sets = IconSets(fetch(ICONIFY, keep), {row["set"] for row in sources})
    count: Counter = Counter()
    for split, per_class in IMAGES_PER_CLASS.items():
        images = np.empty((per_class, 10, SIDE, SIDE, 3), np.uint8)
        for label, name in enumerate(Icons10.classes):
            rows = [row for row in sources if row["class"] == name and row["split"] == split]
            for index, row in enumerate(shares(rows, per_class, f"icons10/{split}/{name}")):
                key = f"icons10/{split}/{name}/{row['set']}/{row['icon']}/{index}"
                icon = sets.icon(row["set"], row["icon"])
                images[index, label] = draw(icon, SIDE, SIDE, key)
                count[row["set"]] += 1
            print(f"icons10 {split} {name}：{len(rows)} 个图标，{per_class} 张图", flush=True)
        sheet = join_sheet(images.reshape(-1, SIDE, SIDE, 3), split)
        Image.fromarray(sheet).save(folder / f"{split}.webp", lossless=True, quality=100, method=6)
        print(f"像素 sha256 {split} {hashlib.sha256(sheet.tobytes()).hexdigest()}")
    (folder / "sources.csv").write_bytes((HERE / "icons10" / "sources.csv").read_bytes())
    write_sets(folder / "sets.csv", sets, sources, count)


def write_sets(path: Path, sets: IconSets, sources: list[dict], count: Counter) -> None:
    """每套图标一行：作者、许可证、用在哪一半、图标数、图数。"""
    split_of = {row["set"]: (row["family"], row["split"]) for row in sources}
    icons = Counter(row["set"] for row in sources)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["set", "family", "split", "title", "author", "author_url", "licence",
                         "licence_url", "icons", "images"])
        for prefix in sorted(split_of):
            info = sets.sets[prefix]["info"]
            author, licence = info["author"], info["license"]
            writer.writerow([prefix, *split_of[prefix], info["name"], author["name"],
                             author.get("url", ""), licence["spdx"], licence.get("url", ""),
                             icons[prefix], count[prefix]])


def build_dogcat(keep: Path, out: Path) -> None:
    need("resvg_py", "resvg-py")
    from PIL import Image
    from render import draw

    folder = out / "dogcat"
    folder.mkdir(parents=True, exist_ok=True)
    sets = IconSets(fetch(ICONIFY, keep), {row[1] for row in DOGCAT})
    for file, prefix, name, width, height in DOGCAT:
        pixels = draw(sets.icon(prefix, name), width, height, f"dogcat/{file}", spread=0.5)
        Image.fromarray(pixels).save(folder / file, optimize=True)
    (folder / BROKEN).write_bytes(BROKEN_BYTES)


def build_photo(keep: Path, out: Path) -> None:
    from PIL import Image

    with zipfile.ZipFile(fetch(SKIMAGE, keep)) as wheel:
        data = wheel.read("skimage/data/chelsea.png")
    with Image.open(io.BytesIO(data)) as image:
        image.convert("RGB").save(out / "photo.jpg", quality=90, optimize=True)


def open_deb(path: Path) -> tarfile.TarFile:
    """打开 .deb（ar 格式）里的 data.tar.xz。"""
    raw, offset = path.read_bytes(), 8
    while offset < len(raw):
        name, size = raw[offset:offset + 16].decode().strip(), int(raw[offset + 48:offset + 58])
        start = offset + 60
        if name.startswith("data.tar.xz"):
            return tarfile.open(fileobj=io.BytesIO(lzma.decompress(raw[start:start + size])))
        offset = start + size + size % 2
    raise BuildError(f"{path.name} 里没有 data.tar.xz")


def build_fashion_mnist(keep: Path, out: Path) -> None:
    """从原来的 60000 + 10000 张里按原顺序每类各取前若干张，写回 idx 格式。"""
    import gzip

    import numpy as np

    folder = out / "fashion_mnist" / "FashionMNIST" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    with open_deb(fetch(FASHION, keep)) as tar:
        members = {Path(name).name: name for name in tar.getnames()}
        for prefix, per_class in SPLIT_FILES.values():
            def read(stem: str, prefix: str = prefix) -> bytes:
                stream = tar.extractfile(members[f"{prefix}-{stem}-ubyte.gz"])
                return gzip.decompress(stream.read())
            images = np.frombuffer(read("images-idx3"), np.uint8, offset=16).reshape(-1, 28, 28)
            labels = np.frombuffer(read("labels-idx1"), np.uint8, offset=8)
            picked = np.sort(np.concatenate(
                [np.flatnonzero(labels == label)[:per_class] for label in range(10)]))
            write_idx(folder / f"{prefix}-images-idx3-ubyte", images[picked])
            write_idx(folder / f"{prefix}-labels-idx1-ubyte", labels[picked])


def write_idx(path: Path, array) -> None:
    """idx 文件：两个 0、类型 8（uint8）、维数，各维大小（大端 int32），然后是数据。"""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(header + array.tobytes())


BUILDERS = {"icons10": build_icons10, "fashion_mnist": build_fashion_mnist,
            "photo": build_photo, "dogcat": build_dogcat}


def same(left: Path, right: Path) -> str:
    """两个文件相同到什么程度：字节、像素，或不同。"""
    if not right.is_file():
        return "缺少"
    if left.read_bytes() == right.read_bytes():
        return "逐字节相同"
    if left.suffix in {".png", ".webp", ".jpg"} and left.name != BROKEN:
        from PIL import Image
        with Image.open(left) as a, Image.open(right) as b:
            if a.convert("RGB").tobytes() == b.convert("RGB").tobytes():
                return "像素相同"
    return "不同"


def check(new: Path) -> int:
    """逐个比较 new 里的文件与仓库里的文件；都相同返回 0。"""
    verdicts = {path: same(path, HERE / path.relative_to(new))
                for path in sorted(new.rglob("*")) if path.is_file()}
    for path, verdict in verdicts.items():
        print(f"{path.relative_to(new).as_posix()}：{verdict}")
    return int(any("相同" not in verdict for verdict in verdicts.values()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], add_help=False)
    parser.add_argument("-h", "--help", action="help", help="显示这段说明")
    parser.add_argument("name", help="要生成哪一份数据：" + "、".join([*BUILDERS, "all"]))
    parser.add_argument("--keep", type=Path, metavar="DIR", help="下载的包留在这个目录，下次直接用")
    parser.add_argument("--check", action="store_true", help="不改文件，只核对是否一致")
    options = parser.parse_args()
    names = list(BUILDERS) if options.name == "all" else [options.name]
    try:
        if names[0] not in BUILDERS:
            raise BuildError(f"没有 {options.name} 这份数据；可选 {'、'.join([*BUILDERS, 'all'])}")
        with tempfile.TemporaryDirectory() as scratch:
            keep = (options.keep or Path(scratch) / "packages").resolve()
            keep.mkdir(parents=True, exist_ok=True)
            out = Path(scratch) / "new" if options.check else HERE
            out.mkdir(exist_ok=True)
            for name in names:
                BUILDERS[name](keep, out)
            return check(out) if options.check else 0
    except (BuildError, OSError) as error:
        print(f"出错：{error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
