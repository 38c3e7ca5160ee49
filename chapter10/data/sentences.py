"""给场景写五句不同的中文描述，以及从一句话里认出说到了哪些东西。

每句都说到场景里的每一种东西；详略（颜色、大小、地点、左右）、次序和说法各不相同。
"""

import re
from functools import cache
from random import Random

from .scenes import SIDE, Scene, Thing, concepts

NUMBERS = {1: "一", 2: "两", 3: "三"}
# 背景 → 地面上、天上的说法，前面的更常用
GROUND = {"草地": ("草地上", "草坪上"), "海边": ("沙滩上", "海边"), "夜空": ("夜空下", "夜色里"),
          "雪地": ("雪地上", "雪地里"), "街道": ("街道上", "街上"), "室内": ("房间里", "屋子里")}
SKY = {"夜空": ("夜空中", "天上")}
AIR = {"飘": ("空中", "天上"), "飞": ("天上", "空中"), "挂": ("天上", "天空中")}
WATER = {"游": ("海里", "海水里"), "漂": ("海面上", "海上")}
LAYER_ORDER = ("地", "水", "天")


def write_captions(scene: Scene, random: Random, count: int = 5) -> list[str]:
    """count 句各不相同的描述。"""
    written = []
    while len(written) < count:
        sentence = write_caption(scene, random)
        if sentence not in written:
            written.append(sentence)
    return written


def write_caption(scene: Scene, random: Random) -> str:
    said = {thing.name: phrase(thing, random) for thing in scene.things}
    floors = [[thing for thing in scene.things if concepts()[thing.name].layer == layer] for layer in LAYER_ORDER]
    floors = [floor for floor in floors if floor]
    if len(floors) > 1:
        return across_layers(scene, floors, said, random)
    return (one_kind, two_kinds, three_kinds)[len(scene.things) - 1](scene, said, random)


def phrase(thing: Thing, random: Random) -> str:
    """「一只小小的猫」「两辆红色的汽车」。"""
    concept = concepts()[thing.name]
    words = NUMBERS[thing.count] + concept.classifier
    if thing.size and random.random() < 0.8:
        words += "大大的" if thing.size == "大" else "小小的"
    elif thing.color and random.random() < 0.85:
        words += thing.color + "色的"
    elif concept.alias and random.random() < 0.2:
        return words + concept.alias
    return words + thing.name


def usual(choices: tuple[str, ...], random: Random) -> str:
    """多半用第一种说法。"""
    return choices[0] if random.random() < 0.75 else choices[1]


def place_of(scene: Scene, thing: Thing, random: Random) -> str:
    concept = concepts()[thing.name]
    if concept.layer == "地":
        return usual(GROUND[scene.background], random)
    if concept.layer == "水":
        return usual(WATER[concept.verb], random)
    return usual(SKY.get(scene.background, AIR[concept.verb]), random)


def listing(phrases: list[str]) -> str:
    return phrases[0] if len(phrases) == 1 else "、".join(phrases[:-1]) + "和" + phrases[-1]


def clause(scene: Scene, things: list[Thing], said: dict[str, str], random: Random) -> str:
    """「草地上站着一只猫和一只狗」；动词不一样时用「有」。"""
    verbs = {concepts()[thing.name].verb for thing in things}
    verb = verbs.pop() + "着" if len(verbs) == 1 and random.random() < 0.6 else "有"
    return place_of(scene, things[0], random) + verb + listing([said[thing.name] for thing in things])


def across_layers(scene: Scene, floors: list[list[Thing]], said: dict[str, str], random: Random) -> str:
    """东西分在地面、水里、天上几层。"""
    upward = [clause(scene, floor, said, random) for floor in floors]
    forms = [("，".join(upward), 5), ("，".join(reversed(upward)), 2),
             ("画面里有" + listing([said[thing.name] for floor in floors for thing in floor]), 2)]
    if len(scene.things) == 2 and concepts()[floors[1][0].name].layer == "天":
        (below,), (above,) = floors
        forms.append((f"{said[below.name]}的上方{concepts()[above.name].verb}着{said[above.name]}", 2))
    return choose(forms, random)


def one_kind(scene: Scene, said: dict[str, str], random: Random) -> str:
    thing, = scene.things
    a, place, verb = said[thing.name], place_of(scene, thing, random), concepts()[thing.name].verb
    forms = [(clause(scene, [thing], said, random), 5), (f"{a}在{place}", 2),
             (f"图中有{a}，背景是{scene.background}", 2)]
    if verb != "游":
        forms.append((f"{a}{verb}在{place}", 3))
    if thing.count == 1 and not SIDE * 0.36 < thing.x < SIDE * 0.64:
        forms.append((f"画面{'左边' if thing.x < SIDE / 2 else '右边'}有{a}", 2))
    return choose(forms, random)


def two_kinds(scene: Scene, said: dict[str, str], random: Random) -> str:
    left, right = (said[thing.name] for thing in scene.things)
    place = place_of(scene, scene.things[0], random)
    return choose([(clause(scene, scene.things, said, random), 5), (f"{left}和{right}在{place}", 1),
                   (f"{place}左边是{left}，右边是{right}", 2), (f"{place}有{left}，旁边是{right}", 2),
                   (f"{left}在{right}的左边", 1), (f"{right}在{left}的右边", 1)], random)


def three_kinds(scene: Scene, said: dict[str, str], random: Random) -> str:
    left, middle, right = phrases = [said[thing.name] for thing in scene.things]
    place = place_of(scene, scene.things[0], random)
    return choose([(clause(scene, scene.things, said, random), 5), (f"{place}从左到右是{listing(phrases)}", 2),
                   (f"左边是{left}，中间是{middle}，右边是{right}", 2),
                   (f"{place}有{left}和{middle}，旁边还有{right}", 2)], random)


def choose(forms: list[tuple[str, int]], random: Random) -> str:
    sentences, weights = zip(*forms)
    return random.choices(sentences, weights)[0]


@cache
def lexicon() -> tuple[re.Pattern, dict[str, str]]:
    """(找各种叫法的正则式, 叫法 → 正名)。长的在前：先认「猫头鹰」，再认「猫」。"""
    names = {word: concept.name for concept in concepts().values() for word in (concept.name, concept.alias) if word}
    return re.compile("|".join(sorted(names, key=len, reverse=True))), names


def names_in(sentence: str) -> list[str]:
    """一句话依次说到的东西，别名换成正名。"""
    pattern, names = lexicon()
    return [names[word] for word in pattern.findall(sentence)]


def names_all_right(sentence: str, scene: Scene) -> bool:
    """场景里的每一种东西都说到一次：漏了、说了别的、同一样说了两次都不算。个数不管。"""
    return sorted(names_in(sentence)) == sorted(scene.names)


def counts_all_right(sentence: str, scene: Scene) -> bool:
    """每一种东西都说到一次，个数也对：「两只小小的猫」里的「两」。"""
    pattern, names = lexicon()
    said = re.findall(f"([一两三]).(?:..?的)?({pattern.pattern})", sentence)
    wanted = [(NUMBERS[thing.count], thing.name) for thing in scene.things]
    return names_all_right(sentence, scene) and sorted((number, names[word]) for number, word in said) == sorted(wanted)
