import pytest
import torch as t

from metrics import (
    MAIN,
    extract,
    frechet_distance,
    gaussian,
    load_reference,
    make_judge,
    nearest,
    precision_recall,
    save_reference,
)
from models import VGG16
from pictures import grid, walk
from utils.checkpoint import save_checkpoint
from utils.files import UserError
from utils.runtime import setup


def test_distance_between_two_gaussians():
    """两个一维正态分布之间是 (μ₁-μ₂)² + (σ₁-σ₂)²；多维独立时逐维相加。"""
    t.manual_seed(0)
    noise = t.randn(200_000, 3, dtype=t.float64)
    one, two = noise[:100_000], noise[100_000:] * t.tensor([1.0, 2.0, 0.5]) + t.tensor([0.0, 1.0, 3.0])
    one, two = gaussian(one), gaussian(two)
    assert frechet_distance(one, two) == pytest.approx(0 + 1 + 1 + 9 + 0.25, rel=0.02)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(one, two) == pytest.approx(frechet_distance(two, one), rel=1e-6)


def test_distance_with_correlated_features():
    """维数间相关、且方差矩阵不可交换时，与直接对 Σ₁Σ₂ 求特征值的结果相同。"""
    t.manual_seed(1)
    one = t.randn(4000, 5, dtype=t.float64) @ t.randn(5, 5, dtype=t.float64)
    two = t.randn(4000, 5, dtype=t.float64) @ t.randn(5, 5, dtype=t.float64) + 1
    gap = one.mean(0) - two.mean(0)
    product = t.cov(one.T) @ t.cov(two.T)
    expected = gap @ gap + t.cov(one.T).trace() + t.cov(two.T).trace() - 2 * t.linalg.eigvals(product).sqrt().real.sum()
    assert frechet_distance(gaussian(one), gaussian(two)) == pytest.approx(expected.item(), rel=1e-8)


def test_precision_and_recall():
    t.manual_seed(0)
    real = t.randn(600, 4, dtype=t.float64)
    same = t.randn(600, 4, dtype=t.float64)
    narrow = t.randn(600, 4, dtype=t.float64) * 0.2         # 都像真的，但只有中间一小块：精确率高，召回率低
    far = same + 50
    assert min(precision_recall(real, same)) > 0.8
    precision, recall = precision_recall(real, narrow)
    assert precision > 0.9 and recall < 0.2
    assert precision_recall(real, far) == (0, 0)


def test_a_copy_is_found():
    t.manual_seed(0)
    training = t.randint(0, 256, (50, 3, 48, 48), dtype=t.uint8)
    images = t.randint(0, 256, (4, 3, 48, 48), dtype=t.uint8)
    images[2] = training[33]
    index, distance = nearest(images, training)
    assert index[2] == 33 and distance.argmin() == 2
    assert distance[2] < 1 < 10 < distance[0]


class Recorder(t.utils.data.Dataset):
    """记下每次取了几张。"""

    def __init__(self, pictures: t.Tensor):
        self.pictures, self.taken = pictures, []

    def __getitem__(self, indices: list[int]) -> t.Tensor:
        self.taken.append(len(indices))
        return self.pictures[indices]

    def __len__(self) -> int:
        return len(self.pictures)


def test_large_sets_are_compared_part_by_part(monkeypatch):
    """一段一段地比，与一次比完的相同；训练集从不整个取出来。"""
    t.manual_seed(0)
    training, images = (t.randint(0, 256, (count, 3, 30, 30), dtype=t.uint8) for count in (53, 40))
    images[7] = training[52]
    real, fake = t.randn(150, 4, dtype=t.float64), t.randn(130, 4, dtype=t.float64)
    found = []
    for size in (1000, 8):
        monkeypatch.setattr("metrics.CHUNK", size)
        recorder = Recorder(training)
        found.append((*nearest(images, recorder), t.tensor(precision_recall(real, fake))))
        assert max(recorder.taken) == min(size, 53) and sum(recorder.taken) == 53
    for whole, parts in zip(*found):
        t.testing.assert_close(whole, parts)
    assert found[0][0][7] == 52


def test_features_of_an_image_do_not_depend_on_the_others():
    images = t.randint(0, 256, (5, 3, 40, 40), dtype=t.uint8)
    judge = make_judge(t.device("cpu"))
    features = extract(images, judge, setup(False), "")[MAIN]
    assert features.shape == (5, 1280)
    t.testing.assert_close(extract(images[3:], judge, setup(False), "")[MAIN], features[3:], atol=1e-4, rtol=1e-3)


def test_a_second_network_judges_too(tmp_path):
    """给出 VGG16 的权重，就多两层特征；文件坏了、不是它，一行话。"""
    t.manual_seed(0)
    save_checkpoint(tmp_path / "vgg16.pth", {"project": "vgg16", "model": VGG16().state_dict()})
    judge = make_judge(t.device("cpu"), str(tmp_path / "vgg16.pth"))
    features = extract(t.randint(0, 256, (3, 3, 32, 32), dtype=t.uint8), judge, setup(False), "")
    assert {name: part.shape[1] for name, part in features.items()} == {MAIN: 1280, "VGG16 relu3_3": 256, "VGG16 relu4_3": 512}
    save_checkpoint(tmp_path / "half.pth", {"project": "vgg16", "model": {}})
    for name, says in (("half.pth", "half.pth"), ("nowhere.pth", "--vgg-path")):
        with pytest.raises(UserError, match=says):
            make_judge(t.device("cpu"), str(tmp_path / name))


def test_the_reference_without_its_pictures(tmp_path):
    """存下均值和协方差，再读出来，算出的 FID 与用图片算的相同。"""
    t.manual_seed(0)
    real, fake = (t.randn(200, 6, dtype=t.float64) @ t.randn(6, 6, dtype=t.float64) for _ in range(2))
    path = str(tmp_path / "reference.pth")
    save_reference(path, {MAIN: gaussian(real)}, 200)
    reference, count = load_reference(path)
    assert count == 200
    assert frechet_distance(reference[MAIN], gaussian(fake)) == pytest.approx(frechet_distance(gaussian(real), gaussian(fake)), rel=1e-4)
    content = t.load(path, weights_only=True)
    content["features"][MAIN]["upper"] = content["features"][MAIN]["upper"][:-1]
    save_checkpoint(path, content)
    with pytest.raises(UserError, match="--save-ref"):
        load_reference(path)


def test_grid():
    images = t.arange(5, dtype=t.uint8).view(5, 1, 1, 1).expand(5, 3, 8, 8) * 40
    sheet = grid(images)
    assert sheet.size == (3 * 10 + 2, 2 * 10 + 2)
    assert [sheet.getpixel((2 + i % 3 * 10, 2 + i // 3 * 10))[0] for i in range(6)] == [0, 40, 80, 120, 160, 255]
    assert grid(images, columns=5).size == (52, 12)


def test_walk_keeps_the_length():
    t.manual_seed(0)
    start, end = t.randn(2, 100)
    path = walk(start, end, 9)
    t.testing.assert_close(path[0], start)
    t.testing.assert_close(path[-1], end)
    lengths = path.norm(dim=1)
    straight = t.lerp(start, end, 0.5).norm()
    assert straight < 0.85 * start.norm() and lengths.min() > 0.9 * min(start.norm(), end.norm())
    t.testing.assert_close(walk(start, start, 3), start.expand(3, 100))
