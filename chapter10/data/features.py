"""图像特征：预训练的网络只算一次，结果按半精度存成 .npy，训练时用内存映射来读。

书中的做法也是先算好特征。网络必须在验证模式：留在训练模式时，批归一化用的是这一批图的统计量，
同一张图的特征会随同批的图变化。
"""

from pathlib import Path

import numpy as np
import torch as t
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

import models
from data.pictures import fingerprint, open_picture
from utils.files import UserError, legible, replacing
from utils.loading import batches
from utils.runtime import Runtime

from .annotations import PREPARE, Annotation, file_digest, read_json, save_json
from .lookup import locate

DAMAGED = f"损坏，或不是 prepare 算的特征：删去它（或换一个 --img-feature-path），再运行 {PREPARE}"
EXTRACT_BATCH = {"cpu": 8}              # 一次算几张；在 CPU 上，小批的中间结果留得进缓存，比大批快一半


def read_image(path: str | Path, scale_size: int, img_size: int) -> t.Tensor:
    """读一张图，按 to_pixels 缩放裁剪，返回 (3, S, S) 的 uint8。读不出来时抛出 UserError。"""
    return to_pixels(open_picture(path, draft=2 * scale_size), scale_size, img_size)     # 大的 JPEG 直接解码成小图


def to_pixels(image: Image.Image, scale_size: int, img_size: int) -> t.Tensor:
    """RGB 图：短边缩放到 scale_size，取正中 img_size 见方。返回 (3, S, S) 的 uint8，S 是 img_size。"""
    zoom = scale_size / min(image.size)
    if zoom != 1:
        image = image.resize([max(img_size, round(side * zoom)) for side in image.size], Image.Resampling.BILINEAR)
    left, top = ((side - img_size) // 2 for side in image.size)
    image = image.crop((left, top, left + img_size, top + img_size))
    return t.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


class Pictures(Dataset):
    """一批图片文件，第 i 项是 read_image 的结果。"""

    def __init__(self, paths: list[Path], scale_size: int, img_size: int):
        self.paths, self.scale_size, self.img_size = paths, scale_size, img_size

    def __getitem__(self, index: int) -> t.Tensor:
        return read_image(self.paths[index], self.scale_size, self.img_size)

    def __len__(self) -> int:
        return len(self.paths)


def make_encoder(name: str) -> t.nn.Module:
    """预训练的图像网络，已在验证模式，不训练。(B, 3, S, S) 的 uint8 → (B, C, S/32, S/32)。"""
    if name not in models.ENCODERS:
        raise UserError(f"没有叫 {name} 的图像网络，--encoder 可选 {'、'.join(models.ENCODERS)}")
    return models.ENCODERS[name].pretrained().to(memory_format=t.channels_last)


@t.inference_mode()
def encode(encoder: t.nn.Module, images: t.Tensor, runtime: Runtime) -> t.Tensor:
    """(B, 3, S, S) 的 uint8 → 网格特征 (B, L, C)，L 是格数，从左到右、从上到下。"""
    with runtime.autocast():
        grid = encoder(images.to(runtime.device).contiguous(memory_format=t.channels_last))     # (B, C, h, w)
    return grid.float().flatten(2).transpose(1, 2)


class Features:
    """一个划分的特征：data[i] 是第 i 张图的 (L, C) 半精度，内存映射，不占内存。"""

    def __init__(self, path: Path):
        try:
            self.data = np.load(path, mmap_mode="r", allow_pickle=False)
            _, self.cells, self.channels = self.data.shape
            good = self.data.dtype == np.float16
        except MemoryError:
            raise
        except Exception:               # 坏文件能让 NumPy 抛出的错误数不全
            good = False
        if not good:
            raise UserError(f"{legible(path)} {DAMAGED}")

    def __getitem__(self, index: int) -> t.Tensor:
        return t.from_numpy(np.array(self.data[index]))

    def __len__(self) -> int:
        return len(self.data)

    def sample(self, count: int = 500) -> t.Tensor:
        """均匀取出的至多 count 张图的特征 (count, L, C)。"""
        return t.from_numpy(np.array(self.data[::-(-len(self.data) // count)]))


def feature_file(folder: str | Path, split: str) -> Path:
    return Path(folder) / f"{split}.npy"


RECIPE = ("encoder", "scale_size", "img_size", "annotation")


def recipe(annotation: Path, encoder: str, scale_size: int, img_size: int) -> dict:
    """特征是由什么算出来的；存在 .npy 旁边的 .json 里，读的时候核对。"""
    return dict(zip(RECIPE, (encoder, scale_size, img_size, file_digest(annotation))))


def complaint(folder: str | Path, split: str, wanted: dict, count: int) -> str:
    """已有的特征与 wanted（recipe 的结果）、图片数 count 哪里不符，一句话；相符或还没有特征时为空。"""
    path = feature_file(folder, split)
    if not path.is_file() or not path.with_suffix(".json").is_file():
        return ""
    damaged = f"{legible(path)} 或旁边的 {split}.json {DAMAGED}"
    try:
        found = read_json(path.with_suffix(".json"))
        if found["annotation"] != wanted["annotation"]:
            return f"{legible(path)} 比标注旧：标注改过了，重新运行 {PREPARE}"
        for name in RECIPE[:3]:
            if found[name] != wanted[name]:
                return (f"{legible(path)} 是用 {name}={found[name]} 算的，与 {wanted[name]} 不符："
                        f"改回这个选项，或用它重新运行 {PREPARE}")
        return "" if len(Features(path)) == count else damaged
    except (UserError, KeyError, TypeError):
        return damaged


def open_features(folder: str | Path, split: str) -> Features | None:
    """读出算好的特征；还没有时返回 None。"""
    path = feature_file(folder, split)
    return Features(path) if path.is_file() and path.with_suffix(".json").is_file() else None


def check_place(folder: str | Path, split: str) -> None:
    """特征要写的两个文件已有，又不是一对特征时抛出 UserError：可能是读者自己的，比如就放在一起的标注 train.json。"""
    path = feature_file(folder, split)
    story = path.with_suffix(".json")
    found = read_json(story) if story.is_file() else None
    if (path.exists() or story.exists()) and not (path.is_file() and isinstance(found, dict) and set(RECIPE) <= set(found)):
        raise UserError(f"特征要存成 {legible(path)} 和旁边的 {story.name}，那里已经有别的文件，不敢盖掉："
                        "移开它们，或换一个 --img-feature-path")


def picture_print(items: list[Annotation], paths: list[Path]) -> str:
    """图片的指纹：换过图片的，特征也要重算。"""
    return fingerprint((item.image_id for item in items), (path.stat().st_size for path in paths))


def extract(folder: str | Path, split: str, items: list[Annotation], img_path: str | Path, wanted: dict, runtime: Runtime,
            num_workers: int) -> Features:
    """给一个划分的全部图片算特征，存到 folder，返回读它的 Features。算到一半中断，旧的还在，也不会留下看似完整的文件。"""
    check_place(folder, split)
    paths = locate(img_path, [item.image_id for item in items], "--img-path")
    encoder = make_encoder(wanted["encoder"]).to(runtime.device)
    target = feature_file(folder, split)
    story = target.with_suffix(".json")
    pictures = Pictures(paths, wanted["scale_size"], wanted["img_size"])
    loader = DataLoader(pictures, EXTRACT_BATCH.get(runtime.device.type, 64), num_workers=num_workers)
    with replacing(target) as file:                     # 不用内存映射来写：盘满时它不报错，进程直接被杀
        for images in tqdm(batches(loader), f"提取特征 {split}", len(loader), leave=False):
            grid = encode(encoder, images, runtime).half().cpu().numpy()                        # (B, L, C)
            if not file.tell():
                shape = (len(paths), *grid.shape[1:])
                np.lib.format.write_array_header_1_0(file, {"descr": "<f2", "fortran_order": False, "shape": shape})
            file.write(grid.tobytes())
        if story.exists():
            save_json(story, wanted | {"annotation": ""})       # 换文件的那一刻断电，旧的说明也不会配上新的特征
    save_json(story, wanted | {"pictures": picture_print(items, paths)})
    return Features(target)
