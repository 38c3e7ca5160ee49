"""读诗、建词表、组批。

一首诗变成一串编号 [<START>, 字, 字, …, <EOP>]；网络读前面的，预测后一个。
同一批里的诗一样长，因此没有一格填充，损失里也就没有填充。
"""

import codecs
import gzip
import hashlib
import re
import unicodedata
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch as t
from torch.utils.data import Dataset, Sampler

from utils.files import UserError, legible, say

EOP, START = 0, 1                       # 结束符 <EOP> 与开始符 <START> 的编号
SPECIALS = ("<EOP>", "<START>")
STOP, LINE_END = "。", "\n"              # 末尾没有句末标点的一首，以换行为句末
SENTENCE_END = STOP + "？！" + LINE_END
PUNCTUATION = "，；、：" + SENTENCE_END
# 键盘上容易打出的半角标点 → 全角
FULL_WIDTH = str.maketrans(",.?!;:", "，。？！；：")


class _Tidy(dict):
    """码位 → 统一写法以后的字，给 str.translate 用：空白都成空格，去掉零宽字符、BOM、异体选择符，兼容字符换成通用的，半角标点变全角。"""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        common = unicodedata.normalize("NFKC", char)
        useless = unicodedata.category(char) in ("Cc", "Cf") or 0xfe00 <= code <= 0xfe0f or 0xe0100 <= code <= 0xe01ef
        self[code] = " " if char.isspace() else "" if useless else (common if len(common) == 1 else char).translate(FULL_WIDTH)
        return self[code]


_TIDY = _Tidy()


def tidy(text: str) -> str:
    """统一写法，见 _Tidy。句中的空白成为一个空格（歌词用它断句，英文用它分词）；挨着标点的去掉，除非后面是英文。"""
    text = " ".join(text.translate(_TIDY).split())
    return re.sub(f" (?=[{PUNCTUATION}])|(?<=[{PUNCTUATION}]) (?![!-~])", "", text)


@dataclass(frozen=True)
class Poem:
    author: str
    title: str
    text: str                           # 全诗，以 SENTENCE_END 中的一个结尾；自带的只有汉字和 PUNCTUATION 中的标点

    def fits(self, line_length: int) -> bool:
        """每一句是否都恰有 line_length 个字。"""
        lines = re.split(f"[{PUNCTUATION}]", self.text)[:-1]
        return self.text[-1] in PUNCTUATION and all(len(line) == line_length for line in lines)


class Vocabulary:
    """字与编号互换。编号 0、1 是结束符和开始符，其后按出现次数从多到少、次数相同按码位排列。

    句号和换行里只见过一个的，另一个是同一个编号：没有标点的对联也认得给出的「。」，唐诗的权重也读得了没有标点的一行。
    """

    def __init__(self, characters: str):
        self.characters = characters
        self.tokens = [*SPECIALS, *characters]
        self.index = {token: i for i, token in enumerate(self.tokens)}
        for end, other in ((STOP, LINE_END), (LINE_END, STOP)):
            if other in characters:
                self.index.setdefault(end, self.index[other])

    @classmethod
    def build(cls, texts: Iterable[str]) -> "Vocabulary":
        counts = Counter()
        for text in texts:
            counts.update(text)
        return cls("".join(sorted(counts, key=lambda char: (-counts[char], char))))

    def __len__(self) -> int:
        return len(self.tokens)

    def unknown(self, text: str) -> list[str]:
        """`text` 中不认识的字，按出现顺序，不重复。"""
        return list(dict.fromkeys(char for char in text if char not in self.index))

    def encode(self, text: str) -> list[int]:
        return [self.index[char] for char in text]

    def decode(self, ids: Iterable[int]) -> str:
        return "".join(self.tokens[i] for i in ids if i >= len(SPECIALS))


def load_poems(data_path: str, category: str = "poet.tang", author: str = "",
               constrain: int = 0) -> list[Poem]:
    """读出符合条件的诗，次序同文件。

    `data_path` 是存放 `<category>.tsv.gz` 的文件夹，或单个文件：.tsv 与 .tsv.gz 每行
    「作者 <Tab> 题目 <Tab> 全诗」，.txt 每行一首。写法经 tidy 统一；末尾没有句末标点的以 LINE_END 结尾，所以哪里可以结束总学得到。
    没有文件、格式不对、筛选后一首不剩时抛出 UserError。
    """
    path = Path(data_path)
    if path.is_dir():
        path = path / f"{category}.tsv.gz"
    if not path.is_file():
        raise UserError(f"找不到诗的文件 {path}：检查 --data-path 和 --category，"
                        "或用 python main.py prepare --source=npm 生成")
    poems = []
    whole, text = path.name.lower().endswith((".txt", ".txt.gz")), _read_text(path)
    for number, line in enumerate(text.splitlines() if whole else re.split("\r\n|\r|\n", text), 1):     # splitlines 也在 U+2028 等处断开
        fields = ["", "", line] if whole else line.split("\t")
        if len(fields) != 3:
            if not line.strip():
                continue
            raise UserError(f"{legible(path)} 第 {number} 行不是「作者<Tab>题目<Tab>全诗」")
        text = tidy(fields[2])
        if text.strip(PUNCTUATION):
            text = text if text[-1] in SENTENCE_END else text.rstrip(PUNCTUATION) + LINE_END
            poems.append(Poem(fields[0].strip(), fields[1].strip(), text))
    if author:
        poems = [poem for poem in poems if poem.author == author]
        if not poems:
            raise UserError(f"{path} 里没有作者「{author}」的诗（人名用简体，如 李白）")
    if constrain:
        poems = [poem for poem in poems if poem.fits(constrain)]
    if not poems:
        raise UserError(f"{path} 里没有符合条件的诗（--constrain={constrain}）")
    return poems


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if path.suffix.lower() == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UserError(f"读不出 {legible(path)}（{error}）：文件损坏") from None
    codings = ("utf-16",) if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else ("utf-8-sig", "gb18030")
    for coding in codings:                              # Windows 的记事本会写 BOM、UTF-16 或 GBK
        try:
            text = content.decode(coding)
        except UnicodeDecodeError:
            continue
        if coding == "gb18030":
            if "\0" in text or len(re.findall("[\ue000-\uf8ff]", text)) > len(text) / 50:    # 没有 BOM 的 UTF-16；Big5 之类，读成了私用区的字
                continue
            say(f"{legible(path)} 不是 UTF-8，按 GBK 读（「{legible(text[:12])}……」，是乱码就另存为 UTF-8）")
        return text
    raise UserError(f"读不出 {legible(path)}：文件损坏，或不是文本（认得 UTF-8、有 BOM 的 UTF-16、GBK）：另存为 UTF-8")


def split_poems(poems: list[Poem]) -> dict[str, list[Poem]]:
    """90 % 训练、5 % 验证、5 % 测试。

    归属只看这首诗文字的哈希，与它在文件里的位置、与别的诗都无关：数据增减、换序，旧诗的归属不变。
    """
    parts = {"train": [], "val": [], "test": []}
    for poem in poems:
        bucket = int.from_bytes(hashlib.sha256(poem.text.encode()).digest()[:4], "big") % 100
        parts["train" if bucket < 90 else "val" if bucket < 95 else "test"].append(poem)
    return parts


class PoemDataset(Dataset):
    """每个样本是一段编号 (T+1,)：输入取 [:-1]，目标取 [1:]，都是 (T,) 的 int64。

    不超过 `maxlen` 个字的诗整首一段；更长的在句末切成几段，相邻两段共用一个字，
    前一段拿它作目标，后一段拿它作输入，所以每个字恰好被预测一次。maxlen=0 时不切。
    """

    def __init__(self, poems: list[Poem], vocabulary: Vocabulary, maxlen: int = 0):
        ends = set(vocabulary.encode(char for char in SENTENCE_END if char in vocabulary.index))
        self.segments = []
        for poem in poems:
            ids = [START, *vocabulary.encode(poem.text), EOP]
            self.segments += [t.tensor(part) for part in _cut(ids, maxlen, ends)]

    def __len__(self) -> int:
        return len(self.segments)

    def __getitem__(self, index: int) -> t.Tensor:
        return self.segments[index]


def _cut(ids: list[int], maxlen: int, ends: set[int]) -> Iterator[list[int]]:
    start = 0
    while maxlen and len(ids) - start > maxlen + 2:
        stops = [i for i in range(start + 1, start + maxlen + 1) if ids[i] in ends]
        stop = stops[-1] if stops else start + maxlen       # 没有句末标点的长文，到上限就切
        yield ids[start:stop + 1]
        start = stop
    yield ids[start:]


class LengthBatchSampler(Sampler[list[int]]):
    """把一样长的样本编成一批，批的次序打乱。每轮的编法只由 (seed, epoch) 决定，所以可以从任一批接着取。

    多进程时第 rank 个进程取第 rank、rank + world_size、… 批；余下不够分的几批本轮不用。
    """

    def __init__(self, dataset: PoemDataset, batch_size: int, seed: int = 0, shuffle: bool = True,
                 rank: int = 0, world_size: int = 1):
        self.groups = defaultdict(list)
        for index, segment in enumerate(dataset.segments):
            self.groups[len(segment)].append(index)
        self.batch_size, self.seed, self.shuffle = batch_size, seed, shuffle
        self.rank, self.world_size = rank, world_size
        self.epoch = self.start = 0
        self.num_batches = sum(-(-len(group) // batch_size) for group in self.groups.values())

    def set_position(self, epoch: int, start: int = 0) -> None:
        """下一次遍历是第 epoch 轮，从本进程的第 start 批开始。"""
        self.epoch, self.start = epoch, start

    def __len__(self) -> int:
        """本进程一轮的批数。"""
        return self.num_batches // self.world_size if self.shuffle else \
            len(range(self.rank, self.num_batches, self.world_size))

    def __iter__(self) -> Iterator[list[int]]:
        generator = t.Generator().manual_seed((self.seed * 100_003 + self.epoch) % 2 ** 63)
        batches = []
        for length in sorted(self.groups):
            group = t.tensor(self.groups[length])
            if self.shuffle:
                group = group[t.randperm(len(group), generator=generator)]
            batches += group.split(self.batch_size)
        order = t.randperm(len(batches), generator=generator) if self.shuffle else range(len(batches))
        mine = [batches[i] for i in order][self.rank::self.world_size][:len(self)]
        for batch in mine[self.start:]:
            yield batch.tolist()
