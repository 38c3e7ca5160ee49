from .dataset import Photos
from .images import fit_within, on_white, to_tensor

__all__ = ["Photos", "fit_within", "on_white", "to_tensor"]
