import torch as t
from torch import nn


class PoetryModel(nn.Module):
    """书中的 CharRNN：Embedding → LSTM → Linear，每读一个字给出下一个字的得分。

    书中的配置是 embedding_dim=128, hidden_dim=256, num_layers=2, dropout=0, tie_weights=False。
    tie_weights=True 时，先把 LSTM 的输出线性映射回字向量的维数，再用字向量矩阵本身作输出层
    （Press & Wolf, 2017, arXiv:1608.05859）：参数最多的两个矩阵合成一个，小数据上学得更好。
    """

    def __init__(self, vocab_size: int, embedding_dim: int = 256, hidden_dim: int = 512,
                 num_layers: int = 2, dropout: float = 0.2, tie_weights: bool = True):
        super().__init__()
        self.embeddings = nn.Embedding(vocab_size, embedding_dim)
        self.lstm = nn.LSTM(embedding_dim, hidden_dim, num_layers, batch_first=True,
                            dropout=dropout if num_layers > 1 else 0)
        self.dropout = nn.Dropout(dropout)
        if tie_weights:
            nn.init.normal_(self.embeddings.weight, std=embedding_dim ** -0.5)
            self.project = nn.Linear(hidden_dim, embedding_dim)
            self.linear = nn.Linear(embedding_dim, vocab_size)
            self.linear.weight = self.embeddings.weight
        else:
            self.project = nn.Identity()
            self.linear = nn.Linear(hidden_dim, vocab_size)

    def forward(self, ids: t.Tensor, state=None) -> tuple[t.Tensor, tuple[t.Tensor, t.Tensor]]:
        """ids (B, T) 为字的编号；state 是上一次返回的状态，首次为 None。

        返回得分 (B, T, V) 和新状态 (h, c)，各 (num_layers, B, hidden_dim)。
        """
        embedded = self.dropout(self.embeddings(ids))       # (B, T, E)
        output, state = self.lstm(embedded, state)          # (B, T, H)
        output = self.project(self.dropout(output))         # (B, T, E)，不共用权重时仍是 (B, T, H)
        return self.linear(output), state                   # (B, T, V)
