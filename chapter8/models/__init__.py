from .transformer_net import TransformerNet
from .vgg16 import VGG16

__all__ = ["TransformerNet", "VGG16"]
