import pytest
import torch as t

from config import Config
from data import EOP, Vocabulary, tidy
from generation import best, compose, fluency, generate, pick, sampling
from generation import write as write_on
from models import PoetryModel, PoetryTransformer
from prosody import is_regular, patterns, readings, violations
from rules import FORMS, clean, layout, lines_of, make_prefix, make_rule, possibilities
from utils.files import UserError


@pytest.fixture(scope="module", params=[PoetryModel, PoetryTransformer])
def untrained(request, vocabulary):
    """没学过的网络什么都可能写，最能考验格式约束。"""
    t.manual_seed(0)
    return request.param(len(vocabulary), 16, 16).eval()


def write(model, vocabulary, count=8, seed=0, prefix="", temperature=1.0, **options):
    rules = [make_rule(Config(**options), vocabulary)] * count
    return generate(model, vocabulary, rules, prefix, temperature, seed=seed)


@pytest.mark.parametrize("form", FORMS)
def test_form_is_exact_whatever_the_network_wants(untrained, vocabulary, form):
    width, count = FORMS[form]
    for poem in write(untrained, vocabulary, form=form, start_words="月"):
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

    poem, = write(Stubborn(), vocabulary, 1, form="七律", rhyme=True, start_words="月月月", temperature=0)
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
    for poem in write(untrained, vocabulary, form=form, start_words=heads, acrostic=True):
        lines = lines_of(poem)
        assert "".join(line[0] for line in lines) == bare
        assert {len(line) for line in lines} == {FORMS[form][0]}
        assert poem.endswith("。")


def test_free_acrostic_has_exactly_the_heads(untrained, vocabulary):
    for poem in write(untrained, vocabulary, start_words="深度学习", acrostic=True):
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

    poem, = write(Asker(), vocabulary, 1, start_words="深度学习", acrostic=True, temperature=0)
    assert poem == "深？度？学？习？"


def test_free_poem_keeps_its_start_and_has_no_odd_punctuation(untrained, vocabulary):
    for poem in write(untrained, vocabulary, start_words="明月几时有，把酒", max_gen_len=60):
        assert poem.startswith("明月几时有，把酒")
        assert len(poem) <= 60
        assert "" not in layout(poem).split("\n")
        assert not any(a in "，。？！；、：" and b in "，。？！；、：" for a, b in zip(poem, poem[1:]))


@pytest.mark.parametrize("form", FORMS)
def test_even_lines_rhyme(untrained, vocabulary, form):
    groups = readings(vocabulary)
    for poem in write(untrained, vocabulary, form=form, rhyme=True, start_words="月"):
        feet = [line[-1] for line in lines_of(poem)[1::2]]
        (_, level), = {groups[vocabulary.index[foot]] for foot in feet}
        assert level
        assert len(set(feet)) == len(feet)


def test_rhyme_follows_a_given_foot(untrained, vocabulary):
    groups = readings(vocabulary)
    for poem in write(untrained, vocabulary, form="五绝", rhyme=True, start_words="白日依山尽，黄河入海流。"):
        assert groups[vocabulary.index[lines_of(poem)[3][-1]]] == groups[vocabulary.index["流"]]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rhyme", [False, True])
@pytest.mark.parametrize("start", ["山", "空山新雨后，"])
def test_tones_are_kept_everywhere(untrained, vocabulary, form, rhyme, start):
    start = start if FORMS[form][0] == 5 else start[:1]
    sounds = readings(vocabulary)
    openings = set()
    for poem in write(untrained, vocabulary, 16, form=form, tones=True, rhyme=rhyme, start_words=start):
        lines = lines_of(poem)
        assert is_regular(lines, vocabulary), poem
        first, *feet = [sounds[vocabulary.index[line[-1]]] for line in (lines[0], *lines[1::2])]
        assert all(level for _, level in feet)
        if rhyme:
            assert len({*feet, *([first] if first[1] else [])}) == 1, poem      # 首句收平声就是入韵
        openings.add(first[1])
    assert start != "山" or openings == {True, False}       # 入韵、不入韵都写得出


def test_untold_tones_are_mostly_wrong(untrained, vocabulary):
    poems = write(untrained, vocabulary, form="五绝", start_words="月")
    assert not any(is_regular(lines_of(poem), vocabulary) for poem in poems)


@pytest.mark.parametrize("start", ["月月月月月，", "不必不必不必不，", "白日依山尽，黄河入海六。"])
def test_a_start_against_the_rules_is_kept_and_the_poem_is_finished(untrained, vocabulary, start):
    form = "七律" if len(start) == 8 else "五律"
    for poem in write(untrained, vocabulary, form=form, tones=True, rhyme=True, start_words=start):
        assert poem.startswith(start)
        assert [len(line) for line in lines_of(poem)] == [FORMS[form][0]] * 8


@pytest.mark.parametrize("width, count", FORMS.values())
def test_tonal_patterns(width, count):
    written = patterns(width, count)
    assert len(set(written)) == 4
    firsts = set()
    for pattern in written:
        lines = [pattern[i * width:(i + 1) * width] for i in range(count)]
        seconds = [line[1] for line in lines]
        assert all(a != b for a, b in zip(seconds[::2], seconds[1::2]))         # 一联之内相对
        assert all(a == b for a, b in zip(seconds[1::2], seconds[2::2]))        # 两联之间相粘
        assert [line[-1] for line in lines[1:]] == ["平" if i % 2 == 0 else "仄" for i in range(count - 1)]
        assert all(line[i] != line[i + 2] for line in lines for i in range(1, width - 2, 2))    # 二四六分明
        assert not any(line[-3:] in ("平平平", "仄仄仄") for line in lines)
        firsts.add((lines[0][1], lines[0][-1]))
    assert firsts == {("平", "平"), ("平", "仄"), ("仄", "平"), ("仄", "仄")}


def test_tones_of_a_known_poem(vocabulary):
    """春望按今音有两处不合：「别」是入声，「胜」唐人读平声。"""
    poem = "国破山河在城春草木深感时花溅泪恨别鸟惊心烽火连三月家书抵万金白头搔更短浑欲不胜簪"
    sounds = readings(vocabulary)
    levels = [sounds[vocabulary.index[char]][1] for char in poem]
    assert violations(levels, patterns(5, 8))[0] == min(violations(levels, patterns(5, 8))) == 2
    for char, level in (("别", False), ("胜", True)):
        levels[poem.index(char)] = level
    assert min(violations(levels, patterns(5, 8))) == 0
    assert violations([None] * 40, patterns(5, 8)) == [0] * 4


def test_fluency_is_the_mean_log_probability(untrained, vocabulary):
    poem = "月落乌啼霜满天。"
    for prefix in ("", "夜。"):
        ids = vocabulary.encode(prefix + poem)
        total, state, token = 0.0, None, vocabulary.index["<START>"]
        for i, following in enumerate(ids):                 # 一个字一个字地读
            with t.no_grad():
                scores, state = untrained(t.tensor([[token]]), state)
            if i >= len(prefix):
                total += scores[0, 0].log_softmax(-1)[following].item()
            token = following
        assert fluency(untrained, vocabulary, poem, prefix) == pytest.approx(total / len(poem), abs=1e-4)


def test_of_several_candidates_the_most_fluent_is_kept(untrained, vocabulary):
    rules = [make_rule(Config(form="五绝", start_words=start), vocabulary) for start in "月花"]
    every = generate(untrained, vocabulary, [rule for rule in rules for _ in range(6)], seed=3)
    kept = compose(untrained, vocabulary, rules, candidates=6, seed=3)
    assert kept == [max(part, key=lambda poem: fluency(untrained, vocabulary, poem)) for part in (every[:6], every[6:])]
    assert compose(untrained, vocabulary, rules, seed=3) == generate(untrained, vocabulary, rules, seed=3)


def test_a_candidate_that_repeats_a_line_is_kept_only_if_all_do(monkeypatch, untrained, vocabulary):
    import generation
    written = ["月出，月出。", "月出，花开。", "月出，月出。", "花开，花开。"]
    monkeypatch.setattr(generation, "generate", lambda *_, **__: written)
    monkeypatch.setattr(generation, "fluency", lambda _, __, poem, ___: -1 if "花开，花开" in poem else -9 if "花开" in poem else -2)
    assert compose(untrained, vocabulary, [None, None], candidates=2) == ["月出，花开。", "花开，花开。"]


@pytest.mark.parametrize("pair, same", [("流楼", True), ("东风", True), ("山间", True), ("天仙", True), ("知时", True),
                                        ("知西", False), ("山江", False), ("流六", False), ("花雪", False),
                                        ("雨去", True), ("诗儿", False)])
def test_rhyme_groups_of_known_characters(vocabulary, pair, same):
    groups = readings(vocabulary)
    first, second = (groups[vocabulary.index[char]] for char in pair)
    assert (first == second) is same


def test_greedy_is_deterministic_and_seeds_matter(untrained, vocabulary):
    options = {"form": "七绝", "start_words": "月"}
    greedy = [write(untrained, vocabulary, 1, seed, temperature=0, **options) for seed in (0, 1)]
    assert greedy[0] == greedy[1]
    same = [write(untrained, vocabulary, 3, seed, **options) for seed in (5, 5, 6)]
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
    assert tidy(" 春,夏.秋?冬!\n") == "春，夏。秋？冬！"


@pytest.mark.parametrize("text, wanted", [
    ("春，　夏 。 秋", "春，夏。秋"),                     # 挨着标点的空白是排版
    ("我走过\t山 和\u3000\u3000海", "我走过 山 和 海"),     # 句中的是断句
    ("Hello,  world. Yes", "Hello， world。 Yes"),      # 英文的分词
])
def test_spaces(vocabulary, text, wanted):
    assert tidy(text) == tidy(wanted) == wanted
    assert clean(text, Vocabulary(wanted)) == wanted
    assert clean(text, vocabulary) == wanted.replace(" ", "")       # 唐诗里没有空格


@pytest.mark.parametrize("poem, shown", [
    ("月出。花开？人归。", "月出。\n花开？\n人归。"),
    ("她说：“月出。”他听着。\n", "她说：“月出。”\n他听着。"),
    ("山高\n水长\n", "山高\n水长"),
    ("Old snow， at last。 Yes！\n", "Old snow, at last.\nYes!"),
])
def test_layout(poem, shown):
    assert layout(poem) == shown


def test_the_network_begins_where_the_default_opening_is_unknown_or_does_not_fit(untrained, vocabulary):
    assert all(poem.startswith(Config.start_words) for poem in write(untrained, vocabulary, 2))
    for poem in write(untrained, vocabulary, form="五绝"):
        assert [len(line) for line in lines_of(poem)] == [5] * 4
    few = Vocabulary("，。青山绿水花")
    t.manual_seed(0)
    model = PoetryModel(len(few), 8, 8).eval()
    assert len({poem[0] for poem in write(model, few, 40, max_gen_len=12)}) > 2
    for options in ({"acrostic": True}, {"start_words": "闲"}):
        with pytest.raises(UserError, match="闲"):
            make_rule(Config(**options), few)
    with pytest.raises(UserError, match="闲"):           # 亲手给出的，即使就是默认的那句
        make_rule(Config().parse({"start_words": Config.start_words}), few)
    assert possibilities(few) == ("青山绿水", [*FORMS])
    assert possibilities(Vocabulary("\n青山")) == ("青山", [])


def test_forms_have_no_quotes():
    marks = Vocabulary("“”…，。" + "青山绿水花月风云")
    t.manual_seed(0)
    for poem in write(PoetryModel(len(marks), 8, 8).eval(), marks, form="五绝", start_words="山"):
        assert "".join(lines_of(poem)).isalpha()


@pytest.mark.parametrize("characters", ["\n青山绿水花", "\n， 青山绿水花", " 。青山绿水花"])
def test_an_acrostic_of_lines_is_one_line_for_each_head(characters):
    few = Vocabulary(characters)
    t.manual_seed(0)
    for model in (PoetryModel, PoetryTransformer):
        for poem in write(model(len(few), 8, 8).eval(), few, start_words="山，水花", acrostic=True, max_gen_len=20):
            assert "".join(line[0] for line in poem.strip().split("\n")) == "山水花"


def test_the_end_of_a_line_is_a_full_stop_where_only_one_of_them_is_known(vocabulary):
    bare = Vocabulary("，\n青山绿水花月风云")
    assert bare.encode("。") == bare.encode("\n") and vocabulary.encode("\n") == vocabulary.encode("。")
    both = Vocabulary("。\n青")
    assert both.encode("。") != both.encode("\n")
    assert make_prefix(Config(prefix_words="青山"), bare) == "青山。"
    assert make_prefix(Config(prefix_words="青山"), Vocabulary("青山")) == "青山"      # 没有句末可加
    t.manual_seed(0)
    for poem in write(PoetryModel(len(bare), 8, 8).eval(), bare, form="五绝", start_words="青山绿水花，月风云花月。"):
        assert poem[5::6] == "，\n，\n"


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
    ({"start_words": "春", "tones": True}, "--form"),
])
def test_impossible_requests_are_explained(vocabulary, options, message):
    with pytest.raises(UserError, match=message):
        make_rule(Config(**options), vocabulary)


def test_a_vocabulary_without_commas_can_still_write_freely():
    vocabulary = Vocabulary("。春夏")
    t.manual_seed(0)
    poem, = write(PoetryModel(len(vocabulary), 8, 8), vocabulary, 1, start_words="春", max_gen_len=12)
    assert set(poem) <= set("春夏。")
    with pytest.raises(UserError, match="，"):
        make_rule(Config(start_words="春", form="五绝"), vocabulary)


def test_text_without_sentence_ends(vocabulary):
    """旧的权重可能是用没有句末标点的文字训练的：写得完，藏头诗说明写不了。"""
    bare = Vocabulary("青山绿水花")
    t.manual_seed(0)
    model = PoetryModel(len(bare), 8, 8).eval()
    poems = write(model, bare, 40, start_words="青", max_gen_len=60)
    assert min(map(len, poems)) < 60 and all(poem.startswith("青") for poem in poems)
    with pytest.raises(UserError, match="句末标点"):
        make_rule(Config(start_words="青山", acrostic=True), bare)


@pytest.mark.parametrize("temperature", [0, 1.2e-38, 1e-4, 3.4e38])
def test_any_temperature(untrained, vocabulary, temperature):
    poem, = write(untrained, vocabulary, 1, form="五绝", start_words="月", temperature=temperature)
    assert len(lines_of(poem)) == 4
    if temperature < 1:
        assert [poem] == write(untrained, vocabulary, 1, form="五绝", start_words="月", temperature=0)


@pytest.mark.parametrize("form", ["", "七绝"])
def test_written_character_by_character_it_is_the_poem_of_gen(untrained, vocabulary, form):
    """网页上一个字一个字写出来的，与 gen 写的相同。"""
    opt = Config(start_words="月", form=form, seed=5, candidates=4, max_gen_len=40)
    rules = [make_rule(opt, vocabulary)] * opt.candidates
    steps = list(write_on(untrained, vocabulary, rules, **sampling(opt)))
    for sooner, later in zip(steps, steps[1:-1]):
        assert all(new.startswith(old) and len(new) <= len(old) + 1 for old, new in zip(sooner, later))
    assert len(steps) > 20 and [poem[0] for poem in steps[0]] == ["月"] * opt.candidates
    assert all(draft.startswith(poem) for draft, poem in zip(steps[-2], steps[-1]))       # 写完时至多去掉没写完的半句
    assert [best(untrained, vocabulary, steps[-1])] == compose(untrained, vocabulary, rules[:1], "", opt.candidates, **sampling(opt))
