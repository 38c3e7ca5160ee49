"""句子的评价：BLEU、ROUGE-L、CIDEr。单位可以是词，也可以是字：传进来的是什么就按什么算。

候选是 list[str]，参考是几句 list[str]。三种写法与 COCO 的评价程序（pycocoevalcap）一致，只是不再分词。
"""

import math
from collections import Counter
from collections.abc import Sequence

Sentence = Sequence[str]
N = 4                                   # 最长看四元组
ROUGE_BETA = 1.2                        # ROUGE-L 里召回率比精确率重
CIDER_SIGMA = 6.0                       # CIDEr-D 里长度之差的高斯宽度


def ngrams(sentence: Sentence, n: int) -> Counter:
    return Counter(tuple(sentence[i:i + n]) for i in range(len(sentence) - n + 1))


def bleu(candidates: list[Sentence], references: list[list[Sentence]]) -> list[float]:
    """整个语料的 BLEU-1 到 BLEU-4（Papineni et al., 2002）。

    n 元组的命中数以它在某一句参考里的最多次数为限；候选总长不如参考（各取与候选最近的一句）时打折扣。
    """
    hits, totals, length, wanted = [0] * N, [0] * N, 0, 0
    for candidate, group in zip(candidates, references):
        length += len(candidate)
        wanted += min((len(reference) for reference in group), key=lambda size: (abs(size - len(candidate)), size))
        for n in range(1, N + 1):
            limit = Counter()
            for reference in group:
                limit |= ngrams(reference, n)                       # 各 n 元组取最多的次数
            hits[n - 1] += sum((ngrams(candidate, n) & limit).values())
            totals[n - 1] += max(0, len(candidate) - n + 1)
    if not length:
        return [0.0] * N
    brevity = min(1.0, math.exp(1 - wanted / length))
    logs, scores = 0.0, []
    for n in range(N):
        logs += math.log(hits[n] / totals[n]) if hits[n] else -math.inf
        scores.append(brevity * math.exp(logs / (n + 1)))
    return scores


def rouge_l(candidates: list[Sentence], references: list[list[Sentence]]) -> float:
    """ROUGE-L 的平均（Lin, 2004）：最长公共子序列的精确率和召回率，各取参考里最好的一句，合成 F 值。"""
    return sum(map(rouge_l_one, candidates, references)) / len(candidates)


def rouge_l_one(candidate: Sentence, group: list[Sentence]) -> float:
    common = [longest_common(candidate, reference) for reference in group]
    precision = max(common) / len(candidate) if candidate else 0
    recall = max(size / len(reference) for size, reference in zip(common, group))
    if not precision or not recall:
        return 0.0
    return (1 + ROUGE_BETA ** 2) * precision * recall / (recall + ROUGE_BETA ** 2 * precision)


def longest_common(one: Sentence, two: Sentence) -> int:
    """最长公共子序列的长度。"""
    row = [0] * (len(two) + 1)
    for x in one:
        corner = 0                                                  # 上一行、左一列
        for j, y in enumerate(two, 1):
            corner, row[j] = row[j], corner + 1 if x == y else max(row[j], row[j - 1])
    return row[-1]


class Cider:
    """CIDEr-D（Vedantam et al., 2015, arXiv:1411.5726），0–10。

    n 元组按 TF-IDF 加权：在很多张图的参考里都出现的不算本事。逆文档频率就取自给出的这些参考，
    所以参考太少（一张图）时总是 0。参考的向量只算一次，一张图可以反复打分。
    """

    def __init__(self, references: list[list[Sentence]]):
        self.documents = Counter()
        for group in references:
            self.documents.update(set().union(*(ngrams(reference, n) for reference in group for n in range(1, N + 1))))
        self.log_images = math.log(len(references))
        self.references = [[self._vectors(reference) for reference in group] for group in references]

    def _vectors(self, sentence: Sentence) -> tuple[int, list[dict], list[float]]:
        """长度；每种 n 一个 {n 元组: 次数 × 逆文档频率}；和各自的模长。"""
        parts = [{gram: count * (self.log_images - math.log(max(1, self.documents[gram])))
                  for gram, count in ngrams(sentence, n).items()} for n in range(1, N + 1)]
        return len(sentence), parts, [math.sqrt(sum(weight ** 2 for weight in part.values())) for part in parts]

    def score(self, candidate: Sentence, image: int) -> float:
        """给第 image 张图写的一句得几分。"""
        length, own, own_size = self._vectors(candidate)
        total = 0.0
        for other_length, other, other_size in self.references[image]:
            penalty = math.exp(-(length - other_length) ** 2 / (2 * CIDER_SIGMA ** 2))
            for n in range(N):
                if own_size[n] and other_size[n]:
                    # 候选重复一个词刷不出高分：权重以参考里的为限
                    dot = sum(min(weight, other[n].get(gram, 0.0)) * other[n].get(gram, 0.0)
                              for gram, weight in own[n].items())
                    total += 10 * penalty * dot / (own_size[n] * other_size[n]) / N
        return total / len(self.references[image])


def cider(candidates: list[Sentence], references: list[list[Sentence]]) -> float:
    """CIDEr-D 的平均，逆文档频率取自这些参考。"""
    judge = Cider(references)
    return sum(judge.score(candidate, i) for i, candidate in enumerate(candidates)) / len(candidates)


def evaluate(candidates: list[Sentence], references: list[list[Sentence]]) -> dict[str, float]:
    """全部指标，名字 → 数。"""
    scores = {f"BLEU-{n}": score for n, score in enumerate(bleu(candidates, references), 1)}
    return scores | {"ROUGE-L": rouge_l(candidates, references), "CIDEr": cider(candidates, references)}
