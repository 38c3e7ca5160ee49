from .annotations import EOS, PAD, UNK, Annotation, Vocabulary, join, load_annotations, segment
from .dataset import CaptionDataset, CaptionSampler, collate
from .features import Features, encode, make_encoder, read_image, to_pixels
from .scenes import Scene
from .sentences import counts_all_right, names_all_right, names_in

__all__ = ["EOS", "PAD", "UNK", "Annotation", "CaptionDataset", "CaptionSampler", "Features", "Scene", "Vocabulary",
           "collate", "counts_all_right", "encode", "join", "load_annotations", "make_encoder", "names_all_right", "names_in", "read_image", "segment",
           "to_pixels"]
