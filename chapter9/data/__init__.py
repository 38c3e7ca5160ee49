from .dataset import (
    EOP,
    PUNCTUATION,
    SENTENCE_END,
    START,
    TIDY,
    LengthBatchSampler,
    Poem,
    PoemDataset,
    Vocabulary,
    load_poems,
    split_poems,
)

__all__ = ["EOP", "PUNCTUATION", "SENTENCE_END", "START", "TIDY", "LengthBatchSampler", "Poem",
           "PoemDataset", "Vocabulary", "load_poems", "split_poems"]
