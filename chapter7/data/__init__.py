from .dataset import Avatars, collate, to_input, to_picture

__all__ = ["Avatars", "collate", "to_input", "to_picture"]
