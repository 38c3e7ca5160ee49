import torch as t
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from .standardize import Standardize

State = tuple[t.Tensor, ...]            # 每个张量的第 0 维都是句子


class AttentionCaptionModel(nn.Module):
    """每写一个词，先决定看图像的哪一格（Xu et al., 2015, arXiv:1502.03044 的软注意力）。

    两个 LSTMCell：第一个读上一个词，它的输出决定各格的权重；第二个读加权平均出来的特征，写出下一个词
    （Anderson et al., 2018, arXiv:1707.07998 的排法）。第一步没有上一个词，用整张图的平均特征代替。
    算权重时还知道每一格已经看过多少（Tu et al., 2016, arXiv:1601.04811），免得同一样东西说两遍、漏掉另一样。
    """

    looks = True

    def __init__(self, vocab_size: int, channels: int, cells: int, embedding_dim: int = 256, rnn_hidden: int = 256,
                 dropout: float = 0.3):
        super().__init__()
        self.standardize = Standardize(channels)
        self.cell = nn.Linear(channels, rnn_hidden)
        self.place = nn.Parameter(t.zeros(cells, rnn_hidden))           # 每一格在哪里：左右、上下要靠它
        self.image = nn.Linear(channels, embedding_dim)
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        self.read = nn.LSTMCell(embedding_dim + rnn_hidden, rnn_hidden)
        self.write = nn.LSTMCell(2 * rnn_hidden, rnn_hidden)
        self.key = nn.Linear(rnn_hidden, rnn_hidden)
        self.query = nn.Linear(rnn_hidden, rnn_hidden, bias=False)
        self.looked = nn.Parameter(t.zeros(rnn_hidden))                 # 乘以一格已经看过多少
        self.energy = nn.Linear(rnn_hidden, 1, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(2 * rnn_hidden, vocab_size)

    def forward(self, grid: t.Tensor, words: t.Tensor, lengths: t.Tensor) -> PackedSequence:
        """grid (B, L, C) 是图像的网格特征，words (B, T) 以 <eos> 结尾再补 <pad>，lengths (B,) 含 <eos>，从大到小。

        返回的 PackedSequence 里是每一步对下一个词的打分 (Σlengths, V)，与 pack(words) 的各词一一对应。
        第 t 步只算还没有写完的前 batch_sizes[t] 句，所以 <pad> 不参加计算。
        """
        grid = self.standardize(grid)
        inputs = t.cat([self.image(grid.mean(1))[:, None], self.embedding(words[:, :-1])], 1)       # (B, T, E)
        inputs = self.dropout(inputs)
        sizes = pack_padded_sequence(inputs, lengths, batch_first=True).batch_sizes
        kept = self.dropout(t.ones_like(grid[:, :1]))                   # (B, 1, C) 一维在各格一起丢，比逐个丢快
        state, outputs = self.first_state(grid * kept), []
        for i, size in enumerate(sizes.tolist()):
            state = tuple(part[:size] for part in state)
            output, state, _ = self.advance(inputs[:size, i], state)    # (size, 2H)
            outputs.append(output)
        return PackedSequence(self.classifier(self.dropout(t.cat(outputs))), sizes)

    def first_state(self, grid: t.Tensor) -> State:
        """(h1, c1, h2, c2, 上一步看到的, 各格看过多少, 各格的特征, 各格的键)，开始时前六个全是零。"""
        cells = self.cell(grid).relu() + self.place                     # (B, L, H)
        zero = cells.new_zeros(len(cells), cells.shape[2])              # (B, H)
        return (zero, zero, zero, zero, zero, cells.new_zeros(cells.shape[:2]), cells, self.key(cells))

    def advance(self, inputs: t.Tensor, state: State) -> tuple[t.Tensor, State, t.Tensor]:
        """读 inputs (B, E)，返回 (输出 (B, 2H), 新状态, 各格的权重 (B, L))。"""
        h1, c1, h2, c2, seen, total, cells, keys = state
        h1, c1 = self.read(t.cat([inputs, seen], 1), (h1, c1))          # (B, H)
        hints = self.query(h1)[:, None] + total[..., None] * self.looked            # (B, L, H)
        energy = self.energy((keys + hints).tanh())                     # (B, L, 1)
        weights = energy[..., 0].softmax(1)                             # (B, L) 每行加起来是 1
        seen = (weights[:, None] @ cells)[:, 0]                         # (B, H) 加权平均
        h2, c2 = self.write(t.cat([seen, h1], 1), (h2, c2))
        return t.cat([h2, seen], 1), (h1, c1, h2, c2, seen, total + weights, cells, keys), weights

    def start(self, grid: t.Tensor) -> tuple[t.Tensor, State, t.Tensor]:
        """看图，返回第一个词的打分 (B, V)、状态、第一个词看了哪里 (B, L)。"""
        grid = self.standardize(grid)
        output, state, weights = self.advance(self.image(grid.mean(1)), self.first_state(grid))
        return self.classifier(output), state, weights

    def step(self, words: t.Tensor, state: State) -> tuple[t.Tensor, State, t.Tensor]:
        """写下 words (B,) 之后，下一个词的打分 (B, V)、新状态、它看了哪里 (B, L)。"""
        output, state, weights = self.advance(self.embedding(words), state)
        return self.classifier(output), state, weights
