"""自带数据的「剧本」：每个场景有什么东西、在哪里、多大、什么颜色。画面由 drawing.py 画，句子由 sentences.py 写。

同一个种子总得到同样的场景。有些成对的东西（unseen_pair）从不在训练集和验证集里同时出现，只在测试集里出现，
用来看网络是真的认得两样东西，还是背下了常见的搭配。
"""

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from pathlib import Path
from random import Random

HERE = Path(__file__).parent
BACKGROUNDS = {"草": "草地", "海": "海边", "夜": "夜空", "雪": "雪地", "街": "街道", "室": "室内"}
STYLES = ("noto", "fluent", "twemoji")
COUNTS = {"train": 10_000, "val": 1_000, "test": 1_000}
UNSEEN_TESTS = 300                      # 测试集里有几个场景含有训练时没见过的搭配
UNSEEN_PERCENT = 8                      # 每百对搭配里留几对给测试集
SIDE = 128                              # 画面的边长，像素
UNIT = 54                               # scale 为 1 的东西的长边，像素
LARGEST = {"天": 90, "水": 64, "地": 96}     # 再大也不超过的边长，像素：不会顶出画面
SHRINK = (1.15, 1.05, 0.95, 0.85)       # 一共 1、2、3、4 个东西时，各缩放多少
TRIES = 12                              # 几层都有东西时排几次，取互相遮得最少的一次
SIZES = {"大": 1.35, "小": 0.7, "": 1.0}
BANDS = {"天": (3, 54), "水": (66, 86), "地": (98, 124)}    # 天：东西在这一段之内；水、地：底边在这一段之内


@dataclass(frozen=True)
class Concept:
    """一种东西。每一行 concepts.csv 一个。"""

    name: str
    alias: str                          # 另一种叫法，空为没有
    classifier: str                     # 量词
    verb: str                           # 「草地上站着一只猫」的「站」
    layer: str                          # 地、水、天
    places: str                         # 可以出现在哪些背景，如「草雪」
    scale: float                        # 相对大小
    colors: str                         # 可以染成的颜色，空为不染
    single: bool                        # 一个场景里只会有一个


@dataclass
class Thing:
    """场景里的一种东西，可以有几个。"""

    name: str
    color: str = ""                     # 红蓝绿黄紫之一，空为本色
    size: str = ""                      # 大、小，空为平常
    boxes: list[list[int]] = field(default_factory=list)    # 每个的左、上、右、下，像素

    @property
    def count(self) -> int:
        return len(self.boxes)

    @property
    def x(self) -> float:
        """水平中心，像素。"""
        return sum(left + right for left, _, right, _ in self.boxes) / 2 / self.count


@dataclass
class Scene:
    background: str                     # 草地、海边……
    style: str                          # 画风：noto、fluent、twemoji
    unseen: bool                        # 含有训练时没见过的搭配
    things: list[Thing]

    @property
    def names(self) -> set[str]:
        return {thing.name for thing in self.things}


@cache
def concepts() -> dict[str, Concept]:
    """名字 → 东西，次序同 concepts.csv（也是精灵图里的次序）。"""
    with open(HERE / "concepts.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["name"]: Concept(row["name"], row["alias"], row["classifier"], row["verb"], row["layer"], row["places"],
                                 float(row["scale"]), row["colors"], bool(row["single"])) for row in rows}


@cache
def unseen_pair(one: str, two: str) -> bool:
    """这一对是否留给测试集。只看名字，与次序和种子无关。"""
    digest = hashlib.sha256("|".join(sorted((one, two))).encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < UNSEEN_PERCENT


def pairs_of(names) -> set[tuple[str, str]]:
    return set(combinations(sorted(names), 2))


def make_scenes(split: str, seed: int = 0) -> Iterator[Scene]:
    """split（train、val、test）的全部场景，依次给出。

    测试集前 UNSEEN_TESTS 个各含至少一对没见过的搭配；其余的每一对都在训练集里出现过。
    """
    seen = known_pairs(seed) if split == "test" else None
    for i in range(COUNTS[split]):
        random = Random(f"{seed}-{split}-{i}")
        unseen = split == "test" and i < UNSEEN_TESTS
        while True:
            background, names = choose_names(random)
            pairs = pairs_of(names)
            strange = any(unseen_pair(*pair) for pair in pairs)
            if strange == unseen and (seen is None or unseen or pairs <= seen):
                break
        yield compose(random, background, names, unseen)


@cache
def known_pairs(seed: int) -> frozenset[tuple[str, str]]:
    """训练集里一起出现过的各对东西。"""
    return frozenset(pair for scene in make_scenes("train", seed) for pair in pairs_of(scene.names))


@cache
def by_place() -> dict[str, list[str]]:
    found = defaultdict(list)
    for concept in concepts().values():
        for place in concept.places:
            found[place].append(concept.name)
    return dict(found)


def choose_names(random: Random) -> tuple[str, list[str]]:
    """选一种东西、一个放得下它的背景，再选零到两种放得进这个背景的。返回 (背景, 名字)。"""
    first = random.choice(list(concepts().values()))
    place = random.choice(first.places)
    names = [first.name]
    for _ in range(random.choices((0, 1, 2), (25, 45, 30))[0]):
        names.append(random.choice([name for name in by_place()[place] if name not in names]))
    return BACKGROUNDS[place], names


def compose(random: Random, background: str, names: list[str], unseen: bool) -> Scene:
    """定下每种东西的个数、颜色、大小和位置。"""
    counts = dict.fromkeys(names, 1)
    repeatable = [name for name in names if not concepts()[name].single]
    if repeatable and random.random() < {1: 0.4, 2: 0.3, 3: 0.2}[len(names)]:
        counts[random.choice(repeatable)] = random.choice((2, 2, 3)) if len(names) < 3 else 2
    total = sum(counts.values())
    things = []
    for name in names:
        colors = concepts()[name].colors
        size = random.choice("大小") if total <= 2 and counts[name] == 1 and random.random() < 0.3 else ""
        things.append(Thing(name, random.choice(colors) if colors else "", size))
    layers = {layer: [thing for thing in things if concepts()[thing.name].layer == layer] for layer in BANDS}
    several = sum(map(bool, layers.values())) > 1
    tries = []
    for _ in range(TRIES if several else 1):
        boxes = {layer: place_in_band(random, members, counts, layer, total, several) for layer, members in layers.items()}
        tries.append((covered(list(boxes.values())), boxes))
    _, boxes = min(tries, key=lambda attempt: attempt[0])
    for layer, members in layers.items():
        for thing in members:
            thing.boxes = boxes[layer][thing.name]
    things.sort(key=lambda thing: thing.x)
    return Scene(background, random.choice(STYLES), unseen, things)


def place_in_band(random: Random, things: list[Thing], counts: dict[str, int], layer: str, total: int,
                  several: bool) -> dict[str, list[list[int]]]:
    """把同一层的东西从左到右排开，互不遮挡，空隙随机；放不下就一起缩小。返回名字 → 每一个的边框。

    total 是整个场景里东西的总数，several 是说不止一层有东西：东西越多画得越小。
    """
    low, high = BANDS[layer]
    zoom = SHRINK[total - 1] * (0.95 if several else 1.0) * (0.9 if layer == "水" else 1.0)
    sides = []
    for thing in things:
        side = UNIT * concepts()[thing.name].scale * zoom * SIZES[thing.size]
        sides += [(thing.name, min(LARGEST[layer], side * random.uniform(0.92, 1.08))) for _ in range(counts[thing.name])]
    room = SIDE - 6
    fit = min(1.0, room / max(1.0, sum(side for _, side in sides)))
    sides = [(name, round(side * fit)) for name, side in sides]
    free = room - sum(side for _, side in sides)
    cuts = sorted(random.uniform(0, max(0, free)) for _ in sides)
    x, boxes = 3, defaultdict(list)
    for (name, side), before, cut in zip(sides, [0, *cuts], cuts):
        x += round(cut - before)
        if layer == "天":
            top = random.randint(low, max(low, high - side))
        else:
            top = random.randint(low, high) - side
        boxes[name].append([x, top, x + side, top + side])
        x += side
    return boxes


def covered(layers: list[dict[str, list[list[int]]]]) -> float:
    """不同层的边框互相遮住多少：各个边框被遮住的比例里最大的。"""
    flat = [(i, box) for i, layer in enumerate(layers) for boxes in layer.values() for box in boxes]
    worst = 0.0
    for i, (left, top, right, bottom) in flat:
        for j, other in flat:
            width, height = min(right, other[2]) - max(left, other[0]), min(bottom, other[3]) - max(top, other[1])
            if i != j and width > 0 and height > 0:
                worst = max(worst, width * height / ((right - left) * (bottom - top)))
    return worst
