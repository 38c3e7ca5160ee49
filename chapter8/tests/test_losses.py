"""三种损失：与照着公式一步步算的相同，并有该有的性质。"""

import pytest
import torch as t
from conftest import scene
from helpers import PROJECT

from config import Config
from data import to_tensor
from gatys import minimize, optimize
from losses import (
    CONTENT_LAYER,
    PerceptualLoss,
    edge_loss,
    gram_matrix,
    relative_error,
    total_variation,
)
from models import VGG16
from style import held_out, read_style, square_crops


def photo(width=48, height=40, seed=0):
    return to_tensor(scene(width, height, seed))[None].float()


@pytest.fixture
def vgg(random_vgg):
    return VGG16.pretrained()


def test_gram_matrix_by_hand():
    t.manual_seed(0)
    features = t.randn(2, 3, 4, 5)
    gram = gram_matrix(features)
    assert gram.shape == (2, 3, 3)
    for b in range(2):
        for i in range(3):
            for j in range(3):
                total = sum(features[b, i, y, x] * features[b, j, y, x] for y in range(4) for x in range(5))
                assert gram[b, i, j].item() == pytest.approx(total.item() / 20, abs=1e-5)


def test_gram_matrix_forgets_where_things_are():
    """把位置打乱，Gram 矩阵不变；大小不同的图也能比。"""
    t.manual_seed(0)
    features = t.randn(1, 6, 8, 8)
    shuffled = features.flatten(2)[..., t.randperm(64)].view(1, 6, 8, 8)
    t.testing.assert_close(gram_matrix(features), gram_matrix(shuffled))
    t.testing.assert_close(gram_matrix(features), gram_matrix(features.repeat(1, 1, 2, 3)))


def test_relative_error():
    target = t.tensor([[[3., 4.]], [[1., 2.]]])
    assert relative_error(target, target).tolist() == [0, 0]
    assert relative_error(0 * target, target).tolist() == [1, 1]
    value = t.tensor([[[4., 4.]], [[1., 0.]]])
    assert relative_error(value, target).tolist() == pytest.approx([1 / 25, 4 / 5])
    one = target[:1]                                                # 一个目标与一批比
    assert relative_error(value, one).tolist() == pytest.approx([1 / 25, (4 + 16) / 25])
    t.testing.assert_close(relative_error(1000 * value, 1000 * target), relative_error(value, target))


def test_total_variation_by_hand():
    image = t.zeros(1, 1, 2, 3)
    image[0, 0, 0, 1] = 255
    # 上下差 1 个非零，共 3 个；左右差 2 个非零，共 4 个
    assert total_variation(image).item() == pytest.approx(1 / 3 + 2 / 4)
    assert total_variation(t.full((2, 3, 8, 8), 77.)).tolist() == [0, 0]


def test_total_equals_the_formula_written_out(vgg):
    style, images, photos = photo(64, 32, 5), t.cat([photo(seed=1), photo(seed=2)]), t.cat([photo(seed=3), photo(seed=4)])
    perceptual = PerceptualLoss(vgg, style, content_weight=0.7, style_weight=2.5, tv_weight=0.3)
    losses = perceptual(images, perceptual.content_target(photos))
    assert losses.total.shape == losses.content.shape == losses.style.shape == (2,)
    with t.no_grad():
        for b in range(2):
            wanted = vgg(photos[b:b + 1])[1][0].double()            # relu2_2
            got = [f[0].double() for f in vgg(images[b:b + 1])]
            content = ((got[1] - wanted) ** 2).mean() / (wanted ** 2).mean()
            style_loss = 0
            for one, other in zip(got, vgg(style)):
                a, g = one.flatten(1), other[0].double().flatten(1)
                a, g = a @ a.T / a.shape[1], g @ g.T / g.shape[1]
                style_loss += (((a - g) ** 2).mean() / (g ** 2).mean()).sqrt() / 4
            x = images[b].double() / 255
            smooth = ((x[:, 1:] - x[:, :-1]) ** 2).mean() + ((x[:, :, 1:] - x[:, :, :-1]) ** 2).mean()
            assert losses.content[b].item() == pytest.approx(content.item(), rel=1e-3)
            assert losses.style[b].item() == pytest.approx(style_loss.item(), rel=1e-3)
            assert losses.total[b].item() == pytest.approx((0.7 * content + 2.5 * style_loss + 0.3 * smooth).item(), rel=1e-3)


def test_zero_for_the_photo_itself_and_for_the_painting_itself(vgg):
    style = photo(64, 32, 5)
    perceptual = PerceptualLoss(vgg, style, 1, 1, 0)
    losses = perceptual(photo(), perceptual.content_target(photo()))
    assert losses.content.item() < 1e-6 and losses.style.item() > 0.1
    style.requires_grad_()
    losses = perceptual(style, perceptual.content_target(style))
    assert losses.style.item() < 2e-3
    losses.total.sum().backward()
    assert style.grad.isfinite().all()                              # 平方根在 0 处的导数没有变成 nan


def test_content_target_stops_at_relu2_2(vgg):
    perceptual = PerceptualLoss(vgg, photo(), 1, 1, 0)
    target = perceptual.content_target(photo())
    t.testing.assert_close(target, vgg(photo())[CONTENT_LAYER])
    assert target.shape == (1, 128, 20, 24) and not target.requires_grad


def test_edge_loss_takes_the_colour_off_the_border():
    """一个在边上涂别的颜色的网络：只用这一项学几步，边上的颜色就与里面的一样；里面原来什么样，还是什么样。"""
    class Framed(t.nn.Module):
        def __init__(self):
            super().__init__()
            self.frame = t.nn.Parameter(t.tensor(60.))

        def forward(self, x):
            return x + self.frame * t.nn.functional.pad(t.zeros_like(x)[..., 4:-4, 4:-4], [4] * 4, value=1.0)

    net, photos = Framed(), photo()
    assert edge_loss(net, photos, net(photos)) > 0.01
    optimizer = t.optim.Adam(net.parameters(), 5)
    for _ in range(60):
        loss = edge_loss(net, photos, net(photos))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert net.frame.abs() < 2
    with t.no_grad():
        t.testing.assert_close(net(photos)[..., 4:-4, 4:-4], photos[..., 4:-4, 4:-4])


def test_gatys_lowers_the_loss_and_stays_in_range(vgg):
    perceptual = PerceptualLoss(vgg, photo(64, 32, 5), 1, 3, 0)
    start = photo()
    before = perceptual(start, perceptual.content_target(start)).total.item()
    image, losses = optimize(start, perceptual, 25)
    assert image.shape == start.shape and image.min() >= 0 and image.max() <= 255
    assert losses.total.item() < 0.6 * before
    t.testing.assert_close(start, photo())                          # 原来的照片没有被改动


def test_gatys_with_the_downloaded_weights(real_vgg):
    """真的 VGG16、真的画和照片：损失大降，照片没有丢。"""
    painting = read_style(Config(style_path=str(PROJECT / Config.style_path), style_size=256))
    start, = square_crops(held_out()[:1], 64).split(1)
    perceptual = PerceptualLoss(real_vgg, painting, 1, 5, 0)
    image, losses = optimize(start, perceptual, 40)
    before = perceptual(start, perceptual.content_target(start))
    assert losses.total.item() < 0.5 * before.total.item() and losses.content.item() < 0.7


def test_minimize_returns_the_best_of_all_it_saw():
    """快到底时 L-BFGS 可能一步跳开：损失在最小处附近是 |x - 100| 的，正是这样。"""
    seen = []

    def loss_of(image):
        loss = (image - 100).abs().sum()
        seen.append(loss.item())
        return loss
    start = photo(12, 8)
    image = minimize(loss_of, start, 40)
    assert image.shape == start.shape and image.min() >= 0 and image.max() <= 255
    assert loss_of(image).item() == pytest.approx(min(seen[:-1]), rel=1e-4)
    assert min(seen) < 0.2 * seen[0] and seen[-2] > 1.01 * min(seen)        # 最后一步不是最好的
