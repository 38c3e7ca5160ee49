"""随书的权重：达到它自己写明的成绩，写得出像样的诗。"""

import json
import re
import shlex

import pytest
import torch as t
from helpers import PROJECT, call
from main import evaluate

from config import Config
from data import PoemDataset, split_poems
from generation import generate
from poet import SHIPPED, load_model
from rules import FORMS, lines_of, make_rule
from utils.runtime import setup


@pytest.fixture(scope="module")
def poet():
    return load_model(Config(), t.device("cpu"))


@pytest.mark.parametrize("weights", SHIPPED.values(), ids=SHIPPED)
def test_small_and_half_precision(weights):
    assert weights.stat().st_size < 20e6
    content = t.load(weights, weights_only=True)
    assert {weight.dtype for weight in content["model"].values()} == {t.float16}


@pytest.mark.parametrize("name", SHIPPED)
def test_perplexity_on_the_test_split(name, poems, vocabulary):
    metrics = json.loads(SHIPPED[name].with_suffix(".json").read_text(encoding="utf-8"))["metrics"]
    model, own = load_model(Config().parse({"model": name}), t.device("cpu"))
    assert own.characters == vocabulary.characters
    nats = evaluate(model, PoemDataset(split_poems(poems)["test"], own), 64, setup(False))
    assert nats == pytest.approx(metrics["test_nats"], abs=0.005)
    assert t.tensor(nats).exp() < 0.9 * metrics["book_test_perplexity"]


def test_the_best_is_the_default(poet):
    perplexities = {name: json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["metrics"]["test_perplexity"]
                    for name, path in SHIPPED.items()}
    assert type(poet[0]).__name__ == min(perplexities, key=perplexities.get)


@pytest.mark.parametrize("form", FORMS)
def test_poems_are_varied_and_not_copied(poet, poems, form):
    model, vocabulary = poet
    heads = [poem.text[0] for poem in split_poems(poems)["test"][:40]]
    rules = [make_rule(Config(start_words=head, form=form), vocabulary) for head in heads]
    written = generate(model, vocabulary, rules, "", Config.temperature, top_p=Config.top_p)
    lines = [line for poem in written for line in lines_of(poem)]
    assert {len(line) for line in lines} == {FORMS[form][0]}
    assert len(set(lines)) > 0.95 * len(lines)
    known = {line for poem in poems for line in lines_of(poem.text)}
    assert sum(line in known for line in lines) < 0.1 * len(lines)


def test_free_poems_keep_to_the_line_length_they_began_with(poet):
    """格律没有强加，是学到的：以五个字的一句开头，后面也是五个字一句。"""
    model, vocabulary = poet
    rule = make_rule(Config(start_words="江流天地外，"), vocabulary)
    lines = [line for poem in generate(model, vocabulary, [rule] * 40, "", 0.8, top_p=0.9)
             for line in lines_of(poem)]
    assert sum(len(line) == 5 for line in lines) > 0.9 * len(lines)


def test_prefix_sets_the_mood_but_is_not_part_of_the_poem(poet):
    model, vocabulary = poet
    rule = make_rule(Config(start_words="山", form="五绝"), vocabulary)
    plain, desert = (generate(model, vocabulary, [rule], prefix, temperature=0)[0]
                     for prefix in ("", "大漠孤烟直，长河落日圆。"))
    assert plain != desert
    assert desert.startswith("山") and len(desert) == len(plain) == 24


PRINTED = re.findall(r"^\$ python main\.py (gen .+)\n((?:.+\n)+)```", (PROJECT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("command, poem", PRINTED)
def test_the_poems_of_the_readme(capsys, workdir, command, poem):
    call(*shlex.split(command))
    assert capsys.readouterr().out.strip() == poem.strip()


def test_the_readme_prints_poems():
    assert len(PRINTED) >= 4


def test_the_readmes_first_command(capsys, workdir):
    call("gen", "--start-words=深度学习", "--acrostic=True", "--form=七绝")
    poem = capsys.readouterr().out.strip().replace("\n", "")
    assert [line[0] for line in lines_of(poem)] == list("深度学习")
    assert [len(line) for line in lines_of(poem)] == [7] * 4
