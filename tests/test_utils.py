"""共用工具 chapter6/utils：断点、随机数、可视化。选项解析由各项目的 test_commands.py 测。"""

import http.server
import importlib.util
import io
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch as t
from PIL import Image, ImageOps
from repository import ROOT

sys.path.insert(0, str(ROOT / "chapter6"))
import utils.files  # noqa: E402
import utils.job  # noqa: E402
import utils.loading  # noqa: E402
from utils.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from utils.files import UserError, legible, quote  # noqa: E402
from utils.options import BaseConfig  # noqa: E402
from utils.runtime import bfloat16_unit, seed_step, setup  # noqa: E402
from utils.visualize import Visualizer  # noqa: E402

# 不叫 data.pictures：仓库自己也有一个 data 包
spec = importlib.util.spec_from_file_location("pictures", ROOT / "chapter6/data/pictures.py")
pictures = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pictures)


@pytest.fixture
def visdom_server():
    """一个只记下请求的 visdom 服务器：返回 (端口, 收到的事件)。"""
    events = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            events.append((self.path, json.loads(body)))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"win")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("localhost", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server, events
    server.shutdown()
    server.server_close()


def scalars(folder, name):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    events = EventAccumulator(str(folder))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_without_a_server_one_line_and_tensorboard_only(tmp_path, capsys):
    vis = Visualizer("test", tmp_path, port=1)
    vis.plot("loss", 2.0)
    vis.plot("loss", 1.0)
    vis.plot_many({"loss": 0.5, "accuracy": 0.9}, step=7)
    vis.img("picture", t.rand(3, 8, 8))
    vis.img_many({"batch": t.rand(4, 1, 8, 8)})
    vis.log("春眠不觉晓")
    vis.bar(X=[1, 2], win="bars")
    vis.close()
    assert capsys.readouterr().out.count("\n") == 1
    assert scalars(tmp_path, "loss") == [(0, 2.0), (1, 1.0), (7, 0.5)]


def test_with_a_server_it_also_draws_there(tmp_path, visdom_server):
    pytest.importorskip("visdom")
    server, events = visdom_server
    vis = Visualizer("te/st", tmp_path, port=server.server_port)
    vis.plot("loss", 2.0)
    vis.plot("loss", 1.5)
    vis.img("picture", t.rand(3, 8, 8))
    vis.log("春眠不觉晓")
    vis.bar(X=t.tensor([1.0, 2.0]), win="bars")
    vis.close()
    drawn = [(path, body) for path, body in events if body.get("win")]
    assert {body["win"] for _, body in drawn} == {"loss", "picture", "log_text", "bars"}
    assert any(path.endswith("/update") and body["win"] == "loss" for path, body in drawn)
    assert all(body["eid"] == "te_st" for _, body in drawn)
    assert [value for _, value in scalars(tmp_path, "loss")] == [2.0, 1.5]


def test_a_server_that_goes_away_does_not_stop_the_training(tmp_path, visdom_server, capsys):
    pytest.importorskip("visdom")
    server, _ = visdom_server
    vis = Visualizer("test", tmp_path, port=server.server_port)
    server.shutdown()
    server.server_close()
    capsys.readouterr()
    for i in range(5):
        vis.plot("loss", float(i))
    vis.close()
    assert capsys.readouterr().out.count("visdom") == 1
    assert len(scalars(tmp_path, "loss")) == 5


def test_curves_continue_after_a_resume(tmp_path):
    vis = Visualizer("test", tmp_path, port=1)
    for step in range(6):
        vis.plot("loss", float(step), step)
    vis.close()
    vis = Visualizer("test", tmp_path, port=1, first_step=4)     # 断点在第 4 步之前
    vis.plot("loss", 40.0, 4)
    vis.close()
    assert scalars(tmp_path, "loss") == [(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0), (4, 40.0)]


def test_a_failed_save_keeps_the_old_checkpoint(tmp_path):
    path = tmp_path / "a" / "last.pth"
    save_checkpoint(path, {"project": "x", "step": 1})

    class Unsaveable:
        def __reduce__(self):
            raise OSError("磁盘满了")

    with pytest.raises(UserError, match="磁盘满了"):
        save_checkpoint(path, {"project": "x", "step": Unsaveable()})
    assert load_checkpoint(path, "x")["step"] == 1
    assert [file.name for file in path.parent.iterdir()] == ["last.pth"]


@pytest.mark.parametrize("at", range(1, 20))
@pytest.mark.parametrize("error, becomes", [(OSError(28, "No space left on device"), UserError),
                                            (KeyboardInterrupt(), KeyboardInterrupt)])
def test_an_error_at_any_write_is_not_hidden_by_torch(tmp_path, monkeypatch, at, error, becomes):
    """t.save 把写文件时的错误盖成 RuntimeError；盘满了要说得出来，Ctrl-C 还得是 Ctrl-C。"""
    class Full(io.FileIO):
        writes = 0

        def write(self, content):
            Full.writes += 1
            if Full.writes == at:
                raise error
            return super().write(content)

    monkeypatch.setattr("builtins.open", lambda path, mode: Full(path, mode))
    with pytest.raises(becomes, match="a.pth 存不了（No space left on device）" if becomes is UserError else None):
        save_checkpoint(tmp_path / "a.pth", {"project": "x", "model": [t.zeros(10_000)] * 3})
    assert list(tmp_path.iterdir()) == []


def test_code_inside_a_checkpoint_is_not_run(tmp_path):
    class Malicious:
        def __reduce__(self):
            return (open, (str(tmp_path / "hacked"), "w"))

    t.save({"project": "x", "model": Malicious()}, tmp_path / "evil.pth")
    with pytest.raises(UserError, match="evil.pth"):
        load_checkpoint(tmp_path / "evil.pth", "x")
    assert not (tmp_path / "hacked").exists()


def test_random_numbers_depend_on_seed_step_and_rank_only():
    def draw(*key):
        seed_step(*key)
        return t.rand(4)

    assert t.equal(draw(0, 5, 1), draw(0, 5, 1))
    others = [draw(1, 5, 1), draw(0, 6, 1), draw(0, 5, 0), draw(0, 1, 5), draw(5, 0, 1)]
    assert not any(t.equal(draw(0, 5, 1), other) for other in others)


def test_one_process_on_the_cpu():
    runtime = setup(use_gpu=False)
    assert (runtime.device.type, runtime.rank, runtime.world_size, runtime.is_main) == ("cpu", 0, 1, True)
    assert runtime.sum(1, 2.5) == [1, 2.5]
    layer = t.nn.Linear(2, 2)
    assert runtime.wrap(layer) is layer
    with runtime.autocast():
        assert layer(t.ones(1, 2)).dtype == t.float32


def test_what_a_cpu_has_for_bfloat16(monkeypatch):
    for amx, avx, unit in ((True, True, "AMX"), (False, True, "AVX512-BF16"), (False, False, "")):
        monkeypatch.setattr(t.cpu, "_is_amx_tile_supported", lambda amx=amx: amx)
        monkeypatch.setattr(t.cpu, "_is_avx512_bf16_supported", lambda avx=avx: avx)
        assert bfloat16_unit() == unit


def test_toolkit_stays_small():
    files = list((ROOT / "chapter6" / "utils").glob("*.py"))
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) <= 900


def test_two_runs_set_aside_within_one_second_are_both_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(utils.job.time, "strftime", lambda _: "20260101-000000")
    for content in ("one", "two", "three"):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "last.pth").write_text(content)
        utils.job.set_aside(tmp_path / "run")
    assert sorted(path.read_text() for path in tmp_path.glob("run-*/last.pth")) == ["one", "three", "two"]


def test_what_stands_in_the_way_is_renamed(tmp_path, capsys):
    """同样的内容不算；链接只动它自己；写的途中出错时什么都没有动。"""
    target, mine = tmp_path / "a.tsv.gz", tmp_path / "mine"
    mine.write_bytes(b"mine")
    target.symlink_to(mine)
    same = lambda old: old.read_bytes() == b"new"       # noqa: E731
    with pytest.raises(OSError, match="full"), utils.files.replacing(target, same) as file:
        raise OSError("full")
    assert target.is_symlink() and len(list(tmp_path.iterdir())) == 2
    for _ in range(2):
        with utils.files.replacing(target, same) as file:
            file.write(b"new")
    assert capsys.readouterr().out.count("移到") == 1
    link, = tmp_path.glob("a.tsv-*.gz")
    assert link.is_symlink() and mine.read_bytes() == b"mine" and target.read_bytes() == b"new" and not target.is_symlink()


def test_ctrl_c_while_the_workers_start_waits_until_they_run():
    class Loader:
        running = False

        def __iter__(self):
            signal.raise_signal(signal.SIGINT)
            self.running = True
            return iter([1, 2])

    loader = Loader()
    with pytest.raises(KeyboardInterrupt):
        next(utils.loading.batches(loader))
    assert loader.running


def test_a_visdom_that_never_answers(tmp_path, capsys):
    """停住的服务器（Ctrl-Z）、占着 8097 端口的别的程序：连得上，却不回答。"""
    pytest.importorskip("visdom")
    with socket.create_server(("localhost", 0)) as silent:
        begin = time.monotonic()
        vis = Visualizer("test", tmp_path, port=silent.getsockname()[1])
        vis.plot("loss", 1.0)
        vis.close()
        assert time.monotonic() - begin < 60            # 从前一直等下去
    assert capsys.readouterr().out.count("\n") == 1
    assert scalars(tmp_path, "loss") == [(0, 1.0)]


def test_visdom_is_not_asked_through_a_proxy(tmp_path, visdom_server, monkeypatch):
    pytest.importorskip("visdom")
    monkeypatch.setenv("http_proxy", "http://localhost:1")
    monkeypatch.delenv("no_proxy", raising=False)
    server, events = visdom_server
    vis = Visualizer("test", tmp_path, port=server.server_port)
    vis.plot("loss", 1.0)
    vis.close()
    assert any(body.get("win") == "loss" for _, body in events)


class Large(t.utils.data.Dataset):
    """取数进程里，共享内存一个字节也分不到。"""

    def __getitem__(self, index):
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        return t.zeros(10_000)

    def __len__(self):
        return 8


@pytest.mark.skipif(sys.platform != "linux", reason="别的系统没有 /dev/shm")
def test_a_full_shared_memory_ends_in_one_line():
    loader = t.utils.data.DataLoader(Large(), 4, num_workers=1)
    with pytest.raises(UserError, match="/dev/shm"):
        list(utils.loading.batches(loader))


def test_hyperparameters_given_by_hand_are_used_after_a_resume(tmp_path):
    @dataclass
    class Config(BaseConfig):
        lr: float = 0.1
        weight_decay: float = 0.5
        beta1: float = 0.9

    def build(opt):
        return t.optim.AdamW([t.nn.Parameter(t.ones(2))], opt.lr, (opt.beta1, 0.99), weight_decay=opt.weight_decay)

    first = build(Config())
    first.param_groups[0]["params"][0].grad = t.ones(2)
    first.step()
    first.param_groups[0]["lr"] = 0.025                 # 训练中降下来的
    for given, lr, decay, beta in (({}, 0.025, 0.5, 0.9), ({"lr": "0.4", "beta1": "0.2"}, 0.4, 0.5, 0.2), ({"weight_decay": "0"}, 0.025, 0, 0.9)):
        opt = Config().parse(given)
        optimizer = build(opt)
        utils.job.load_optimizer(opt, optimizer, first.state_dict(), Path("last.pth"))
        group, = optimizer.param_groups
        assert group["lr"] == lr and group["weight_decay"] == decay and group["betas"][0] == beta
        assert t.equal(optimizer.state[group["params"][0]]["exp_avg"], first.state[first.param_groups[0]["params"][0]]["exp_avg"])


PAPER = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 40, 3), dtype=np.uint8)).resize((80, 40))


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright(tmp_path, kind, orientation):
    if f".{kind}" not in pictures.SUFFIXES:
        pytest.skip("这里的 Pillow 不认得")
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / f"a.{kind}"
    PAPER.save(path, exif=exif)
    with Image.open(path) as image:
        wanted = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    assert np.array_equal(np.asarray(pictures.open_picture(path)), wanted)
    assert np.array_equal(np.asarray(pictures.open_picture(path.read_bytes())), wanted)


@pytest.mark.parametrize("mode, kind", [("1", "png"), ("L", "png"), ("LA", "png"), ("P", "gif"), ("PA", "tif"), ("RGBA", "png"), ("CMYK", "jpg"),
                                        ("CMYK", "tif"), ("I", "tif"), ("F", "tif"), ("I;16", "png"), ("I;16B", "tif"), ("LAB", "tif")])
def test_every_mode_is_read(tmp_path, mode, kind):
    path = tmp_path / f"a.{kind}"
    gray = np.tile(np.linspace(0, 65535, 60).round(), (30, 1))
    if mode in ("I", "F", "I;16", "I;16B"):
        image = Image.fromarray(gray.astype({"I": np.int32, "F": np.float32, "I;16": np.uint16, "I;16B": ">u2"}[mode]))
    else:
        image = PAPER.convert(mode) if mode not in ("LAB", "PA") else PAPER.convert("P").convert(mode) if mode == "PA" else Image.new("LAB", (60, 30))
    image.save(path)
    assert pictures.open_picture(path).mode == "RGB" and pictures.open_picture(path, alpha=True).mode in ("RGB", "RGBA")
    assert pictures.open_picture(path).size == image.size
    if mode in ("I", "F", "I;16", "I;16B"):             # 16 位的与 8 位的同样亮
        assert np.abs(np.asarray(pictures.open_picture(path))[..., 0].astype(float) - gray / 257).max() <= 1


def test_transparent_is_white_or_kept(tmp_path):
    image = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 10, 20))
    for name, saved in (("a.png", image), ("p.png", image.quantize()), ("g.gif", image)):
        saved.save(tmp_path / name)
        assert [pictures.open_picture(tmp_path / name).getpixel(at) for at in ((15, 0), (5, 0))] == [(255, 255, 255), (0, 0, 255)]
        assert pictures.open_picture(tmp_path / name, alpha=True).getpixel((15, 0))[3] == 0


def test_pictures_too_large_and_broken_exif(tmp_path, monkeypatch):
    PAPER.save(tmp_path / "a.png")
    monkeypatch.setattr(pictures, "HUGE", 1000)
    assert min(pictures.open_picture(tmp_path / "a.png", draft=10).size) in range(10, 20)        # 大的扫描件读成小图
    monkeypatch.setattr(pictures, "LARGEST", 3000)
    with pytest.raises(UserError, match="太大（80×40）"):
        pictures.open_picture(tmp_path / "a.png")
    PAPER.save(tmp_path / "b.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    monkeypatch.undo()
    assert pictures.open_picture(tmp_path / "b.jpg").size == PAPER.size
    with pytest.raises(UserError, match="找不到图片"):
        pictures.open_picture(tmp_path / "none.jpg")
    (tmp_path / "eps.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    with pytest.raises(UserError, match="eps.jpg 读不出来"):                             # 不交给外部程序去画
        pictures.open_picture(tmp_path / "eps.jpg")


def test_what_counts_as_a_picture(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "相册[2023] x"
    for name in ("b.JPG", "a.png", "sub/c.jfif", ".hidden.png", "._a.png", "@eaDir/a.png/t.jpg", "__MACOSX/a.png", ".ipynb_checkpoints/a.png",
                 "e.jpg/inside.png", "Thumbs.db", "phone.HEIC", "raw.cr2", "notes.txt", "sub/d.HEIC"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    names = [path.relative_to(folder).as_posix() for path in pictures.find_pictures(folder, "--x")]
    assert names == ["a.png", "b.JPG", "e.jpg/inside.png", "sub/c.jfif"]
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and ".cr2 1 个" in said and ".heic 2 个" in said and ".txt" not in said
    assert [path.name for path in pictures.find_pictures(folder, "--x", recursive=False)] == ["a.png", "b.JPG"]
    assert [path.name for path in pictures.find_pictures(f"{folder}/*.[pJ]*", "--x")] == ["a.png", "b.JPG"]
    assert [path.name for path in pictures.find_pictures(f"{tmp_path}/*/sub/*", "--x")] == ["c.jfif"]
    monkeypatch.chdir(tmp_path)
    assert pictures.find_pictures("相册[2023] x/a.png", "--x")[0].name == "a.png"
    (tmp_path / "phone").mkdir()
    (tmp_path / "phone/a.heic").write_bytes(b"")
    refused = [("none", "--x=none 不存在"), ("none/*.png", "没有图片"), ("phone", "只有 .heic 1 个")]
    if sys.version_info < (3, 13):                      # 3.13 起 pathlib 把它当作 *x
        refused.append(("**x/*.png", "--x="))
    for place, says in refused:
        with pytest.raises(UserError) as error:
            pictures.find_pictures(place, "--x")
        assert says in str(error.value)


@pytest.mark.skipif(sys.platform != "linux", reason="别的系统的文件名是 Unicode")
def test_names_that_are_not_utf8(tmp_path):
    raw = "照片 1.png".encode("gbk")
    PAPER.save(tmp_path / "a.png")
    os.rename(tmp_path / "a.png", os.fsencode(tmp_path) + b"/" + raw)
    path, = pictures.find_pictures(tmp_path, "--x")
    assert pictures.open_picture(path).size == PAPER.size and os.fsencode(path.name) == raw
    assert legible(path.name) == "照片 1.png" and legible(f"相册/{path.name}") == "相册/照片 1.png"
    assert legible("两\n行\x1b[31m.png") == "两?行?[31m.png"                              # 一行话还是一行话


class Unmarked(zipfile.ZipInfo):
    """像 coding 为 gbk 的 Windows 或 utf-8 的 macOS 那样写名字，不标明编码。"""

    def __init__(self, name: str, coding: str):
        super().__init__("x")
        self.raw = name.encode(coding)

    def _encodeFilenameFlags(self):                     # noqa: N802
        return self.raw, 0


def test_names_inside_a_zip(tmp_path):

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for info in (Unmarked("照片\\小猫.JPG", "gbk"), Unmarked("苹果/狗.png", "utf-8"), "utf8/标明的.png", "__MACOSX/._a.png", "top/.DS_Store", "folder/"):
            archive.writestr(info, b"content")
    archive, entries = pictures.open_zip(tmp_path / "a.zip")
    with archive:
        assert sorted(entries) == sorted(["照片/小猫.JPG", "苹果/狗.png", "utf8/标明的.png"])
        assert all(pictures.read_member(archive, entry) == b"content" for entry in entries.values())
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1         # 标作加了密
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.zip 加了密"):
        pictures.open_zip(tmp_path / "a.zip")


def test_where_a_picture_may_be_saved(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    PAPER.save("mine.png")
    before = (tmp_path / "mine.png").read_bytes()
    for path, size, says in (("a.psd", (9, 9), "扩展名"), ("a", (9, 9), "扩展名"), ("mine.png/b.png", (9, 9), "不是能写的文件夹"), ("a.jpg", (9, 65501), "65500"),
                             ("a.webp", (16384, 9), "16383"), ("mine.png", (9, 9), "盖掉")):
        with pytest.raises(UserError, match=says):
            pictures.check_picture(path, "--x", ["none.png", "mine.png"], size)
    (tmp_path / "dir.png").mkdir()
    with pytest.raises(UserError, match="文件夹"):
        pictures.check_picture("dir.png", "--x")
    with pytest.raises(UserError, match="盖掉"):
        pictures.save_picture(PAPER, "mine.png", "--x", ["./mine.png"])
    assert (tmp_path / "mine.png").read_bytes() == before
    for name in ("deep/er/a.PNG", "a.jpg", "a.webp", "a.gif", "a.tif", "a.bmp"):
        assert pictures.check_picture(name, "--x", ["mine.png"], PAPER.size).name == name.split("/")[-1]
        pictures.save_picture(PAPER, name, "--x")
        assert Image.open(name).size == PAPER.size and pictures.has_mark(Path(name)) == (name != "a.bmp")
    assert not list(tmp_path.rglob("*.tmp"))


def test_printed_values_can_be_pasted():
    for value in ("a b", "诗 人/last.pth", "it's", "a(1)", "$HOME", "plain/path-1.pth", "诗/a.pth"):
        assert shlex.split(f"x --y={quote(value)}") == ["x", f"--y={value}"]
    assert quote("诗/a.pth") == "诗/a.pth"
    if os.name != "nt":                                 # 字节不是 UTF-8 的、有换行的
        for raw in ("照片 1".encode("gbk"), b"two\nlines", b"it's\\\xff"):
            said = subprocess.run(["bash", "-c", f"printf %s {quote(os.fsdecode(raw))}"], capture_output=True, check=True)
            assert said.stdout == raw
