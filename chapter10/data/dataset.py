"""CaptionDataset：图像特征与描述。一轮里每张图用一句描述，是五句中的哪一句由种子、轮次和图的号码决定。"""

from array import array
from collections.abc import Iterator

import numpy as np
import torch as t
from torch.utils.data import Dataset

from utils.loading import BatchSampler

from .annotations import PAD, Annotation, Vocabulary, segment
from .features import Features


class CaptionDataset(Dataset):
    """第 (轮, i) 项是 (特征 (L, C), 词的编号 (T,)，末尾是 <eos>)。

    全部句子首尾相接，存成一个张量：一句一个张量，光是张量自己就要 0.7 KB，官方的 21 万张图、105 万句便是 0.8 GB。
    """

    def __init__(self, features: Features, items: list[Annotation], vocabulary: Vocabulary, seed: int):
        self.features, self.seed = features, seed
        words, self.ends, self.first = array("i"), array("q", [0]), array("q", [0])     # 各句到哪里为止，各图的第一句是第几句
        for item in items:
            for caption in item.captions:
                words.extend(vocabulary.encode(segment(caption)))
                self.ends.append(len(words))
            self.first.append(len(self.ends) - 1)
        self.words = t.tensor(words, dtype=t.int32)

    def __getitem__(self, key: tuple[int, int]) -> tuple[t.Tensor, t.Tensor]:
        epoch, index = key
        first, last = self.first[index:index + 2]
        chosen = first + int(np.random.SeedSequence([self.seed, epoch, index]).generate_state(1)[0]) % (last - first)
        return self.features[index], self.words[self.ends[chosen]:self.ends[chosen + 1]].long()

    def __len__(self) -> int:
        return len(self.first) - 1


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
