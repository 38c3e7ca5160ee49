"""generate 的内容：给图片文件写话，算出每个词的概率。"""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from pathlib import Path

import torch as t

from captioner import SHIPPED, Captioner, load_captioner, search
from config import Config
from data import encode, make_encoder, read_image
from data.pictures import find_pictures
from search import Candidate, log_probs
from utils.files import UserError
from utils.runtime import Runtime

SHOWN = 3                               # 每张图显示几个候选
PHOTOS = "photos"                       # 随书的权重里，认得照片的那一份；其余的认得画出来的场景
OUR_SCENES, OUR_PHOTOS = (SHIPPED.with_name("data") / name for name in ("examples", "photos"))      # 随书的图


@dataclass
class Described:
    """一张图片和写好的话。"""

    path: Path
    candidates: list[Candidate]         # 好的在前
    probs: list[float]                  # 第一句里每个词的概率，不含 <eos>


def things_to_describe(opt: Config, device: t.device) -> list[tuple[Captioner, list[Path]]]:
    """要描述的图片，和各用哪一份权重。没有给出的，画出来的场景用认得场景的，别的用认得照片的。"""
    chosen = opt.model_path or "model" in opt.given
    if opt.test_img:
        paths = find_pictures(opt.test_img, "--test-img", recursive=False)
        drawn = any(place.resolve() in paths[0].resolve().parents for place in (OUR_SCENES, Path(Config.img_path)))
        return [(load_captioner(opt if chosen or drawn else with_weights(opt, PHOTOS), device), paths)]
    captioners = [load_captioner(opt, device)]
    if not chosen:
        captioners.append(load_captioner(with_weights(opt, PHOTOS), device))
    return [(captioner, find_pictures(OUR_SCENES if captioner.of_scenes else OUR_PHOTOS, "--test-img")) for captioner in captioners]


def with_weights(opt: Config, model_path: str) -> Config:
    opt = copy(opt)
    opt.model_path = model_path
    return opt


def describe(captioner: Captioner, paths: list[Path], opt: Config, runtime: Runtime, bad: list[str]) -> Iterator[Described]:
    """给一些图片文件各写几句。读不出来的跳过，为什么读不出来加到 bad 里。"""
    encoder = make_encoder(captioner.encoder).to(runtime.device)
    for start in range(0, len(paths), opt.batch_size):
        good, images = [], []
        for path in paths[start:start + opt.batch_size]:
            try:
                images.append(read_image(path, captioner.scale_size, captioner.img_size))
                good.append(path)
            except UserError as error:
                bad.append(str(error))
        if good:
            grid = encode(encoder, t.stack(images), runtime)
            found = search(captioner, grid, opt)
            yield from map(Described, good, found, word_probs(captioner.model, grid, [candidates[0].ids for candidates in found]))


@t.inference_mode()
def word_probs(model: t.nn.Module, grid: t.Tensor, sentences: list[list[int]]) -> list[list[float]]:
    """写每句话里每个词时它的概率（前面的词都已写下），不含句末的 <eos>。grid (B, L, C)；每张图一句，以 <eos> 结尾。"""
    found = [[] for _ in sentences]
    scores, state, _ = model.start(grid)
    for i in range(max(map(len, sentences)) - 1):
        words = t.tensor([ids[min(i, len(ids) - 1)] for ids in sentences], device=grid.device)     # 写完的句子陪跑
        probs = log_probs(scores).exp().gather(1, words[:, None])[:, 0].tolist()
        for j, ids in enumerate(sentences):
            if i < len(ids) - 1:
                found[j].append(probs[j])
        scores, state, _ = model.step(words, state)
    return found
