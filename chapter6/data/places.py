"""从一个文件夹或一个 zip（不必解开）里列出、读出文件；几个线程一起读。"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from data.pictures import is_data, opened_zip, read_member


def list_files(place: Path, enter: Callable[[str], bool]) -> list[str]:
    """place 里各文件的名字（相对路径，/ 分隔），隐藏的和系统的不算。

    zip 看其中的每一层。文件夹看它自己，和 enter(名字) 为真的子文件夹（里面的每一层）；别的子文件夹只给出名字，以 / 结尾。
    """
    if not place.is_dir():
        return list(opened_zip(place)[1])
    names = []
    for path in place.iterdir():
        if not path.is_dir():
            names.append(path.name)
        elif enter(path.name):
            names += [file.relative_to(place).as_posix() for file in path.rglob("*") if file.is_file()]
        else:
            names.append(f"{path.name}/")
    return [name for name in names if is_data(name)]


def read_file(place: Path, name: str) -> bytes:
    """place 里 name 的内容。zip 里损坏、加了密的，抛出 UserError。"""
    if place.is_dir():
        return (place / name).read_bytes()
    archive, entries = opened_zip(place)
    return read_member(archive, entries[name])


def size_of(place: Path, name: str) -> int:
    """place 里 name 的大小，字节。"""
    return (place / name).stat().st_size if place.is_dir() else opened_zip(place)[1][name].file_size


def in_threads(function: Callable, jobs: Iterable, title: str) -> Iterator:
    """依次给出 function(job)，几个线程一起做：解码时放开解释器锁，真能同时进行。出错、按 Ctrl-C 时，还没做的不做了。"""
    jobs = list(jobs)
    with ThreadPoolExecutor() as pool:
        try:
            yield from tqdm(pool.map(function, jobs), title, len(jobs), leave=False, delay=1)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
