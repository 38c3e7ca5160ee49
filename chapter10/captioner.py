"""造出、载入和接着训练一个网络。权重文件里有网络的选项、词表和图像网络，所以单凭它就能描述图片。"""

import difflib
import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch as t

import models
from config import Config
from data import Annotation, Features, Vocabulary, segment
from search import Candidate, beam_search, greedy_search
from utils.checkpoint import load_checkpoint, load_state, saved_config
from utils.files import UserError, legible

PROJECT = "caption"
SHIPPED = Path(__file__).parent / "checkpoints"
MODEL_OPTIONS = ("model", "embedding_dim", "rnn_hidden", "num_layers")
IMAGE_OPTIONS = ("encoder", "scale_size", "img_size")       # 与特征有关，权重只认这样的特征
SAVED_OPTIONS = (*MODEL_OPTIONS, *IMAGE_OPTIONS, "dropout", "caption_data_path")     # 用一份权重，要知道它记下的这些


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
    of_scenes: bool                     # 是在自带的场景上训练的


def build_model(config: Config, vocab_size: int, cells: int, channels: int) -> t.nn.Module:
    sizes = {"vocab_size": vocab_size, "channels": channels, "cells": cells, "embedding_dim": config.embedding_dim,
             "rnn_hidden": config.rnn_hidden, "dropout": config.dropout}
    if config.model == "CaptionModel":
        sizes["num_layers"] = config.num_layers
    return getattr(models, config.model)(**sizes)


def weights_at(name: str) -> Path:
    """--model-path 给出的权重：一个文件，或随书的一份权重的名字。名字不对时抛出 UserError，列出有哪些。"""
    shipped = sorted(path.stem for path in SHIPPED.glob("*.pth"))
    if Path(name).is_file():
        return Path(name)
    if name.removesuffix(".pth") in shipped:
        return SHIPPED / f"{name.removesuffix('.pth')}.pth"
    near = difflib.get_close_matches(name.lower(), [word.lower() for word in shipped], n=1)
    near = [word for word in shipped if word.lower() in near]
    raise UserError(f"找不到权重 {legible(name)}{f'，是不是 {near[0]}？' if near else '。'}"
                    f"--model-path 可以是一个 .pth 文件，或随书的权重的名字：{'、'.join(shipped)}")


def read_weights(path: Path) -> tuple[dict, Config, Vocabulary]:
    """一份权重的内容，其中写明的选项和词表。读不出来，或写明的不成样子时抛出 UserError。"""
    content = load_checkpoint(path, PROJECT)
    try:
        saved = saved_config(Config, content["config"], path, SAVED_OPTIONS)
        config = Config().parse({name: getattr(saved, name) for name in SAVED_OPTIONS})     # 检查类型和范围
        vocabulary = Vocabulary(content["vocabulary"], content["repeated"])
        if not (content["model"] and isinstance(content["model"], dict)) or not all(isinstance(word, str) for word in vocabulary.words):
            raise TypeError("model、vocabulary 不对")
    except (UserError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{legible(path)} 里写明的网络或词表不成样子（{error}）：文件被改动过，换一份权重") from None
    return content, config, vocabulary


def load_captioner(opt: Config, device: t.device) -> Captioner:
    """载入 opt.model_path（空则为自带的、opt.model 那一种）的权重。与亲手给出的选项不符时抛出 UserError。"""
    path = weights_at(opt.model_path or opt.model)
    content, config, vocabulary = read_weights(path)
    check_same(opt, config, path)
    try:
        model = build_model(config, len(vocabulary), content["cells"], content["channels"])
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{legible(path)} 里写明的网络造不出来（{error}）：文件被改动过，换一份权重") from None
    load_state(model, content["model"], path)
    return Captioner(model.to(device).eval(), vocabulary, path, config.encoder, config.scale_size, config.img_size,
                     content["cells"], content["channels"], config.caption_data_path == Config.caption_data_path)


def check_same(opt: Config, saved: Config, path: Path) -> None:
    """亲手给出的选项必须与权重的相同。"""
    for name in (*MODEL_OPTIONS, *IMAGE_OPTIONS):
        if name in opt.given and getattr(opt, name) != getattr(saved, name):
            raise UserError(f"{legible(path)} 的 {name} 是 {getattr(saved, name)}，与给出的 {getattr(opt, name)} 不符："
                            "去掉这个选项，或换一份权重")


def check_given(opt: Config) -> None:
    """微调（train --model-path）之前先看看给的权重：网络照它的，图像特征的选项要与它相同，不然抛出 UserError。"""
    if not opt.model_path or opt.resume:
        return
    path = weights_at(opt.model_path)
    _, config, _ = read_weights(path)
    check_same(opt, config, path)
    for name in MODEL_OPTIONS:
        setattr(opt, name, getattr(config, name))
    for name in IMAGE_OPTIONS:
        if getattr(opt, name) != getattr(config, name):
            raise UserError(f"{legible(path)} 用的特征是 {name}={getattr(config, name)}，与 {getattr(opt, name)} 不符：加上这个选项")


def starting_point(opt: Config, last: dict | None, items: list[Annotation],
                   features: Features) -> tuple[Vocabulary, dict | None]:
    """训练用的词表和初始权重：微调时来自 --model-path，接着训练时词表来自断点 last，不然从训练集新建；后两种没有权重（None）。"""
    path = Path("runs") / opt.env / "last.pth" if last else weights_at(opt.model_path) if opt.model_path else None
    if not path:
        sentences = (segment(caption) for item in items for caption in item.captions)
        return Vocabulary.build(sentences, opt.min_appear, opt.max_words), None
    content, _, vocabulary = read_weights(path)
    check_vocabulary(vocabulary, items, path)
    check_shape(content["cells"], content["channels"], features, path)
    return vocabulary, None if last else content["model"]


def check_vocabulary(vocabulary: Vocabulary, items: list[Annotation], path: Path) -> None:
    """标注里的词有一成以上不认识时抛出 UserError：权重是用另一份数据训练的。"""
    words = [word for item in items for caption in item.captions for word in segment(caption)]
    unknown = [word for word in words if word not in vocabulary.index]
    if len(unknown) > 0.1 * len(words):
        shown = "、".join(sorted(set(unknown))[:5])
        raise UserError(f"{legible(path)} 的词表与数据不合：{len(unknown) / len(words):.0%} 的词不认识（{shown}……），"
                        "换一份权重，或改 --caption-data-path 等数据选项，或用这份数据从头训练")


def check_shape(cells: int, channels: int, features: Features, path: Path) -> None:
    if (cells, channels) != (features.cells, features.channels):
        raise UserError(f"{legible(path)} 的特征是 {cells} 格 × {channels} 维，与数据的 {features.cells} × {features.channels} 不符："
                        "换一份权重，或改 --encoder、--img-size")


def check_folder(opt: Config, folder: Path) -> None:
    """数据不能放在这次训练的文件夹里：再次从头训练时，整个文件夹会改名。"""
    for name in ("caption_data_path", "img_path", "img_feature_path"):
        place = Path(getattr(opt, name)).resolve()
        if getattr(opt, name) and folder.resolve() in (place, *place.parents):
            raise UserError(f"--env={legible(opt.env)} 的结果要放在 {legible(folder)}，而数据也在那里：换一个 --env")


def fingerprint(items: list[Annotation]) -> str:
    """数据的指纹：各图的名字和描述依次相接的哈希。"""
    text = "\n".join("\t".join((item.image_id, *item.captions)) for item in items)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def search(captioner: Captioner, grid: t.Tensor, opt: Config) -> list[list[Candidate]]:
    """给一批图 (B, L, C) 各写几句，好的在前。beam_size 为 1 时是贪心。"""
    once = t.tensor(captioner.vocabulary.once(), device=grid.device)
    if opt.beam_size == 1:
        return greedy_search(captioner.model, grid, opt.max_caption_length, opt.length_norm, once)
    return beam_search(captioner.model, grid, opt.beam_size, opt.max_caption_length, opt.length_norm, once)
