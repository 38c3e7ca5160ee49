from .dataset import (
    EOP,
    FULL_WIDTH,
    PUNCTUATION,
    SENTENCE_END,
    START,
    LengthBatchSampler,
    Poem,
    PoemDataset,
    Vocabulary,
    load_poems,
    split_poems,
)

__all__ = ["EOP", "FULL_WIDTH", "PUNCTUATION", "SENTENCE_END", "START", "LengthBatchSampler", "Poem",
           "PoemDataset", "Vocabulary", "load_poems", "split_poems"]
