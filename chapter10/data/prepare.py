"""准备数据：画自带的场景，或检查、转换 AI Challenger（或 COCO 式）的标注；然后提取特征。"""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from hashlib import sha256
from itertools import islice
from pathlib import Path
from random import Random

from tqdm import tqdm

from config import Config
from data.pictures import is_data
from utils.files import UserError, legible, quote
from utils.runtime import Runtime

from .annotations import (
    PREPARE,
    Annotation,
    check_row,
    file_digest,
    load_annotations,
    read_json,
    save_annotations,
    save_json,
)
from .drawing import draw
from .features import (
    Features,
    check_place,
    complaint,
    extract,
    feature_file,
    open_features,
    picture_print,
    read_image,
    recipe,
)
from .lookup import locate
from .scenes import COUNTS, Scene, Thing, make_scenes
from .sentences import names_all_right, write_captions
from .sprites import check_sprites, rebuild_sprites

SPLITS = ("train", "val", "test")
SCENES_SEED = 0                         # 自带的场景总用这个种子，与训练的种子无关
CHUNK = 250                             # 一次交给一个进程画几张
SAMPLE = 200                            # 检查官方数据时试读几张图
PHOTO_SIZES = {"scale_size": 256, "img_size": 224}      # 照片的默认大小，像素
RECORD = "prepared.json"                # 标注旁边的记录：prepare 写的标注文件 → 内容的哈希。没有记着的是别人的，不能盖掉


def prepare(opt: Config, runtime: Runtime) -> None:
    """source 为空时画自带的场景，只画在默认的位置；为 npm 时先重画精灵图；否则是官方数据的文件夹。最后提取特征。

    自己写的标注照着用，不画也不改。
    """
    if opt.source not in ("", "npm"):
        convert_official(opt)
    else:
        if opt.source == "npm":
            rebuild_sprites()
        if at_default(opt):
            check_sprites()
            for split in SPLITS:
                path = annotation_file(opt, split)
                if is_ours(path):
                    render_split(split, path.parent, Path(opt.img_path))
                else:
                    print(f"{path.as_posix()} 不是 prepare 写的，或改动过：照着它用，不重画场景")
    for split in SPLITS:
        items = load_annotations(annotation_file(opt, split))
        features = get_features(opt, split, items, runtime, replace=True)
        print(f"{split}：{len(items)} 张图，{sum(len(item.captions) for item in items)} 句描述，"
              f"每张图的特征 {features.cells} 格 × {features.channels} 维")
    if not at_default(opt):
        places = ("caption_data_path", "img_path", "img_feature_path")
        words = [f"--{name.replace('_', '-')}={quote(getattr(opt, name))}" for name in places if getattr(opt, name)]
        print(f"接着：\npython main.py train {' '.join(words)} --scale-size={opt.scale_size} --img-size={opt.img_size}")


def at_default(opt: Config) -> bool:
    """标注和图片都在默认的位置。自带的场景只画在那里，读者给出的文件夹里什么也不画。"""
    return all(Path(getattr(opt, name)).absolute() == Path(getattr(Config, name)).absolute()
               for name in ("caption_data_path", "img_path"))


def load_split(opt: Config, split: str, runtime: Runtime) -> tuple[list[Annotation], Features]:
    """一个划分的标注和特征。自带的场景还没有画、特征还没有提取时，现在就做（只做这一个划分）。"""
    items = load_items(opt, split, runtime)
    if runtime.is_main:
        get_features(opt, split, items, runtime)
    runtime.sum(0)                      # 别的进程等 0 号做完
    return items, get_features(opt, split, items, runtime)


def load_items(opt: Config, split: str, runtime: Runtime) -> list[Annotation]:
    """一个划分的标注。自带的场景还没有画时，现在就画。"""
    if runtime.is_main and not annotation_file(opt, split).is_file() and at_default(opt):
        check_sprites()
        render_split(split, Path(opt.caption_data_path), Path(opt.img_path))
    runtime.sum(0)                      # 别的进程等 0 号做完
    return load_annotations(annotation_file(opt, split))


def annotation_file(opt: Config, split: str) -> Path:
    return Path(opt.caption_data_path) / f"{split}.json"


def feature_folder(opt: Config) -> Path:
    return Path(opt.img_feature_path or Path(opt.caption_data_path) / "features")


def get_features(opt: Config, split: str, items: list[Annotation], runtime: Runtime, replace: bool = False) -> Features:
    """读出算好的特征，没有就算。与标注或选项不符时抛出 UserError；replace 时重算，图片换过（大小变了）也重算。"""
    wanted = recipe(annotation_file(opt, split), opt.encoder, opt.scale_size, opt.img_size)
    folder = feature_folder(opt)
    problem = complaint(folder, split, wanted, len(items))
    if problem and not replace:
        raise UserError(problem)
    ready = None if problem else open_features(folder, split)
    if ready and replace:
        paths = locate(opt.img_path, [item.image_id for item in items], "--img-path")
        if read_json(feature_file(folder, split).with_suffix(".json")).get("pictures") != picture_print(items, paths):
            ready = None
    return ready or extract(folder, split, items, opt.img_path, wanted, runtime, opt.num_workers)


def is_ours(path: Path) -> bool:
    """path 可以写：还没有，或是 prepare 写的、之后没有人改过。"""
    return not path.exists() or read_record(path.parent).get(path.name) == file_digest(path)


def read_record(folder: Path) -> dict[str, str]:
    record = read_json(folder / RECORD) if (folder / RECORD).is_file() else {}
    if not isinstance(record, dict):
        raise UserError(f"{legible(folder / RECORD)} 不是 prepare 写的：移开它")
    return record


def save_ours(path: Path, items: Iterable[Annotation]) -> None:
    """写一个标注，并记下是 prepare 写的。"""
    save_annotations(path, items)
    save_json(path.with_name(RECORD), read_record(path.parent) | {path.name: file_digest(path)})


def render_split(split: str, folder: Path, pictures: Path, count: int | None = None) -> None:
    """画一个划分的场景：图片在 pictures，标注在 folder/<split>.json，剧本在 folder/<split>_scenes.json。

    已有叫这些名字、又没有记着是这里画的文件时抛出 UserError。
    """
    scenes = list(islice(make_scenes(split, SCENES_SEED), count or COUNTS[split]))
    names = [f"{split}_{i:05d}.jpg" for i in range(len(scenes))]
    path, record = folder / f"{split}.json", read_record(folder)
    if path.name not in record:
        taken = [place for place in (path, folder / f"{split}_scenes.json", *(pictures / name for name in names)) if place.exists()]
        if taken:
            raise UserError(f"{taken[0].as_posix()} 已经有了，不知道是谁的，不敢盖掉：移开它（共 {len(taken)} 个文件），再画场景")
        save_json(folder / RECORD, record | {path.name: ""})        # 画到一半停下，下次可以重画
    pictures.mkdir(parents=True, exist_ok=True)
    jobs = [(scenes[i:i + CHUNK], names[i:i + CHUNK], pictures) for i in range(0, len(scenes), CHUNK)]
    captions = []
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1, len(jobs))) as pool, \
            tqdm(total=len(scenes), desc=f"画场景 {split}", leave=False) as bar:
        for written in pool.map(render_chunk, *zip(*jobs)):
            captions += written
            bar.update(len(written))
    save_json(folder / f"{split}_scenes.json", [asdict(scene) for scene in scenes])
    save_ours(path, map(Annotation, names, captions))               # 最后才写：有它就是画完了


def render_chunk(scenes: list[Scene], names: list[str], pictures: Path) -> list[tuple[str, ...]]:
    """画一段场景，返回各张图的五句描述。随机数只看图的名字，所以与分成几段、几个进程无关。"""
    captions = []
    for scene, name in zip(scenes, names):
        random = Random(f"{SCENES_SEED}-{name}")
        draw(scene, random).save(pictures / name, quality=92)
        captions.append(tuple(write_captions(scene, random)))
    return captions


def load_scenes(folder: str | Path, split: str, items: list[Annotation]) -> list[Scene] | None:
    """与标注 items 一一对应的剧本；没有，或标注已经换成别的时返回 None。"""
    path = Path(folder) / f"{split}_scenes.json"
    if not path.is_file():
        return None
    try:
        scenes = [Scene(row["background"], row["style"], row["unseen"], [Thing(**thing) for thing in row["things"]])
                  for row in read_json(path)]
        fits = len(scenes) == len(items) and all(
            names_all_right(caption, scene) for item, scene in zip(items, scenes) for caption in item.captions)
    except (LookupError, TypeError, AttributeError):
        raise UserError(f"{legible(path)} 损坏：删去它，重新运行 {PREPARE}") from None
    return scenes if fits else None


def convert_official(opt: Config) -> None:
    """检查 opt.source 里的官方数据，把标注转成 train/val/test.json，并改好 opt 里相关的路径和大小。

    图片留在原处不复制：image_id 改成相对于 source 的路径。官方的训练集作训练；官方的验证集按 image_id 的
    哈希一半验证、一半测试（官方测试集的描述没有公开）。只有一个标注文件时，按 90/5/5 划分。
    """
    source = Path(opt.source)
    if not source.is_dir():
        raise UserError(f"--source={legible(source)} 不是文件夹：给出解开后的 AI Challenger 或 COCO 式数据所在的文件夹")
    files = sorted(path for path in source.rglob("*.json")
                   if "caption" in path.name.lower() and is_data(path.relative_to(source).as_posix()) and path.is_file())
    if not files:
        raise UserError(f"{legible(source)} 里没有名字含 caption 的 json 标注，如 caption_train_annotations_20170902.json")
    contents = {file: read_official(file) for file in files}
    paths = iter(locate(source, [item.image_id for items in contents.values() for item in items], "--source"))
    parts, owner = defaultdict(list), {}
    for file, items in contents.items():
        held = "val" in file.name.lower()
        for item in items:
            path = next(paths)
            if owner.setdefault(path, file) != file:
                raise UserError(f"{legible(path)} 在 {owner[path].name} 和 {file.name} 里都有：一张图只能有一项标注，"
                                "训练和验证也不能混在一起")
            place = int.from_bytes(sha256(item.image_id.encode("utf-8", "surrogatepass")).digest()[:4], "big") % 100
            if len(files) == 1:
                split = "train" if place < 90 else "val" if place < 95 else "test"
            else:
                split = "train" if not held else "val" if place < 50 else "test"
            parts[split].append(Annotation(path.relative_to(source).as_posix(), item.captions))
        print(f"{file.name}：{len(items)} 张图，{sum(len(item.captions) for item in items)} 句描述，图片齐全")
    empty = [split for split in SPLITS if not parts[split]]
    if empty:
        raise UserError(f"{legible(source)} 分不出 {'、'.join(empty)}：图片太少，或缺验证集的标注（文件名含 val）")
    if "caption_data_path" not in opt.given:
        opt.caption_data_path = "runs/photos"
    opt.img_path = opt.source
    for name, size in PHOTO_SIZES.items():
        if name not in opt.given:
            setattr(opt, name, size)
    for split in SPLITS:
        if not is_ours(annotation_file(opt, split)) and load_annotations(annotation_file(opt, split)) != parts[split]:
            raise UserError(f"{legible(annotation_file(opt, split))} 已经有了，不是 prepare 写的，不敢盖掉：用 --caption-data-path 另给一个文件夹")
        check_place(feature_folder(opt), split)
        for item in islice(parts[split], 0, None, max(1, len(parts[split]) // SAMPLE)):
            read_image(source / item.image_id, opt.scale_size, opt.img_size)
    for split in SPLITS:
        if is_ours(annotation_file(opt, split)):
            save_ours(annotation_file(opt, split), parts[split])


def read_official(file: Path) -> list[Annotation]:
    """AI Challenger 的列表，或 COCO 式的 {"images": [...], "annotations": [...]}；两处的 id 一处是数、一处是文本也认。"""
    content = read_json(file)
    if isinstance(content, list):
        return load_annotations(file)
    try:
        names, captions = {}, defaultdict(list)
        for image in content["images"]:
            if names.setdefault(str(image["id"]), image["file_name"]) != image["file_name"]:
                raise UserError(f"{legible(file)} 的 images 里有两个 id={image['id']}：一张图只能有一个")
        if len(set(names.values())) < len(names):
            (twice, _), *_ = Counter(names.values()).most_common(1)
            raise UserError(f"{legible(file)} 的 images 里有两个 {twice}：一张图只能有一个")
        for row in content["annotations"]:
            if str(row["image_id"]) not in names:
                raise UserError(f"{legible(file)} 的 annotations 里有 image_id={row['image_id']!r}，images 里却没有这个 id")
            captions[names[str(row["image_id"])]].append(row["caption"])
    except (KeyError, TypeError) as error:
        missing = f"（缺 {error}）" if isinstance(error, KeyError) else ""
        raise UserError(f"{legible(file)} 既不是 AI Challenger 的列表，也不是 COCO 式的 images 加 annotations{missing}："
                        f"检查 --source，或重新运行 {PREPARE}") from None
    return [check_row(file, i, {"image_id": name, "caption": sentences})
            for i, (name, sentences) in enumerate(captions.items())]
