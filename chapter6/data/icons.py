"""从 npm 包 @iconify/json 画出 data/train 和 data/test 里的图标。画哪些图标、叫什么名字，写在 data/sources.csv。"""

import csv
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from PIL import Image

from data.pictures import open_picture
from utils.files import UserError, set_aside

HERE = Path(__file__).parent
SOURCES = HERE / "sources.csv"
PACKAGE = "@iconify/json@2.2.535"
PACKAGE_SHA256 = "1a545f86fa224d6531d8fb101dcbe83aac2b28689a21cbed6fc68318a5af4d91"
SIDE = 128                  # 边长，像素
MARGIN = 0.06               # 四周留白占图标边长的比例
INK = "#222222"             # 单色图标的颜色；训练时会随机换


def read_sources() -> list[dict]:
    """sources.csv 的各行：file、label、fold、family、set、icon、author、licence、sha256。"""
    if not SOURCES.is_file():
        raise UserError("没有 data/sources.csv：它列出自带的图标；换成自己的数据后不必运行 prepare")
    with open(SOURCES, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def check_icons() -> None:
    """核对自带的每一张图，有缺失或改动时抛出 UserError。"""
    rows = read_sources()
    bad = [row["file"] for row in rows if not (HERE / row["file"]).is_file()
           or hashlib.sha256((HERE / row["file"]).read_bytes()).hexdigest() != row["sha256"]]
    if bad:
        raise UserError(f"自带的图片缺失或被改动 {len(bad)} 张（{'、'.join(bad[:5])}）："
                        "重新取一份，或运行 python main.py prepare --source=npm")
    count = {part: sum(row["file"].startswith(part) for row in rows) for part in ("train", "test")}
    print(f"自带的图标完好：训练和验证 {count['train']} 张，测试 {count['test']} 张")


def rebuild_icons() -> None:
    """用读者自己的 npm 下载图标集，重新画出全部图片。"""
    with tempfile.TemporaryDirectory() as folder:
        archive = _download(Path(folder))
        rows = read_sources()
        wanted, sets = {row["set"] for row in rows}, {}
        with tarfile.open(archive) as packed:
            for member in packed:
                path = Path(member.name)
                if path.parent.as_posix() == "package/json" and path.stem in wanted:
                    sets[path.stem] = json.load(packed.extractfile(member))
    same = 0
    for row in rows:
        target = HERE / row["file"]
        picture = draw(sets[row["set"]], row["icon"])
        if target.is_file() and _pixels(target) == picture.tobytes():
            same += 1
            continue
        if target.exists():                                     # 可能是读者自己的
            set_aside(target)
        target.parent.mkdir(exist_ok=True)
        picture.save(target, optimize=True)
    print(f"画出 {len(rows)} 张，与原有的像素相同 {same} 张")


def draw(icons: dict, name: str) -> Image.Image:
    """把一个图标画成 SIDE×SIDE 的 RGBA 图，背景透明。icons 是一套图标的 JSON。"""
    try:
        import resvg_py
    except ImportError:
        raise UserError("画 SVG 要用 resvg-py：pip install resvg-py==0.5.0") from None
    icon = icons["icons"][name]
    width, height = (icon.get(key, icons.get(key, 16)) for key in ("width", "height"))
    side = max(width, height) * (1 + 2 * MARGIN)
    left, top = icon.get("left", 0) - (side - width) / 2, icon.get("top", 0) - (side - height) / 2
    svg = ('<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
           f'width="{SIDE}" height="{SIDE}" viewBox="{left} {top} {side} {side}">'
           f'{icon["body"].replace("currentColor", INK)}</svg>')
    return Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg)))).convert("RGBA")


def _download(folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise UserError("找不到 npm：先装 Node.js。一般不必重新生成，图片已经在 data/ 里")
    print(f"npm pack {PACKAGE}（104 MB）……")
    done = subprocess.run([npm, "pack", PACKAGE, "--silent"], cwd=folder, capture_output=True, text=True)
    archives = list(folder.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        raise UserError(f"npm pack {PACKAGE} 失败：{done.stderr.strip()[-200:] or '没有得到文件'}")
    if hashlib.sha256(archives[0].read_bytes()).hexdigest() != PACKAGE_SHA256:
        raise UserError(f"{archives[0].name} 的校验和不对：下载不完整，请重试")
    return archives[0]


def _pixels(path: Path) -> bytes:
    try:
        return open_picture(path, alpha=True).tobytes()
    except UserError:
        return b""
