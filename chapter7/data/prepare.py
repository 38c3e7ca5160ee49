"""准备数据：检查自带的头像，用 DiceBear 画更多，或检查自己的图片。"""

import collections
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from data.pictures import open_picture
from utils.files import UserError, legible, quote

from .dataset import CHUNK, list_images, read_files
from .draw import HELD_OUT, draw_avatars

HERE = Path(__file__).parent
SHIPPED = HERE / "avatars.zip"
SHIPPED_SHA256 = "1d6380e32b7548b011c645016cf778366e41d8d0d991ab800bd72d40a4c5c4e6"
SHIPPED_NUM = 3000
FEW = 1000                      # 少于这么多张，判别器很快就能背下来


def prepare(num: int, source: str) -> None:
    """num > 0 时画 num 张；source 是文件夹或 zip 时检查它；都没有时检查自带的。"""
    if num and source:
        raise UserError("--num 是画多少张，--source 是检查自己的图片，只能给一个")
    if num > HELD_OUT:
        raise UserError(f"--num={num} 太多：最多 {HELD_OUT}，再往后的种子留给评价")
    if source:
        return check_source(Path(source))
    if num:
        target = HERE / f"avatars{num}.zip"
        draw_avatars(target, range(num), "画头像")
        print(f"画了 {num} 张，{target.stat().st_size / 1e6:.1f} MB。接着：\npython main.py train --data-path=data/{target.name}")
        return
    if not SHIPPED.is_file() or hashlib.sha256(SHIPPED.read_bytes()).hexdigest() != SHIPPED_SHA256:
        raise UserError("自带的 data/avatars.zip 缺失或被改动：重新取一份，或运行 "
                        f"python main.py prepare --num={SHIPPED_NUM} 画同样的 {SHIPPED_NUM} 张")
    print(f"自带的头像完好：{SHIPPED_NUM} 张，96×96。要更多：python main.py prepare --num=20000")


def held_out(num: int) -> str:
    """num 张从未用来训练的头像，返回 zip 的路径。第一次用到时画，以后不再画。"""
    target = HERE / f"heldout{num}.zip"
    if not target.is_file():
        draw_avatars(target, range(HELD_OUT, HELD_OUT + num), "画对照的头像")
    return str(target)


def check_source(source: Path) -> None:
    """逐张试读，报告张数和大小；有读不出来的抛出 UserError，列出名字。"""
    names = list_images(source, "--source")
    bad, sizes = [], collections.Counter()
    with ThreadPoolExecutor() as pool:
        bar = tqdm(total=len(names), desc="检查图片", unit="张", leave=False, delay=1)
        for start in range(0, len(names), CHUNK):
            part = names[start:start + CHUNK]
            for name, size in zip(part, pool.map(side_of, read_files(source, part))):
                if size is None:
                    bad.append(name)
                else:
                    sizes[size] += 1
            bar.update(len(part))
        bar.close()
    if bad:
        raise UserError(f"{legible(source)} 里有 {len(bad)} 张读不出来，删去或重新下载：{'、'.join(map(legible, bad[:10]))}")
    common = "，".join(f"短边 {size} 的 {count} 张" for size, count in sizes.most_common(3))
    print(f"{legible(source)}：{len(names)} 张，每张都读得出来；{common}")
    if len(names) < FEW:
        print(f"少于 {FEW} 张：判别器会背下它们，生成的图很难有变化")
    print(f"接着：\npython main.py train --data-path={quote(source)}")


def side_of(content: bytes) -> int | None:
    """短边的像素数；读不出来时为 None。"""
    try:
        return min(open_picture(content).size)
    except UserError:
        return None
