import math

import pytest
import torch as t
import torchvision

import models
from classifier import build_model
from evaluation import Part
from models.basic_module import BasicModule
from utils.checkpoint import save_checkpoint
from utils.files import UserError


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name, parameters", [
    ("AlexNet", 61_100_840), ("ResNet34", 21_797_672), ("SqueezeNet", 1_235_496), ("EfficientNetLite0", 4_652_008)])
def test_size_with_1000_classes(name, parameters):
    with t.device("meta"):
        assert count(getattr(models, name)(num_classes=1000)) == parameters


@pytest.mark.parametrize("name", models.__all__)
def test_output_is_one_score_for_each_class(name):
    model = build_model(name).eval()
    assert isinstance(model, BasicModule)
    assert any(key.startswith(model.head) for key, _ in model.named_parameters())
    side = max(64, model.min_size)
    scores = model(t.randn(2, 3, side, side + 1))
    assert scores.shape == (2, 2)
    assert scores.isfinite().all()


@pytest.mark.parametrize("name, reference", [("ResNet34", "resnet34"), ("SqueezeNet", "squeezenet1_1")])
def test_same_weights_same_output_as_torchvision(name, reference):
    t.manual_seed(0)
    theirs = getattr(torchvision.models, reference)().eval()
    ours = getattr(models, name)(num_classes=1000).eval()
    ours.load_state_dict(ours.rename(theirs.state_dict()))
    x = t.randn(2, 3, 96, 96)
    t.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-5)


def test_alexnet_has_the_names_of_torchvision():
    with t.device("meta"):
        assert models.AlexNet(1000).state_dict().keys() == torchvision.models.alexnet().state_dict().keys()


def test_imagenet_weights_fit_but_for_the_head():
    weights = models.EfficientNetLite0.imagenet_weights()
    models.EfficientNetLite0(num_classes=1000).load_state_dict(weights)
    model = models.EfficientNetLite0(num_classes=2)
    head = model._fc.weight.clone()
    model.load_pretrained()
    assert t.equal(model._fc.weight, head)
    assert t.equal(model._conv_stem.weight, weights["_conv_stem.weight"])


def test_same_padding_gives_the_rounded_up_size():
    from models.efficientnet_lite0 import SameConv2d
    for side in (7, 8, 9, 112):
        for size, stride in ((3, 1), (3, 2), (5, 2), (1, 1)):
            out = SameConv2d(2, 3, size, stride)(t.zeros(1, 2, side, side + 3))
            assert out.shape == (1, 3, -(-side // stride), -(-(side + 3) // stride))


def test_save_and_load(tmp_path):
    t.manual_seed(0)
    model, other = build_model("SqueezeNet"), build_model("SqueezeNet")
    save_checkpoint(tmp_path / "s.pth", {"project": "dogcat", "model_name": "SqueezeNet", "model": model.state_dict(), "note": 1})
    assert other.load(tmp_path / "s.pth")["note"] == 1
    assert all(t.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values()))
    with pytest.raises(UserError, match="SqueezeNet"):
        build_model("ResNet34").load(tmp_path / "s.pth")
    with pytest.raises(UserError, match="对不上"):
        models.SqueezeNet(num_classes=3).load(tmp_path / "s.pth")


def test_calibration_error_and_confusion_matrix_by_hand():
    sure = t.tensor([0.9] * 10 + [0.6] * 5, dtype=t.float64)                    # 十张九成把握的对了八张，五张六成的对了四张
    scores = t.stack([sure, 1 - sure], 1).log()
    targets = t.tensor([0] * 8 + [1] * 2 + [0] * 4 + [1])
    part = Part("", scores, targets)
    assert part.matrix == [[12, 0], [3, 0]]
    assert part.calibration_error(1) == pytest.approx((10 * 0.1 + 5 * 0.2) / 15)
    assert Part("", t.tensor([[0.2, 0.9]]), t.tensor([1])).calibration_error(1) == pytest.approx(1 - 1 / (1 + math.exp(-0.7)))
