import gzip
import hashlib
import json
import random

import pytest
import torch as t
from helpers import PROJECT, call

from data import (
    EOP,
    PUNCTUATION,
    START,
    LengthBatchSampler,
    Poem,
    PoemDataset,
    Vocabulary,
    load_poems,
    split_poems,
    tidy,
)
from data.dataset import _cut
from data.prepare import TEXT_SHA256
from utils.files import UserError


def test_shipped_data_is_the_documented_one(poems):
    path = PROJECT / "data" / "poet.tang.tsv.gz"
    assert path.stat().st_size < 8e6
    assert hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest() == TEXT_SHA256["poet.tang"]
    assert len(poems) > 45_000
    bare = ["".join(char for char in poem.text if char not in PUNCTUATION) for poem in poems]
    assert len(set(bare)) == len(bare)
    assert all("\u4e00" <= char <= "\u9fff" for text in bare for char in text)
    assert any(p.author == "李白" and p.text.startswith("床前看月光") for p in poems)


def test_split_depends_on_the_text_alone(poems):
    shuffled = random.Random(0).sample(poems, len(poems))
    one, two = split_poems(poems), split_poems(shuffled[:20_000])
    for name in ("train", "val", "test"):
        assert {p.text for p in two[name]} <= {p.text for p in one[name]}
    share = {name: len(part) / len(poems) for name, part in one.items()}
    assert share == pytest.approx({"train": 0.90, "val": 0.05, "test": 0.05}, abs=0.01)


def test_vocabulary_is_ordered_by_count_then_code_point():
    vocabulary = Vocabulary.build(["乙甲丙", "丙乙", "丁丁丁"])
    assert vocabulary.characters == "丁丙乙甲"       # 丙 U+4E19 在乙 U+4E59 之前
    assert vocabulary.decode(vocabulary.encode("甲丁")) == "甲丁"
    assert vocabulary.unknown("丁戊己戊") == ["戊", "己"]


def test_long_poems_are_cut_so_that_each_character_is_predicted_once(poems):
    longest = max(poems, key=lambda poem: len(poem.text))
    vocabulary = Vocabulary.build([longest.text])
    segments = PoemDataset([longest], vocabulary, maxlen=125).segments
    targets = [i for segment in segments for i in segment[1:].tolist()]
    assert targets == [*vocabulary.encode(longest.text), EOP]
    assert segments[0][0] == START
    assert max(len(segment) - 1 for segment in segments) <= 126
    for before, after in zip(segments, segments[1:]):
        assert before[-1] == after[0]
        assert vocabulary.decode([after[0].item()]) in "。？！"


def test_a_text_without_sentence_ends_is_still_cut():
    vocabulary = Vocabulary("春")
    segments = PoemDataset([Poem("", "", "春" * 100)], vocabulary, maxlen=16).segments
    assert sum(len(segment) - 1 for segment in segments) == 101
    assert max(map(len, segments)) <= 18


class Counting(list):
    """记下切片一共抄了多少个。"""

    copied = 0

    def __getitem__(self, index):
        found = super().__getitem__(index)
        if isinstance(index, slice):
            self.copied += len(found)
        return found


def test_cutting_a_whole_book_copies_each_character_once():
    """一行一本书：从前每切下一段，剩下的都抄一遍。"""
    book = Counting([2, 3, 4, 5, 6, 7, 8, 9] * 1000)
    parts = list(_cut(book, 100, {5}))
    assert book.copied == len(book) + len(parts) - 1            # 相邻两段共用一个
    assert [*parts[0], *(char for part in parts[1:] for char in part[1:])] == book


def test_batches_have_one_length_and_cover_everything_once(poems, vocabulary):
    dataset = PoemDataset(poems[:3000], vocabulary, 125)
    sampler = LengthBatchSampler(dataset, 32, seed=3)
    batches = list(sampler)
    assert len(batches) == len(sampler)
    assert sorted(i for batch in batches for i in batch) == list(range(len(dataset)))
    assert all(len({len(dataset[i]) for i in batch}) == 1 for batch in batches)
    t.stack([dataset[i] for i in batches[0]])


def test_sampler_continues_anywhere_and_changes_every_epoch(poems, vocabulary):
    dataset = PoemDataset(poems[:1000], vocabulary, 125)
    sampler = LengthBatchSampler(dataset, 32)
    sampler.set_position(2)
    whole = list(sampler)
    sampler.set_position(2, 7)
    assert list(sampler) == whole[7:]
    sampler.set_position(3)
    assert list(sampler) != whole


def test_two_processes_share_the_batches(poems, vocabulary):
    dataset = PoemDataset(poems[:1000], vocabulary, 125)
    parts = [LengthBatchSampler(dataset, 32, rank=rank, world_size=2) for rank in (0, 1)]
    first, second = map(list, parts)
    assert len(first) == len(second) == len(parts[0])
    assert not {i for b in first for i in b} & {i for b in second for i in b}
    val = [list(LengthBatchSampler(dataset, 32, shuffle=False, rank=rank, world_size=2)) for rank in (0, 1)]
    assert sorted(i for part in val for b in part for i in b) == list(range(len(dataset)))


def test_filters(poems):
    li_bai = load_poems(str(PROJECT / "data"), author="李白")
    assert {poem.author for poem in li_bai} == {"李白"} and len(li_bai) > 500
    five = load_poems(str(PROJECT / "data"), author="李白", constrain=5)
    assert 0 < len(five) < len(li_bai)
    assert all(char in PUNCTUATION for poem in five for char in poem.text[5::6])


def test_own_text_file(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("白日依山尽,黄河入海流.\n\n  红豆生南国，春来发几枝？\n", encoding="utf-8")
    assert [poem.text for poem in load_poems(str(path))] == ["白日依山尽，黄河入海流。", "红豆生南国，春来发几枝？"]


def test_shipped_poems_are_tidy_already(poems):
    assert all(tidy(poem.text) == poem.text and poem.text[-1] in "。？！" for poem in poems)


@pytest.mark.parametrize("line, text", [
    ("一心一意", "一心一意\n"),
    ("青山 绿水，", "青山 绿水\n"),
    ("她说：“走吧。”", "她说：“走吧。”\n"),
    ("Is it far? No.", "Is it far？ No。"),
    ("……", "……\n"),
    ("，。", None),
])
def test_each_line_ends_where_it_ends(tmp_path, line, text):
    (tmp_path / "a.txt").write_text(f"{line}\n花开。\n", encoding="utf-8")
    assert [poem.text for poem in load_poems(str(tmp_path / "a.txt"))] == ([text] if text else []) + ["花开。"]


def test_a_line_without_tabs_is_named(tmp_path):
    (tmp_path / "poems.tsv").write_text("a line without tabs\n", encoding="utf-8")
    with pytest.raises(UserError, match="第 1 行"):
        load_poems(str(tmp_path / "poems.tsv"))


def official_folder(root, poems):
    folder = root / "chinese-poetry" / "全唐诗"
    folder.mkdir(parents=True)
    (folder / "poet.song.0.json").write_text(json.dumps(poems, ensure_ascii=False), encoding="utf-8")
    (folder / "authors.song.json").write_text("[]", encoding="utf-8")
    return root / "chinese-poetry"


def test_prepare_reads_the_official_repository(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("data.prepare.HERE", tmp_path)
    source = official_folder(tmp_path, [
        {"author": "蘇軾", "title": "題西林壁", "id": "1",
         "paragraphs": ["橫看成嶺側成峰，遠近高低各不同。", "不識廬山真面目，只緣身在此山中。"]},
        {"author": "蘇軾", "title": "重出", "id": "2",
         "paragraphs": ["橫看成嶺側成峰、遠近高低各不同。", "不識廬山真面目，只緣身在此山中。"]},
        {"author": "闕名", "title": "殘", "id": "3", "paragraphs": ["橫看成嶺側□峰，遠近高低各不同。"] * 2},
    ])
    call("prepare", f"--source={source}", "--category=poet.song")
    poem, = load_poems(str(tmp_path), "poet.song")
    assert (poem.author, poem.title) == ("苏轼", "题西林壁")
    assert poem.text == "横看成岭侧成峰，远近高低各不同。不识庐山真面目，只缘身在此山中。"
    assert "3 首，留下 1 首" in capsys.readouterr().out


COUPLETS = "青山一道同云雨，明月何曾是两乡\n风吹草低见牛羊\n床前明月光，疑是地上霜。\n"


@pytest.mark.parametrize("name, coding", [("a.txt", "utf-8"), ("a.txt", "utf-8-sig"), ("A.TXT", "gbk"), ("a.txt", "utf-16"), ("a.txt.gz", "utf-8")])
def test_texts_from_anywhere(tmp_path, capsys, name, coding):
    """记事本的 BOM、UTF-16、GBK，回车换行，大写的扩展名；末尾没有句号的以换行结尾，零宽字符和兼容字符统一。"""
    text = COUPLETS.replace("青", "青\u200b" if coding != "gbk" else "青").replace("，", ",").replace("\n", "\r\n")
    content = text.encode(coding)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    poems = [poem.text for poem in load_poems(str(tmp_path / name))]
    assert poems == ["青山一道同云雨，明月何曾是两乡\n", "风吹草低见牛羊\n", "床前明月光，疑是地上霜。"]


def test_texts_of_an_unknown_encoding_and_odd_line_ends(tmp_path, capsys):
    for content in (COUPLETS.encode("utf-16-le"), "雲想衣裳花想容，春風拂檻露華濃。".encode("big5")):      # 前者没有 BOM
        (tmp_path / "a.txt").write_bytes(content)
        with pytest.raises(UserError, match="另存为 UTF-8"):
            load_poems(str(tmp_path / "a.txt"))
    (tmp_path / "a.txt").write_bytes(COUPLETS.encode("gbk"))
    load_poems(str(tmp_path / "a.txt"))
    assert "按 GBK 读（「青山一道" in capsys.readouterr().out                           # 猜错了，看得见
    (tmp_path / "a.tsv").write_text("李白\t静夜\u2028思\t床前明月光，\x0c疑是地上霜。\r杜甫\tb\t国破山河在。\n", encoding="utf-8")
    assert [poem.text for poem in load_poems(str(tmp_path / "a.tsv"))] == ["床前明月光，疑是地上霜。", "国破山河在。"]


def test_compatibility_forms_are_one_character(tmp_path):
    (tmp_path / "a.txt").write_text("\uf9dc\ufe00月\ufeff光\u3000是……ＡＢ。", encoding="utf-8")       # 兼容汉字、异体选择符、全角
    assert load_poems(str(tmp_path / "a.txt"))[0].text == "隆月光 是……AB。"
