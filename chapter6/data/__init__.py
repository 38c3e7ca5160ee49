from .augment import augment, to_input
from .dataset import CLASSES, DogCat, find_images, read_image

__all__ = ["CLASSES", "DogCat", "augment", "find_images", "read_image", "to_input"]
