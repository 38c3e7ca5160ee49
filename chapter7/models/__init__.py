from .efficientnet_lite0 import EfficientNetLite0
from .feature_d import FeatureD
from .netd import NetD
from .netg import NetG
from .residual import ResNetD, ResNetG
from .vgg16 import VGG16

__all__ = ["EfficientNetLite0", "FeatureD", "NetD", "NetG", "ResNetD", "ResNetG", "VGG16"]
