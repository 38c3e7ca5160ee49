"""BLEU、ROUGE-L、CIDEr：对照手算的例子，和别处已知的数。"""

import math

import pytest

from metrics import bleu, cider, evaluate, longest_common, rouge_l


def cut(text):
    return text.split()


def test_bleu_of_the_original_paper():
    """Papineni et al. (2002) 的第二个例子：the 重复七次，至多算两次。"""
    candidate = cut("the the the the the the the")
    references = [cut("the cat is on the mat"), cut("there is a cat on the mat")]
    assert bleu([candidate], [references])[0] == pytest.approx(2 / 7)


def test_bleu_worked_example():
    """一元 5/6、二元 3/5、三元 1/4、四元 0/3；长度 6 对 6，不打折扣。"""
    one, two, three, four = bleu([cut("the cat sat on the mat")], [[cut("the cat is on the mat")]])
    assert one == pytest.approx(5 / 6)
    assert two == pytest.approx(math.sqrt(5 / 6 * 3 / 5))
    assert three == pytest.approx((5 / 6 * 3 / 5 * 1 / 4) ** (1 / 3))
    assert four == 0


def test_bleu_brevity_penalty_uses_the_closest_reference():
    assert bleu([cut("a b c")], [[cut("a b c d")]])[0] == pytest.approx(math.exp(1 - 4 / 3))
    assert bleu([cut("a b c")], [[cut("a b c d"), cut("a b c")]])[0] == 1
    # 与 2、4 的差相同，取短的，不打折扣
    assert bleu([cut("a b c")], [[cut("a b c d"), cut("a b")]])[0] == 1


def test_bleu_is_of_the_whole_corpus_not_an_average():
    candidates, references = [cut("a b"), cut("x y z w")], [[cut("a b")], [cut("x q r s")]]
    assert bleu(candidates, references)[0] == pytest.approx(3 / 6)


def test_rouge_l_worked_example():
    """最长公共子序列 the cat on the mat 长 5，精确率、召回率都是 5/6。"""
    score = rouge_l([cut("the cat sat on the mat")], [[cut("the cat is on the mat")]])
    assert score == pytest.approx(5 / 6)
    # 精确率 1，召回率 1/2：(1+β²)·P·R / (R+β²·P)，β = 1.2
    assert rouge_l([cut("a b")], [[cut("a x b y")]]) == pytest.approx(2.44 * 0.5 / (0.5 + 1.44))


@pytest.mark.parametrize("one, two, size", [
    ("abcde", "ace", 3), ("abc", "xyz", 0), ("", "abc", 0), ("abcabc", "bcab", 4), ("aaa", "aa", 2)])
def test_longest_common_subsequence(one, two, size):
    assert longest_common(one, two) == longest_common(two, one) == size


def test_cider_worked_example():
    """两张图，一元组。第一张 a b 对 a c：只有 a 相同；各词只在一张图里出现，逆文档频率都是 ln 2。

    一元：余弦 = 1/2；二元以上没有相同的；长度相同，不罚。10 × (1/2) / 4 = 1.25。第二张完全相同，
    但只有一、二元组：10 × 2 / 4 = 5。
    """
    score = cider([cut("a b"), cut("x y")], [[cut("a c")], [cut("x y")]])
    assert score == pytest.approx((1.25 + 5) / 2)


def test_cider_ignores_what_every_picture_says_and_punishes_length():
    same = [[cut("there is a cat")], [cut("there is a dog")]]
    assert cider([cut("there is"), cut("there is")], same) == 0
    short, long = (cider([cut(text), cut("q")], [[cut("a b c d")], [cut("q r")]])
                   for text in ("a b c d", "a b c d a b c d"))
    assert short > long > 0


def test_cider_of_one_picture_is_zero():
    assert cider([cut("a b c d")], [[cut("a b c d")]]) == 0


def test_perfect_captions():
    sentences = [cut("草地 上 有 一只 猫"), cut("天上 飞着 一架 飞机"), cut("海里 游着 一条 鲨鱼")]
    scores = evaluate(sentences, [[sentence] for sentence in sentences])
    assert scores["BLEU-4"] == scores["ROUGE-L"] == 1
    assert list(scores) == ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr"]


def test_empty_captions_score_zero():
    scores = evaluate([[], []], [[cut("a b")], [cut("c d")]])
    assert set(scores.values()) == {0.0}
