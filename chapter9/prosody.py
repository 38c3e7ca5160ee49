"""韵律：哪些字押韵，哪些字平、哪些字仄，格律诗每个位置该平还是该仄。

读音是今天的普通话（pypinyin），多音字取最常见的一个。唐人的入声字今天散在四声里，所以唐诗按今音查，未必处处合律。
"""

from functools import cache

from data import Vocabulary
from utils.files import UserError

# 中华新韵（十四韵，中华诗词学会 2005）：韵部 → 韵母。支部的韵母写作 -i
RHYMES = {"麻": "a ia ua", "波": "o e uo", "皆": "ie ve ê", "开": "ai uai", "微": "ei uei",
          "豪": "ao iao", "尤": "ou iou", "寒": "an ian uan van", "文": "en in uen vn",
          "唐": "ang iang uang", "庚": "eng ing ueng ong iong", "齐": "i er v", "支": "-i", "姑": "u"}

# 五言律句只有四种（王力《诗词格律》），名字是「起」和「收」的平仄；「中」可平可仄：
# 收的三个字不许全平、全仄，韵句里的平声不许孤零零一个（孤平），余下的就是可以放宽的
LINES = {"仄仄": "中仄中平仄", "平平": "平平中仄平", "平仄": "中平平仄仄", "仄平": "中仄仄平平"}
# 一联两句平仄相对，两联之间第二字相粘，于是只有四种排法：从「仄起」或「平起」的一联开始，首句收仄或收平（入韵）
COUPLETS = {"仄": ("仄仄", "平平"), "平": ("平仄", "仄平")}
OPENINGS = ("仄仄", "仄平", "平仄", "平平")


@cache
def readings(vocabulary: Vocabulary) -> dict[int, tuple[str, bool]]:
    """字的编号 → (韵部, 是否平声)。"""
    try:
        from pypinyin import Style, pinyin
    except ImportError:
        raise UserError("--rhyme 和 --tones 要用 pypinyin 查读音：pip install pypinyin") from None
    part_of = {final: part for part, finals in RHYMES.items() for final in finals.split()}
    found = {}
    for token in vocabulary.tokens[2:]:
        final = pinyin(token, style=Style.FINALS_TONE3, errors="ignore")
        initial = pinyin(token, style=Style.INITIALS, errors="ignore")
        if final and final[0][0]:
            name, tone = final[0][0].rstrip("12345"), final[0][0][-1]
            if name == "i" and initial[0][0] in ("zh", "ch", "sh", "r", "z", "c", "s"):
                name = "-i"
            if name in part_of:
                found[vocabulary.index[token]] = (part_of[name], tone in "12")
    return found


@cache
def patterns(width: int, count: int) -> list[str]:
    """width 言 count 句的四种平仄谱，每种把各句连在一起写，width × count 个「平」「仄」「中」。"""
    written = []
    for opening in OPENINGS:
        start = opening[0]
        lines = [line for i in range(count // 2) for line in COUPLETS[start if i % 2 == 0 else "平仄".replace(start, "")]]
        lines[0] = opening                                  # 入韵时首句收平，其余不变
        written.append("".join(_widen(line, width) for line in lines))
    return written


def violations(levels: list[bool | None], candidates: list[str]) -> list[int]:
    """写下的各字（平声 True，仄声 False，不知读音 None；可以没写完）与每种谱有几处不合。"""
    return [sum(level is not None and wanted != "中" and level != (wanted == "平") for level, wanted in zip(levels, pattern))
            for pattern in candidates]


def is_regular(lines: list[str], vocabulary: Vocabulary) -> bool:
    """一首齐言诗（各句不含标点）是不是处处合某一种谱。"""
    sounds = readings(vocabulary)
    levels = [sounds.get(vocabulary.index[char], (None, None))[1] for line in lines for char in line]
    return min(violations(levels, patterns(len(lines[0]), len(lines)))) == 0


def _widen(line: str, width: int) -> str:
    """五言句前面加上平仄相反的两个字就是七言句，其中第一个可平可仄。"""
    return LINES[line] if width == 5 else f"中{'平' if line[0] == '仄' else '仄'}{LINES[line]}"
