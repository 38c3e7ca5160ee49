from .augment import augment, to_input
from .dataset import CLASSES, BatchSampler, DogCat, batches, find_images, read_image

__all__ = ["CLASSES", "BatchSampler", "DogCat", "augment", "batches", "find_images", "read_image", "to_input"]
