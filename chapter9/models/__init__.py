from .poetry_model import PoetryModel
from .poetry_transformer import PoetryTransformer

__all__ = ["PoetryModel", "PoetryTransformer"]
