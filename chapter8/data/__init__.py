from .dataset import Photos
from .images import fit_within, to_tensor

__all__ = ["Photos", "fit_within", "to_tensor"]
