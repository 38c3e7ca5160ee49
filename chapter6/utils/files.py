"""文件的事：名字怎样写给人看，写到一半断电也不弄坏旧文件，一个文件夹同时只让一次训练用。"""

import os
import re
import shlex
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:         # Windows
    import msvcrt
    fcntl = None


class UserError(Exception):
    """使用者能自己改正的错误：只显示一行话，退出状态 2，不显示调用栈。"""


def say(text: str, file=None) -> None:
    """打印一行；torchrun 起的几个进程只说一遍。"""
    if os.environ.get("RANK", "0") == "0":
        print(text, file=file)


def legible(name: str | Path) -> str:
    """写给人看的名字。中文 Windows 的 zip 解出来的名字，字节是 GBK 而不是 UTF-8，照 GBK 念；换行之类的控制字符写成 ?。"""
    text = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "?", name.as_posix() if isinstance(name, Path) else name)
    return "/".join(os.fsencode(part).decode("gbk", "replace") if re.search("[\ud800-\udfff]", part) else part for part in text.split("/"))


def quote(value: str | Path) -> str:
    """放进「接着：python main.py …」里的值：有空格、括号等就加引号，整条命令才能原样粘贴。写不出的字节写成 $'\\xcd'。"""
    text = legible(value)
    if text != (value.as_posix() if isinstance(value, Path) else value) and os.name != "nt":
        return "$'" + "".join(f"\\x{byte:02x}" if byte in b"'\\" or not 32 <= byte < 127 else chr(byte) for byte in os.fsencode(value)) + "'"
    return text if re.fullmatch(r"[\w@%+=:,./\\-]+", text) else shlex.quote(text) if os.name != "nt" else f'"{text}"'


@contextmanager
def refusing(message: str) -> Iterator[None]:
    """其中的任何错误都变成 UserError(message)，message 里的 {} 是原来的话：坏文件能让读它的库抛出的错误数不全。内存不够的照旧。"""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as error:
        raise UserError(message.replace("{}", " ".join(str(error).split()) or type(error).__name__)) from None


def set_aside(path: Path) -> None:
    """把文件或文件夹改名为 <名字>-<时间>，说一声：这个名字要另用。"""
    name, suffix = (path.name, "") if path.is_dir() else (path.stem, path.suffix)
    moved = path.with_name(f"{name}-{time.strftime('%Y%m%d-%H%M%S')}{suffix}")
    while os.path.lexists(moved):                       # 同一秒里已经移过一次
        moved = moved.with_name(f"{moved.name.removesuffix(suffix)}-2{suffix}")
    path.rename(moved)
    print(f"原来的 {legible(path)} 移到 {legible(moved)}")


@contextmanager
def replacing(path: str | Path, is_ours: Callable[[Path], bool] | None = None) -> Iterator:
    """with replacing(path) as file：二进制地写。任何时刻 path 要么是旧的完整文件，要么是新的完整文件，不留临时文件。
    path 是读者指定的，就给出 is_ours（看一个文件是不是我们写的）：那里别人的文件改名留着；临时文件的名字也不与别人的相同。"""
    path = Path(path)
    temporary = path.with_name(f".{os.getpid()}.tmp" if is_ours else f"{path.name}.tmp")
    temporary.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if is_ours and os.path.lexists(path) and not is_ours(path):
            set_aside(path)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def check_target(path: str | Path, option: str, inputs: Iterable[str | Path] = ()) -> Path:
    """结果能不能存到 path，动手之前就说：它是文件夹、所在的文件夹写不进去，或它是这次要读的 inputs 之一，抛出 UserError。"""
    name, path = str(path), Path(path)
    if path.exists() and not path.is_file() or name.endswith(("/", os.sep)):
        raise UserError(f"{option}={legible(path)} 是文件夹或设备，不是文件：给出文件名")
    if path.exists() and any(Path(item).exists() and path.samefile(item) for item in inputs):
        raise UserError(f"{option}={legible(path)} 是这次要读的文件，存了就盖掉它：换个名字或文件夹")
    place = next((place for place in path.absolute().parents if place.exists()), path)
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise UserError(f"{option}={legible(path)} 存不了：{legible(place)} 不是能写的文件夹")
    return path


held: dict[Path, object] = {}         # 占住的文件夹的锁 → 开着的文件


def claim(folder: Path) -> None:
    """占住 runs/<env>/ 到命令结束；别的进程占着时抛出 UserError。进程怎样死去，系统都会放开它；取数进程不继承它。"""
    path = folder.absolute().with_name(f".{folder.name}.lock")     # 在 folder 旁边：从头训练时 folder 会整个改名
    if path in held or os.environ.get("RANK", "0") != "0":
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    file = open(path, "a+b")                                    # noqa: SIM115 — 开着它就是占着
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB) if fcntl else msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError as error:                                    # 别的错误：有的网络文件系统没有锁
        if isinstance(error, (BlockingIOError, PermissionError)):
            raise UserError(f"另一个 train 正在用 {legible(folder)}：等它结束，或用 --env 另起一个名字") from None
    held[path] = file
