"""存取断点和权重：写到一半断电也不会弄坏旧文件，读文件时不执行其中的代码。"""

import os
import pickle
from pathlib import Path

import torch as t

from .options import UserError


def save_checkpoint(path: str | Path, content: dict) -> None:
    """把 `content`（张量、数、文本及其字典和列表）存到 `path`。

    先写临时文件并落盘，再改名顶替：任何时刻 `path` 要么是旧的完整文件，要么是新的完整文件。
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        t.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def load_checkpoint(path: str | Path, project: str) -> dict:
    """读出 `save_checkpoint` 存的字典，张量放在 CPU 上。

    文件不存在、损坏，或字典里的 "project" 不是 `project` 时抛出 UserError。
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"找不到权重文件 {path}：检查 --model-path，或先运行 python main.py train")
    try:
        content = t.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError):
        raise UserError(f"权重文件 {path} 损坏或不是 PyTorch 权重：重新下载，或重新训练") from None
    if not isinstance(content, dict) or content.get("project") != project:
        raise UserError(f"{path} 不是本项目（{project}）的权重，换一个 --model-path")
    return content
