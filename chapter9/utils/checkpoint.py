"""存取断点和权重：写到一半断电也不会弄坏旧文件，读文件时不执行其中的代码。"""

from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path

import torch as t

from .files import UserError, legible, refusing, replacing, say


def save_checkpoint(path: str | Path, content: dict, is_ours: Callable[[Path], bool] | None = None) -> None:
    """把 `content`（张量、数、文本及其字典和列表）存到 `path`，见 replacing。写不进去时抛出 UserError，旧文件还在。"""
    try:
        with replacing(path, is_ours) as file:
            t.save({name: dict(value) if isinstance(value, Content) else value for name, value in content.items()}, file)
    except (OSError, RuntimeError) as error:
        cause = error if isinstance(error, OSError) else error.__context__   # t.save 会把写文件时的错误盖成 RuntimeError
        if not isinstance(cause, OSError):
            raise (KeyboardInterrupt() if isinstance(cause, KeyboardInterrupt) else error) from None
        raise UserError(f"{path} 存不了（{cause.strerror or cause}），上一次存的还在：腾出磁盘空间，检查文件夹能不能写，再接着来") from None


class Content(dict):
    """权重文件的内容。取一个没有的名字时抛出 UserError。"""
    def __init__(self, items: dict, path: str | Path):
        super().__init__((name, Content(value, path) if name == "config" and isinstance(value, dict) else _bare(value))
                         for name, value in items.items())
        self.path = path

    def __missing__(self, name: str):
        raise UserError(f"权重文件 {legible(str(self.path))} 里没有 {name}：文件被改动过，或不是这样用的；重新下载，或重新训练")


def _bare(value):
    """torch.compile 和 DataParallel（DDP）包过的网络，参数名里多一截 _orig_mod. 或 module.，去掉。"""
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        return value
    wrapped = all(name.replace("_orig_mod.", "").startswith("module.") for name in value)
    return {name.replace("_orig_mod.", "")[7 * wrapped:]: item for name, item in value.items()}


def load_checkpoint(path: str | Path, project: str, option: str = "--model-path") -> Content:
    """读出 `save_checkpoint` 存的字典，张量放在 CPU 上。不存在、损坏、"project" 不是 `project` 时抛出 UserError，说出 option。"""
    if not Path(path).is_file():
        raise UserError(f"找不到权重文件 {legible(str(path))}：检查 {option}，或先运行 python main.py train")
    with refusing(f"权重文件 {legible(str(path))} 损坏或不是 PyTorch 权重：重新下载，或重新训练"):
        content = t.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, dict) or content.get("project") != project:
        raise UserError(f"{legible(str(path))} 不是本项目（{project}）的权重，换一个 {option}")
    return Content(content, path)


def load_state(module: t.nn.Module, state: dict, path: str | Path) -> None:
    """把权重装进网络（或优化器）；名字或形状不符时抛出 UserError。"""
    with refusing(f"{legible(str(path))} 里的权重与它自己写明的网络对不上：文件被改动过，换一份，或重新训练"):
        module.load_state_dict(state)


def saved_config(kind: type, saved: dict, path: str | Path, names: Iterable[str] = (), fixed: Iterable[str] = ()):
    """由文件里记下的选项 saved 造一个 kind（Config）。config.py 后来改过也行：names（不给就是全部选项）里没有记下的取默认值，
    记下而现在没有的不理会，各说一行；没有记下的在 fixed 里时，说不清当时是什么，抛出 UserError。"""
    known = [field.name for field in fields(kind)]
    missing, extra = [name for name in names or known if name not in saved], [name for name in saved if name not in known]
    if set(missing) & set(fixed):
        raise UserError(f"{legible(str(path))} 里没有记下选项 {'、'.join(missing)}，接不上：去掉 --resume 从头训练")
    for these, then in ((missing, "没有记下，用默认值"), (extra, "现在没有了，不理会")):
        if these:
            say(f"{legible(str(path))} 的选项 {'、'.join(these)} {then}")
    return kind(**{name: value for name, value in saved.items() if name in known})
