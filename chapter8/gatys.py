"""Gatys 的慢办法：不训练网络，直接优化一张图的像素。"""

from collections.abc import Callable

import torch as t
from tqdm import tqdm

from losses import Losses, PerceptualLoss


def optimize(photo: t.Tensor, perceptual: PerceptualLoss, steps: int) -> tuple[t.Tensor, Losses]:
    """从照片 (1, 3, H, W)（0 到 255）出发，走 steps 步，返回画 (1, 3, H, W) 和它的损失。

    Gatys et al., 2015, arXiv:1508.06576。每一步算一次损失和梯度，各走一遍 VGG 的前向和反向，所以慢。
    """
    target = perceptual.content_target(photo)
    picture = minimize(lambda image: perceptual(image, target).total.sum(), photo, steps)
    with t.no_grad():
        return picture, perceptual(picture, target)


def minimize(loss_of: Callable[[t.Tensor], t.Tensor], image: t.Tensor, steps: int) -> t.Tensor:
    """从图 (1, 3, H, W)（0 到 255）出发，用 L-BFGS 改动像素 steps 步，使 loss_of(图) 变小，返回走过的图里损失最小的。"""
    # 像素以 0 到 1 计：L-BFGS 的第一步，各像素的变动加起来至多是 1，以 0–255 计就小得改不动浮点数
    image = (image / 255).clone(memory_format=t.contiguous_format).requires_grad_()     # 它要看成一个长向量
    optimizer = t.optim.LBFGS([image], max_iter=1, history_size=20, tolerance_grad=0, tolerance_change=0)
    best, smallest = None, float("inf")             # 步长没有试过（没有线搜索），快到底时可能一步跳开，再也回不来

    def closure() -> t.Tensor:
        nonlocal best, smallest
        with t.no_grad():
            image.clamp_(0, 1)
        optimizer.zero_grad()
        loss = loss_of(255 * image)
        loss.backward()
        if loss.item() < smallest:
            best, smallest = image.detach().clone(), loss.item()
        return loss

    bar = tqdm(range(steps), "优化像素", unit="步", leave=False, delay=1, disable=None)      # 不是终端就不画
    for _ in bar:
        bar.set_postfix(loss=f"{optimizer.step(closure).item():.3f}")
    return 255 * best
