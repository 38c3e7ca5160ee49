"""网络：形状、参数个数、分块，以及 VGG16 的特征。"""

import pytest
import torch as t
from conftest import random_net, scene
from torch import nn
from torch.nn import functional as F

from config import Config
from data import to_tensor
from models import VGG16, TransformerNet
from models.transformer_net import InstanceNorm, pad_to_multiple
from models.vgg16 import BLOCKS
from painting import (
    MAX_SAMPLES,
    OVERLAP,
    SAMPLE_SIDE,
    paint,
    paint_tiles,
    run_net,
    sample_blocks,
)
from utils.runtime import setup

CPU = setup(False)


def photo(width, height, seed=0):
    return to_tensor(scene(width, height, seed))[None].float()


def test_number_of_parameters():
    assert sum(p.numel() for p in TransformerNet().parameters()) == 1_679_235
    assert sum(p.numel() for p in TransformerNet(16).parameters()) < 1_679_235 / 3.5


@pytest.mark.parametrize("size", [(64, 64), (1, 1), (2, 3), (4000, 10), (10, 4000), (5, 17), (16, 16), (63, 65), (101, 30)])
def test_any_size_in_same_size_out(size):
    net = random_net(4)
    x = t.rand(1, 3, *size) * 255
    with t.inference_mode():
        y = net(x)
    assert y.shape == x.shape
    assert y.isfinite().all()


def test_padding_mirrors_and_falls_back_on_the_edge():
    x = t.arange(5.).view(1, 1, 1, 5).expand(1, 1, 20, 5)
    assert pad_to_multiple(x, smallest=4)[0, 0, 0].tolist() == [0, 1, 2, 3, 4, 3, 2, 1]
    assert pad_to_multiple(x, smallest=16)[0, 0, 0].tolist() == [0, 1, 2, 3] + [4] * 12
    assert pad_to_multiple(x[..., :4], smallest=4).shape == (1, 1, 20, 4)


def test_starts_grey_and_one_step_moves_it_a_little():
    """没有训练过时近乎中灰；走一步，颜色挪动几级，不是挪不动，也不是冲出界。"""
    t.manual_seed(0)
    net, x = TransformerNet(), photo(62, 45)
    before = net(x)
    assert 100 < before.mean() < 155 and before.std() < 30
    optimizer = t.optim.Adam(net.parameters(), Config.lr)
    before.mean().backward()
    optimizer.step()
    with t.no_grad():
        moved = (before - net(x)).mean()
    assert 1 < moved < 40


def test_no_checkerboard_and_no_border():
    """在一块纯色上，最近邻放大加反射填充处处相同；换成转置卷积和补 0 就有格子和边框。"""
    t.manual_seed(0)
    flat = t.full((1, 8, 20, 20), 0.7)
    layer = TransformerNet(4).up[0]
    conv = nn.Conv2d(8, 3, 3)
    y = conv(F.pad(F.interpolate(flat, scale_factor=2), (1, 1, 1, 1), mode="reflect"))
    assert y.flatten(2).std(2).max() < 1e-5
    assert [type(module).__name__ for module in layer] == ["Upsample", "ReflectionPad", "Conv2d", "InstanceNorm"]
    bad = nn.ConvTranspose2d(8, 3, 3, stride=2)(flat)
    assert bad[..., 4:-4, 4:-4].flatten(2).std(2).max() > 1e-2
    zero = F.conv2d(flat, t.randn(3, 8, 3, 3), padding=1)
    assert zero.flatten(2).std(2).max() > 1e-2


def test_instance_norm_equals_the_formula():
    t.manual_seed(0)
    x = t.randn(2, 3, 7, 5) * 4 + 2
    norm = InstanceNorm(3)
    nn.init.normal_(norm.weight), nn.init.normal_(norm.bias)
    one = x[1, 2]
    by_hand = (one - one.mean()) / (one.var(correction=0) + norm.eps).sqrt() * norm.weight[2] + norm.bias[2]
    t.testing.assert_close(norm(x)[1, 2], by_hand)
    norm.mode = "record"
    pooled = x[:, 2]
    by_hand = (pooled - pooled.mean()) / (pooled.var(correction=0) + norm.eps).sqrt() * norm.weight[2] + norm.bias[2]
    t.testing.assert_close(norm(x)[:, 2], by_hand)
    norm.mode = "frozen"
    t.testing.assert_close(norm(x[:1])[:, 2], by_hand[:1])


def trained_looking(width=8, seed=0):
    """随机的网络，归一化的系数也随机，结果有对比。"""
    t.manual_seed(seed)
    net = random_net(width)
    for module in net.modules():
        if isinstance(module, InstanceNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5), nn.init.normal_(module.bias, std=0.3)
    return net


def test_receptive_field_is_below_the_overlap():
    """统计量固定时，一个像素影响不到 OVERLAP 以外：这是分块不露缝的根据。"""
    net = trained_looking(4)
    x = photo(260, 16)
    net.calibrate(x)
    y = x.clone()
    y[..., 130] = 255 - y[..., 130]
    with t.inference_mode():
        changed = (net(x) - net(y)).abs().amax((0, 1, 2)).nonzero().flatten()
    reach = max(130 - changed.min().item(), changed.max().item() - 130)
    assert 40 < reach < OVERLAP


@pytest.mark.parametrize("size", [(300, 200), (257, 130), (128, 131), (520, 20)])
def test_tiles_equal_the_whole_with_the_same_statistics(size):
    """统计量相同时，分块与整张的每个像素都相同（至多差一级，来自舍入）。"""
    net = trained_looking()
    x = photo(*size)
    net.calibrate(x)
    whole, parts = (paint_tiles(net, x[0].byte(), CPU, tile) for tile in (1024, 128))
    assert (whole.int() - parts.int()).abs().max() <= 1
    net.release()
    assert {module.mode for module in net.modules() if isinstance(module, InstanceNorm)} == {"own"}


@pytest.mark.parametrize("size", [(1, 1), (9, 1), (3, 40)])
def test_tiny_pictures_are_painted(size):
    assert paint_tiles(trained_looking(), photo(*size)[0].byte(), CPU, 1024).shape == (3, *size[::-1])


def test_painting_in_tiles_is_close_to_painting_the_whole():
    """统计量来自样本块时，与整张画的差远小于各块自己归一化时的，接缝处的落差也不比别处大。"""
    net = trained_looking()
    image = scene(700, 520, 3)
    whole = to_tensor(paint(net, image, CPU, 1024)).float()
    parts = to_tensor(paint(net, image, CPU, 256)).float()
    x = to_tensor(image)[None]
    rows = [t.cat([run_net(net, x[..., y:y + 256, left:left + 256], CPU) for left in range(0, 700, 256)], 3)
            for y in range(0, 520, 256)]
    own = t.cat(rows, 2)[0].float()                                 # 各块自己归一化
    assert (parts - whole).abs().mean() < 0.4 * (own - whole).abs().mean()

    def jump(picture):
        """竖着的接缝两边的落差，是整张画时同一处的几倍。"""
        steps = [(p[:, :, 1:] - p[:, :, :-1]).abs().mean((0, 1))[[255, 511]].mean() for p in (picture, whole)]
        return (steps[0] / steps[1]).item()
    assert jump(parts) < 1.3 < jump(own)


def test_sample_blocks_cover_evenly_and_stay_few():
    for height, width in ((2000, 3000), (10, 4000), (4000, 10), (300, 300), (5000, 1500)):
        image = t.arange(height * width).view(1, height, width).expand(3, -1, -1)
        blocks = sample_blocks(image)
        assert 1 <= len(blocks) <= MAX_SAMPLES and max(blocks.shape[2:]) <= SAMPLE_SIDE
        assert blocks[0, 0, 0, 0] == 0
        assert blocks[-1, 0, -1, -1] == height * width - 1          # 四角都取到


def test_vgg_shapes_and_depth():
    net = VGG16()
    features = net(t.rand(2, 3, 40, 48))
    assert [tuple(f.shape) for f in features] == [(2, 64, 40, 48), (2, 128, 20, 24), (2, 256, 10, 12), (2, 512, 5, 6)]
    assert len(net(t.rand(1, 3, 16, 16), 2)) == 2
    assert not any(p.requires_grad for p in net.parameters())
    assert [len(block) for block in net.blocks] == [len(widths) for widths in BLOCKS]


def test_vgg_sees_no_frame_around_the_picture():
    """纯色图的特征处处相同，直到四边和四角：补 0 的话，relu4_3 的边上差得远。"""
    t.manual_seed(0)
    with t.no_grad():
        for features in VGG16()(t.full((1, 3, 64, 64), 200.)):
            t.testing.assert_close(features, features[..., 4:5, 4:5].expand_as(features))


def test_vgg_equals_torchvision(monkeypatch, tmp_path):
    """同样的权重，特征与 torchvision 的 VGG16 相同：层数、激活、池化都没有错位。"""
    torchvision = pytest.importorskip("torchvision")
    import data.prepare as prepare
    from models import vgg16
    t.manual_seed(0)
    theirs = torchvision.models.vgg16(weights=None).eval()
    monkeypatch.setattr(torchvision.models, "vgg16", lambda weights: theirs)
    monkeypatch.setattr(vgg16, "WEIGHTS", tmp_path / "vgg16.pth")
    weights, mean, std = prepare.from_torchvision()
    prepare.save_vgg(weights, mean, std, "imagenet")
    ours = VGG16.pretrained()
    for conv in (module for module in ours.modules() if isinstance(module, t.nn.Conv2d)):
        conv.padding_mode = "zeros"                                 # 我们的补的是边上的像素，这里要比的是其余
    assert prepare.saved_source() == "imagenet"
    x = photo(48, 32)
    standard = (x / 255 - t.tensor(prepare.TORCHVISION_MEAN).view(1, 3, 1, 1)) / t.tensor(prepare.TORCHVISION_STD).view(1, 3, 1, 1)
    with t.no_grad():
        expected = []
        for i, layer in enumerate(theirs.features[:23]):
            standard = layer(standard)
            if i in (3, 8, 15, 22):                                 # relu1_2、2_2、3_3、4_3
                expected.append(standard)
        for one, other in zip(ours(x), expected, strict=True):
            assert (one - other).norm() < 5e-3 * other.norm()       # 存成了半精度


def test_the_downloaded_weights_see_edges(real_vgg):
    """prepare 取来的权重不是随机的：纯色图的第一层特征处处相同，有边的图在边上变化；四层都有响应。"""
    with t.no_grad():
        flat, edge = t.full((1, 3, 64, 64), 128.), t.full((1, 3, 64, 64), 40.)
        edge[..., 32:] = 220
        assert real_vgg(flat, 1)[0][..., 8:-8, 8:-8].flatten(2).std(2).max() < 1e-2
        change = real_vgg(edge, 1)[0][0, :, 32].std(1)
        assert change.max() > 10
        assert all(f.max() > 0 and f.isfinite().all() for f in real_vgg(photo(64, 64)))
