"""四种对抗损失。判别器给真图的得分 real、给假图的得分 fake 都是 (B,)，越高越像真的。

每个类写明判别器怎样归一化（norm），以及适合它的学习率和 Adam 的 beta：没有在命令行上给出时就用这些。
"""

import torch as t
from torch.nn import functional as F

PENALTY = 10.0              # WGAN-GP 里梯度惩罚的权重，取论文的值
R1_GAMMA, R1_EVERY = 5.0, 4 # R1 惩罚的权重，和每几步算一次（算的那步乘以它，平均下来不变）


class BCE:
    """书中的损失：判别器是二分类，真为 1、假为 0；生成器想让假图被判为 1。

    Goodfellow et al., 2014, arXiv:1406.2661。生成器用的是论文 3 节末尾的「不饱和」写法：最小化 -log D(G(z))，
    而不是 log(1 - D(G(z)))，后者在判别器占上风时几乎没有梯度。
    """

    norm, lr, betas = "batch", 2e-4, (0.5, 0.999)

    @staticmethod
    def discriminator(netd, images, fakes, step=0) -> tuple[t.Tensor, t.Tensor, t.Tensor]:
        real, fake = netd(images), netd(fakes)          # 分两批送进去：批归一化的统计量不混
        loss = (F.binary_cross_entropy_with_logits(real, t.ones_like(real))
                + F.binary_cross_entropy_with_logits(fake, t.zeros_like(fake)))
        return loss, real, fake

    @staticmethod
    def generator(fake: t.Tensor) -> t.Tensor:
        return F.binary_cross_entropy_with_logits(fake, t.ones_like(fake))

    @staticmethod
    def show(score: t.Tensor) -> t.Tensor:
        """画曲线用的数：判别器给出的平均概率。"""
        return score.sigmoid().mean()


class R1(BCE):
    """BCE 加一项：真图处，得分对像素的梯度要小。Mescheder et al., 2018, arXiv:1801.04406。

    判别器占上风时，得分在真假之间成了悬崖，生成器顺着它只能乱跑；惩罚把悬崖磨成坡。判别器不再需要批归一化。
    隔几步才算一次惩罚，几乎不增加时间（Karras et al., 2020, arXiv:1912.04958 附录 B）。
    """

    norm, lr, betas = "none", 5e-4, (0.0, 0.99)

    @staticmethod
    def discriminator(netd, images, fakes, step=0) -> tuple[t.Tensor, t.Tensor, t.Tensor]:
        penalised = step % R1_EVERY == 0
        images = images.detach().requires_grad_(penalised)
        loss, real, fake = BCE.discriminator(netd, images, fakes)
        if penalised:
            gradient, = t.autograd.grad(real.sum(), images, create_graph=True)
            loss = loss + R1_EVERY * R1_GAMMA / 2 * (gradient ** 2).sum((1, 2, 3)).mean()
        return loss, real, fake


class Hinge:
    """铰链损失：得分过了 ±1 就不再推，判别器配谱归一化。Lim & Ye, 2017, arXiv:1705.02894；Miyato et al., 2018。"""

    norm, lr, betas = "spectral", 2e-4, (0.0, 0.9)

    @staticmethod
    def discriminator(netd, images, fakes, step=0) -> tuple[t.Tensor, t.Tensor, t.Tensor]:
        real, fake = netd(images), netd(fakes)
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean(), real, fake

    @staticmethod
    def generator(fake: t.Tensor) -> t.Tensor:
        return -fake.mean()

    @staticmethod
    def show(score: t.Tensor) -> t.Tensor:
        return score.mean()


class WGANGP(Hinge):
    """Wasserstein 距离加梯度惩罚：-loss（不计惩罚）是两个分布之间距离的估计。Gulrajani et al., 2017, arXiv:1704.00028。

    生成器那一半与铰链损失相同：让假图的得分高。
    """

    norm, lr, betas = "none", 2e-4, (0.0, 0.9)

    @staticmethod
    def discriminator(netd, images, fakes, step=0) -> tuple[t.Tensor, t.Tensor, t.Tensor]:
        real, fake = netd(images), netd(fakes)
        return fake.mean() - real.mean() + PENALTY * gradient_penalty(netd, images, fakes), real, fake


def gradient_penalty(netd, images: t.Tensor, fakes: t.Tensor) -> t.Tensor:
    """在真假图之间随机取一点，要求得分对像素的梯度长度为 1：E[(‖∇D(x̂)‖₂ - 1)²]。"""
    mix = t.rand(len(images), 1, 1, 1).to(images.device)        # 随机数在 CPU 上取，各种设备上都一样
    between = t.lerp(fakes.detach(), images, mix).requires_grad_()
    gradient, = t.autograd.grad(netd(between).sum(), between, create_graph=True)
    return ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()


LOSSES = {"bce": BCE, "r1": R1, "wgan-gp": WGANGP, "hinge": Hinge}
