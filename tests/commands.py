"""测试共用：文档里写的 python main.py 命令，交给那个项目的选项检查来读，不运行命令本身。"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType
from unittest import mock


class UserError(Exception):
    """命令写错时，使用者看到的那一行。"""


@functools.cache
def _load(project: Path) -> tuple[ModuleType, type, list[str]]:
    """(utils/options.py，Config，命令的名字)。"""
    package = ModuleType("utils")
    package.__path__ = [str(project / "utils")]
    with mock.patch.dict(sys.modules, {"utils": package}):
        sys.modules.pop("utils.files", None)                    # 别的项目的
        options = _module("utils.options", project / "utils/options.py")
    with mock.patch.dict(sys.modules, {"utils": package, "utils.options": options}):
        config = _module("config_of_" + project.name, project / "config.py").Config
    source = (project / "main.py").read_text(encoding="utf-8")
    table = re.search(r"\brun\(\{(.+?)\}, Config\)", source, flags=re.S)
    return options, config, re.findall(r'"(\w+)":', table[1])


def _module(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    with mock.patch.dict(sys.modules, {name: module}):
        spec.loader.exec_module(module)
    return module


def parse(project: Path, line: str) -> dict:
    """读「python main.py 命令 --选项=值 …」，返回给出的选项和它们的值；写错时抛出 UserError。"""
    words = shlex.split(line, comments=True)
    assert words[:2] == ["python", "main.py"], line
    options, config, commands = _load(project)
    if words[2:] == ["help"]:
        return {}
    given: list = []
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            options.run({name: given.append for name in commands}, config, words[2:])
    except SystemExit:
        raise UserError(complaint.getvalue().strip()) from None
    return {name: getattr(given[0], name) for name in given[0].given}
