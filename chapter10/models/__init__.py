from .attention_caption_model import AttentionCaptionModel
from .caption_model import CaptionModel
from .efficientnet_lite0_grid import EfficientNetLite0Grid
from .resnet50 import ResNet50

# 图像网络，--encoder 的取值
ENCODERS = {"EfficientNetLite0": EfficientNetLite0Grid, "ResNet50": ResNet50}

__all__ = ["ENCODERS", "AttentionCaptionModel", "CaptionModel", "EfficientNetLite0Grid", "ResNet50"]
