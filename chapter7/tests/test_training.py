import os
import shutil
import sys

import pytest
import torch as t
from conftest import TINY
from helpers import call, fails, spawn
from PIL import Image

from data import Avatars
from utils.checkpoint import load_checkpoint

FACES = ["--data-path=faces", *TINY]                                # 每轮 2 批


def last(env="avatar"):
    return load_checkpoint(f"runs/{env}/last.pth", "avatar")


def same(one, two):
    """断点里除用时以外的一切都相同。"""
    for part in ("netg", "netd", "average", *(["texture"] if "texture" in one else [])):
        assert one[part].keys() == two[part].keys()
        assert all(t.equal(one[part][name], two[part][name]) for name in one[part]), part
    for part in ("optimizer_g", "optimizer_d"):
        for key, state in one[part]["state"].items():
            assert all(t.equal(t.as_tensor(value), t.as_tensor(two[part]["state"][key][name]))
                       for name, value in state.items())
    return one["step"] == two["step"]


def losses(out, name):
    """每轮那一行里 name 的值。"""
    return [float(line.split(f"{name} ")[1].split("，")[0]) for line in out.splitlines() if line.startswith("第 ")]


@pytest.mark.parametrize("loss", ["r1", "bce", "wgan-gp", "hinge"])
def test_each_network_lowers_its_own_loss(pictures, capsys, loss):
    """生成器不动，判别器的损失就降下来；再用这个判别器，它不动，生成器的损失就降下来。"""
    options = [*FACES, f"--loss={loss}", "--max-epoch=10", "--lr1=1e-3", "--lr2=1e-3"]
    call("train", *options, "--g-every=1000", "--env=d")
    values = losses(capsys.readouterr().out, "loss_d")
    assert len(values) == 10 and values[-1] < values[0] - 0.2
    call("train", *options, "--d-every=1000", "--env=g", "--netd-path=runs/d/netd.pth")
    values = losses(capsys.readouterr().out, "loss_g")
    assert values[-1] < values[0] - 0.1


def test_together_they_learn_the_colours(pictures, capsys):
    """训练集大半是橙色：生成的颜色从灰变橙。"""
    call("train", *FACES, "--loss=hinge", "--max-epoch=20", "--lr1=2e-3", "--ema=0.5", "--env=colour",
         "--save-every=10")
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("第 "))
    assert all(word in line for word in ("loss_d", "loss_g", "D(x)", "D(G(z))", "张/秒"))
    samples = sorted((pictures / "runs/colour/samples").iterdir())
    assert [path.name for path in samples][:2] == ["epoch_001.png", "epoch_002.png"] and len(samples) == 20
    target = Avatars("faces", 64)[list(range(20))].float().mean((0, 2, 3))

    def gap(path):
        """第一张图的平均颜色与训练集差多少。"""
        image = t.tensor(list(Image.open(path).crop((2, 2, 66, 66)).tobytes())).view(-1, 3).float()
        return (image.mean(0) - target).abs().max().item()
    assert gap(samples[-1]) < 0.7 * gap(samples[0])
    names = {path.name for path in (pictures / "runs/colour").iterdir()}
    assert {"netg.pth", "netd.pth", "netg_10.pth", "netg_20.pth", "last.pth"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)


@pytest.mark.parametrize("loss, every, texture", [
    ("r1", ("1", "1"), "0.1"), ("bce", ("1", "2"), "0"), ("hinge", ("2", "1"), "0"), ("wgan-gp", ("1", "3"), "0")])
def test_resume_inside_an_epoch_and_across_epochs(pictures, loss, every, texture):
    options = [*FACES, f"--loss={loss}", f"--d-every={every[0]}", f"--g-every={every[1]}", f"--texture={texture}",
               "--max-epoch=4"]
    call("train", *options, "--env=whole")
    for stop in (1, 2, 5):                                          # 轮中、轮末、第三轮中
        call("train", *options, "--env=parts", f"--max-steps={stop}")
        call("train", "--env=parts", "--resume")
        assert same(last("whole"), last("parts"))
    assert (pictures / "runs/whole/netg.pth").read_bytes() == (pictures / "runs/parts/netg.pth").read_bytes()


def test_each_network_is_trained_at_its_own_pace(pictures):
    def moved(*words):
        call("train", *FACES, "--env=base", "--max-steps=1")
        call("train", "--resume", "--env=base", "--max-steps=2", *words)
        after = last("base")
        shutil.rmtree(pictures / "runs")
        steps = [after[name]["state"][0]["step"].item() for name in ("optimizer_d", "optimizer_g")]
        return steps
    assert moved() == [2, 2]
    assert moved("--g-every=5") == [2, 1]
    assert moved("--d-every=5") == [1, 2]


def test_the_learning_rate_falls_in_the_second_half_and_can_be_changed(pictures):
    def rates():
        return [last()[name]["param_groups"][0]["lr"] for name in ("optimizer_g", "optimizer_d")]
    options = [*FACES, "--max-epoch=4", "--lr1=1e-3", "--lr2=4e-3"]             # 共 8 步
    call("train", *options, "--max-steps=5")
    assert rates() == pytest.approx([1e-3, 4e-3])
    call("train", "--resume", "--max-steps=7")
    assert rates() == pytest.approx([0.5e-3, 2e-3])                             # 第 7 步之前走完了 6/8
    call("train", "--resume", "--max-steps=8", "--lr1=4e-3")
    assert rates() == pytest.approx([1e-3, 1e-3])                               # 新给的学习率起了作用


def test_two_processes(pictures):
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    together = spawn("train", *FACES, "--loss=wgan-gp", "--max-steps=4", cwd=pictures, launcher=launcher)
    out, err = together.communicate(timeout=600)
    assert together.returncode == 0, err
    assert out.count("完成") == 1                                   # 只有 0 号进程说话
    call("train", *FACES, "--loss=wgan-gp", "--max-steps=4", "--env=one")
    one, two = last("one"), last()
    assert one["step"] == two["step"] == 4
    for part in ("netg", "netd", "average"):
        assert not any(name.startswith("module.") for name in two[part])
        for name, weight in two[part].items():
            assert weight.isfinite().all() and weight.shape == one[part][name].shape
    call("train", "--resume", "--max-steps=5")                      # 两个进程的断点，一个进程接着训练
    assert last()["step"] == 5


def test_starting_from_given_weights(pictures):
    call("train", *FACES, "--max-steps=4", "--env=base")
    call("train", *FACES, "--max-steps=1", "--env=tuned", "--lr1=1e-12", "--netg-path=runs/base/netg.pth", "--ema=0",
         "--netd-path=runs/base/netd.pth", "--lr2=1e-12")
    base, tuned = last("base"), last("tuned")
    for name, weight in base["average"].items():
        if "running" not in name and "num_batches" not in name:
            t.testing.assert_close(tuned["average"][name], weight, atol=1e-3, rtol=1e-2)


def test_the_texture_judge_learns_beside_the_other(pictures, capsys):
    """两个判别器一起训练，两个的权重都动了；生成器听谁的由 --texture 定，接着训练时不能换。"""
    call("train", *FACES, "--texture=0.1", "--max-steps=1")
    before = last()
    call("train", "--resume", "--max-steps=3")
    after = last()
    for part in ("netd", "texture"):
        assert any(not t.equal(before[part][name], weight) for name, weight in after[part].items())
    assert "texture 是 0.1，与给出的 0.2 不符" in fails(capsys, "train", "--resume", "--texture=0.2")
    capsys.readouterr()
    for texture in (0, 1000):
        call("train", *FACES, f"--texture={texture}", "--max-steps=1", f"--env={texture}")
    plain, loud = losses(capsys.readouterr().out, "loss_g")
    assert abs(loud - plain) > 10


def test_the_residual_networks_train_too(pictures):
    call("train", *FACES, "--arch=residual", "--loss=hinge", "--max-steps=2", "--image-size=128")
    call("generate", "--netg-path=runs/avatar/netg.pth", "--netd-path=runs/avatar/netd.pth", "--gen-search-num=4", "--gen-num=4")
    assert Image.open("result.png").size == (2 * 130 + 2,) * 2


def test_debug_file_enters_ipdb(pictures, monkeypatch):
    entered = []
    monkeypatch.setattr("ipdb.set_trace", lambda frame: entered.append(frame.f_code.co_name))
    call("train", *FACES, "--max-steps=2")
    assert entered == []
    (pictures / "debug_avatar").touch()
    call("train", *FACES, "--max-steps=2")
    assert entered == ["train", "train"]                 # 停在 train 里，看得到它的变量
    kept, = ((pictures / "runs").glob("avatar-*"))                  # 上一次训练的结果改名留着
    assert (kept / "last.pth").exists()


def test_layout_in_memory_does_not_change_the_result(pictures):
    for layout in (True, False):
        call("train", *FACES, "--max-steps=3", f"--channels-last={layout}", f"--env={layout}")
    one, two = last("True")["netg"], last("False")["netg"]
    assert all(t.allclose(one[name].float(), two[name].float(), atol=2e-3) for name in one)


def test_resume_with_another_beta_or_rate(pictures, capsys):
    call("train", *FACES, "--max-steps=2", "--max-epoch=1000", "--beta1=0.5")
    call("train", "--resume", "--max-steps=4", "--beta1=0.25", "--lr1=1e-5")
    assert last()["optimizer_g"]["param_groups"][0]["betas"][0] == last()["optimizer_d"]["param_groups"][0]["betas"][0] == 0.25
    assert last()["optimizer_g"]["param_groups"][0]["lr"] == pytest.approx(1e-5)
    capsys.readouterr()
    assert "netg_path" in fails(capsys, "train", "--resume", "--netg-path=runs/avatar/netg.pth")


@pytest.mark.skipif(sys.platform != "linux", reason="别的系统的文件名是 Unicode")
def test_names_that_are_not_utf8_and_hidden_folders(pictures, capsys):
    """中文 Windows 的 zip 解出来的 GBK 名字，群晖和 macOS 留下的文件夹：训练得下去，断点存得了。"""
    (pictures / "faces/@eaDir/0.png").mkdir(parents=True)
    (pictures / "faces/__MACOSX").mkdir()
    for name in ("@eaDir/0.png/thumb.jpg", "__MACOSX/0.png", "._1.png", "phone.heic"):
        (pictures / "faces" / name).write_bytes(b"not a picture")
    for i in range(4):
        os.rename(b"faces/%d.png" % i, b"faces/" + f"头像 {i}.png".encode("gbk"))
    call("train", *FACES, "--max-steps=2")
    call("train", "--resume", "--max-steps=3")
    assert last()["step"] == 3
    capsys.readouterr()
    call("prepare", "--source=faces")
    out = capsys.readouterr().out
    assert "20 张" in out and ".heic 1 个" in out
    os.rename(b"faces/" + "头像 0.png".encode("gbk"), b"faces/" + "头像 9.png".encode("gbk"))
    assert "另一份数据" in fails(capsys, "train", "--resume")


def test_samples_of_an_earlier_training_are_kept(pictures, capsys):
    words = ["train", *FACES, "--max-steps=2", "--save-path=kept"]
    call(*words)
    before = (pictures / "kept/epoch_001.png").read_bytes()
    capsys.readouterr()
    assert "--save-path=kept" in fails(capsys, *words)
    assert (pictures / "kept/epoch_001.png").read_bytes() == before
    call("train", "--resume", "--max-steps=3")
