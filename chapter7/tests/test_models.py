import copy

import pytest
import torch as t
from helpers import PROJECT
from torch import nn
from torch.nn import functional as F

import gan
import models
from config import Config
from data import Avatars, to_input
from gan import average_gradients, build_netd, build_netg, calibrate, draw, sample, update_average
from losses import LOSSES, gradient_penalty
from utils.runtime import Runtime, setup

CPU = setup(False)


def count(net):
    return sum(p.numel() for p in net.parameters())


def test_parameter_counts_of_the_book():
    # 每层卷积 核² × 输入 × 输出，没有偏置；批归一化每通道两个
    assert count(models.NetG(100, 64)) == (
        16 * (100 * 512 + 512 * 256 + 256 * 128 + 128 * 64) + 25 * 64 * 3 + 2 * (512 + 256 + 128 + 64))
    assert count(models.NetD(64)) == (
        25 * 3 * 64 + 16 * (64 * 128 + 128 * 256 + 256 * 512 + 512) + 2 * (128 + 256 + 512))
    assert (round(count(models.NetG()) / 1e6, 2), round(count(models.NetD()) / 1e6, 2)) == (3.58, 2.77)


def test_layers_for_96_pixels_are_those_of_the_book():
    up = [m for m in models.NetG().main if isinstance(m, nn.ConvTranspose2d)]
    down = [m for m in models.NetD().main if isinstance(m, nn.Conv2d)]
    sizes = [(4, 1, 0), (4, 2, 1), (4, 2, 1), (4, 2, 1), (5, 3, 1)]
    assert [(m.kernel_size[0], m.stride[0], m.padding[0]) for m in up] == sizes
    assert [(m.kernel_size[0], m.stride[0], m.padding[0]) for m in down] == sizes[::-1]
    assert [m.out_channels for m in up] == [512, 256, 128, 64, 3]
    assert [m.in_channels for m in down] == [3, 64, 128, 256, 512]


@pytest.mark.parametrize("arch", ["dcgan", "residual"])
@pytest.mark.parametrize("side", [64, 96, 128])
def test_shapes(arch, side):
    opt = Config(arch=arch, image_size=side, ngf=4, ndf=4, nz=7)
    images = build_netg(opt)(t.randn(3, 7))
    assert images.shape == (3, 3, side, side)
    assert images.abs().max() <= 1
    for loss in LOSSES:
        opt.loss = loss
        assert build_netd(opt)(images).shape == (3,)


def test_the_texture_judge_scores_places_and_leaves_its_backbone_alone():
    judge = models.FeatureD()
    images = (t.rand(2, 3, 64, 64) * 2 - 1).requires_grad_()
    judge.heads.requires_grad_(True)
    judge.train()
    scores = judge(judge.look(images))
    assert scores.shape == (2, 45)
    scores.sum().backward()
    assert images.grad.abs().amax((1, 2, 3)).min() > 0                      # 生成器拿得到梯度
    assert all(p.grad is not None for p in judge.heads.parameters())
    assert all(p.grad is None for p in judge.backbone.parameters())
    assert not any(module.training for module in judge.backbone.modules())


def test_the_texture_judge_learns_to_see_faint_noise():
    """标准差 6 个灰度级的噪点，眼睛几乎看不见：训练几十步，没见过的图也分得清。"""
    t.manual_seed(0)
    avatars = to_input(Avatars(str(PROJECT / "data/avatars.zip"), 64, cache_mb=100)[list(range(96))])
    noisy = avatars + 6 / 127.5 * t.randn(avatars.shape)
    judge = models.FeatureD()
    optimizer = t.optim.Adam(judge.heads.parameters(), 5e-4, (0.0, 0.99))
    for _ in range(40):
        part = t.randint(64, (16,))
        loss, _, _ = LOSSES["hinge"].discriminator(judge, judge.look(avatars[part]), judge.look(noisy[part]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with t.no_grad():
        clean, spoilt = (judge(judge.look(some[64:])).mean(1) for some in (avatars, noisy))
    assert (clean[:, None] > spoilt[None]).float().mean() > 0.9


def test_initialisation():
    for net in (models.NetG(), models.NetD()):
        for module in net.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.06)
            if isinstance(module, nn.BatchNorm2d):
                assert module.weight.mean().item() == pytest.approx(1, abs=0.01)
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.35)
                assert not module.bias.any()


@pytest.mark.parametrize("arch", ["dcgan", "residual"])
def test_normalisation_follows_the_loss(arch):
    def kinds(loss):
        net = build_netd(Config(arch=arch, loss=loss, ndf=4))
        return (any(isinstance(m, nn.BatchNorm2d) for m in net.modules()),
                all(nn.utils.parametrize.is_parametrized(m, "weight") for m in net.modules()
                    if isinstance(m, (nn.Conv2d, nn.Linear))))
    assert kinds("bce") == (True, False)
    assert kinds("r1") == kinds("wgan-gp") == (False, False)
    assert kinds("hinge") == (False, True)


def test_without_batch_norm_a_score_depends_on_its_image_only():
    images = t.randn(4, 3, 64, 64)
    for loss, alone in (("bce", False), ("r1", True), ("wgan-gp", True)):
        t.manual_seed(0)
        net = build_netd(Config(loss=loss, ndf=4, image_size=64)).train()
        assert t.allclose(net(images)[:2], net(images[:2]), atol=1e-5) is alone


@pytest.mark.parametrize("loss", ["r1", "wgan-gp", "hinge"])
def test_without_batch_norm_the_score_still_sees_contrast(loss):
    """没有偏置时得分与对比度成正比，判别器就分不出画得浓还是淡。"""
    t.manual_seed(0)
    net = build_netd(Config(loss=loss, ndf=4, image_size=64))
    with t.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.02)
    images = t.randn(4, 3, 64, 64)
    full, half = net.eval()(images), net(images / 2)
    assert ((half - full / 2).abs() > 1e-3 * full.abs()).all() and net(images * 0).abs().min() > 0


def test_losses_by_formula():
    real, fake = t.tensor([2.0, -0.5, 0.3]), t.tensor([-3.0, 0.2, 1.5])

    def netd(x):                                        # 不看图，只给出定好的得分
        return real if x is images else fake if x is fakes else (x * 2).flatten(1).sum(1)
    images, fakes = t.zeros(3, 1, 2, 2), t.ones(3, 1, 2, 2)
    sigmoid = t.sigmoid
    expected = {
        "bce": (-(sigmoid(real).log().mean() + (1 - sigmoid(fake)).log().mean()), -sigmoid(fake).log().mean()),
        "hinge": ((0 + 1.5 + 0.7 + 0 + 1.2 + 2.5) / 3, -fake.mean()),
        # 斜率处处是 2，4 个像素：梯度长度 4，惩罚 (4 - 1)² × 10
        "wgan-gp": (fake.mean() - real.mean() + 90, -fake.mean()),
    }
    for name, (for_d, for_g) in expected.items():
        loss, given_real, given_fake = LOSSES[name].discriminator(netd, images, fakes)
        assert given_real is real and given_fake is fake
        t.testing.assert_close(loss, t.as_tensor(for_d), msg=name)
        t.testing.assert_close(LOSSES[name].generator(fake), t.as_tensor(for_g), msg=name)


def test_r1_is_bce_and_a_penalty_every_few_steps():
    def netd(x):                                        # 斜率处处是 2，4 个像素：梯度长度的平方是 16
        return (x * 2).flatten(1).sum(1)
    images, fakes = t.rand(3, 1, 2, 2), t.rand(3, 1, 2, 2) - 1
    plain, _, _ = LOSSES["bce"].discriminator(netd, images, fakes)
    for step, penalty in ((0, 4 * 5 / 2 * 16), (1, 0), (3, 0), (4, 160)):
        loss, _, _ = LOSSES["r1"].discriminator(netd, images, fakes, step)
        assert loss.item() == pytest.approx(plain.item() + penalty, rel=1e-5)


def test_gradient_penalty_reaches_the_weights():
    net = build_netd(Config(loss="wgan-gp", ndf=4, image_size=64))
    gradient_penalty(net, t.randn(2, 3, 64, 64), t.randn(2, 3, 64, 64)).backward()
    gradients = [p.grad.abs().sum() for p in net.parameters() if p.dim() > 1]
    assert min(gradients) > 0


def test_average_follows_the_weights():
    net = nn.Linear(2, 1)
    average = copy.deepcopy(net)
    start = average.weight.clone()
    with t.no_grad():
        net.weight += 1
    update_average(average, net, 0.9)
    t.testing.assert_close(average.weight, start + 0.1)


def test_calibration_matches_what_training_mode_sees():
    """校准以后，验证模式的输出分布与训练模式（用本批统计量）的接近；不校准则相差很远。"""
    t.manual_seed(0)
    net = models.NetG(8, 8, 64)
    with t.no_grad():
        for p in net.parameters():
            p.mul_(3)                                   # 权重变了，存着的统计量就不对了
    noise = t.randn(64, 8)
    with t.no_grad():
        right = copy.deepcopy(net).train()(noise)
        before = net.eval()(noise)
        calibrate(net, 8, t.device("cpu"))
        after = net(noise)
    assert not net.training
    assert F.mse_loss(after, right) < 0.1 * F.mse_loss(before, right)
    assert all(m.momentum == 0.1 for m in net.modules() if isinstance(m, nn.BatchNorm2d))


def test_sampling_does_not_depend_on_the_batch_size():
    net = models.NetG(8, 4, 64)
    noise = t.randn(10, 8)
    one, two = (sample(net, noise, CPU, size) for size in (10, 3))
    assert one.shape == (10, 3, 64, 64) and one.dtype == t.uint8
    assert (one.int() - two.int()).abs().max() <= 1


def mean_of_two(rank, file, results):
    t.distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    net = nn.Linear(3, 2)
    for p in net.parameters():
        p.grad = t.arange(p.numel()).view_as(p).float() * (rank + 1)
    average_gradients(net, Runtime(t.device("cpu"), rank, 2))
    results[rank] = [p.grad.tolist() for p in net.parameters()]
    t.distributed.destroy_process_group()


def test_gradients_of_two_processes_are_averaged(tmp_path):
    with t.multiprocessing.Manager() as manager:
        results = manager.dict()
        t.multiprocessing.spawn(mean_of_two, (tmp_path / "group", results), nprocs=2)
        weight, bias = results[0]
        assert results[0] == results[1]
        assert weight == [[0, 1.5, 3], [4.5, 6, 7.5]] and bias == [0, 1.5]


def test_of_many_pictures_only_the_best_are_kept(monkeypatch):
    """画一批挑一批，与全画出来再挑的相同；一次手里至多一批加上留下的。"""
    opt = Config(image_size=64, ngf=4, ndf=4, batch_size=8, gen_search_num=50, gen_num=5)
    netg, netd = build_netg(opt).eval(), build_netd(opt).eval()
    sizes = []
    monkeypatch.setattr(gan, "sample", lambda netg, noise, *more: (sizes.append(len(noise)), sample(netg, noise, *more))[1])
    noise, pictures = draw(netg, netd, opt, CPU)
    assert max(sizes) == 8 and sum(sizes) == 50
    gan.seed_step(opt.seed)
    everything = t.randn(50, opt.nz)
    drawn = sample(netg, everything, CPU, 8)
    with t.no_grad():
        best = t.cat([netd(to_input(part)) for part in drawn.split(8)]).topk(5).indices
    assert t.equal(noise, everything[best]) and t.equal(pictures, drawn[best])
