from .alexnet import AlexNet
from .efficientnet_lite0 import EfficientNetLite0
from .resnet34 import ResNet34
from .squeezenet import SqueezeNet

__all__ = ["AlexNet", "EfficientNetLite0", "ResNet34", "SqueezeNet"]
