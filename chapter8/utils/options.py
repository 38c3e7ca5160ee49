"""命令行选项：config.py 里的 dataclass 写明类型、默认值和范围，这里负责检查，并用 fire 驱动命令。"""

import ast
import contextlib
import dataclasses
import difflib
import errno
import importlib.util
import inspect
import math
import os
import re
import sys
import textwrap
import typing
from collections.abc import Iterator
from pathlib import Path

from .files import UserError, held, legible, quote, say

DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR,
               errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG}             # 这些错在使用者的磁盘和文件夹，不在程序
PLACE = re.compile("(path|root|file|img|picture|source|dir|folder)$")      # 值是文件或文件夹的选项，名字这样结尾
OPTION = re.compile(r"--|-[^\W\d]")                                         # --lr 是选项，-0.5 是值
SHIPPED = Path(__file__).parent.parent / "checkpoints"                      # 自带的权重
TINIEST, BIGGEST = 1.2e-38, 3.4e38                                          # float32 能有的绝对值


@dataclasses.dataclass(frozen=True)
class Range:
    """数值范围，写在 Annotated 里：Range(1) 是 ≥ 1，Range(above=0) 是 > 0，Range(0, 1) 两端都含。"""
    low: float = -math.inf
    high: float = math.inf
    above: float = -math.inf

    def accepts(self, value) -> bool:
        return self.low <= value <= self.high and value > self.above

    def __str__(self) -> str:
        return "，".join(f"{sign} {value}" for sign, value in (("≥", self.low), (">", self.above), ("≤", self.high)) if math.isfinite(value))


class Choice:
    """只能取列出的值，写在 Annotated 里：Annotated[str, Choice("五绝", "七绝")]。"""
    def __init__(self, *values):
        self.values, self.accepts = values, values.__contains__

    def __str__(self) -> str:
        return "可选 " + "、".join(str(value) if value != "" else "（空）" for value in self.values)


@dataclasses.dataclass(frozen=True)
class Exists:
    """要读的文件或文件夹，写在 Annotated 里：what 是它可以是什么。named：没有扩展名的也可以是自带权重的名字。

    preflight 在载入 torch 之前先看一眼；拿不准的（带 * 的、权重的名字、npm）算是有，由用它的命令说。
    """
    what: str
    named: bool = False

    def accepts(self, value: str) -> bool:
        """几处用逗号隔开、后面写着 :3 的（第6章），每一处都要有。"""
        def there(part: str) -> bool:
            path = os.path.expanduser(re.sub(r":\d+$", "", part))
            return any(map(os.path.exists, (path, SHIPPED / path))) or self.named and not Path(path).suffix
        return value == "npm" or bool(re.search(r"[*?[]", value)) or os.path.exists(value) or all(map(there, value.split(",")))


RENAMED = {"load_model_path": "model_path", "load_path": "model_path", "model_ckpt": "model_path", "print_freq": "plot_every", "epoch": "max_epoch",
           "epoches": "max_epoch", "epochs": "max_epoch", "gpu": "use_gpu", "pickle_path": "data_path",
           "model_prefix": "env", "prefix": "env"}         # 书中和原代码用过、现在改了名的选项 → 现在的名字


class BaseConfig:
    """选项的基类。子类是 dataclass；`given` 记下使用者在命令行上亲手给出的选项名。"""
    given: typing.ClassVar[frozenset] = frozenset()

    def parse(self, options: dict) -> "BaseConfig":
        """用命令行给出的选项（名字 → 文本）更新自己并返回自己。名字、类型、范围不对时抛出 UserError，说出该怎样写。"""
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
        if RENAMED.get(name) in names:
            return f"选项 {flag(name)} 已改名为 {flag(RENAMED[name])}"
        hint = "".join(f"，是不是 {flag(near)}？" for near in difflib.get_close_matches(name, names, n=1, cutoff=0.5))
        return f"没有选项 {flag(name)}{hint or '。'} 全部选项见 python main.py help"

    @classmethod
    def describe(cls) -> list[tuple[str, str, str]]:
        """从源码读出每个选项的 (名字, 默认值, 注释)，注释是同一行 # 之后的话。"""
        source, rows = textwrap.dedent(inspect.getsource(cls)), []
        for node in ast.parse(source).body[0].body:
            if isinstance(node, ast.AnnAssign) and node.value is not None:
                tail = source.splitlines()[node.end_lineno - 1].encode()[node.end_col_offset:].decode()
                rows.append((node.target.id, repr(ast.literal_eval(node.value)), tail.partition("#")[2].strip()))
        return rows


def flag(name: str) -> str:
    """内部名字 → 命令行写法：max_epoch → --max-epoch。"""
    return "--" + name.replace("_", "-")


def convert(name: str, text, annotation):
    """把命令行文本变成标注的类型并检查范围。str 类型原样保留，所以 --start-words=123 仍是文本。"""
    (kind, *limits), text = typing.get_args(annotation) or (annotation,), str(text)
    try:
        value = {"true": True, "1": True, "false": False, "0": False}[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise UserError(f"选项 {flag(name)} 要{dict(int='整数', float='数', bool=' True 或 False')[kind.__name__]}，收到的是 {text!r}") from None
    if kind is int and abs(value) >= 2 ** 63 or kind is float and value and not TINIEST <= abs(value) <= BIGGEST:
        raise UserError(f"选项 {flag(name)} 的值 {text!r} 太大、太小或不是数，算不了")
    if kind is str and PLACE.search(name):
        value = os.path.expanduser(value)           # --picture=~/a.png 里的 ~，shell 不展开
    bad_env = name == "env" and (set(re.split(r"[\\/]", value)) & {"", ".", ".."} or Path(value).is_absolute() or legible(value) != value)
    if bad_env or name == "debug_file" and value and Path(value).is_dir():
        raise UserError(f"选项 {flag(name)} 的值 {text!r} 不行：它是{' runs/ 里一个文件夹' if bad_env else '一个文件'}的名字")
    for limit in (limit for limit in limits if not isinstance(limit, Exists) and not limit.accepts(value)):
        raise UserError(f"选项 {flag(name)} 的值 {text!r} 不行：{limit}")
    return value


def show_help(commands: dict[str, str], config: type[BaseConfig]) -> None:
    """列出命令（名字 → 说明）和全部选项。"""
    print("用法：python main.py <命令> --选项=值 …\n\n命令：")
    for name, story in commands.items():
        print(f"  {name:<10}{[*story.splitlines(), ''][0]}")
    print(f"  {'help':<10}显示这页帮助\n\n选项（默认值）：")
    for name, default, comment in config.describe():
        print(f"  {flag(name):<22}{default:<22} {comment}")


def _check_words(words: list[str], commands: list[str], config: type[BaseConfig]) -> list[str]:
    """检查写法，返回同样意思的 命令 --选项=值 …：隔着空格的值接上，不带值的开关补上 True 或 False。"""
    if words[0] not in commands:
        hint = "".join(f"是不是 {near}？" for near in difflib.get_close_matches(words[0], commands, n=1))
        raise UserError(f"没有命令 {words[0]!r}。{hint}可用的命令：{'、'.join(commands)}")
    types, full, rest = typing.get_type_hints(config), words[:1], words[1:]
    while rest:
        word, *rest = rest
        following = rest[0] if rest else "--"
        if following.startswith("=") or word.endswith("=") and not OPTION.match(following):
            raise UserError(f"{word!r} 处：等号两边不能有空格，写成 --选项=值，如 --max-epoch=20")
        if word in ("-", "--") or not OPTION.match(word) or word.startswith("--="):
            raise UserError(f"多余的 {word!r}：选项要写成 --选项=值")
        name, value = word.lstrip("-").replace("-", "_"), True
        if name not in types and name.removeprefix("no") in types:          # --nouse-gpu
            name, value = name.removeprefix("no"), False
        if "=" not in word and OPTION.match(following) and types.get(name, bool) is not bool:
            raise UserError(f"选项 {flag(name)} 要一个值，写成 {flag(name)}=值")
        full.append(word if "=" in word else f"{flag(name)}={value}" if OPTION.match(following) else f"{word}={rest.pop(0)}")
    return full


@contextlib.contextmanager
def _exiting() -> Iterator[None]:
    """使用者的错误显示为一行话并以状态 2 退出，Ctrl-C 以 130 退出，输出没有人看时以 141 退出。"""
    sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))    # noqa: SIM115 — 启动时就关着的（2>&-）
    for stream in (sys.stdout, sys.stderr):   # Windows 的终端编码未必容得下所有汉字
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError as stop:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())      # 退出时还会冲一次，别再出错
        if stop.errno is None and str(stop):                                # run 给 train 写的
            say(f"\n输出没有人看了，已停止。{stop}", sys.stderr)
        raise SystemExit(141) from None
    except (UserError, KeyboardInterrupt) as stop:
        wrong = isinstance(stop, UserError)
        say(f"错误：{' '.join(str(stop).splitlines())}" if wrong else f"\n已停止。{stop}", sys.stderr)
        raise SystemExit(2 if wrong else 130) from None
    finally:
        held.clear()                                # 放开 claim 占住的文件夹


def preflight(main_file: str, config: type[BaseConfig]) -> None:
    """main.py 的第一件事：帮助、写错的选项、没有的文件、没有装 torch，当场答完，不必先等 torch 载入两三秒。

    那时命令还不存在，就从 main.py 的源码里读：末尾的 run({名字: 函数}, …)，和各函数说明的第一行。
    """
    body = ast.parse(Path(main_file).read_text(encoding="utf-8")).body
    stories = {node.name: ast.get_docstring(node) or "" for node in body if isinstance(node, ast.FunctionDef)}
    table = next(node.args[0] for node in ast.walk(body[-1]) if isinstance(node, ast.Call))
    words, commands = sys.argv[1:], {name.value: stories[function.id] for name, function in zip(table.keys, table.values)}
    with _exiting():
        if _asks_for_help(words):
            show_help(commands, config)
        else:
            options = (word.lstrip("-").partition("=") for word in _check_words(words, [*commands, "help"], config)[1:])
            opt = config().parse({name.replace("-", "_"): value for name, _, value in options})
            for name, kind in typing.get_type_hints(config, include_extras=True).items():
                for limit in typing.get_args(kind)[1:] if name in opt.given else ():
                    if isinstance(limit, Exists) and not limit.accepts(getattr(opt, name)):
                        raise UserError(f"{flag(name)}={legible(getattr(opt, name))} 不存在：要{limit.what}")
            if missing := [name for name in ("torch", "fire") if not importlib.util.find_spec(name)]:
                raise UserError(f"这个 Python（{sys.executable}）没有装 {'、'.join(missing)}：先激活装好的环境（source .venv/bin/activate，"
                                "Windows 上 .venv\\Scripts\\activate），或 pip install -r requirements.txt")
    if _asks_for_help(words):
        raise SystemExit


def _asks_for_help(words: list[str]) -> bool:
    return not words or words[0] == "help" or bool({"-h", "--help"} & set(words))


def run(commands: dict, config: type[BaseConfig], words: list[str] | None = None) -> None:
    """程序入口：`commands` 是 名字 → 接受一个 config 实例的函数，由 fire 调用；值一律先当文本，再按 config 的标注转换。
    使用者的错误和磁盘的错误显示为一行话并以状态 2 退出，Ctrl-C 以 130 退出并说出怎样接着训练。"""
    import fire  # preflight 要在没有装它的 Python 上也能说话

    words = sys.argv[1:] if words is None else words

    def wrap(name, command):
        @fire.decorators.SetParseFn(str)
        def call(**options):
            opt = config().parse(options)
            try:
                command(opt)
            except (KeyboardInterrupt, BrokenPipeError) as stop:            # 后者是接在后面的 head 看够了
                saved = Path("runs", opt.env, "last.pth").is_file()
                how = f"接着训练：python main.py train --resume --env={quote(opt.env)}" if saved else "还没有存过断点，只能从头训练"
                raise type(stop)(how if name == "train" else "") from None
            except OSError as error:
                if error.errno not in DISK_ERRORS:
                    raise
                raise UserError(f"{legible(str(error.filename or '文件'))} 读写不了（{error.strerror}）：检查路径、磁盘空间和文件夹的权限") from None
            except (MemoryError, RuntimeError) as error:
                if not isinstance(error, MemoryError) and not re.search("allocate memory|out of memory", str(error)):     # 内存，显存
                    raise
                raise UserError("内存（显存）不够：减小一批、一次的张数（--batch-size 等）或图的大小，或关掉别的程序") from None
        return call

    with _exiting():
        if _asks_for_help(words):
            show_help({name: inspect.getdoc(command) or "" for name, command in commands.items()}, config)      # -OO 没有文档
        else:
            words = _check_words(words, [*commands, "help"], config)
            fire.Fire({name: wrap(name, command) for name, command in commands.items()}, words)
