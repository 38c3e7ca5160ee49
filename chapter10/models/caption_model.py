import torch as t
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from .standardize import Standardize

State = tuple[t.Tensor, ...]            # 每个张量的第 0 维都是句子


class CaptionModel(nn.Module):
    """图像特征是 LSTM 的第一个输入，之后逐词写下去（书中的模型；Vinyals et al., 2015, arXiv:1411.4555）。

    图像只看一次，而且先平均成一个向量：东西在哪里、哪几样在一起，全凭这个向量和 LSTM 的记忆。
    """

    looks = False                       # 不会指出每个词看的是哪里

    def __init__(self, vocab_size: int, channels: int, cells: int, embedding_dim: int = 256, rnn_hidden: int = 256,
                 num_layers: int = 2, dropout: float = 0.3):
        super().__init__()
        self.standardize = Standardize(channels)
        self.image = nn.Linear(channels, embedding_dim)
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        self.rnn = nn.LSTM(embedding_dim, rnn_hidden, num_layers, batch_first=True,
                           dropout=dropout if num_layers > 1 else 0)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(rnn_hidden, vocab_size)

    def forward(self, grid: t.Tensor, words: t.Tensor, lengths: t.Tensor) -> PackedSequence:
        """grid (B, L, C) 是图像的网格特征，words (B, T) 以 <eos> 结尾再补 <pad>，lengths (B,) 含 <eos>，从大到小。

        返回的 PackedSequence 里是每一步对下一个词的打分 (Σlengths, V)，与 pack(words) 的各词一一对应。lengths 要在 CPU 上。

        LSTM 只往后读，句末补的 <pad> 影响不到前面的词，所以整块地算，比打包的序列快；算完再打包，给 <pad> 不打分。
        """
        inputs = t.cat([self.look(grid)[:, None], self.embedding(words[:, :-1])], 1)        # (B, T, E)
        hidden, _ = self.rnn(self.dropout(inputs))                                          # (B, T, H)
        packed = pack_padded_sequence(hidden, lengths, batch_first=True)                    # (Σlengths, H)
        return PackedSequence(self.classifier(self.dropout(packed.data)), packed.batch_sizes)

    def look(self, grid: t.Tensor) -> t.Tensor:
        return self.image(self.standardize(grid.mean(1)))    # (B, E)；先平均：要标准化的数少 L 倍，结果一样

    def start(self, grid: t.Tensor) -> tuple[t.Tensor, State, None]:
        """看图，返回第一个词的打分 (B, V)、状态、每个词看了哪里（这个模型没有）。"""
        return self.advance(self.look(grid), None)

    def step(self, words: t.Tensor, state: State) -> tuple[t.Tensor, State, None]:
        """写下 words (B,) 之后，下一个词的打分 (B, V)。"""
        return self.advance(self.embedding(words), state)

    def advance(self, inputs: t.Tensor, state: State | None) -> tuple[t.Tensor, State, None]:
        before = None if state is None else tuple(part.transpose(0, 1).contiguous() for part in state)
        hidden, after = self.rnn(inputs[:, None], before)                                   # (B, 1, H)
        return self.classifier(hidden[:, 0]), tuple(part.transpose(0, 1) for part in after), None
