import random
import shlex
import socket

import pytest
import torch as t
from conftest import TINY
from helpers import call, fails, program, spawn
from main import evaluate, lr_factor

from config import Config
from data import Poem, PoemDataset, Vocabulary
from poet import SHIPPED, build_model
from utils.checkpoint import load_checkpoint
from utils.runtime import setup


def small(small_file, *more):
    return [*TINY, f"--data-path={small_file}", "--batch-size=8", "--warmup-steps=5", *more]


@pytest.mark.parametrize("model", ["PoetryModel", "PoetryTransformer"])
def test_loss_falls_on_a_few_poems(workdir, small_file, model):
    call("train", *small(small_file, f"--model={model}", "--max-steps=1", "--env=first"))
    call("train", *small(small_file, f"--model={model}", "--max-epoch=4", "--lr=0.01", "--env=trained"))
    first, trained = (load_checkpoint(f"runs/{env}/best.pth", "poet")["best"] for env in ("first", "trained"))
    assert trained < first - 0.5                        # nats/字


def test_resume_inside_an_epoch_and_across_epochs(workdir, small_file):
    options = small(small_file, "--max-epoch=2", "--plot-every=7")
    call("train", *options, "--env=whole")
    total = load_checkpoint("runs/whole/last.pth", "poet")["step"]
    for stop in (3, total // 2, total // 2 + 9):        # 轮中、轮末、第二轮中
        call("train", *options, "--env=parts", f"--max-steps={stop}")
        call("train", "--env=parts", "--resume")
        one, two = (load_checkpoint(f"runs/{env}/last.pth", "poet") for env in ("whole", "parts"))
        assert two["step"] == total
        assert all(t.equal(one["model"][name], two["model"][name]) for name in one["model"])


def test_two_processes_train_together(workdir, small_file):
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    process = spawn("train", *small(small_file, "--max-steps=20"), cwd=workdir, launcher=launcher)
    out, err = process.communicate(timeout=400)
    assert process.returncode == 0, err
    assert out.count("完成") == 1                       # 只有 0 号进程说话
    content = load_checkpoint(workdir / "runs/poet/last.pth", "poet")
    assert content["step"] == 20
    assert not any(name.startswith("module.") for name in content["model"])


def test_two_machines(workdir, small_file):
    """同一台机器上的两个 torchrun，各起一个进程：除了地址，与两台机器一样。"""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = ["-m", "torch.distributed.run", "--nnodes=2", "--nproc_per_node=1", "--rdzv-backend=c10d", "--rdzv-id=poem",
                f"--rdzv-endpoint=127.0.0.1:{port}", "--local-addr=127.0.0.1"]
    machines = [spawn("train", *small(small_file, "--max-steps=6"), cwd=workdir, launcher=launcher) for _ in range(2)]
    said = [machine.communicate(timeout=400) for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], said
    assert sum(out.count("完成") for out, _ in said) == 1
    assert load_checkpoint(workdir / "runs/poet/last.pth", "poet")["step"] == 6


def test_bfloat16_on_any_cpu(workdir, small_file):
    """没有 AVX-512 的 CPU 上，oneDNN 的 LSTM 算不了 bfloat16：照样训练，不报错。"""
    call("train", *small(small_file, "--cpu-bf16=True", "--max-steps=2"))
    assert t.load("runs/poet/last.pth", weights_only=True)["step"] == 2


def test_best_weights_are_small_enough_to_share(workdir, small_file):
    call("train", *small(small_file, "--max-steps=2"))
    best = load_checkpoint("runs/poet/best.pth", "poet")
    assert {weight.dtype for weight in best["model"].values()} == {t.float16} and "optimizer" not in best
    call("gen", "--model-path=runs/poet/best.pth", f"--start-words={best['vocabulary'][10]}")


def test_samples_are_written_while_training(workdir, small_file):
    call("train", *small(small_file, "--max-steps=4", "--plot-every=2"))
    samples = (workdir / "runs/poet/samples.txt").read_text(encoding="utf-8")
    assert "第 2 步" in samples and "第 4 步" in samples
    assert list((workdir / "runs/poet").glob("events.out.tfevents.*"))


def test_fine_tuning_keeps_the_vocabulary_of_the_weights(workdir, small_file):
    call("train", *small(small_file, "--max-steps=3"))
    few = workdir / "few.tsv"
    few.write_text("".join(small_file.read_text(encoding="utf-8").splitlines(True)[:200]), encoding="utf-8")
    call("train", f"--data-path={few}", "--model-path=runs/poet/last.pth", "--env=tuned", "--max-steps=1")
    base, tuned = (load_checkpoint(f"runs/{env}/last.pth", "poet") for env in ("poet", "tuned"))
    assert tuned["vocabulary"] == base["vocabulary"]
    assert tuned["config"]["hidden_dim"] == 16


@pytest.mark.parametrize("model", ["PoetryModel", "PoetryTransformer"])
def test_fine_tuning_adds_the_characters_that_the_weights_lack(workdir, capsys, small_file, model):
    """词、歌词里总有唐诗没有的字：添在词表后面，原有的字得分不变。"""
    call("train", *small(small_file, f"--model={model}", "--max-steps=3"))
    base = load_checkpoint("runs/poet/last.pth", "poet")
    lines = [f"{base['vocabulary'][i]}囧，{base['vocabulary'][i + 1]}囍囧。" for i in range(10, 90)]
    (workdir / "own.txt").write_text("\n".join(lines), encoding="utf-8")
    capsys.readouterr()
    call("train", "--data-path=own.txt", f"--model={model}", "--model-path=runs/poet/last.pth", "--env=own", "--max-steps=1", "--lr=1e-12", "--weight-decay=0")
    assert "2 个字（囧（U+56E7） 囍（U+56CD））" in capsys.readouterr().out
    own = load_checkpoint("runs/own/last.pth", "poet")
    assert own["vocabulary"] == base["vocabulary"] + "囧囍"
    ids, scores = t.tensor([[1, 12, 13, 14]]), []
    for content in (base, own):
        net = build_model(Config(**content["config"]), Vocabulary(content["vocabulary"])).eval()
        net.load_state_dict(content["model"])
        scores.append(net(ids)[0])
    t.testing.assert_close(scores[1][..., :-2], scores[0], rtol=0, atol=1e-5)
    t.testing.assert_close(scores[1][..., -2:], scores[0].mean(-1, keepdim=True).expand(-1, -1, 2), rtol=0, atol=1e-5)
    call("train", "--data-path=own.txt", f"--model={model}", "--env=own", "--max-steps=2", "--resume", "--lr=1e-12", "--weight-decay=0")


def test_learning_rate_rises_then_falls_to_zero():
    opt = Config(warmup_steps=10)
    factors = [lr_factor(step, opt, 100) for step in range(101)]
    assert factors[0] == pytest.approx(0.1) and max(factors) == factors[10] == 1
    assert factors[100] == pytest.approx(0, abs=1e-12)
    assert all(a >= b for a, b in zip(factors[10:], factors[11:]))
    assert lr_factor(99, Config(lr_schedule="constant", warmup_steps=10), 100) == 1
    few = [lr_factor(step, Config(), 50) for step in range(50)]             # 一共 50 步，不能有 200 步在升
    assert few[5] == max(few) == 1 and few[49] < 0.01
    assert lr_factor(0, Config(warmup_steps=0), 50) == lr_factor(0, Config(), 5) == 1


def test_resume_with_another_learning_rate_or_decay(workdir, small_file):
    """亲手给出的用上，没有给出的照旧；断点里记下的就是用了的。"""
    call("train", *small(small_file, "--max-steps=6", "--lr-schedule=constant"))
    for step, (words, lr, decay) in enumerate(((["--lr=1e-5"], 1e-5, 0.01), ([], 1e-5, 0.01), (["--weight-decay=0.3"], 1e-5, 0.3)), 7):
        call("train", "--resume", f"--max-steps={step}", *words)
        content = load_checkpoint("runs/poet/last.pth", "poet")
        group, = content["optimizer"]["param_groups"]
        assert (group["lr"], group["weight_decay"]) == (content["config"]["lr"], content["config"]["weight_decay"]) == (lr, decay)


def test_resume_refuses_other_weights_to_start_from(workdir, small_file, capsys):
    call("train", *small(small_file, "--max-steps=1"))
    capsys.readouterr()
    assert "model_path" in fails(capsys, "train", "--resume", "--model-path=runs/poet/best.pth")


THINGS, DEEDS, KINDS = "山水云月风花雪江春秋", "望听寻看问", "青白红清明寒"


def lines_like(kind: str) -> list[str]:
    """一种文字的 80 行，各行不同。"""
    pick = random.Random(0).choice
    bit = lambda: pick(KINDS) + pick(THINGS) + pick(DEEDS) + pick(KINDS) + pick(THINGS)      # noqa: E731
    make = {
        "成语": lambda: bit()[1:],
        "对联": lambda: f"{bit()}，{bit()}",
        "歌词": lambda: f"我{pick(DEEDS)}过{bit()} 也{pick(DEEDS)}过" + bit() * pick((0, 1)),
        "宋词": lambda: bit()[:3] + f"。{bit()}。{bit()[:4]}，{bit()}{bit()[:2]}。" + f"问{bit()}，{bit()[:3]}？" * pick((0, 1)),
        "小说": lambda: f"那天{bit()}，他来了。" * pick((1, 2, 15)) + pick((f"她说：“{bit()}。”", "他走了……", "")),
        "英文": lambda: f"{pick('TAO')}{pick('aeio')}t {pick('sc')}at, on {pick('aeiou')} {pick(['mat.', 'hill!'])}",
    }[kind]
    lines = {}
    while len(lines) < 80:
        lines[make()] = None
    return [*lines]


@pytest.mark.parametrize("kind, forms", [("成语", False), ("对联", True), ("歌词", False), ("宋词", True), ("小说", True), ("英文", False)])
def test_own_text(workdir, capsys, kind, forms):
    """照着训练最后打印的命令作诗，藏头诗，样诗，困惑度：什么文字都行；写不了的体裁用一行话略过。"""
    (workdir / f"{kind}.txt").write_text("\n".join(lines_like(kind)), encoding="utf-8-sig")
    capsys.readouterr()
    call("train", *TINY, f"--data-path={kind}.txt", "--max-epoch=3", "--batch-size=8", "--lr=0.01", "--env=mine")
    said = capsys.readouterr().out
    assert "多走几轮" in said and "\ufeff" not in load_checkpoint("runs/mine/best.pth", "poet")["vocabulary"]
    assert (workdir / "runs/mine/samples.txt").read_text(encoding="utf-8").count("\n") > 5
    program, script, *words = shlex.split(said.rpartition("作诗：")[2])
    assert (program, script) == ("python", "main.py")
    call(*words)
    assert capsys.readouterr().out.strip()
    heads = "TAO" if kind == "英文" else "山月"
    call(*words, f"--start-words={heads}", "--acrostic")
    lines = capsys.readouterr().out.strip().splitlines()
    rest = iter(lines)
    assert all(any(line[0] == head for line in rest) for head in heads) and lines[0][0] == heads[0]
    call("test", f"--data-path={kind}.txt", *words[1:])
    said = capsys.readouterr().out.strip().splitlines()
    assert "困惑度" in said[0]
    assert [line[:2] for line in said[1:]] == ["五绝", "七绝", "五律", "七律"] if forms else len(said) == 2 and "略过" in said[1], said


def test_idioms_are_learnt_to_their_end(workdir, capsys):
    """四个字一条的，学会了写四个字就停。"""
    (workdir / "a.txt").write_text("\n".join(lines_like("成语")), encoding="utf-8")
    call("train", "--embedding-dim=32", "--hidden-dim=64", "--data-path=a.txt", "--max-epoch=30", "--batch-size=8", "--lr=0.01", "--env=mine")
    capsys.readouterr()
    call("gen", "--model-path=runs/mine/best.pth", "--num=20")
    assert {len(poem) for poem in capsys.readouterr().out.split()} == {4}


def test_shipped_weights_read_lines_without_full_stops(workdir, capsys):
    """微调自带的权重：它的词表里没有换行，行末就是句号。"""
    (workdir / "a.txt").write_text("\n".join(lines_like("对联")), encoding="utf-8")
    call("train", "--data-path=a.txt", f"--model-path={SHIPPED['PoetryModel']}", "--max-steps=1", "--env=mine")
    assert "\n" not in load_checkpoint("runs/mine/best.pth", "poet")["vocabulary"]
    assert "多走几轮" not in capsys.readouterr().out


@pytest.mark.parametrize("model", ["PoetryModel", "PoetryTransformer"])
def test_a_long_text_is_evaluated_part_by_part(model, monkeypatch):
    """分段读的成绩与整首读的一样，一次至多读 PART 个字。"""
    vocabulary = Vocabulary("春江花月夜。")
    poem = Poem("", "", "春江花月夜。月江春。" * 20)
    net = build_model(Config(model=model, embedding_dim=16, hidden_dim=16, dropout=0), vocabulary)
    lengths, nats = [], []
    net.register_forward_pre_hook(lambda _, inputs: lengths.append(inputs[0].shape[1]))
    for part in (512, 30):
        monkeypatch.setattr(program, "PART", part)
        lengths.clear()
        nats.append(evaluate(net, PoemDataset([poem], vocabulary), 8, setup(False)))
        assert max(lengths) <= part and sum(lengths) == len(poem.text) + 1
    assert nats[0] == pytest.approx(nats[1], rel=1e-5)
