from .dataset import (
    EOP,
    LINE_END,
    PUNCTUATION,
    SENTENCE_END,
    START,
    STOP,
    LengthBatchSampler,
    Poem,
    PoemDataset,
    Vocabulary,
    load_poems,
    split_poems,
    tidy,
)

__all__ = ["EOP", "LINE_END", "PUNCTUATION", "SENTENCE_END", "START", "STOP", "LengthBatchSampler", "Poem",
           "PoemDataset", "Vocabulary", "load_poems", "split_poems", "tidy"]
