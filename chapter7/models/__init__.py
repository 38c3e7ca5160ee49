from .efficientnet_lite0 import EfficientNetLite0
from .netd import NetD
from .netg import NetG
from .residual import ResNetD, ResNetG

__all__ = ["EfficientNetLite0", "NetD", "NetG", "ResNetD", "ResNetG"]
