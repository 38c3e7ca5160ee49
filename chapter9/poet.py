"""造出、载入和接着训练一个诗人。权重文件里有网络的选项和词表，所以单凭它就能作诗。"""

import hashlib
from pathlib import Path

import torch as t

import models
from config import Config
from data import Vocabulary
from rules import with_code
from utils.checkpoint import load_checkpoint, load_state, saved_config
from utils.files import UserError, legible, say

PROJECT = "poet"
SHIPPED = {name: Path(__file__).parent / "checkpoints" / file for name, file in (("PoetryTransformer", "poet.pth"), ("PoetryModel", "charrnn.pth"))}
MODEL_OPTIONS = ("model", "embedding_dim", "hidden_dim", "num_layers", "num_heads", "tie_weights")


def build_model(config, vocabulary: Vocabulary) -> t.nn.Module:
    sizes = {"vocab_size": len(vocabulary), "embedding_dim": config.embedding_dim,
             "hidden_dim": config.hidden_dim, "num_layers": config.num_layers,
             "dropout": config.dropout, "tie_weights": config.tie_weights}
    if config.model == "PoetryTransformer":
        if config.embedding_dim % (2 * config.num_heads):
            raise UserError(f"--embedding-dim={config.embedding_dim} 要能被 2 × --num-heads={config.num_heads} 整除")
        sizes |= {"num_heads": config.num_heads}
    return getattr(models, config.model)(**sizes)


def load_model(opt: Config, device: t.device) -> tuple[t.nn.Module, Vocabulary]:
    """载入 opt.model_path（空则为自带的：亲手给出了 --model 就用那种网络的，否则用成绩最好的），返回网络和词表。
    与亲手给出的网络选项不符时抛出 UserError。"""
    path = opt.model_path or SHIPPED[opt.model if "model" in opt.given else "PoetryTransformer"]
    content = load_checkpoint(path, PROJECT)
    config = saved_config(Config, content["config"], path, MODEL_OPTIONS)
    _same_network(opt, config, path)
    vocabulary = Vocabulary(content["vocabulary"])
    model = build_model(config, vocabulary)
    load_state(model, content["model"], path)
    return model.to(device), vocabulary


def starting_point(opt: Config, last: dict | None, parts: dict) -> tuple[Vocabulary, dict | None]:
    """训练用的词表和初始权重：微调时来自 --model-path，不认得的字添在后面；接着训练时词表来自断点 last，不然从数据新建；后两种没有权重（None）。"""
    texts = [poem.text for part in parts.values() for poem in part]
    if last:
        return Vocabulary(last["vocabulary"]), None
    if not opt.model_path:
        return Vocabulary.build(texts), None
    content = load_checkpoint(opt.model_path, PROJECT)
    config = saved_config(Config, content["config"], opt.model_path, MODEL_OPTIONS)
    _same_network(opt, config, opt.model_path)
    for name in MODEL_OPTIONS:
        setattr(opt, name, getattr(config, name))
    vocabulary = Vocabulary(content["vocabulary"])
    model = build_model(config, vocabulary)
    load_state(model, content["model"], opt.model_path)
    new = vocabulary.unknown("".join(texts))
    if new:
        say(f"{legible(str(opt.model_path))} 的词表里没有 {len(new)} 个字（{shorten(new)}），添进去一起学")
    return Vocabulary(vocabulary.characters + "".join(new)), widen(model.state_dict(), len(new))


def widen(weights: dict[str, t.Tensor], count: int) -> dict[str, t.Tensor]:
    """词表添了 count 个字以后的权重：输入、输出层各添 count 行，都是原有各行的平均，得分就不会离谱
    （Hewitt，Initializing new word embeddings for pretrained language models，2021）。"""
    return {name: t.cat([value, *[value.mean(0, keepdim=True)] * count]) if name.startswith(("embeddings.", "linear.")) else value
            for name, value in weights.items()}


def check_poems(poems: list, vocabulary: Vocabulary) -> None:
    """诗里有词表以外的字时抛出 UserError：这份权重属于另一个词表。"""
    if not poems:
        raise UserError("测试集里一首诗也没有：放宽 --author、--constrain 等筛选，或多添几首")
    unknown = vocabulary.unknown("".join(poem.text for poem in poems))
    if unknown:
        raise UserError(f"权重的词表与数据不合：数据里有 {len(unknown)} 个字不在词表中（{shorten(unknown)}），"
                        "用 --data-path 给出它学的那份，换一份权重，或用这份数据训练")


def shorten(characters: list[str]) -> str:
    return " ".join(map(with_code, characters[:10])) + (" …" if len(characters) > 10 else "")


def fingerprint(parts: dict) -> str:
    """数据的指纹：训练集、验证集各首诗依次相接的哈希。"""
    return ":".join(hashlib.sha256("\n".join(poem.text for poem in parts[name]).encode()).hexdigest() for name in ("train", "val"))


def _same_network(opt: Config, saved: Config, path) -> None:
    for name in MODEL_OPTIONS:
        if name in opt.given and getattr(opt, name) != getattr(saved, name):
            raise UserError(f"{path} 的 {name} 是 {getattr(saved, name)}，与给出的 {getattr(opt, name)} 不符："
                            "去掉这个选项，或换一份权重")
