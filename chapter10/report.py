"""test 命令的成绩表。"""

from data import Annotation, Scene, counts_all_right, join, names_all_right, names_in, segment
from metrics import evaluate

METRICS = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr")


def print_report(written: list[list[str]], items: list[Annotation], scenes: list[Scene] | None) -> None:
    """按词、按字各算一遍；有剧本时，把「见过的搭配」和「没见过的搭配」分开算，再数每样东西是否都说对。"""
    groups = {"全部": list(range(len(items)))}
    if scenes:
        groups["见过的搭配"] = [i for i, scene in enumerate(scenes) if not scene.unseen]
        groups["没见过的搭配"] = [i for i, scene in enumerate(scenes) if scene.unseen]
    groups = {name: part for name, part in groups.items() if part}
    table = {}
    cut = [[segment(caption) for caption in item.captions] for item in items]
    for unit in ("词", "字"):
        references = cut if unit == "词" else [[list(join(words)) for words in captions] for captions in cut]
        candidates = written if unit == "词" else [list(join(words)) for words in written]
        for name, part in groups.items():
            table[unit, name] = evaluate([candidates[i] for i in part], [references[i] for i in part])
    print(f"{'单位':<4}{'部分':<12}{'张数':>6}" + "".join(f"{metric:>9}" for metric in METRICS))
    for (unit, name), scores in table.items():
        wide = len(name)                # 一个汉字占两格
        print(f"{unit:<5}{name}{' ' * (14 - 2 * wide)}{len(groups[name]):>8}"
              + "".join(f"{scores[metric]:>9.3f}" for metric in METRICS))
    if scenes:
        for name, part in groups.items():
            right = right_names([written[i] for i in part], [scenes[i] for i in part])
            print(f"{name} {len(part)} 张：每样东西都说对的 {right['all']:.1%}（{by_kinds(written, scenes, part)}），"
                  f"个数也都对的 {right['counts']:.1%}；"
                  f"说到的东西 {right['precision']:.1%} 是对的，在场的东西 {right['recall']:.1%} 说到了")


def by_kinds(written: list[list[str]], scenes: list[Scene], part: list[int]) -> str:
    """场景里有一、二、三种东西时各对了几成：东西越多，越难全对。"""
    shown = []
    for kinds in sorted({len(scenes[i].things) for i in part}):
        chosen = [i for i in part if len(scenes[i].things) == kinds]
        right = right_names([written[i] for i in chosen], [scenes[i] for i in chosen])["all"]
        shown.append(f"{kinds} 种东西 {len(chosen)} 张 {right:.1%}")
    return "，".join(shown)


def right_names(written: list[list[str]], scenes: list[Scene]) -> dict[str, float]:
    """all：每样东西都说对的句子占几成；counts：个数也都对的；precision、recall：以「一样东西」为单位，重复说的算说错。"""
    sentences = [join(words) for words in written]
    said = [names_in(sentence) for sentence in sentences]
    hits = sum(len(scene.names.intersection(names)) for names, scene in zip(said, scenes))
    return {"all": sum(map(names_all_right, sentences, scenes)) / max(1, len(scenes)),
            "counts": sum(map(counts_all_right, sentences, scenes)) / max(1, len(scenes)),
            "precision": hits / max(1, sum(map(len, said))),
            "recall": hits / max(1, sum(len(scene.names) for scene in scenes))}
