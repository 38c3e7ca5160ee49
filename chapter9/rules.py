"""诗的规矩：体裁、藏头、押韵、平仄。

规矩不改动网络，只回答一个问题：已经写了这些，下一个字可以是哪些？作诗时不许的字概率为 0，
所以格式不是多半对，而是必然对。
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import torch as t

from config import Config
from data import EOP, LINE_END, PUNCTUATION, SENTENCE_END, START, STOP, Vocabulary, tidy
from prosody import patterns, readings, violations
from utils.files import UserError

FORMS = {"五绝": (5, 4), "七绝": (7, 4), "五律": (5, 8), "七律": (7, 8)}     # 每句字数, 句数
LONGEST_SENTENCE = 40           # 自由体藏头诗里，一句写到这么长就收住
SMALLEST_RHYME = 30             # 第一个韵脚取平声，且所在韵部至少有这么多字，免得后面无字可押
HAN = re.compile("[\u4e00-\u9fff]")
CLOSING = "”’」』》)"             # 与前面的句末标点同在一行
HALF_WIDTH = str.maketrans("，。？！；：", ",.?!;:")


@dataclass
class Masks:
    """几种常用的许可表，都是 (V,) 的布尔张量。"""

    vocabulary: Vocabulary

    def __post_init__(self):
        size = len(self.vocabulary)
        marks = [self.vocabulary.index[c] for c in PUNCTUATION if c in self.vocabulary.index]
        self.ends = {self.vocabulary.index[c] for c in SENTENCE_END if c in self.vocabulary.index}
        self.line_end = self.vocabulary.index[LINE_END] if LINE_END in self.vocabulary.characters else None
        self.marks = set(marks)
        self.characters = t.ones(size, dtype=t.bool)
        self.characters[[EOP, START, *marks]] = False
        self.characters_or_marks = self.characters.clone()
        self.characters_or_marks[marks] = True
        self.words = self.characters & t.tensor([token.isalnum() for token in self.vocabulary.tokens])     # 不要引号之类
        self.characters_or_end = self.characters.clone()
        self.characters_or_end[EOP] = True
        if not self.ends:                           # 学的文字没有句末标点：随时可以结束
            self.characters_or_marks[EOP] = True

    def only(self, *ids: int) -> t.Tensor:
        mask = t.zeros(len(self.vocabulary), dtype=t.bool)
        mask[list(ids)] = True
        return mask


class FreeForm:
    """自由体：只管不出怪样（标点不打头、不连用，写完一句才许结束）。heads 非空时是藏头诗。

    藏头诗每逢句末（。？！）起一个新头，最后一个头所在的句子写完就结束。
    """

    def __init__(self, masks: Masks, start: list[int], heads: list[int], max_len: int):
        self.masks, self.start, self.heads, self.max_len = masks, start, heads, max_len

    def allowed(self, written: list[int]) -> t.Tensor | None:
        """已写 `written` 时，下一个字的许可表 (V,)；写完了返回 None。"""
        masks, position = self.masks, len(written)
        if position < len(self.start):
            return masks.only(self.start[position])
        at_sentence_start = not written or written[-1] in masks.ends
        if self.heads:
            used = sum(token in masks.ends for token in written)
            if at_sentence_start:
                return masks.only(self.heads[used]) if used < len(self.heads) else None
            if self._sentence_length(written) >= LONGEST_SENTENCE:
                return masks.only(*masks.ends) if written[-1] not in masks.marks else masks.characters
        elif position >= self.max_len or written and written[-1] == masks.line_end:
            return None
        if not written or written[-1] in masks.marks:
            return masks.characters_or_end if written and at_sentence_start else masks.characters
        return masks.characters_or_marks

    def _sentence_length(self, written: list[int]) -> int:
        length = 0
        while length < len(written) and written[-1 - length] not in self.masks.ends:
            length += 1
        return length

    def finish(self, written: list[int]) -> list[int]:
        """写到字数上限而一句未完时，去掉那半句（开头本身就没有一整句时留着）。"""
        last = max((i for i, token in enumerate(written) if token in self.masks.ends), default=-1)
        return written[:last + 1] if last + 1 > len(self.start) else written


class FixedForm:
    """格律体：第几个位置是字、是什么标点都已定好。单数句用逗号，双数句和末句用句号。

    格律诗忌重字：用过的字不再用，紧接着重复的叠字（如「茫茫」）除外。
    rhyme 时偶数句押同一个平声韵；tones 时平仄合律，首句收平声的，它也押韵。
    """

    def __init__(self, masks: Masks, form: str, start: list[int], heads: list[int], rhyme: bool, tones: bool):
        self.masks, self.rhyme, self.tones = masks, rhyme, tones
        self.width, full = FORMS[form]
        self.lines = len(heads) or full
        comma, stop = (masks.vocabulary.index[c] for c in "，。")
        self.fixed = {}                              # 位置 → 必须写的字
        for line in range(self.lines):
            first = line * (self.width + 1)
            if heads:
                self.fixed[first] = heads[line]
            self.fixed[first + self.width] = stop if line % 2 or line == self.lines - 1 else comma
        self.fixed.update(enumerate(start))
        self.length = self.lines * (self.width + 1)
        if rhyme or tones:
            self.readings = readings(masks.vocabulary)
            self.rhyming = defaultdict(list)         # (韵部, 是否平声) → 其中的字
            for token, sound in self.readings.items():
                self.rhyming[sound].append(token)
        if tones:
            self.patterns = patterns(self.width, full)
            self.level = masks.only(*(token for token, (_, level) in self.readings.items() if level))
            self.oblique = masks.only(*self.readings) & ~self.level

    def allowed(self, written: list[int]) -> t.Tensor | None:
        position = len(written)
        if position == self.length:
            return None
        if position in self.fixed:
            return self.masks.only(self.fixed[position])
        mask = self.masks.words
        for wish in self._wishes(written):
            if (mask & wish).any():                  # 给定的开头可能让几条规矩相冲，后面的让前面的
                mask = mask & wish
        return mask

    def _wishes(self, written: list[int]) -> Iterator[t.Tensor]:
        """这个位置的各条规矩，要紧的在前。"""
        line, column = divmod(len(written), self.width + 1)
        if self.rhyme and line % 2 and column == self.width - 1:
            yield self._rhyming(written)
        if self.tones:
            yield self._in_tone(written)
        fresh = self.masks.characters.clone()
        fresh[written[:-1]] = False                  # 前一个字可以重复：叠字
        yield fresh

    def _in_tone(self, written: list[int]) -> t.Tensor:
        """与已写的字最相合的那几种平仄谱，这个位置许用的字。开头和头字是给定的，可能哪一种也不全合。"""
        levels = self.levels(written)
        wrong = violations(levels, self.patterns)
        wanted = {pattern[len(levels)] for pattern, count in zip(self.patterns, wrong) if count == min(wrong)}
        if "中" in wanted:
            return self.masks.characters
        return self.level | self.oblique if len(wanted) == 2 else self.level if "平" in wanted else self.oblique

    def levels(self, written: list[int]) -> list[bool | None]:
        """已写的各字（不算标点）是不是平声；不知读音的是 None。"""
        return [self.readings.get(token, (None, None))[1] for token in written if token not in self.masks.marks]

    def _rhyming(self, written: list[int]) -> t.Tensor:
        """与前面的韵脚同韵同声的字；还没有韵脚时，字够多的各个平声韵部。"""
        feet = written[2 * self.width::2 * (self.width + 1)]        # 前面各偶数句的末字
        first = self.readings.get(written[self.width - 1])
        if self.tones and first and first[1]:                       # 首句入韵
            feet = [written[self.width - 1], *feet]
        if feet and feet[0] in self.readings:
            return self.masks.only(*self.rhyming[self.readings[feet[0]]])
        return self.masks.only(*(token for (_, level), group in self.rhyming.items()
                                 if level and len(group) >= SMALLEST_RHYME for token in group))

    def finish(self, written: list[int]) -> list[int]:
        return written


def make_rule(opt, vocabulary: Vocabulary):
    """按选项造出一首诗的规矩；开头、头字、体裁彼此不合时抛出 UserError。自由体的藏头诗，学的不是一首首诗而是一行行文字的
    （有的行没有句末标点，或用空格），一个头字写一行，规矩是各行的列表。

    没有给出开头，而默认的那句词表里没有，或放不进给出的体裁时，第一个字也由网络来写。
    """
    masks = Masks(vocabulary)
    text = clean(opt.start_words, vocabulary)
    if opt.acrostic:
        text = "".join(char for char in text if char not in PUNCTUATION + " ")
    default = "start_words" not in opt.given and opt.start_words == Config.start_words
    if default and not opt.acrostic and (vocabulary.unknown(text) or opt.form and FORMS[opt.form][0] != len(text)):
        text = ""
    elif not text:
        raise UserError("--start-words 是空的：给出诗的开头，或藏头诗的各个头字")
    check_known(text, vocabulary, "--start-words")
    if opt.rhyme and not opt.form:
        raise UserError("--rhyme 要知道哪里是偶数句，请同时给出 --form，如 --form=七绝")
    if opt.tones and not opt.form:
        raise UserError("--tones 要知道是哪种体裁，请同时给出 --form，如 --form=七绝")
    if text and text[0] in PUNCTUATION:
        raise UserError(f"--start-words 不能以标点「{text[0]}」开头")
    if opt.acrostic and not opt.form and not masks.ends:
        raise UserError("这份权重学的文字没有句末标点（。？！），写不了自由体的藏头诗")
    ids = vocabulary.encode(text)
    start, heads = ([], ids) if opt.acrostic else (ids, [])
    if heads and not opt.form and set(LINE_END + " ") & set(vocabulary.characters) and not vocabulary.unknown(LINE_END):
        return [FreeForm(masks, [head], [], opt.max_gen_len) for head in heads]
    if not opt.form:
        return FreeForm(masks, start, heads, opt.max_gen_len)
    if reason := no_form(vocabulary):
        raise UserError(f"写不了格律体（--form）：{reason}")
    _check_form(text, opt)
    return FixedForm(masks, opt.form, start, heads, opt.rhyme, opt.tones)


def make_prefix(opt, vocabulary: Vocabulary) -> str:
    """选项里的意境，写成读给模型听的样子；有不认识的字时抛出 UserError。"""
    prefix = clean(opt.prefix_words, vocabulary)
    check_known(prefix, vocabulary, "--prefix-words")
    whole = not prefix or prefix[-1] in SENTENCE_END or vocabulary.unknown(STOP)
    return prefix if whole else prefix + STOP               # 意境念完了，诗才开始


def no_form(vocabulary: Vocabulary) -> str:
    """这份权重为什么写不了格律体，写得了时为空。"""
    lacking = vocabulary.unknown("，。")
    return "权重学的文字里没有汉字" if not HAN.search(vocabulary.characters) else f"权重学的文字里没有「{lacking[0]}」" if lacking else ""


def possibilities(vocabulary: Vocabulary) -> tuple[str, list[str]]:
    """这份权重认得的几个头字，和它写得了的体裁。"""
    heads = "深度学习"
    if vocabulary.unknown(heads):
        heads = "".join(re.findall(r"\w", vocabulary.characters)[:4])          # 它最常见的几个字
    return heads, [] if no_form(vocabulary) else [*FORMS]


def _check_form(text: str, opt) -> None:
    width, lines = FORMS[opt.form]
    if opt.acrostic:
        if len(text) > lines:
            raise UserError(f"{opt.form}只有 {lines} 句，放不下 {len(text)} 个头字「{text}」；"
                            "减少头字，或不给 --form")
        return
    for position, char in enumerate(text):
        line, column = divmod(position, width + 1)
        wanted = "，" if line % 2 == 0 else "。"
        if line >= lines:
            raise UserError(f"{opt.form}只有 {lines} 句，--start-words 更长")
        if column == width and char != wanted:
            raise UserError(f"{opt.form}每句 {width} 个字，第 {line + 1} 句之后应是「{wanted}」，"
                            f"--start-words 在那里是「{char}」")
        if column < width and char in PUNCTUATION:
            raise UserError(f"{opt.form}每句 {width} 个字，--start-words 的第 {line + 1} 句"
                            f"只有 {column} 个字")


def lines_of(poem: str) -> list[str]:
    """全诗按标点断成各句，不含标点。"""
    return [line for line in re.split(f"[{PUNCTUATION}]", poem) if line]


def layout(poem: str) -> str:
    """排版：每到句末（。？！）换行；一个汉字也没有的（英文），标点用半角。"""
    poem = re.sub(f"([。？！][{CLOSING}]*) ?(?=[^\n{CLOSING}])", r"\1\n", poem).strip()
    return poem if HAN.search(poem) else poem.translate(HALF_WIDTH)


def clean(text: str, vocabulary: Vocabulary) -> str:
    """统一写法，与训练的诗一样，见 tidy；训练的诗里没有空格的，去掉空格。"""
    text = tidy(text)
    return text.replace(" ", "") if vocabulary.unknown(" ") else text


def check_known(text: str, vocabulary: Vocabulary, option: str) -> None:
    unknown = vocabulary.unknown(text)
    if unknown:
        raise UserError(f"{option} 里有模型不认识的字：{' '.join(map(with_code, unknown))}（词表里只有训练它的文字；自带的是简体字）")


def with_code(char: str) -> str:
    """字和它的码位：有的字看上去一样，有的显示不出来。"""
    return f"{char if char.isprintable() else ''}（U+{ord(char):04X}）"
