from .augment import augment, to_input
from .dataset import CLASSES, Pictures, read_image

__all__ = ["CLASSES", "Pictures", "augment", "read_image", "to_input"]
