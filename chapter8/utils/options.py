"""命令行选项：config.py 里的 dataclass 写明类型、默认值和范围，这里负责检查，并用 fire 驱动命令。"""

import ast
import dataclasses
import difflib
import errno
import inspect
import os
import re
import sys
import textwrap
import typing
from pathlib import Path

import fire

from .files import UserError, held, legible, quote

# 这些错在使用者的磁盘和文件夹，不在程序
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT,
               errno.ENOTDIR, errno.EISDIR, errno.EEXIST}
PLACE = re.compile("(path|root|file|img|picture|source|dir|folder)$")      # 值是文件或文件夹的选项，名字这样结尾
TINIEST, BIGGEST = 1.2e-38, 3.4e38                                          # float32 能有的绝对值


@dataclasses.dataclass(frozen=True)
class Range:
    """数值范围，写在 Annotated 里：Range(1) 是 ≥ 1，Range(above=0) 是 > 0，Range(0, 1) 两端都含。"""

    low: float | None = None
    high: float | None = None
    above: float | None = None

    def accepts(self, value) -> bool:
        return ((self.low is None or value >= self.low)
                and (self.high is None or value <= self.high)
                and (self.above is None or value > self.above))

    def __str__(self) -> str:
        parts = [f"≥ {self.low}" if self.low is not None else "",
                 f"> {self.above}" if self.above is not None else "",
                 f"≤ {self.high}" if self.high is not None else ""]
        return "，".join(part for part in parts if part)


class Choice:
    """只能取列出的值，写在 Annotated 里：Annotated[str, Choice("五绝", "七绝")]。"""

    def __init__(self, *values):
        self.values = values

    def accepts(self, value) -> bool:
        return value in self.values

    def __str__(self) -> str:
        return "可选 " + "、".join(str(value) if value != "" else "（空）" for value in self.values)


# 书中和原代码用过、现在改了名的选项 → 现在的名字
RENAMED = {
    "load_model_path": "model_path", "load_path": "model_path", "model_ckpt": "model_path",
    "print_freq": "plot_every", "epoch": "max_epoch", "epoches": "max_epoch", "epochs": "max_epoch",
    "gpu": "use_gpu", "pickle_path": "data_path", "model_prefix": "env", "prefix": "env",
}


class BaseConfig:
    """选项的基类。子类是 dataclass；`given` 记下使用者在命令行上亲手给出的选项名。"""

    given: typing.ClassVar[frozenset] = frozenset()

    def parse(self, options: dict) -> "BaseConfig":
        """用命令行给出的选项（名字 → 文本）更新自己并返回自己。

        不认识的名字、类型不对、超出范围时抛出 UserError，并说出最接近的名字或允许的范围。
        """
        types = typing.get_type_hints(type(self), include_extras=True)
        names = [field.name for field in dataclasses.fields(self)]
        for name, text in options.items():
            if name not in names:
                raise UserError(self._unknown(name, names))
            value = convert(name, text, types[name])
            if value == "" != getattr(self, name):
                raise UserError(f"选项 {flag(name)} 是空的，它要一个值；不给它就是 {getattr(self, name)}")
            setattr(self, name, value)
        self.given = frozenset(options)
        return self

    @staticmethod
    def _unknown(name: str, names: list[str]) -> str:
        new = RENAMED.get(name)
        if new in names:
            return f"选项 {flag(name)} 已改名为 {flag(new)}"
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f"，是不是 {flag(near[0])}？" if near else "。"
        return f"没有选项 {flag(name)}{hint} 全部选项见 python main.py help"

    @classmethod
    def describe(cls) -> list[tuple[str, str, str]]:
        """从源码读出每个选项的 (名字, 默认值, 注释)，注释是同一行 # 之后的话。"""
        source = textwrap.dedent(inspect.getsource(cls))
        lines = source.splitlines()
        rows = []
        for node in ast.parse(source).body[0].body:
            if isinstance(node, ast.AnnAssign) and node.value is not None:
                tail = lines[node.end_lineno - 1].encode()[node.end_col_offset:].decode()
                comment = tail.partition("#")[2].strip()
                rows.append((node.target.id, repr(ast.literal_eval(node.value)), comment))
        return rows


def flag(name: str) -> str:
    """内部名字 → 命令行写法：max_epoch → --max-epoch。"""
    return "--" + name.replace("_", "-")


def convert(name: str, text, annotation):
    """把命令行文本变成标注的类型并检查范围。str 类型原样保留，所以 --start-words=123 仍是文本。"""
    kind, *limits = typing.get_args(annotation) or (annotation,)
    text = str(text)
    try:
        if kind is bool:
            value = {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        else:
            value = kind(text)
    except (KeyError, ValueError):
        wanted = {int: "整数", float: "数", bool: "True 或 False"}[kind]
        raise UserError(f"选项 {flag(name)} 要{wanted}，收到的是 {text!r}") from None
    if kind is int and abs(value) >= 2 ** 63 or kind is float and value and not TINIEST <= abs(value) <= BIGGEST:
        raise UserError(f"选项 {flag(name)} 的值 {text!r} 太大、太小或不是数，算不了")
    if kind is str and PLACE.search(name):
        value = os.path.expanduser(value)           # --picture=~/a.png 里的 ~，shell 不展开
    if name == "env" and (set(re.split(r"[\\/]", value)) & {"", ".", ".."} or Path(value).is_absolute()):
        raise UserError(f"选项 --env 的值 {text!r} 不行：它是 runs/ 里一个文件夹的名字")
    if name == "debug_file" and Path(value).is_dir():
        raise UserError(f"选项 --debug-file 要一个文件名，{text!r} 是文件夹")
    for limit in limits:
        if not limit.accepts(value):
            raise UserError(f"选项 {flag(name)} 的值 {text!r} 不行：{limit}")
    return value


def show_help(commands: dict, config: type[BaseConfig]) -> None:
    """列出命令，以及每个选项的名字、默认值和注释。"""
    print("用法：python main.py <命令> --选项=值 …\n\n命令：")
    for name, command in commands.items():
        print(f"  {name:<10}{[*(inspect.getdoc(command) or '').splitlines(), ''][0]}")      # -OO 没有文档
    print(f"  {'help':<10}显示这页帮助\n\n选项（默认值）：")
    for name, default, comment in config.describe():
        print(f"  {flag(name):<22}{default:<22} {comment}")


def _check_words(words: list[str], commands: list[str], config: type[BaseConfig]) -> list[str]:
    """检查写法，返回同样意思的 命令 --选项=值 …：隔着空格的值接上，不带值的开关补上 True 或 False。"""
    if words[0] not in commands:
        near = difflib.get_close_matches(words[0], commands, n=1)
        hint = f"是不是 {near[0]}？" if near else ""
        raise UserError(f"没有命令 {words[0]!r}。{hint}可用的命令：{'、'.join(commands)}")
    for word, following in zip(words[1:], [*words[2:], "--"]):
        spaced = word.startswith("--") and word.endswith("=") and not following.startswith("--")
        if word.startswith("=") or spaced:
            raise UserError(f"{word!r} 处：等号两边不能有空格，写成 --选项=值，如 --max-epoch=20")
        if word in ("-", "--") or word.startswith("--="):
            raise UserError(f"多余的 {word!r}：选项要写成 --选项=值")
    types, full, rest = typing.get_type_hints(config), [words[0]], words[1:]
    while rest:
        word, *rest = rest
        name = word.lstrip("-").replace("-", "_")
        if not re.match(r"--|-[^\W\d]", word) or "=" in word:
            full.append(word)
        elif rest and not re.match(r"--|-[^\W\d]", rest[0]):
            full.append(f"{word}={rest.pop(0)}")
        elif types.get(name, bool) is bool and types.get(name.removeprefix("no"), bool) is bool:
            off = name not in types and name.removeprefix("no") in types
            full.append(f"{flag(name.removeprefix('no'))}=False" if off else f"{word}=True")
        else:
            name = name if name in types else name.removeprefix("no")
            raise UserError(f"选项 {flag(name)} 要一个值，写成 {flag(name)}=值")
    return full


def _next_time(opt: BaseConfig) -> str:
    if Path("runs", opt.env, "last.pth").is_file():
        return f"接着训练：python main.py train --resume --env={quote(opt.env)}"
    return "还没有存过断点，只能从头训练"


def run(commands: dict, config: type[BaseConfig], words: list[str] | None = None) -> None:
    """程序入口：`commands` 是 名字 → 接受一个 config 实例的函数。

    fire 负责把 `--name=value` 交给对应的函数；值一律先当文本，再按 config 的标注转换。
    使用者的错误和磁盘的错误显示为一行话并以状态 2 退出，Ctrl-C 以 130 退出并说出怎样接着训练。
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:        # 启动时就关着的（2>&-）
            setattr(sys, name, open(os.devnull, "w"))       # noqa: SIM115
        if hasattr(getattr(sys, name), "reconfigure"):      # Windows 的终端编码未必容得下所有汉字
            getattr(sys, name).reconfigure(errors="replace")
    words = sys.argv[1:] if words is None else words

    def wrap(name, command):
        @fire.decorators.SetParseFn(str)
        def call(*extra, **options):
            if extra:
                raise UserError(f"多余的 {extra[0]!r}：选项要写成 --选项=值")
            opt = config().parse(options)
            try:
                command(opt)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(_next_time(opt) if name == "train" else "") from None
            except BrokenPipeError:           # 接着的 head 看够了
                raise BrokenPipeError(_next_time(opt) if name == "train" else "") from None
            except OSError as error:
                if error.errno not in DISK_ERRORS:
                    raise
                raise UserError(f"{legible(str(error.filename or '文件'))} 读写不了（{error.strerror}）：检查路径、磁盘空间和文件夹的权限") from None
        return call

    try:
        if not words or words[0] == "help" or {"-h", "--help"} & set(words):
            show_help(commands, config)
        else:
            words = _check_words(words, [*commands, "help"], config)
            fire.Fire({name: wrap(name, command) for name, command in commands.items()}, words)
        sys.stdout.flush()
    except BrokenPipeError as stop:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())      # 退出时还会冲一次，别再出错
        if str(stop):
            print(f"\n输出没有人看了，已停止。{stop}", file=sys.stderr)
        raise SystemExit(141 if str(stop) else 0) from None
    except UserError as error:
        if os.environ.get("RANK", "0") == "0":      # torchrun 起的几个进程只说一遍
            print(f"错误：{error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt as stop:
        if os.environ.get("RANK", "0") == "0":
            print(f"\n已停止。{stop}", file=sys.stderr)
        raise SystemExit(130) from None
    finally:
        held.clear()                                # 放开 claim 占住的文件夹
