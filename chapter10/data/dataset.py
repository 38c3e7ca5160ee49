"""CaptionDataset：图像特征与描述。一轮里每张图用一句描述，是五句中的哪一句由种子、轮次和图的号码决定。"""

from collections.abc import Iterator

import numpy as np
import torch as t
from torch.utils.data import Dataset

from utils.loading import BatchSampler

from .annotations import PAD, Annotation, Vocabulary, segment
from .features import Features


class CaptionDataset(Dataset):
    """第 (轮, i) 项是 (特征 (L, C), 词的编号 (T,)，末尾是 <eos>)。"""

    def __init__(self, features: Features, items: list[Annotation], vocabulary: Vocabulary, seed: int):
        self.features, self.seed = features, seed
        self.sentences = [[t.tensor(vocabulary.encode(segment(caption))) for caption in item.captions]
                          for item in items]

    def __getitem__(self, key: tuple[int, int]) -> tuple[t.Tensor, t.Tensor]:
        epoch, index = key
        sentences = self.sentences[index]
        choice = int(np.random.SeedSequence([self.seed, epoch, index]).generate_state(1)[0])
        return self.features[index], sentences[choice % len(sentences)]

    def __len__(self) -> int:
        return len(self.sentences)


def collate(samples: list[tuple[t.Tensor, t.Tensor]]) -> tuple[t.Tensor, t.Tensor, t.Tensor]:
    """拼成一批，长的在前：特征 (B, L, C)、词 (B, T) 补 <pad>、长度 (B,)。"""
    samples.sort(key=lambda sample: -len(sample[1]))
    grids, words = zip(*samples)
    lengths = t.tensor([len(sentence) for sentence in words])
    return t.stack(grids), t.nn.utils.rnn.pad_sequence(words, batch_first=True, padding_value=PAD), lengths


class CaptionSampler(BatchSampler):
    """一批批 (轮, 下标)：CaptionDataset 要知道是第几轮。"""

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for batch in super().__iter__():
            yield [(self.epoch, index) for index in batch]
