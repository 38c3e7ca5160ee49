"""README 的「十分钟改成自己的任务」：照着写的改，三类图片的文件夹就能训练和使用。"""

import re
import shutil

from conftest import paint
from helpers import PROJECT, spawn


def edits():
    """README 那一节里的各处改动：(文件, 原来的一行, 改后的一行)。"""
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    section = text.split("## 十分钟改成自己的任务")[1].split("\n## ")[0]
    found = re.findall(r"```diff\n--- (\S+)\n-(.*)\n\+(.*)\n```", section)
    commands = re.findall(r"^python main\.py (.*?)(?:\s+#.*)?$", section, flags=re.M)
    return found, commands


def test_a_folder_of_three_classes(tmp_path):
    fork = tmp_path / "shapes"
    shutil.copytree(PROJECT, fork, ignore=shutil.ignore_patterns("runs", "__pycache__", "train", "test", "tests", "sources.csv",
                                                                      "*.pth"))
    changes, commands = edits()
    assert changes and commands[0].startswith("train")
    for name, old, new in changes:
        text = (fork / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name} 里要正好有一处 {old}"
        (fork / name).write_text(text.replace(old, new), encoding="utf-8")
    for part in ("train", "test"):
        (fork / "data" / part).mkdir()
    for i in range(12):
        for shape in ("circle", "square", "star"):
            paint(fork / "data/train" / f"{shape}.{i}.jpg", shape, i)
        paint(fork / "data/test" / f"{i}.jpg", ("circle", "square", "star")[i % 3], i)
    for command in commands:
        extra = ["--image-size=32", "--batch-size=8", "--max-epoch=2"] if command.startswith("train") else []
        process = spawn(*command.split(), *extra, cwd=fork, project=fork)
        out, err = process.communicate(timeout=400)
        assert process.returncode == 0, err
    assert (fork / "result.csv").read_text(encoding="utf-8").splitlines()[0] == "id,circle,square,star"
    assert "circle" in out or "square" in out or "star" in out
