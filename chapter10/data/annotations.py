"""读写标注，分词。全章只用 AI Challenger 的格式：json 列表，每项 {"url", "image_id", "caption": [1–10 句]}。"""

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import rjieba

from utils.files import UserError, legible, replacing

PAD, UNK, EOS = 0, 1, 2
SPECIALS = ("<pad>", "<unk>", "<eos>")
MAX_CAPTIONS = 10
PREPARE = "python main.py prepare"
# 字与字之间不空格的文字：汉字、假名、注音，和它们的标点、全角字符
UNSPACED = re.compile("[\u2e80-\u312f\u3190-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff]")
INVISIBLE = re.compile("[\u200b\u2060\ufeff]")         # 零宽的空格和 BOM，复制粘贴来的


@dataclass(frozen=True)
class Annotation:
    image_id: str                       # 图片相对于 img_path 的路径
    captions: tuple[str, ...]


def read_json(path: str | Path):
    """读一个 json 文件，UTF-8（有没有 BOM 都行）或 UTF-16；不存在或不是 json 时抛出 UserError。"""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"找不到 {legible(path)}：检查 --caption-data-path，或先运行 {PREPARE}")
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise UserError(f"{legible(path)} 不是 UTF-8 的 json，或没有下载完整") from None


def load_annotations(path: str | Path) -> list[Annotation]:
    """读 AI Challenger 格式的标注。缺字段、句数不是 1–10、有空句子、图片重复时抛出 UserError，说出是第几项。"""
    rows = read_json(path)
    if not isinstance(rows, list) or not rows:
        raise UserError(f"{legible(path)} 应是非空的列表，每项有 image_id 和 caption")
    items = [check_row(path, i, row) for i, row in enumerate(rows)]
    first = {}
    for i, item in enumerate(items):
        if first.setdefault(item.image_id, i) != i:
            raise UserError(f"{legible(path)} 的第 {first[item.image_id] + 1} 项和第 {i + 1} 项都是 {legible(item.image_id)}："
                            "一张图只能有一项，把它们的 caption 合在一起")
    return items


def check_row(path: str | Path, i: int, row) -> Annotation:
    path = legible(path)
    missing = [name for name in ("image_id", "caption") if not isinstance(row, dict) or name not in row]
    if missing:
        raise UserError(f"{path} 的第 {i + 1} 项缺少 {'、'.join(missing)}")
    image_id, captions = row["image_id"], row["caption"]
    if not (isinstance(image_id, str) and image_id or type(image_id) is int):
        raise UserError(f"{path} 的第 {i + 1} 项的 image_id 是 {image_id!r}，应是图片的名字")
    name = legible(str(image_id))
    if not isinstance(captions, list) or not 1 <= len(captions) <= MAX_CAPTIONS:
        amount = f"{len(captions)} 句" if isinstance(captions, list) else "不是列表"
        raise UserError(f"{path} 里 {name} 的 caption 要有 1–{MAX_CAPTIONS} 句，现在是 {amount}")
    for caption in captions:
        if not isinstance(caption, str) or re.search("[\ud800-\udfff]", caption) or not segment(caption):
            raise UserError(f"{path} 里 {name} 有空的描述，或不是文字的描述")
    return Annotation(str(image_id), tuple(captions))


def save_annotations(path: Path, items: Iterable[Annotation]) -> None:
    """存成 AI Challenger 的格式。"""
    rows = [{"url": "", "image_id": item.image_id, "caption": list(item.captions)} for item in items]
    save_json(path, rows)


def save_json(path: Path, content) -> None:
    """存一个 json，中断也不会留下半个。不是 UTF-8 的文件名写成 \\udcXX，json 读回来还是它。"""
    with replacing(path) as file:
        file.write(json.dumps(content, ensure_ascii=False).encode("utf-8", "backslashreplace"))


def file_digest(path: str | Path) -> str:
    """文件内容的 SHA-256。"""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def segment(caption: str) -> list[str]:
    """分词，去掉句末的标点；「一只猫在草地上。」→ 一只 猫 在 草地 上。

    中文（和日文）里的空格不算，交给 rjieba；别的文字在空格处断开，词首尾的标点另成一词。join 把它们接回去。
    """
    text = unicodedata.normalize("NFC", INVISIBLE.sub("", caption))
    text = re.sub(rf"(?<={UNSPACED.pattern})\s+|\s+(?={UNSPACED.pattern})", "", text)
    words = []
    for chunk in re.sub(r"[\s。．.！!？?]+$", "", text).split():
        words += rjieba.cut(chunk) if UNSPACED.search(chunk) else peel(chunk)
    return words


def peel(chunk: str) -> list[str]:
    """「"dog,」→ 「"」「dog」「,」；词里面的标点（don't、T-shirt）不动。"""
    inner = [i for i, char in enumerate(chunk) if not unicodedata.category(char).startswith("P")]
    if not inner:
        return list(chunk)
    return [*chunk[:inner[0]], chunk[inner[0]:inner[-1] + 1], *chunk[inner[-1] + 1:]]


def join(words: Iterable[str]) -> str:
    """词接成句子：原来有空格的地方（英文的词之间、逗号之后）补上空格，中文的词之间没有。"""
    text = ""
    for word in words:
        text += " " * bool(text and spaced(text[-1], word[0])) + word
    return text


def spaced(left: str, right: str) -> bool:
    """两个词之间有没有空格：left 是前一个词的最后一个字符，right 是后一个词的第一个。"""
    if UNSPACED.match(left) or UNSPACED.match(right):
        return False
    before, after = unicodedata.category(left), unicodedata.category(right)
    return before not in ("Ps", "Pi", "Pd") and (not after.startswith("P") or after in ("Ps", "Pi"))


class Vocabulary:
    """词与编号互换。0、1、2 是 <pad>、<unk>、<eos>；其后按出现次数从多到少，次数相同按文字排列。

    repeated 是训练集里在一句话中出现过不止一次的词（「一只」「的」……）。别的词，如东西的名字，一句话里只说一次。
    """

    def __init__(self, words: list[str], repeated: Iterable[str] = ()):
        self.words = words
        self.repeated = frozenset(repeated)
        self.tokens = [*SPECIALS, *words]
        self.index = {token: i for i, token in enumerate(self.tokens)}

    @classmethod
    def build(cls, sentences: Iterable[list[str]], min_appear: int, max_words: int) -> "Vocabulary":
        """收入出现至少 min_appear 次的词，至多 max_words 个。sentences 是分好词的句子。"""
        counts, repeated = Counter(), set()
        for sentence in sentences:
            own = Counter(sentence)
            counts.update(own)
            repeated.update(word for word, count in own.items() if count > 1)
        words = sorted((word for word, count in counts.items() if count >= min_appear),
                       key=lambda word: (-counts[word], word))
        if not words:
            raise UserError(f"没有一个词出现 {min_appear} 次以上：减小 --min-appear")
        words = words[:max_words]
        return cls(words, repeated.intersection(words))

    def encode(self, words: list[str]) -> list[int]:
        """词 → 编号，末尾加 <eos>；不认识的是 <unk>。"""
        return [*(self.index.get(word, UNK) for word in words), EOS]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """编号 → 词，到 <eos> 为止，不含 <eos>。"""
        words = []
        for i in ids:
            if i == EOS:
                break
            words.append(self.tokens[i])
        return words

    def once(self) -> list[bool]:
        """各个编号的词是不是一句话里只说一次。"""
        return [token not in self.repeated and token not in SPECIALS for token in self.tokens]

    def __len__(self) -> int:
        return len(self.tokens)
