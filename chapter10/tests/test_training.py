
import pytest
import torch as t
from conftest import DATA, TINY
from helpers import call, spawn
from main import lr_factor

from utils.checkpoint import load_checkpoint


def last(env="caption", name="last"):
    return load_checkpoint(f"runs/{env}/{name}.pth", "caption")


def same_weights(one, two):
    assert one.keys() == two.keys()
    return all(t.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("model", ["AttentionCaptionModel", "CaptionModel"])
def test_learns_a_few_pictures(folder, capsys, model):
    call("train", *DATA, f"--model={model}", "--embedding-dim=32", "--rnn-hidden=64", "--batch-size=8", "--max-epoch=30",
         "--lr=5e-3", "--warmup-steps=5", "--dropout=0", "--plot-every=3")
    rows = [line for line in capsys.readouterr().out.splitlines() if "BLEU-4" in line]
    losses = [float(row.split("损失 ")[1].split(" ")[0]) for row in rows]
    assert len(rows) == 30 and "句/秒" in rows[0]
    assert losses[-1] < 0.6 < 1.5 < losses[0]           # 两种说法各半，ln 2 分摊在五六个词上
    assert last()["best"] > 0.6                         # 验证集的图没有见过
    assert list((folder / "runs/caption").glob("events.out.tfevents.*"))
    samples = (folder / "runs/caption/samples.txt").read_text(encoding="utf-8")
    assert "第 3 步" in samples and "val0.jpg　" in samples


def test_resume_inside_an_epoch_and_across_epochs(folder):
    options = [*TINY, "--max-epoch=3", "--plot-every=2"]                # 每轮 3 批
    call("train", *options, "--env=whole")
    for stop in (2, 3, 7):                              # 轮中、轮末、第三轮中
        call("train", *options, "--env=parts", f"--max-steps={stop}")
        call("train", "--env=parts", "--resume")
        one, two = last("whole"), last("parts")
        assert two["step"] == one["step"] == 9
        assert same_weights(one["model"], two["model"])


def test_two_processes_equal_one(folder):
    options = [*TINY, "--dropout=0", "--max-steps=6"]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    together = spawn("train", *options, "--env=two", cwd=folder, launcher=launcher)
    out, err = together.communicate(timeout=400)
    assert together.returncode == 0, err
    assert out.count("完成") == 1                       # 只有 0 号进程说话
    call("train", *options, "--env=one")
    one, two = last("one"), last("two")
    assert one["step"] == two["step"] == 6
    assert not any(name.startswith("module.") for name in two["model"])
    for name, weight in one["model"].items():
        t.testing.assert_close(two["model"][name], weight, atol=1e-3, rtol=1e-2, msg=name)


def test_best_weights_are_small_enough_to_share(tiny_run, monkeypatch, capsys):
    monkeypatch.chdir(tiny_run)
    best = last("tiny", "best")
    assert {weight.dtype for weight in best["model"].values()} == {t.float16} and "optimizer" not in best
    call("generate", "--model-path=runs/tiny/best.pth", "--test-img=data/images/test0.jpg")
    assert "data/images/test0.jpg" in capsys.readouterr().out


def test_workers_give_the_same_training(folder):
    call("train", *TINY, "--max-steps=4", "--env=zero")
    call("train", *TINY, "--max-steps=4", "--env=one", "--num-workers=1")
    assert same_weights(last("zero")["model"], last("one")["model"])


def test_fine_tuning_starts_from_the_given_weights(tiny_run, folder):
    base = load_checkpoint(tiny_run / "runs/tiny/last.pth", "caption")
    call("train", *DATA, "--batch-size=8", f"--model-path={tiny_run / 'runs/tiny/last.pth'}", "--max-steps=1", "--lr=1e-12")
    tuned = last()
    assert tuned["vocabulary"] == base["vocabulary"] and tuned["repeated"] == base["repeated"]
    assert tuned["config"]["rnn_hidden"] == 16
    assert all(t.allclose(base["model"][name], tuned["model"][name], atol=1e-6) for name in base["model"])


def test_debug_file_enters_ipdb(folder, monkeypatch):
    entered = []
    monkeypatch.setattr("ipdb.set_trace", lambda frame: entered.append(frame.f_code.co_name))
    call("train", *TINY, "--max-steps=1")
    assert entered == []
    (folder / "debug_caption").touch()
    call("train", *TINY, "--max-steps=2")
    assert entered == ["train", "train"]                 # 停在 train 里，看得到它的变量


def test_learning_rate_rises_then_falls_to_zero():
    factors = [lr_factor(step, 10, 100) for step in range(101)]
    assert factors[0] == pytest.approx(0.1) and max(factors) == factors[10] == 1
    assert factors[100] == pytest.approx(0, abs=1e-12)
    assert all(a >= b for a, b in zip(factors[10:], factors[11:]))
