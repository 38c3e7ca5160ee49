"""出了事故会怎样：断电、盘满、恶意的文件、读不出的数据、写不进的文件夹、Ctrl-C、写错的选项、同时两次训练、改过的断点。"""

import gc
import itertools
import json
import os
import pickle
import random
import runpy
import shutil
import signal
import subprocess
import sys
import threading
import time
import typing
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch as t
from faults import (
    BAD_NAMES,
    DATA_FILES,
    ENV,
    GOOD_MEMBERS,
    READERS,
    TRAIN,
    UNREADABLE,
    UNWRITABLE,
    WEIGHTS,
    WORKERS,
    give_archives,
    place,  # noqa: F401
)
from helpers import PROJECT, Config, call, fails, one_line, program, spawn

from utils import job
from utils.checkpoint import load_checkpoint, save_checkpoint
from utils.files import UserError
from utils.options import run

LAST = Path("runs", ENV, "last.pth")
ENDLESS = [*TRAIN, "--max-epoch=100000"]
KILLS = 10
FUZZ = 20               # 每种文件试这么多个改坏的


class Launcher:
    """代替 python main.py：导入一次，以后每条命令 fork 一个进程来运行，省去一遍遍导入的时间。"""

    def __init__(self):
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1"}
        self.server = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       env=environment, encoding="utf-8")

    def start(self, *words: str, limit: int = 0, die: tuple | None = None) -> int:
        """在当前文件夹运行一条命令，返回进程号。limit 是一个文件至多多少字节；die 见 die_while_saving。"""
        order = {"words": words, "folder": os.getcwd(), "limit": limit, "die": die}
        print(json.dumps(order), file=self.server.stdin, flush=True)
        return int(self.server.stdout.readline())

    def end(self) -> tuple[int, str]:
        """等它和它的取数进程全部结束，返回退出状态（被信号杀死时是负数）和标准错误。"""
        status, said = json.loads(self.server.stdout.readline())
        return status, said

    def wait_until(self, happened, pid: int) -> None:
        while not happened():
            if not Path(f"/proc/{pid}").exists():
                pytest.fail(f"没等到就结束了：{self.end()}")
            time.sleep(0.002)


def serve() -> None:
    import torch._dynamo  # noqa: F401                  # 优化器走第一步时才导入，占去大半时间
    job.SAVE_SECONDS = 0                                # 画一次曲线就存一次，不等一分钟
    gc.freeze()                                         # 子进程结束时不必再清点这些
    for line in sys.stdin:                              # 直到被 launcher 结束
        order = json.loads(line)
        out, into = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(out)
            return obey(order, into)
        os.close(into)
        print(pid, flush=True)
        with open(out, encoding="utf-8", errors="replace", newline="") as file:
            said = file.read()                          # 读到头，就是没有一个进程还拿着它
        print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said]), flush=True)


def obey(order: dict, into: int) -> None:
    import resource
    os.setsid()                                         # 自成一组，像终端里的一条命令
    signal.alarm(300)                                   # 万一卡住，测试也会结束
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(into, 2)                                    # 取数进程、解释器自己的话也到这里
    sys.stdout, sys.stderr = open(os.devnull, "w"), open(into, "w", 1, encoding="utf-8")        # noqa: SIM115
    os.chdir(order["folder"])
    if order["limit"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["limit"],) * 2)        # Python 不理 SIGXFSZ，写过头就是 OSError
    if order["die"]:
        die_while_saving(*order["die"])
    sys.argv = ["main.py", *order["words"]]
    runpy.run_path(str(PROJECT / "main.py"), run_name="__main__")


def die_while_saving(count: int, delay: float) -> None:
    """第 count 次存 last.pth 时 kill -9 自己：开始写之后 delay 秒，最迟在写完、还没有改名的那一刻。"""
    opened = 0

    def watch(event: str, arguments: tuple) -> None:
        nonlocal opened
        if event not in ("open", "os.rename") or not str(arguments[0]).endswith("last.pth.tmp"):
            return
        opened += event == "open"
        if opened == count:
            kill = threading.Timer(0 if event == "os.rename" else delay, os.kill, (os.getpid(), signal.SIGKILL))
            kill.start()
            if event == "os.rename":
                kill.join()
    sys.addaudithook(watch)


@pytest.fixture(scope="module")
def launcher():
    if sys.platform != "linux":
        pytest.skip("用到 fork、/proc 和 setrlimit")
    launcher = Launcher()
    yield launcher
    launcher.server.kill()
    launcher.server.communicate()


def same(one, two) -> bool:
    """逐位相同。"""
    if isinstance(one, t.Tensor):
        return t.equal(one, two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(map(same, one, two))
    return one == two


def leftovers() -> list[Path]:
    return list(Path("runs").rglob("*.tmp"))


def test_killed_ten_times_the_result_is_that_of_one_run(place, launcher):
    """一半的 kill -9 落在存 last.pth 的中途，一半落在随便什么时候。"""
    dice, step, torn = random.Random(0), 0, 0
    for i in range(KILLS):
        words = ["train", "--resume"] if i else ["train", *ENDLESS]
        before = LAST.stat().st_mtime_ns if i else None
        if i % 2:
            launcher.start(*words, die=(dice.randint(1, 2), dice.uniform(0, 0.004) if i < KILLS - 1 else 60))
        else:
            pid = launcher.start(*words)
            launcher.wait_until(lambda: LAST.exists() and LAST.stat().st_mtime_ns != before, pid)   # noqa: B023
            time.sleep(dice.uniform(0, 0.3))
            os.kill(pid, signal.SIGKILL)
        assert launcher.end()[0] == -signal.SIGKILL
        torn += LAST.with_name("last.pth.tmp").exists()
        (LAST.parent / "samples").mkdir(exist_ok=True)
        (LAST.parent / "samples" / f".{i}.tmp").touch()             # 存样图的中途也会被杀
        reached = load_checkpoint(LAST, program.PROJECT)["step"]
        assert reached >= step
        step = reached
    assert torn and step
    stop = f"--max-steps={step + 3}"
    for words in (["--resume"], [*ENDLESS, "--env=whole"]):
        launcher.start("train", *words, stop)
        assert launcher.end()[0] == 0
    one, two = (load_checkpoint(path, program.PROJECT) for path in (LAST, LAST.parent.with_name("whole") / LAST.name))
    assert one["step"] == two["step"] == step + 3
    different = [key for key in one if key not in ("config", "elapsed") and not same(one[key], two[key])]
    assert different == [] and one.keys() == two.keys()
    assert leftovers() == []


@pytest.mark.parametrize("share, says", [(0.5, "存不了"), (0.99, "存不了"), (0, "")])
def test_a_full_disk_ends_in_one_line_and_keeps_the_checkpoint(place, launcher, share, says):
    """share 是写到断点的几成时满的；0 是连 TensorBoard 的事件也写不进去。"""
    call("train", *TRAIN, "--max-epoch=1000", "--max-steps=2")
    before = LAST.read_bytes()
    launcher.start("train", "--resume", "--max-steps=0", limit=max(60, int(share * len(before))))
    status, said = launcher.end()
    assert status == 2 and says in one_line(said) and "File too large" in said
    assert LAST.read_bytes() == before and leftovers() == []
    call("train", "--resume", "--max-steps=3")          # 腾出了空间
    assert load_checkpoint(LAST, program.PROJECT)["step"] == 3 and leftovers() == []


@pytest.mark.parametrize("event", ["open", "os.rename"])
def test_a_checkpoint_that_cannot_be_written_is_named(place, monkeypatch, event):
    save_checkpoint("a.pth", {"step": 1})
    before = Path("a.pth").read_bytes()

    def fail(*_):
        raise PermissionError(13, "Permission denied")
    monkeypatch.setattr(*(("builtins.open", fail) if event == "open" else ("os.replace", fail)))
    with pytest.raises(UserError, match=r"a\.pth 存不了（Permission denied）") as error:
        save_checkpoint("a.pth", {"step": 2})
    monkeypatch.undo()
    assert "\n" not in str(error.value)
    os.chdir(place)
    assert Path("a.pth").read_bytes() == before and not Path("a.pth.tmp").exists()


class Evil:
    """读出来就会新建文件 touched。"""

    def __reduce__(self):
        return Path.touch, (Path("touched"),)


def write_evil(path: Path, kind: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"project": program.PROJECT, "part": "netg", "model": Evil()}
    with open(path, "wb") as file:
        if kind == "pth":
            t.save(content, file)
        elif kind == "old.pth":                         # PyTorch 1.6 以前的格式
            t.save(content, file, _use_new_zipfile_serialization=False)
        elif kind == "npy":
            np.save(file, np.array([Evil()], object), allow_pickle=True)
        elif kind == "npz":
            np.savez(file, data=np.array([Evil()], object))
        else:
            pickle.dump(content, file)


def test_the_malicious_files_do_harm_when_read_carelessly(place):
    for kind, read in (("pth", lambda: t.load("a", weights_only=False)), ("pickle", lambda: pickle.loads(Path("a").read_bytes())),
                       ("npy", lambda: np.load("a", allow_pickle=True))):
        write_evil(Path("a"), kind)
        read()
        Path("touched").unlink()                        # 没有就会出错


@pytest.mark.parametrize("kind", ["pth", "old.pth", "pickle", "npy"])
@pytest.mark.parametrize("words", WEIGHTS, ids=" ".join)
def test_malicious_weights_are_refused(place, capsys, words, kind):
    write_evil(Path("evil.pth"), kind)
    write_evil(LAST, kind)
    message = fails(capsys, *words)
    assert ("last.pth" if "--resume" in words else "evil.pth") in message and "损坏" in message
    assert not Path("touched").exists()


@pytest.mark.parametrize("kind", ["npy", "npz", "pth", "pickle"])
@pytest.mark.parametrize("path, words", DATA_FILES, ids=[path for path, _ in DATA_FILES])
def test_malicious_data_is_refused(place, capsys, path, words, kind):
    write_evil(Path(path), kind)
    assert Path(path).name in fails(capsys, *words)
    assert not Path("touched").exists()


@pytest.mark.parametrize("path, content, words", UNREADABLE, ids=[f"{path}-{len(content)}" for path, content, _ in UNREADABLE])
def test_unreadable_data_is_named_in_one_line(place, capsys, path, content, words):
    Path(path).write_bytes(content)
    assert Path(path).name in fails(capsys, *words)


def everything(root: Path) -> dict[Path, float]:
    return {path: path.lstat().st_mtime_ns for path in root.rglob("*")}


@pytest.mark.parametrize("name", [*BAD_NAMES, "{root}/absolute.txt", "../evil.txt", "../../../evil.txt", "link -> ../../../stolen"])
def test_an_archive_cannot_write_outside_its_folder(tmp_path, monkeypatch, capsys, name):
    """说一行话拒绝，或者不理会，都行；别处不能多出、改动一个文件。"""
    inner = tmp_path / "some/where/data"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    (tmp_path / "stolen").mkdir()
    name, _, link = name.format(root=tmp_path).partition(" -> ")
    for archive in give_archives(inner, [(name, link), *GOOD_MEMBERS], monkeypatch):
        before = everything(tmp_path)
        try:
            call("prepare", f"--source={archive}")
        except SystemExit as stop:
            assert stop.code == 2
            one_line(capsys.readouterr().err)
        changed = {path for path, time in everything(tmp_path).items() if before.get(path) != time}
        assert all(inner in (path, *path.parents) for path in changed), changed


@pytest.mark.parametrize("blocked, words", UNWRITABLE, ids=[f"{blocked}-{words[0]}" for blocked, words in UNWRITABLE])
def test_a_place_that_cannot_be_written_is_named(place, capsys, blocked, words):
    """blocked 是文件，结果却要放在它里面；root 不受权限位管，这样对谁都写不进去。"""
    Path(blocked).write_text("", encoding="utf-8")
    assert blocked in fails(capsys, *words)
    assert Path(blocked).read_text(encoding="utf-8") == ""


def members_of(session: int) -> list[int]:
    """一次会话里的进程：主进程和它的取数进程。"""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:                                 # 刚好结束了
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def test_ctrl_c_stops_soon_and_says_how_to_go_on(place, launcher):
    pid = launcher.start("train", *ENDLESS, *WORKERS, "--env=stopped")
    last = LAST.parent.with_name("stopped") / LAST.name
    launcher.wait_until(lambda: last.exists() and len(members_of(pid)) == 3, pid)
    pressed = time.monotonic()
    os.killpg(pid, signal.SIGINT)                       # 终端里的 Ctrl-C 发给整组进程
    status, said = launcher.end()
    assert status == 130 and time.monotonic() - pressed < 60, said
    assert said.strip().splitlines()[-1] == "已停止。接着训练：python main.py train --resume --env=stopped", said
    assert "Traceback" not in said and members_of(pid) == [] and leftovers() == []
    step = load_checkpoint(last, program.PROJECT)["step"]
    call("train", "--resume", "--env=stopped", "--num-workers=0", f"--max-steps={step + 1}")
    assert load_checkpoint(last, program.PROJECT)["step"] == step + 1


def test_a_restarted_process_goes_on_from_its_own_checkpoint(place, monkeypatch, capsys):
    """torchrun --max-restarts 重新起的进程：断点是这一次训练存的就接着它，是别的训练的就从头来。"""
    call("train", *TRAIN, "--max-epoch=100", "--max-steps=5", "--env=whole")
    call("train", *TRAIN, "--max-steps=1")                              # 更早的、别的训练
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "first")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")               # 第一次存断点之前就死了
    call("train", *TRAIN, "--max-epoch=100", "--max-steps=3")
    assert "移到" in capsys.readouterr().out
    call("train", *TRAIN, "--max-epoch=100", "--max-steps=5")
    assert "torchrun 重新起了各个进程" in capsys.readouterr().out
    one, two = (load_checkpoint(Path("runs", env, "last.pth"), program.PROJECT) for env in (ENV, "whole"))
    assert one["step"] == 5
    assert [key for key in one if key not in ("config", "elapsed", "run") and not same(one[key], two[key])] == []


# torchrun 运行的是它：第 1 号进程头一次走完第二轮时 kill -9 自己，那时第一轮的断点已经存好。何时死由步数定，与机器快慢无关
DIE_ONCE = """
import os, runpy, signal, sys
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(sys.argv[0])
from utils.job import Epoch
report, told = Epoch.report, []

def report_or_die(*words, **curves):
    told.append(words)
    if len(told) == 2 and (os.environ["RANK"], os.environ["TORCHELASTIC_RESTART_COUNT"]) == ("1", "0"):
        os.kill(os.getpid(), signal.SIGKILL)
    report(*words, **curves)

Epoch.report = report_or_die
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Windows 没有 SIGKILL，macOS 上的 gloo 没有试过")
def test_torchrun_starts_again_from_the_checkpoint(place, request):
    """kill -9 两个进程中的一个：torchrun 把两个都重新起来，接着断点走完，与没有出过事的逐位相同。"""
    project = PROJECT
    with suppress(pytest.FixtureLookupError):
        project = request.getfixturevalue("project_copy")               # 第8章的，里面是随机的 VGG16
    call("train", *TRAIN, "--max-steps=1")              # 上一次的训练：移开，不接着它
    Path("die_once.py").write_text(DIE_ONCE, encoding="utf-8")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "--max-restarts=3"]
    for env, script in ((ENV, ["die_once.py"]), ("whole", [])):
        process = spawn("train", *ENDLESS, "--max-steps=30", f"--env={env}", cwd=place, launcher=[*launcher, *script], project=project)
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
        assert ("torchrun 重新起了" in out) == (env == ENV) and out.count("完成。") == 1
    one, two = (load_checkpoint(Path("runs", env, "last.pth"), program.PROJECT) for env in (ENV, "whole"))
    assert one["step"] == two["step"] == 30
    assert [key for key in one if key not in ("config", "elapsed", "run") and not same(one[key], two[key])] == []


def test_a_second_train_of_the_same_name_is_told(place, launcher, capsys):
    pid = launcher.start("train", *ENDLESS)
    launcher.wait_until(LAST.exists, pid)
    for words in (TRAIN, ["--resume"]):
        assert "另一个 train" in fails(capsys, "train", *words)
    assert [path.name for path in LAST.parent.parent.iterdir() if path.is_dir()] == [ENV]       # 没有给它改名
    os.kill(pid, signal.SIGKILL)
    launcher.end()
    step = load_checkpoint(LAST, program.PROJECT)["step"]
    call("train", "--resume", f"--max-steps={step + 1}")                # 锁随进程一起没了
    assert load_checkpoint(LAST, program.PROJECT)["step"] == step + 1


def test_a_cpu_with_bfloat16_is_told_once(place, capsys, monkeypatch):
    """有专门指令而没有说用不用的，从头训练时提一句；别的时候都不说。"""
    for unit in ("AMX", ""):
        monkeypatch.setattr("utils.job.bfloat16_unit", lambda unit=unit: unit)
        for words in ([*TRAIN, "--max-steps=1"], ["--resume", "--max-steps=2"], [*TRAIN, "--max-steps=1", "--cpu-bf16=False"]):
            capsys.readouterr()
            call("train", "--use-gpu=False", *words)
            assert capsys.readouterr().out.count("加 --cpu-bf16=True") == (unit == "AMX" and words == [*TRAIN, "--max-steps=1"])


def wrapped(state, prefix: str):
    """像 torch.compile 或 DDP 包过那样，参数名前多一截。"""
    if not isinstance(state, dict) or not state or not all(isinstance(value, t.Tensor) for value in state.values()):
        return state
    return {prefix + name: value for name, value in state.items()}


def test_a_checkpoint_from_elsewhere(place, capsys):
    """包过的网络；config.py 后来添了、删了选项。"""
    call("train", *TRAIN, "--max-steps=1")
    content = load_checkpoint(LAST, program.PROJECT)
    for step, prefix in enumerate(("_orig_mod.", "module.", "_orig_mod.module."), 2):
        config = {**content["config"], "gone": 1}
        del config["plot_every"]
        save_checkpoint(LAST, {name: wrapped(value, prefix) for name, value in content.items()} | {"config": config})
        capsys.readouterr()
        call("train", "--resume", f"--max-steps={step}")
        shown = capsys.readouterr().out
        assert "plot_every 没有记下" in shown and "gone 现在没有了" in shown
        assert load_checkpoint(LAST, program.PROJECT)["step"] == step
    fixed = next(name for name in program.FIXED if name in content["config"])
    save_checkpoint(LAST, content | {"config": {name: value for name, value in content["config"].items() if name != fixed}})
    assert fixed in fails(capsys, "train", "--resume")                  # 说不清当时是什么，就不接着


def test_a_fork_with_one_more_option(place, request, tmp_path_factory, capsys):
    """副本的 config.py 里添了一个选项：原来的代码接得着副本的断点（少了它），副本也接得着原来的（多了它）。"""
    project = PROJECT
    with suppress(pytest.FixtureLookupError):
        project = request.getfixturevalue("project_copy")               # 第8章的，里面是随机的 VGG16
    fork = tmp_path_factory.mktemp("fork") / "project"
    shutil.copytree(project, fork, ignore=shutil.ignore_patterns("runs", "tests", "__pycache__", "*.ipynb"))
    with open(fork / "config.py", "a", encoding="utf-8") as file:
        file.write("    fork_option: int = 3  # 副本添的\n")

    def train(*words) -> str:
        process = spawn("train", *words, cwd=place, project=fork)
        out, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
        return out

    train(*TRAIN, "--max-steps=1", "--fork-option=5")
    call("train", "--resume", "--max-steps=2")
    assert "fork_option 现在没有了" in capsys.readouterr().out
    assert "fork_option 没有记下" in train("--resume", "--max-steps=3")
    assert load_checkpoint(LAST, program.PROJECT)["step"] == 3


def test_other_weights_in_the_place_of_the_checkpoint(place, capsys):
    call("train", *TRAIN, "--max-steps=1")
    before = LAST.read_bytes()
    for path in LAST.parent.glob("*.pth"):
        LAST.write_bytes(before if path == LAST else path.read_bytes())
        if "elapsed" in load_checkpoint(LAST, program.PROJECT):         # 本来就是断点，或内容与断点一样全
            call("train", "--resume", "--max-steps=2")
        else:
            assert "不是断点" in fails(capsys, "train", "--resume")
        LAST.write_bytes(before)
    for name in ("optimizer", "step", "config"):
        save_checkpoint(LAST, {key: value for key, value in load_checkpoint(LAST, program.PROJECT).items()
                               if not key.startswith(name)})
        assert name in fails(capsys, "train", "--resume")
        LAST.write_bytes(before)


KINDS = {name: (typing.get_args(kind) or (kind,))[0] for name, kind in typing.get_type_hints(Config, include_extras=True).items()
         if name in Config.__dataclass_fields__}


@pytest.mark.parametrize("kind, values", [(float, ["inf", "-inf", "nan", "1e-50", "1e39"]), (int, [2 ** 63, 10 ** 19, -2 ** 63]), (str, [None])])
def test_values_that_cannot_be_computed_with(place, capsys, kind, values):
    before = sorted(place.iterdir())
    for name in (name for name in KINDS if KINDS[name] is kind):
        for value in values:
            words = [f"--{name.replace('_', '-')}" + ("" if value is None else f"={value}")]
            assert words[0].partition("=")[0] in fails(capsys, "train", *words)
            if value is None:
                assert "要一个值" in fails(capsys, "train", f"--no{name.replace('_', '-')}")
    assert sorted(place.iterdir()) == before


@pytest.mark.parametrize("word", ["--env=", "--env=a\nb", "--env=..", "--env=a/../../b", "--env=/tmp/x", "--debug-file=", "--debug-file=.", "--=5", "--resume=maybe"])
def test_values_that_name_nothing(place, capsys, word):
    assert (word.partition("=")[0] if word[2] != "=" else word) in fails(capsys, "train", *TRAIN, word)
    assert not Path("runs").exists()


def test_a_seed_from_the_clock_and_a_clock_set_back(place, monkeypatch, capsys):
    call("train", *TRAIN, f"--seed={time.time_ns()}", "--max-steps=1")
    clock = itertools.count(time.time(), -3600)
    monkeypatch.setattr(time, "time", lambda: next(clock))
    call("train", *TRAIN, f"--seed={2 ** 63 - 1}", "--max-steps=1")
    assert "共 -" not in capsys.readouterr().out


def test_too_little_memory_is_one_line(capsys):
    with pytest.raises(SystemExit) as stop:
        run({"train": lambda opt: t.empty(2 ** 50)}, Config, ["train"])
    assert stop.value.code == 2 and "内存" in one_line(capsys.readouterr().err)


def test_a_home_folder_and_values_after_a_space(place, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.setenv("USERPROFILE", str(place))
    assert Path(Config().parse({"debug_file": "~/here"}).debug_file) == place / "here"
    Path("runs/a b").mkdir(parents=True)
    Path("runs/a b/best.pth").write_bytes(b"mine")                      # 只留下了权重，删了断点
    call("train", *TRAIN, "--max-steps", "1", "--env", "a b", "--no-use-gpu" if "no_use_gpu" in KINDS else "--nouse-gpu")
    kept, = place.glob("runs/a b-*/best.pth")
    assert Path("runs/a b/last.pth").exists() and kept.read_bytes() == b"mine"
    Path("runs/notes").mkdir()
    Path("runs/notes/a.txt").write_bytes(b"mine")
    assert "runs/notes 里是别的东西" in fails(capsys, "train", *TRAIN, "--max-steps=1", "--env=notes")


def test_a_page_without_gradio_says_what_to_install(capsys, monkeypatch):
    for name in ("web", "page"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "gradio", None)                # 像没有装
    assert "pip install -r requirements-web.txt" in fails(capsys, "web")
    assert "gradio" in (PROJECT / "requirements-web.txt").read_text(encoding="utf-8")


def test_help_without_documentation(capsys):
    run({"train": lambda opt: None}, Config, ["help"])                  # python -OO 去掉了文档
    assert "  train" in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="用到 POSIX 的关闭文件")
@pytest.mark.parametrize("closed", [1, 2])
def test_output_that_nobody_reads(workdir, closed):
    """1：| head 看够了；2：标准错误一开始就关着。"""
    process = subprocess.Popen([sys.executable, str(PROJECT / "main.py"), "help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               cwd=workdir, preexec_fn=lambda: closed == 2 and os.close(2))
    if closed == 1:
        process.stdout.close()
    else:
        assert len(process.stdout.read()) > 1000
    assert process.stderr.read() == b"" and process.wait() == (141 if closed == 1 else 0)


def mutations(content: bytes, count: int, seed: int):
    """content 的 count 个坏了的样子：改几个字节、截断、挖去或重复一段、一段清零。"""
    dice = random.Random(seed)
    for _ in range(count):
        bad = bytearray(content)
        for _ in range(dice.choice((1, 1, 2, 8))):
            at, size = dice.randrange(max(1, len(bad))), dice.choice((1, 2, 4, 64, 1000))
            kind = dice.randrange(6)
            if kind < 3:
                bad[at:at + 1] = bytes([dice.randrange(256)])
            elif kind == 3:
                del bad[at:at + size]
            elif kind == 4:
                bad[at:at] = bad[at:at + size]
            else:
                bad[at:at + size] = bytes(len(bad[at:at + size])) if dice.random() < 0.7 else b""
        yield bytes(bad[:dice.randrange(len(bad) + 1)]) if dice.random() < 0.2 else bytes(bad)


@pytest.mark.parametrize("index", range(len(READERS)), ids=[name for name, *_ in READERS])
def test_mutated_files(place, monkeypatch, index):
    """READERS 各项是 (文件名, 写出好文件的函数, 读它的函数)。坏了的文件要么照样读得出，要么是 UserError，不许有别的错误。

    平时每种试 FUZZ 个；FUZZ_FILES=6000 python -m pytest tests/test_reliability.py -k mutated 试得久。
    """
    name, write, read = READERS[index]
    if "data.pictures" in sys.modules:
        monkeypatch.setattr("data.pictures.LARGEST", 10 ** 6)           # 改坏的大小不必真去分配内存
    write()
    good = Path(name).read_bytes()
    read()
    refused, count = 0, int(os.environ.get("FUZZ_FILES", FUZZ))
    for number, content in enumerate(mutations(good, count, seed=index)):
        Path(name).write_bytes(content)
        try:
            read()
        except UserError as error:
            refused += 1
            assert "\n" not in str(error)
        except Exception as error:
            pytest.fail(f"第 {number} 个改坏的 {name}：{type(error).__name__}: {error}")
    assert refused                                                      # 真的改坏了


if __name__ == "__main__":
    serve()
