"""动画（GIF、WebP、APNG）：读出各帧，画完照原来的快慢存回去。"""

from contextlib import suppress
from pathlib import Path

from PIL import Image, ImageSequence

from data import fit_within, on_white
from data.pictures import FORMATS, LARGEST, open_picture, save_picture
from utils.files import UserError, legible, refusing

SUFFIXES = (".gif", ".webp", ".png")        # 能存动画的格式
CLEAR = (".png", ".webp")                   # 能存半透明的格式
KINDS = ("GIF", "WEBP", "PNG")              # 几帧的是动画；手机的 .jpg（MPO）和扫描件（TIFF）也会有几帧，不是动画


def is_animation(path: Path) -> bool:
    with suppress(Exception), Image.open(path, formats=FORMATS) as image:       # 读不出来的，画到它时再说
        return image.format in KINDS and image.is_animated
    return False


def read_frames(path: Path) -> tuple[list[Image.Image], dict]:
    """动画的各帧（RGB，透明处衬白）和存回去要的选项：各帧停留的毫秒数、循环的次数。照片是一帧，没有选项，有透明处的是 RGBA。

    读不出来时抛出 UserError。
    """
    if not is_animation(path):
        return [open_picture(path, alpha=True)], {}
    frames, durations = [], []
    with refusing(f"{legible(path)} 读不出来：文件已损坏；换掉或删去它"), Image.open(path, formats=FORMATS) as image:
        if image.width * image.height * image.n_frames > LARGEST:
            raise UserError(f"{legible(path)} 太大（{image.width}×{image.height}，{image.n_frames} 帧）：先缩小，或剪短")
        for frame in ImageSequence.Iterator(image):
            frames.append(on_white(frame.convert("RGBA")))
            durations.append(frame.info.get("duration", 100))
        loop = image.info.get("loop")           # GIF 里没有写 loop 的只放一遍，0 是一直放下去
    return frames, {"duration": durations} | ({} if loop is None else {"loop": loop})


def sample_frames(paths: list[Path], max_size: int, count: int = 12) -> list[Image.Image]:
    """按名字排好的各帧里均匀取至多 count 张，缩小到最长边不超过 max_size。大小不一时抛出 UserError：不是一段动画。"""
    chosen = paths[::max(1, -(-len(paths) // count))]
    frames = [on_white(fit_within(read_frames(path)[0][0], max_size)) for path in chosen]
    for path, frame in zip(chosen, frames):
        if frame.size != frames[0].size:
            raise UserError(f"--steady=True 要各帧一样大：{legible(path)} 缩小后是 {frame.width}×{frame.height}，"
                            f"{legible(chosen[0])} 是 {frames[0].width}×{frames[0].height}；不是一段动画就去掉 --steady")
    return frames


def save_frames(frames: list[Image.Image], options: dict, path: Path, option: str) -> None:
    """存一张图（格式存不下透明的衬白），或一段动画（options 见 read_frames）。"""
    if path.suffix.lower() not in CLEAR:
        frames = [on_white(frame) for frame in frames]
    more = {"save_all": True, "append_images": frames[1:], **options} if options else {}
    save_picture(frames[0], path, option, **more)


def animated_result(result: Path, source: Path, given: bool) -> Path:
    """source 的结果存到哪里：是动画而没有亲手给出 result（given 为假），用动画自己的格式；给出的存不了动画时抛出 UserError。"""
    if not is_animation(source):
        return result
    if not given and source.suffix.lower() in SUFFIXES:
        return result.with_suffix(source.suffix.lower())
    if result.suffix.lower() not in SUFFIXES:
        raise UserError(f"{legible(source)} 是动画，--result-path={legible(result)} 的扩展名存不了动画：用 .gif、.webp 或 .png")
    return result
