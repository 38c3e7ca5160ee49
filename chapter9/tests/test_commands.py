"""命令行：每种错误输入都是一行话、状态 2、什么也不丢。"""

import json

import pytest
import torch as t
from conftest import TINY
from helpers import PROJECT, call, fails, program, spawn

from config import Config
from generation import compose
from utils.checkpoint import load_checkpoint, save_checkpoint
from utils.options import BaseConfig


@pytest.fixture(scope="module")
def tiny_poet(tmp_path_factory, small_file):
    """训练两步得到的小诗人。"""
    folder = tmp_path_factory.mktemp("tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        call("train", *TINY, f"--data-path={small_file}", "--max-steps=2", "--env=tiny")
    return folder / "runs" / "tiny" / "last.pth"


@pytest.mark.parametrize("words, says", [
    (["traln"], ["traln", "train"]),
    (["train", "--max-epochs=3"], ["--max-epochs", "--max-epoch"]),
    (["train", "--epoch=3"], ["--epoch", "已改名", "--max-epoch"]),
    (["gen", "--start-word=春"], ["--start-words"]),
    (["train", "--pickle-path=x"], ["--data-path"]),
    (["gen", "--model-prefix=x"], ["--env"]),
    (["train", "--max-epoch", "=", "20"], ["等号", "--max-epoch=20"]),
    (["train", "--max-epoch=", "20"], ["等号"]),
    (["train", "--max-epoch", "=20"], ["等号"]),
    (["gen", "春江花月夜"], ["春江花月夜", "--选项=值"]),
    (["train", "--max-epoch=many"], ["--max-epoch", "整数", "many"]),
    (["train", "--max-epoch=2.5"], ["--max-epoch", "整数"]),
    (["train", "--lr=fast"], ["--lr", "数"]),
    (["train", "--lr=nan"], ["--lr"]),
    (["train", "--use-gpu=maybe"], ["--use-gpu", "True"]),
    (["train", "--batch-size=0"], ["--batch-size", "≥ 1"]),
    (["train", "--hidden-dim=-5"], ["--hidden-dim", "≥ 1"]),
    (["train", "--lr=0"], ["--lr", "> 0"]),
    (["train", "--dropout=1.5"], ["--dropout", "≤ 0.9"]),
    (["gen", "--num=0"], ["--num", "≥ 1"]),
    (["gen", "--top-p=1.2"], ["--top-p", "≤ 1"]),
    (["gen", "--form=八绝"], ["--form", "五绝、七绝、五律、七律"]),
    (["train", "--model=PoetryGPT"], ["--model", "PoetryTransformer"]),
    (["train", "--model=PoetryTransformer", "--embedding-dim=10"], ["--embedding-dim=10", "整除"]),
    (["train", "--author=鲁迅"], ["鲁迅"]),
    (["train", "--data-path=nowhere"], ["nowhere"]),
    (["train", "--category=poet.song"], ["poet.song", "prepare"]),
    (["train", "--resume"], ["last.pth", "--resume"]),
    (["gen", "--model-path=nowhere.pth"], ["nowhere.pth"]),
    (["prepare", "--source=nowhere"], ["nowhere"]),
])
def test_wrong_options(capsys, workdir, words, says):
    words = [words[0], "--data-path=" + str(PROJECT / "data"), *words[1:]] if words[0] == "train" else words
    message = fails(capsys, *words)
    assert all(part in message for part in says), message
    assert list(workdir.iterdir()) == []


@pytest.mark.parametrize("words, says", [
    (["--start-words="], ["--start-words", "空"]),
    (["--start-words=春abc"], ["a（U+0061） b（U+0062）"]),
    (["--start-words=春", "--prefix-words=龘😀"], ["--prefix-words", "😀"]),
    (["--start-words=春", "--rhyme"], ["--form"]),
    (["--model=PoetryTransformer"], ["PoetryTransformer", "PoetryModel"]),
    (["--embedding-dim=99"], ["embedding_dim", "16", "99"]),
])
def test_wrong_requests(capsys, workdir, tiny_poet, words, says):
    message = fails(capsys, "gen", f"--model-path={tiny_poet}", *words)
    assert all(part in message for part in says), message


def test_truncated_checkpoint(capsys, workdir, tiny_poet):
    (workdir / "half.pth").write_bytes(tiny_poet.read_bytes()[:5000])
    assert "half.pth" in fails(capsys, "gen", "--model-path=half.pth")
    (workdir / "text.pth").write_text("not a checkpoint", encoding="utf-8")
    assert "text.pth" in fails(capsys, "gen", "--model-path=text.pth")


def test_checkpoint_of_something_else(capsys, workdir):
    save_checkpoint("gan.pth", {"project": "gan", "model": {"weight": t.zeros(2)}})
    assert "gan.pth" in fails(capsys, "gen", "--model-path=gan.pth")
    t.save({"weight": t.zeros(2)}, "bare.pth")
    assert "bare.pth" in fails(capsys, "gen", "--model-path=bare.pth")


def test_checkpoint_of_another_vocabulary(capsys, workdir, tiny_poet):
    assert "词表" in fails(capsys, "test", f"--data-path={PROJECT / 'data'}", f"--model-path={tiny_poet}")
    content = load_checkpoint(tiny_poet, "poet")
    content["vocabulary"] = content["vocabulary"][:-5]
    save_checkpoint("shorter.pth", content)
    assert "shorter.pth" in fails(capsys, "gen", "--model-path=shorter.pth")


def test_resume_with_other_data_or_network(capsys, workdir, tiny_poet, small_file):
    call("train", *TINY, f"--data-path={small_file}", "--max-steps=1")
    other = workdir / "other.tsv"
    other.write_text("".join(small_file.read_text(encoding="utf-8").splitlines(True)[:250]), encoding="utf-8")
    capsys.readouterr()
    before = (workdir / "runs/poet/last.pth").read_bytes()
    assert "另一份数据" in fails(capsys, "train", "--resume", f"--data-path={other}")
    assert "hidden_dim" in fails(capsys, "train", "--resume", "--hidden-dim=20")
    assert (workdir / "runs/poet/last.pth").read_bytes() == before


@pytest.mark.parametrize("files, says", [
    ({}, "poet.tang.0.json"),
    ({"poet.tang.0.json": "[{"}, "poet.tang.0.json"),
    ({"poet.tang.0.json": '[{"title": "无"}]'}, "poet.tang.0.json"),
    ({"poet.tang.0.json": "[]"}, "没有可用的诗"),
])
def test_bad_source_folder(capsys, workdir, monkeypatch, files, says):
    monkeypatch.setattr("data.prepare.HERE", workdir / "data")
    for name, content in files.items():
        (workdir / name).write_text(content, encoding="utf-8")
    assert says in fails(capsys, "prepare", f"--source={workdir}")
    assert not (workdir / "data").exists()


def test_numbers_stay_text(capsys, workdir, tiny_poet):
    assert "1（U+0031） 2（U+0032） 3" in fails(capsys, "gen", f"--model-path={tiny_poet}", "--start-words=123")
    assert "1" in fails(capsys, "gen", f"--model-path={tiny_poet}", "--start-words=1,1")


def test_training_again_keeps_the_previous_run(workdir, small_file, capsys):
    options = [*TINY, f"--data-path={small_file}", "--max-steps=1"]
    call("train", *options)
    first = (workdir / "runs/poet/last.pth").read_bytes()
    call("train", *options, "--seed=1")
    kept, = (path for path in (workdir / "runs").iterdir() if path.name.startswith("poet-"))
    assert (kept / "last.pth").read_bytes() == first
    assert kept.name in capsys.readouterr().out


def test_gen_with_ascii_punctuation(capsys, workdir, tiny_poet):
    characters = load_checkpoint(tiny_poet, "poet")["vocabulary"].replace("，", "").replace("。", "")
    line = characters[10:15]
    call("gen", f"--model-path={tiny_poet}", f"--start-words={line},", "--form=五绝", "--num=3")
    poems = capsys.readouterr().out.strip().split("\n\n")
    assert len(poems) == 3
    assert all(poem.startswith(line + "，") for poem in poems)


def test_help_shows_every_option(capsys, workdir):
    call("help")
    shown = capsys.readouterr().out
    for name, default, comment in Config.describe():
        assert f"--{name.replace('_', '-')} " in shown and default in shown and comment in shown
    assert len(Config.describe()) == len(Config.__dataclass_fields__)
    assert all(comment for _, _, comment in Config.describe())


def test_config_is_typed():
    assert issubclass(Config, BaseConfig)
    opt = Config().parse({"lr": "1e-3", "resume": "true", "start_words": "123"})
    assert (opt.lr, opt.resume, opt.start_words, opt.max_epoch) == (1e-3, True, "123", Config().max_epoch)
    json.dumps(vars(Config()))                          # 全是可以写进断点的简单类型


def test_no_traceback_on_the_real_command_line(workdir):
    process = spawn("gen", "--start-words=春", "--max-epoch", "=", "20", cwd=workdir)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert out == "" and err.count("\n") == 1 and err.startswith("错误：")


def test_many_poems_come_in_groups(tiny_poet, workdir, capsys, monkeypatch):
    """写得再多，同时写的也只有几首，写完一批显示一批；各批不是同样的诗。"""
    sizes = []
    monkeypatch.setattr(program, "compose", lambda *words, **more: sizes.append(len(words[2])) or compose(*words, **more))
    call("gen", f"--model-path={tiny_poet}", "--num=150", "--candidates=1", "--temperature=1", "--top-p=1", "--max-gen-len=20")
    poems = capsys.readouterr().out.strip().split("\n\n")
    assert sizes == [64, 64, 22] and len(poems) == 150
    assert len(set(poems[:64]) & set(poems[64:])) < 5
