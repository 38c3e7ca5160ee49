"""只凭一层特征还原照片，只凭 Gram 矩阵造出纹理：python reconstruction.py，结果存到 checkpoints/reconstructions.npz。

要走到不再变好为止，一个 CPU 核约 4 分钟，所以算好了随书，style.ipynb 只看结果。
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch as t

from data import fit_within, to_tensor
from data.pictures import open_picture
from gatys import minimize
from losses import gram_matrix, relative_error
from models import VGG16
from models.vgg16 import TAPS

HERE = Path(__file__).parent
PHOTO = HERE / "data" / "heldout" / "neuschwansteincastle.webp"
PAINTING = HERE / "data" / "paintings" / "cafe_terrace.webp"
RESULT = HERE / "checkpoints" / "reconstructions.npz"
PHOTO_SIDE, PAINTING_SIDE, TEXTURE_SIDE = 112, 256, 128         # 像素
STEPS = 300


def load(path: Path, side: int) -> t.Tensor:
    """一张图 (1, 3, H, W)，float，0 到 255，最长边不超过 side。"""
    return to_tensor(fit_within(open_picture(path), side))[None].float()


def noise_like(image: t.Tensor) -> t.Tensor:
    """与 image 一样大的灰噪声，每次都相同。"""
    return 128 + 20 * t.randn(image.shape, generator=t.Generator().manual_seed(0))


def content_loss(vgg: VGG16, photo: t.Tensor, depth: int) -> Callable[[t.Tensor], t.Tensor]:
    """图与照片在第 depth 层（从 0 数起）特征的相对误差。"""
    with t.no_grad():
        target = vgg(photo, depth + 1)[depth]
    return lambda image: relative_error(vgg(image, depth + 1)[depth], target).sum()


def texture_loss(vgg: VGG16, painting: t.Tensor, depth: int) -> Callable[[t.Tensor], t.Tensor]:
    """图与画在前 depth + 1 层 Gram 矩阵的相对误差，各层平均。"""
    with t.no_grad():
        grams = [gram_matrix(features) for features in vgg(painting, depth + 1)]
    return lambda image: sum(relative_error(gram_matrix(features), gram).sum()
                             for features, gram in zip(vgg(image, depth + 1), grams)) / len(grams)


def main() -> None:
    vgg, photo, painting = VGG16.pretrained(), load(PHOTO, PHOTO_SIDE), load(PAINTING, PAINTING_SIDE)
    canvas = t.empty(1, 3, TEXTURE_SIDE, TEXTURE_SIDE)
    pictures = {}
    for depth, name in enumerate(TAPS):
        for kind, loss_of, start in (("photo", content_loss(vgg, photo, depth), photo),
                                     ("texture", texture_loss(vgg, painting, depth), canvas)):
            image = minimize(loss_of, noise_like(start), STEPS)
            with t.no_grad():
                print(f"{name} {kind} 损失 {loss_of(image).item():.4f}", flush=True)
            pictures[f"{kind}_{name}"] = image[0].round().byte().numpy()
    np.savez_compressed(RESULT, **pictures)


if __name__ == "__main__":
    main()
