"""存取断点和权重：写到一半断电也不会弄坏旧文件，读文件时不执行其中的代码。"""

import os
import pickle
import time
from dataclasses import fields
from pathlib import Path

import torch as t

from .options import UserError


def save_checkpoint(path: str | Path, content: dict) -> None:
    """把 `content`（张量、数、文本及其字典和列表）存到 `path`。

    先写临时文件并落盘，再改名顶替：任何时刻 `path` 要么是旧的完整文件，要么是新的完整文件。
    写不进去（盘满了、没有权限）时抛出 UserError，临时文件删去。
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "wb") as file:
            t.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:
        cause = error if isinstance(error, OSError) else error.__context__   # t.save 会把写文件时的错误盖成 RuntimeError
        if isinstance(cause, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        if not isinstance(cause, OSError):
            raise
        raise UserError(f"{path} 存不了（{cause.strerror or cause}），上一次存的还在：腾出磁盘空间，检查文件夹能不能写，再接着来") from None
    finally:
        temporary.unlink(missing_ok=True)


def load_checkpoint(path: str | Path, project: str, option: str = "--model-path") -> dict:
    """读出 `save_checkpoint` 存的字典，张量放在 CPU 上。option 是指明 path 的选项，用在出错的话里。

    文件不存在、损坏，或字典里的 "project" 不是 `project` 时抛出 UserError。
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"找不到权重文件 {path}：检查 {option}，或先运行 python main.py train")
    try:
        content = t.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, pickle.UnpicklingError):
        raise UserError(f"权重文件 {path} 损坏或不是 PyTorch 权重：重新下载，或重新训练") from None
    if not isinstance(content, dict) or content.get("project") != project:
        raise UserError(f"{path} 不是本项目（{project}）的权重，换一个 {option}")
    return content


def resume_point(opt, folder: Path, project: str, fixed: tuple[str, ...]) -> dict | None:
    """opt.resume 时返回 folder/last.pth 的内容，并把没有亲手给出的选项恢复成当时的值（走满了的 max_steps 除外）；否则返回 None。

    没有断点，或亲手给出的选项里有 `fixed` 中的一个（换了就接不上）与当时不同，抛出 UserError。
    """
    if not opt.resume:
        return None
    path = folder / "last.pth"
    if not path.is_file():
        raise UserError(f"没有断点 {path}，无法 --resume：去掉它从头训练，或用 --env 指明是哪一次")
    content = load_checkpoint(path, project)
    for field in fields(opt):
        saved = content["config"][field.name]
        if field.name not in opt.given:
            setattr(opt, field.name, saved)
        elif field.name in fixed and getattr(opt, field.name) != saved:
            raise UserError(f"{path} 的 {field.name} 是 {saved}，与给出的 {getattr(opt, field.name)} 不符：去掉这个选项")
    if "max_steps" not in opt.given and content["step"] >= opt.max_steps:
        opt.max_steps = 0                               # 接着训练，就是要走下去
    return content


def set_aside(folder: Path) -> None:
    """把上一次训练的结果整个移到 <folder>-<时间>/，免得被盖掉。"""
    if (folder / "last.pth").exists():
        moved = folder.with_name(f"{folder.name}-{time.strftime('%Y%m%d-%H%M%S')}")
        while moved.exists():                           # 同一秒里已经移过一次
            moved = moved.with_name(f"{moved.name}-2")
        folder.rename(moved)
        print(f"上一次训练的结果移到 {moved}")
