import torch as t
from torch import nn
from torch.nn import functional as F


class PoetryTransformer(nn.Module):
    """小的因果 Transformer（Vaswani et al., 2017, arXiv:1706.03762），接口与 PoetryModel 相同。

    归一化在每个子层之前；位置用旋转编码（Su et al., 2021, arXiv:2104.09864）；每个字只看自己和
    前面 window - 1 个字。作诗时逐字前进，算过的键和值留在 state 里，不再重算。
    """

    def __init__(self, vocab_size: int, embedding_dim: int = 256, hidden_dim: int = 1024,
                 num_layers: int = 4, num_heads: int = 4, dropout: float = 0.2,
                 tie_weights: bool = True, window: int = 128):
        super().__init__()
        self.embeddings = nn.Embedding(vocab_size, embedding_dim)
        nn.init.normal_(self.embeddings.weight, std=embedding_dim ** -0.5)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(embedding_dim, hidden_dim, num_heads, dropout, window)
                                    for _ in range(num_layers))
        self.norm = nn.LayerNorm(embedding_dim)
        self.linear = nn.Linear(embedding_dim, vocab_size)
        if tie_weights:
            self.linear.weight = self.embeddings.weight

    def forward(self, ids: t.Tensor, state=None) -> tuple[t.Tensor, list]:
        """ids (B, T) 为字的编号；state 是上一次返回的状态，首次为 None。

        返回得分 (B, T, V) 和新状态：每层一个 (键, 值, 已读字数)。
        """
        scale = self.embeddings.embedding_dim ** 0.5        # 与共用权重的初始化相配，使输入方差为 1
        x = self.dropout(self.embeddings(ids) * scale)      # (B, T, E)
        new_state = []
        for block, past in zip(self.blocks, state or [None] * len(self.blocks)):
            x, past = block(x, past)
            new_state.append(past)
        return self.linear(self.norm(x)), new_state         # (B, T, V)


class Block(nn.Module):
    """一层：自注意力与前馈网络，各有残差。"""

    def __init__(self, dim: int, hidden_dim: int, num_heads: int, dropout: float, window: int):
        super().__init__()
        self.num_heads, self.window = num_heads, window
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.feed = nn.Sequential(nn.Linear(dim, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, dim))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: t.Tensor, past=None) -> tuple[t.Tensor, tuple]:
        attended, past = self.attend(self.norm1(x), past)
        x = x + self.dropout(attended)
        return x + self.dropout(self.feed(self.norm2(x))), past

    def attend(self, x: t.Tensor, past) -> tuple[t.Tensor, tuple]:
        batch, length, dim = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        offset = past[2] if past else 0                     # q, k, v: (B, 头, T, D)
        q, k = rotate(q, offset), rotate(k, offset)
        if past:
            k, v = t.cat([past[0], k], 2), t.cat([past[1], v], 2)
        # 第 i 个新字在 k 中的位置是 i + (S - T)；只看不晚于它、又在窗口之内的字
        if length == 1:
            mask = None                                     # 缓存已截到窗口长，全都能看
            k, v = k[:, :, -self.window:], v[:, :, -self.window:]
        else:
            here = t.arange(length, device=x.device)[:, None] + k.shape[2] - length
            there = t.arange(k.shape[2], device=x.device)[None]
            mask = (there <= here) & (there > here - self.window)       # (T, S)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)   # (B, 头, T, D)
        out = self.out(out.transpose(1, 2).reshape(batch, length, dim))
        return out, (k[:, :, -self.window:], v[:, :, -self.window:], offset + length)


def rotate(x: t.Tensor, offset: int) -> t.Tensor:
    """旋转位置编码：把 x (B, 头, T, D) 的各对分量转过与位置成正比的角，内积只取决于两字的距离。"""
    length, dim = x.shape[2:]
    position = t.arange(offset, offset + length, device=x.device)
    frequency = 10000 ** (-t.arange(0, dim, 2, device=x.device) / dim)  # (D/2,)
    angle = position[:, None] * frequency                               # (T, D/2)
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x.chunk(2, dim=-1)
    return t.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)
