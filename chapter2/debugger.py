"""把一段 ipdb 的对话录成文字：笔记本不能一边存一边等人输入，所以命令事先写好。"""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PROMPT = "ipdb> "


def session(source: str, commands: list[str]) -> str:
    """运行脚本 source，停下时依次输入 commands；返回屏幕上的全部文字，每条命令跟在提示符后面。"""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        (Path(folder) / "script.py").write_text(source.lstrip(), encoding="utf-8")
        done = subprocess.run([sys.executable, "script.py"], cwd=folder, input="\n".join(commands) + "\n",
                              capture_output=True, text=True, encoding="utf-8",
                              env={**os.environ, "PYTHONIOENCODING": "utf-8"})
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)           # 去掉颜色
    text = re.sub(r"\S*[/\\](?=script\.py[(:])", "", text)        # 去掉临时目录
    first, *answers = text.split(PROMPT)
    lines = [f"{PROMPT}{command}\n{answer}" for command, answer in zip(commands, answers)]
    return "".join([first, *lines])
