"""造出、载入和接着训练一个描述图片的网络。权重文件里有网络的选项、词表和图像网络，所以单凭它就能描述图片。"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch as t

import models
from config import Config
from data import Annotation, Features, Vocabulary, encode, make_encoder, read_image, segment
from search import Candidate, beam_search, greedy_search
from utils import Runtime, UserError, load_checkpoint

PROJECT = "caption"
SHIPPED = Path(__file__).parent / "checkpoints"
MODEL_OPTIONS = ("model", "embedding_dim", "rnn_hidden", "num_layers")
IMAGE_OPTIONS = ("encoder", "scale_size", "img_size")       # 与特征有关，权重只认这样的特征


@dataclass
class Captioner:
    """一个训练好的网络，和使用它要知道的一切。"""

    model: t.nn.Module
    vocabulary: Vocabulary
    path: Path
    encoder: str
    scale_size: int
    img_size: int
    cells: int                          # 特征的格数和维数
    channels: int


def build_model(config: Config, vocab_size: int, cells: int, channels: int) -> t.nn.Module:
    sizes = {"vocab_size": vocab_size, "channels": channels, "cells": cells, "embedding_dim": config.embedding_dim,
             "rnn_hidden": config.rnn_hidden, "dropout": config.dropout}
    if config.model == "CaptionModel":
        sizes["num_layers"] = config.num_layers
    return getattr(models, config.model)(**sizes)


def load_captioner(opt: Config, device: t.device) -> Captioner:
    """载入 opt.model_path（空则为自带的、opt.model 那一种）的权重。与亲手给出的选项不符时抛出 UserError。"""
    path = Path(opt.model_path) if opt.model_path else SHIPPED / f"{opt.model}.pth"
    content = load_checkpoint(path, PROJECT)
    check_same(opt, content["config"], path)
    config, vocabulary = Config(**content["config"]), Vocabulary(content["vocabulary"], content["repeated"])
    model = build_model(config, len(vocabulary), content["cells"], content["channels"])
    load_weights(model, content["model"], path)
    return Captioner(model.to(device).eval(), vocabulary, path, config.encoder, config.scale_size, config.img_size,
                     content["cells"], content["channels"])


def load_weights(model: t.nn.Module, weights: dict, path: str | Path) -> None:
    """把权重装进网络；名字或形状不符时抛出 UserError。"""
    try:
        model.load_state_dict(weights)
    except RuntimeError:
        raise UserError(f"{path} 里的权重与它自己记下的网络、词表或特征不符：文件被改动过，换一份权重") from None


def check_same(opt: Config, saved: dict, path: str | Path) -> None:
    """亲手给出的选项必须与权重的相同。"""
    for name in (*MODEL_OPTIONS, *IMAGE_OPTIONS):
        if name in opt.given and getattr(opt, name) != saved[name]:
            raise UserError(f"{path} 的 {name} 是 {saved[name]}，与给出的 {getattr(opt, name)} 不符："
                            "去掉这个选项，或换一份权重")


def starting_point(opt: Config, last: dict | None, items: list[Annotation],
                   features: Features) -> tuple[Vocabulary, dict | None]:
    """训练用的词表和初始权重：来自断点、--model-path（微调），或从训练集新建（权重为 None）。"""
    path, content = Path("runs") / opt.env / "last.pth", last
    if last and last["data"] != fingerprint(items):
        raise UserError(f"{path} 是用另一份数据训练的：换回原来的数据选项，或去掉 --resume")
    if not last and opt.model_path:
        path, content = Path(opt.model_path), load_checkpoint(opt.model_path, PROJECT)
        check_same(opt, content["config"], path)
        for name in MODEL_OPTIONS:
            setattr(opt, name, content["config"][name])
        for name in IMAGE_OPTIONS:
            if getattr(opt, name) != content["config"][name]:
                raise UserError(f"{path} 用的特征是 {name}={content['config'][name]}，与 {getattr(opt, name)} 不符：加上这个选项")
    if content is None:
        sentences = (segment(caption) for item in items for caption in item.captions)
        return Vocabulary.build(sentences, opt.min_appear, opt.max_words), None
    vocabulary = Vocabulary(content["vocabulary"], content["repeated"])
    check_vocabulary(vocabulary, items, path)
    check_shape(content["cells"], content["channels"], features, path)
    return vocabulary, content["model"]


def check_vocabulary(vocabulary: Vocabulary, items: list[Annotation], path: str | Path) -> None:
    """标注里的词有一成以上不认识时抛出 UserError：权重是用另一份数据训练的。"""
    words = [word for item in items for caption in item.captions for word in segment(caption)]
    unknown = [word for word in words if word not in vocabulary.index]
    if len(unknown) > 0.1 * len(words):
        shown = "、".join(sorted(set(unknown))[:5])
        raise UserError(f"{path} 的词表与数据不合：{len(unknown) / len(words):.0%} 的词不认识（{shown}……），"
                        "换一份权重，或用这份数据从头训练")


def check_data(captioner: Captioner, items: list[Annotation], features: Features) -> None:
    """权重与数据配不上时抛出 UserError。"""
    check_vocabulary(captioner.vocabulary, items, captioner.path)
    check_shape(captioner.cells, captioner.channels, features, captioner.path)


def check_shape(cells: int, channels: int, features: Features, path: str | Path) -> None:
    if (cells, channels) != (features.cells, features.channels):
        raise UserError(f"{path} 的特征是 {cells} 格 × {channels} 维，与数据的 {features.cells} × {features.channels} 不符："
                        "换一份权重，或改 --encoder、--img-size")


def check_folder(opt: Config, folder: Path) -> None:
    """数据不能放在这次训练的文件夹里：再次从头训练时，整个文件夹会改名。"""
    for name in ("caption_data_path", "img_path", "img_feature_path"):
        place = Path(getattr(opt, name)).resolve()
        if folder.resolve() in (place, *place.parents):
            raise UserError(f"--env={opt.env} 的结果要放在 {folder.as_posix()}，而数据也在那里：换一个 --env")


def fingerprint(items: list[Annotation]) -> str:
    """数据的指纹：各图的名字和描述依次相接的哈希。"""
    text = "\n".join("\t".join((item.image_id, *item.captions)) for item in items)
    return hashlib.sha256(text.encode()).hexdigest()


def search(captioner: Captioner, grid: t.Tensor, opt: Config) -> list[list[Candidate]]:
    """给一批图 (B, L, C) 各写几句，好的在前。beam_size 为 1 时是贪心。"""
    once = t.tensor(captioner.vocabulary.once(), device=grid.device)
    if opt.beam_size == 1:
        return greedy_search(captioner.model, grid, opt.max_caption_length, opt.length_norm, once)
    return beam_search(captioner.model, grid, opt.beam_size, opt.max_caption_length, opt.length_norm, once)


def describe(captioner: Captioner, paths: list[Path], opt: Config, runtime: Runtime) -> list[list[Candidate]]:
    """给一些图片文件各写几句。"""
    encoder = make_encoder(captioner.encoder).to(runtime.device)
    found = []
    for start in range(0, len(paths), opt.batch_size):
        images = t.stack([read_image(path, captioner.scale_size, captioner.img_size)
                          for path in paths[start:start + opt.batch_size]])
        found += search(captioner, encode(encoder, images, runtime), opt)
    return found
