import pytest
import torch as t

from config import Config
from data import EOP, Vocabulary
from generation import generate, pick
from models import PoetryModel, PoetryTransformer
from rules import FORMS, clean, layout, lines_of, make_rule, rhyme_groups
from utils import UserError


@pytest.fixture(scope="module", params=[PoetryModel, PoetryTransformer])
def untrained(request, vocabulary):
    """没学过的网络什么都可能写，最能考验格式约束。"""
    t.manual_seed(0)
    return request.param(len(vocabulary), 16, 16).eval()


def compose(model, vocabulary, count=8, seed=0, prefix="", temperature=1.0, **options):
    rules = [make_rule(Config(**options), vocabulary)] * count
    return generate(model, vocabulary, rules, prefix, temperature, seed=seed)


@pytest.mark.parametrize("form", FORMS)
def test_form_is_exact_whatever_the_network_wants(untrained, vocabulary, form):
    width, count = FORMS[form]
    for poem in compose(untrained, vocabulary, form=form, start_words="月"):
        assert poem[0] == "月"
        assert [len(line) for line in lines_of(poem)] == [width] * count
        assert poem[width::width + 1] == "，。" * (count // 2)


def test_a_form_repeats_no_character_except_doubled_ones(vocabulary):
    class Stubborn(t.nn.Module):
        """总想写同样几个字的网络。"""

        def __init__(self):
            super().__init__()
            self.scores = t.nn.Parameter(t.arange(len(vocabulary), 0, -1.0))

        def forward(self, ids, state=None):
            return self.scores.expand(*ids.shape, -1), None

    poem, = compose(Stubborn(), vocabulary, 1, form="七律", rhyme=True, start_words="月月月", temperature=0)
    lines = lines_of(poem)
    text = "".join(lines)[3:]
    assert [len(line) for line in lines] == [7] * 8
    assert "月" not in text
    for position, char in enumerate(text):
        assert char not in text[:max(0, position - 1)], poem


@pytest.mark.parametrize("form, heads", [("五绝", "春江花月"), ("七律", "春江花月夜凉如水"), ("七绝", "春江花"),
                                         ("七绝", "春，江花月。")])
def test_acrostic_heads_set_the_lines_of_a_form(untrained, vocabulary, form, heads):
    bare = heads.replace("，", "").replace("。", "")
    for poem in compose(untrained, vocabulary, form=form, start_words=heads, acrostic=True):
        lines = lines_of(poem)
        assert "".join(line[0] for line in lines) == bare
        assert {len(line) for line in lines} == {FORMS[form][0]}
        assert poem.endswith("。")


def test_free_acrostic_has_exactly_the_heads(untrained, vocabulary):
    for poem in compose(untrained, vocabulary, start_words="深度学习", acrostic=True):
        sentences = layout(poem).split("\n")
        assert [sentence[0] for sentence in sentences] == list("深度学习")


def test_question_marks_end_a_sentence_of_an_acrostic(vocabulary):
    class Asker(t.nn.Module):
        """总想写「？」的网络。"""

        def __init__(self):
            super().__init__()
            self.unused = t.nn.Parameter(t.zeros(1))

        def forward(self, ids, state=None):
            scores = t.zeros(*ids.shape, len(vocabulary))
            scores[..., vocabulary.index["？"]] = 9
            scores[..., EOP] = 8
            return scores, None

    poem, = compose(Asker(), vocabulary, 1, start_words="深度学习", acrostic=True, temperature=0)
    assert poem == "深？度？学？习？"


def test_free_poem_keeps_its_start_and_has_no_odd_punctuation(untrained, vocabulary):
    for poem in compose(untrained, vocabulary, start_words="明月几时有，把酒", max_gen_len=60):
        assert poem.startswith("明月几时有，把酒")
        assert len(poem) <= 60
        assert "" not in layout(poem).split("\n")
        assert not any(a in "，。？！；、：" and b in "，。？！；、：" for a, b in zip(poem, poem[1:]))


@pytest.mark.parametrize("form", FORMS)
def test_even_lines_rhyme(untrained, vocabulary, form):
    groups = rhyme_groups(vocabulary)
    for poem in compose(untrained, vocabulary, form=form, rhyme=True, start_words="月"):
        feet = [line[-1] for line in lines_of(poem)[1::2]]
        (_, level), = {groups[vocabulary.index[foot]] for foot in feet}
        assert level
        assert len(set(feet)) == len(feet)


def test_rhyme_follows_a_given_foot(untrained, vocabulary):
    groups = rhyme_groups(vocabulary)
    for poem in compose(untrained, vocabulary, form="五绝", rhyme=True, start_words="白日依山尽，黄河入海流。"):
        assert groups[vocabulary.index[lines_of(poem)[3][-1]]] == groups[vocabulary.index["流"]]


@pytest.mark.parametrize("pair, same", [("流楼", True), ("东风", True), ("山间", True), ("天仙", True), ("知时", True),
                                        ("知西", False), ("山江", False), ("流六", False), ("花雪", False),
                                        ("雨去", True), ("诗儿", False)])
def test_rhyme_groups_of_known_characters(vocabulary, pair, same):
    groups = rhyme_groups(vocabulary)
    first, second = (groups[vocabulary.index[char]] for char in pair)
    assert (first == second) is same


def test_greedy_is_deterministic_and_seeds_matter(untrained, vocabulary):
    options = {"form": "七绝", "start_words": "月"}
    greedy = [compose(untrained, vocabulary, 1, seed, temperature=0, **options) for seed in (0, 1)]
    assert greedy[0] == greedy[1]
    same = [compose(untrained, vocabulary, 3, seed, **options) for seed in (5, 5, 6)]
    assert same[0] == same[1] != same[2]
    assert len(set(same[0])) == 3                       # 同一批里的几首各不相同


def test_pick_respects_top_k_and_top_p():
    logits = t.tensor([0.5, 0.3, 0.15, 0.05]).log().expand(4000, 4)
    generator = t.Generator().manual_seed(0)
    share = t.bincount(pick(logits, 1, 0, 1, generator), minlength=4) / 4000
    t.testing.assert_close(share, t.tensor([0.5, 0.3, 0.15, 0.05]), atol=0.04, rtol=0)
    assert set(pick(logits, 1, 2, 1, generator).tolist()) == {0, 1}
    assert set(pick(logits, 1, 0, 0.75, generator).tolist()) == {0, 1}
    assert set(pick(logits, 1, 0, 0.4, generator).tolist()) == {0}
    assert set(pick(logits, 0, 0, 1, generator).tolist()) == {0}
    sharp = t.bincount(pick(logits, 0.5, 0, 1, generator), minlength=4) / 4000
    assert sharp[0] > share[0] + 0.1


def test_punctuation_is_normalised():
    assert clean(" 春,夏.秋?冬!\n") == "春，夏。秋？冬！"


@pytest.mark.parametrize("options, message", [
    ({"start_words": ""}, "空"),
    ({"start_words": " "}, "空"),
    ({"start_words": "，。", "acrostic": True}, "空"),
    ({"start_words": "，春"}, "标点"),
    ({"start_words": "hello春"}, "h（U.0068） e（U.0065）"),
    ({"start_words": "春江花月夜", "acrostic": True, "form": "七绝"}, "4 句"),
    ({"start_words": "春江花月夜凉如水天", "acrostic": True, "form": "七律"}, "8 句"),
    ({"start_words": "白日依山尽黄", "form": "五绝"}, "每句 5 个字"),
    ({"start_words": "白日，", "form": "五绝"}, "每句 5 个字"),
    ({"start_words": "白日依山尽。", "form": "五绝"}, "「，」"),
    ({"start_words": "白日依山尽，黄河入海流。" * 3, "form": "五绝"}, "4 句"),
    ({"start_words": "春", "rhyme": True}, "--form"),
])
def test_impossible_requests_are_explained(vocabulary, options, message):
    with pytest.raises(UserError, match=message):
        make_rule(Config(**options), vocabulary)


def test_a_vocabulary_without_commas_can_still_write_freely():
    vocabulary = Vocabulary("。春夏")
    t.manual_seed(0)
    poem, = compose(PoetryModel(len(vocabulary), 8, 8), vocabulary, 1, start_words="春", max_gen_len=12)
    assert set(poem) <= set("春夏。")
    with pytest.raises(UserError, match="，"):
        make_rule(Config(start_words="春", form="五绝"), vocabulary)


def test_text_without_sentence_ends(vocabulary):
    """旧的权重可能是用没有句末标点的文字训练的：写得完，藏头诗说明写不了。"""
    bare = Vocabulary("青山绿水花")
    t.manual_seed(0)
    model = PoetryModel(len(bare), 8, 8).eval()
    poems = compose(model, bare, 40, start_words="青", max_gen_len=60)
    assert min(map(len, poems)) < 60 and all(poem.startswith("青") for poem in poems)
    with pytest.raises(UserError, match="句末标点"):
        make_rule(Config(start_words="青山", acrostic=True), bare)


@pytest.mark.parametrize("temperature", [0, 1.2e-38, 1e-4, 3.4e38])
def test_any_temperature(untrained, vocabulary, temperature):
    poem, = compose(untrained, vocabulary, 1, form="五绝", start_words="月", temperature=temperature)
    assert len(lines_of(poem)) == 4
    if temperature < 1:
        assert [poem] == compose(untrained, vocabulary, 1, form="五绝", start_words="月", temperature=0)
