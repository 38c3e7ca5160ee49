import numpy as np
import pytest
import torch as t
from PIL import Image

from cam import DIM, class_activation, shine
from classifier import build_model, score
from utils.runtime import Runtime

CPU = Runtime(t.device("cpu"))


@pytest.mark.parametrize("name", ["EfficientNetLite0", "ResNet34"])
def test_the_activations_average_to_the_score(name):
    t.manual_seed(0)
    model = build_model(name).eval()
    head = getattr(model, model.head)
    t.nn.init.normal_(head.bias)                                    # 偏置不是零，漏掉它就不等
    images = t.randint(256, (2, 4, 96, 160), dtype=t.uint8)
    activation = class_activation(model, images, CPU)
    assert activation.shape == (2, 2, 3, 5)
    t.testing.assert_close(activation.mean((2, 3)), score(model, images, CPU), atol=1e-4, rtol=1e-4)


def test_a_mirrored_picture_has_mirrored_activations():
    t.manual_seed(0)
    model = build_model("EfficientNetLite0").eval()
    images = t.randint(256, (1, 4, 64, 64), dtype=t.uint8)
    t.testing.assert_close(class_activation(model, images.flip(3), CPU), class_activation(model, images, CPU).flip(3), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("best, bright, dark", [(0, (75, 25), (25, 75)), (1, (25, 75), (75, 25))])
def test_the_place_that_speaks_for_the_answer_is_lit(best, bright, dark):
    activation = t.tensor([[[0.0, 5], [0, 0]], [[0, 0], [9, 0]]])  # 第 0 类凭右上，第 1 类凭左下
    shown = np.asarray(shine(Image.new("RGB", (100, 100), "white"), activation, best))
    assert shown.shape == (100, 100, 3)
    assert shown[bright[1], bright[0], 0] > 200 and shown[dark[1], dark[0], 0] < 255 * DIM + 20
