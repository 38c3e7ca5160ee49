"""准备数据：画自带的场景，或检查、转换 AI Challenger（或 COCO 式）的标注；然后提取特征。"""

import json
import os
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from hashlib import sha256
from itertools import islice
from pathlib import Path
from random import Random

from tqdm import tqdm

from config import Config
from utils import Runtime, UserError

from .annotations import (
    PREPARE,
    Annotation,
    check_row,
    load_annotations,
    read_json,
    save_annotations,
)
from .drawing import draw
from .features import Features, complaint, extract, open_features, read_image, recipe
from .scenes import COUNTS, Scene, Thing, make_scenes
from .sentences import write_captions
from .sprites import check_sprites, rebuild_sprites

SPLITS = ("train", "val", "test")
SCENES_SEED = 0                         # 自带的场景总用这个种子，与训练的种子无关
CHUNK = 250                             # 一次交给一个进程画几张
SAMPLE = 200                            # 检查官方数据时试读几张图
PHOTO_SIZES = {"scale_size": 256, "img_size": 224}      # 照片的默认大小，像素


def prepare(opt: Config, runtime: Runtime) -> None:
    """source 为空时画自带的场景；为 npm 时先重画精灵图；否则是官方数据的文件夹。画好、转好之后提取特征。"""
    if opt.source not in ("", "npm"):
        convert_official(opt)
    else:
        if opt.source == "npm":
            rebuild_sprites()
        check_sprites()
        for split in SPLITS:
            render_split(split, Path(opt.caption_data_path), Path(opt.img_path))
    for split in SPLITS:
        items = load_annotations(annotation_file(opt, split))
        features = get_features(opt, split, items, runtime, replace=True)
        print(f"{split}：{len(items)} 张图，{sum(len(item.captions) for item in items)} 句描述，"
              f"每张图的特征 {features.cells} 格 × {features.channels} 维")
    if opt.source not in ("", "npm"):
        print(f"接着：\npython main.py train --caption-data-path={opt.caption_data_path} --img-path={opt.img_path} "
              f"--img-feature-path={opt.img_feature_path} --scale-size={opt.scale_size} --img-size={opt.img_size}")


def load_split(opt: Config, split: str, runtime: Runtime) -> tuple[list[Annotation], Features]:
    """一个划分的标注和特征。自带的场景还没有画、特征还没有提取时，现在就做（只做这一个划分）。"""
    if runtime.is_main:
        if not annotation_file(opt, split).is_file() and opt.caption_data_path == Config.caption_data_path:
            check_sprites()
            render_split(split, Path(opt.caption_data_path), Path(opt.img_path))
        items = load_annotations(annotation_file(opt, split))
        get_features(opt, split, items, runtime)
    runtime.sum(0)                      # 别的进程等 0 号做完
    items = load_annotations(annotation_file(opt, split))
    return items, get_features(opt, split, items, runtime)


def annotation_file(opt: Config, split: str) -> Path:
    return Path(opt.caption_data_path) / f"{split}.json"


def get_features(opt: Config, split: str, items: list[Annotation], runtime: Runtime, replace: bool = False) -> Features:
    """读出算好的特征，没有就算。与标注或选项不符时抛出 UserError；replace 时重算。"""
    wanted = recipe(annotation_file(opt, split), opt.encoder, opt.scale_size, opt.img_size)
    folder = Path(opt.img_feature_path)
    problem = complaint(folder, split, wanted, len(items))
    if problem and not replace:
        raise UserError(problem)
    ready = None if problem else open_features(folder, split)
    return ready or extract(folder, split, items, opt.img_path, wanted, runtime, opt.num_workers)


def render_split(split: str, folder: Path, pictures: Path, count: int | None = None) -> None:
    """画一个划分的场景：图片在 pictures，标注在 folder/<split>.json，剧本在 folder/<split>_scenes.json。"""
    scenes = list(islice(make_scenes(split, SCENES_SEED), count or COUNTS[split]))
    names = [f"{split}_{i:05d}.jpg" for i in range(len(scenes))]
    pictures.mkdir(parents=True, exist_ok=True)
    jobs = [(scenes[i:i + CHUNK], names[i:i + CHUNK], pictures) for i in range(0, len(scenes), CHUNK)]
    captions = []
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1, len(jobs))) as pool, \
            tqdm(total=len(scenes), desc=f"画场景 {split}", leave=False) as bar:
        for written in pool.map(render_chunk, *zip(*jobs)):
            captions += written
            bar.update(len(written))
    save_scenes(folder, split, scenes)
    save_annotations(folder / f"{split}.json", map(Annotation, names, captions))    # 最后才写：有它就是画完了


def render_chunk(scenes: list[Scene], names: list[str], pictures: Path) -> list[tuple[str, ...]]:
    """画一段场景，返回各张图的五句描述。随机数只看图的名字，所以与分成几段、几个进程无关。"""
    captions = []
    for scene, name in zip(scenes, names):
        random = Random(f"{SCENES_SEED}-{name}")
        draw(scene, random).save(pictures / name, quality=92)
        captions.append(tuple(write_captions(scene, random)))
    return captions


def save_scenes(folder: Path, split: str, scenes: list[Scene]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [asdict(scene) for scene in scenes]
    (folder / f"{split}_scenes.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")


def load_scenes(folder: str | Path, split: str) -> list[Scene] | None:
    """与标注一一对应的剧本；不是自带的场景时没有，返回 None。"""
    path = Path(folder) / f"{split}_scenes.json"
    if not path.is_file():
        return None
    return [Scene(row["background"], row["style"], row["unseen"], [Thing(**thing) for thing in row["things"]])
            for row in read_json(path)]


def convert_official(opt: Config) -> None:
    """检查 opt.source 里的官方数据，把标注转成 train/val/test.json，并改好 opt 里相关的路径和大小。

    图片留在原处不复制：image_id 改成相对于 source 的路径。官方的训练集作训练；官方的验证集按 image_id 的
    哈希一半验证、一半测试（官方测试集的描述没有公开）。只有一个标注文件时，按 90/5/5 划分。
    """
    source = Path(opt.source)
    if not source.is_dir():
        raise UserError(f"--source={opt.source} 不是文件夹：给出解开后的 AI Challenger 或 COCO 式数据所在的文件夹")
    files = sorted(path for path in source.rglob("*.json") if "caption" in path.name.lower())
    if not files:
        raise UserError(f"{opt.source} 里没有名字含 caption 的 json 标注，如 caption_train_annotations_20170902.json")
    where = {}
    for path in source.rglob("*"):
        if path.suffix.lower() in (".jpg", ".jpeg", ".png"):
            where.setdefault(path.name, path.relative_to(source).as_posix())
    parts = defaultdict(list)
    for file in files:
        items = read_official(file)
        missing = [item.image_id for item in items if Path(item.image_id).name not in where]
        if missing:
            raise UserError(f"{file.name} 的 {len(items)} 张图里缺 {len(missing)} 张，如 {missing[0]}：图片没有下载完整")
        print(f"{file.name}：{len(items)} 张图，{sum(len(item.captions) for item in items)} 句描述，图片齐全")
        held = "val" in file.name.lower()
        for item in items:
            place = int.from_bytes(sha256(item.image_id.encode()).digest()[:4], "big") % 100
            if len(files) == 1:
                split = "train" if place < 90 else "val" if place < 95 else "test"
            else:
                split = "train" if not held else "val" if place < 50 else "test"
            parts[split].append(Annotation(where[Path(item.image_id).name], item.captions))
    empty = [split for split in SPLITS if not parts[split]]
    if empty:
        raise UserError(f"{opt.source} 分不出 {'、'.join(empty)}：图片太少，或缺验证集的标注（文件名含 val）")
    if "caption_data_path" not in opt.given:
        opt.caption_data_path = "runs/photos"
    if "img_feature_path" not in opt.given:
        opt.img_feature_path = f"{opt.caption_data_path}/features"
    opt.img_path = opt.source
    for name, size in PHOTO_SIZES.items():
        if name not in opt.given:
            setattr(opt, name, size)
    for split in SPLITS:
        for item in islice(parts[split], 0, None, max(1, len(parts[split]) // SAMPLE)):
            read_image(source / item.image_id, opt.scale_size, opt.img_size)
        save_annotations(annotation_file(opt, split), parts[split])


def read_official(file: Path) -> list[Annotation]:
    """AI Challenger 的列表，或 COCO 式的 {"images": [...], "annotations": [...]}。"""
    content = read_json(file)
    if isinstance(content, list):
        return load_annotations(file)
    try:
        names = {image["id"]: image["file_name"] for image in content["images"]}
        captions = defaultdict(list)
        for row in content["annotations"]:
            captions[names[row["image_id"]]].append(row["caption"])
    except (KeyError, TypeError) as error:
        raise UserError(f"{file} 既不是 AI Challenger 的列表，也不是 COCO 式的 images 加 annotations"
                        f"（缺 {error}）：检查 --source，或重新运行 {PREPARE}") from None
    return [check_row(file, i, {"image_id": name, "caption": sentences})
            for i, (name, sentences) in enumerate(captions.items())]
