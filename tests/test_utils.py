"""共用工具 chapter6/utils：断点、随机数、可视化。选项解析由各项目的 test_commands.py 测。"""

import http.server
import io
import json
import signal
import sys
import threading

import pytest
import torch as t
from repository import ROOT

sys.path.insert(0, str(ROOT / "chapter6"))
import utils  # noqa: E402
from utils import UserError, Visualizer, load_checkpoint, save_checkpoint, seed_step, setup  # noqa: E402


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
    vis = Visualizer("test", tmp_path, port=server.server_port)
    vis.plot("loss", 2.0)
    vis.plot("loss", 1.5)
    vis.img("picture", t.rand(3, 8, 8))
    vis.log("春眠不觉晓")
    vis.bar(X=t.tensor([1.0, 2.0]), win="bars")
    vis.close()
    drawn = [(path, body) for path, body in events if body.get("win")]
    assert {body["win"] for _, body in drawn} == {"loss", "picture", "log_text", "bars"}
    assert any(path.endswith("/update") and body["win"] == "loss" for path, body in drawn)
    assert all(body["eid"] == "test" for _, body in drawn)
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


def test_toolkit_stays_small():
    files = list((ROOT / "chapter6" / "utils").glob("*.py"))
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) <= 800


def test_two_runs_set_aside_within_one_second_are_both_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(utils.checkpoint.time, "strftime", lambda _: "20260101-000000")
    for content in ("one", "two", "three"):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "last.pth").write_text(content)
        utils.checkpoint.set_aside(tmp_path / "run")
    assert sorted(path.read_text() for path in tmp_path.glob("run-*/last.pth")) == ["one", "three", "two"]


def test_ctrl_c_while_the_workers_start_waits_until_they_run():
    class Loader:
        running = False

        def __iter__(self):
            signal.raise_signal(signal.SIGINT)
            self.running = True
            return iter([1, 2])

    loader = Loader()
    with pytest.raises(KeyboardInterrupt):
        next(utils.batches(loader))
    assert loader.running
