"""精灵图 data/sprites/*.webp：核对，或用读者自己的 npm 下载表情图标重新画一遍。画哪些图标写在 concepts.csv。"""

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

from utils.files import UserError, replacing

from .drawing import CELL, COLUMNS, SPRITES

HERE = Path(__file__).parent
# 画风 → (npm 包, 下载到的文件的 sha256)
PACKAGES = {
    "noto": ("@iconify-json/noto@1.2.9", "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad"),
    "fluent": ("@iconify-json/fluent-emoji-flat@1.2.6", "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175"),
    "twemoji": ("@iconify-json/twemoji@1.2.5", "19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7"),
}
# 自带的文件 → sha256
SHIPPED = {
    "concepts.csv": "e683cd2c53db490ed27f611ded86ff5c2d347de9f4d0e89844f5ae2c2e5e4113",
    "sprites/noto.webp": "afee0559373b5bfc3f96b702da94a6659c97c5bb66f665e077bab8c07bdb75bc",
    "sprites/fluent.webp": "9391ee35f935c00fb20db18922c906a0f979d4b6739afe26fef1291982f09502",
    "sprites/twemoji.webp": "57b2eaf8993f81289e38ddecdccf0f12957ad37a36df4ca65c43199fb382b7bf",
}
MARGIN = 2                  # 每格四周至少空几个像素


def check_sprites() -> None:
    """核对画场景用的每一个文件，有缺失或改动时抛出 UserError。"""
    for name, digest in SHIPPED.items():
        path = HERE / name
        if not path.is_file():
            raise UserError(f"缺少 data/{name}：重新取一份")
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            print(f"data/{name} 与随书的不同，画出来的场景也会不同")


def rebuild_sprites() -> None:
    """下载三套图标，重新画出三张精灵图。"""
    with open(HERE / "concepts.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for style, (package, digest) in PACKAGES.items():
        with tempfile.TemporaryDirectory() as folder:
            icons = download(package, digest, Path(folder))
        sheet = Image.new("RGBA", (CELL * COLUMNS, CELL * -(-len(rows) // COLUMNS)))
        for i, row in enumerate(rows):
            picture = render(icons, row[style])
            x, y = i % COLUMNS * CELL, i // COLUMNS * CELL
            sheet.paste(picture, (x + (CELL - picture.width) // 2, y + (CELL - picture.height) // 2))
        ours = lambda old, style=style: hashlib.sha256(old.read_bytes()).hexdigest() == SHIPPED[f"sprites/{style}.webp"]  # noqa: E731
        with replacing(SPRITES / f"{style}.webp", ours) as file:
            sheet.save(file, "WEBP", quality=85, method=6)
        print(f"画出 data/sprites/{style}.webp：{len(rows)} 个图标")


def download(package: str, digest: str, folder: Path) -> dict:
    """npm pack 下载一套图标，核对后返回它的 icons.json。"""
    npm = shutil.which("npm")
    if npm is None:
        raise UserError("找不到 npm：先装 Node.js。一般不必重画，精灵图已经在 data/sprites/ 里")
    done = subprocess.run([npm, "pack", package, "--silent"], cwd=folder, capture_output=True, text=True)
    archives = list(folder.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        raise UserError(f"npm pack {package} 失败：{done.stderr.strip()[-200:] or '没有得到文件'}")
    if hashlib.sha256(archives[0].read_bytes()).hexdigest() != digest:
        raise UserError(f"{archives[0].name} 的校验和不对：下载不完整，请重试")
    with tarfile.open(archives[0]) as packed:
        return json.load(packed.extractfile("package/icons.json"))


def render(icons: dict, name: str) -> Image.Image:
    """把一个图标画成 RGBA 图，去掉四周的空白，缩到一格之内。"""
    try:
        import resvg_py
    except ImportError:
        raise UserError("画 SVG 要用 resvg-py：pip install resvg-py==0.5.0") from None
    name = icons.get("aliases", {}).get(name, {}).get("parent", name)
    width, height = icons.get("width", 16), icons.get("height", 16)
    svg = ('<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
           f'width="{2 * CELL}" height="{2 * CELL}" viewBox="0 0 {width} {height}">{icons["icons"][name]["body"]}</svg>')
    picture = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg)))).convert("RGBA")
    picture = picture.crop(picture.getbbox())
    picture.thumbnail((CELL - 2 * MARGIN, CELL - 2 * MARGIN), Image.Resampling.LANCZOS)
    return picture
