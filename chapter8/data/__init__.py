from .dataset import Photos
from .images import find_images, fit_within, read_image, to_tensor

__all__ = ["Photos", "find_images", "fit_within", "read_image", "to_tensor"]
