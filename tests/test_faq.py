"""docs 里的页面：链接指到的文件、标题、笔记本的小节都在，命令里的选项都认得。"""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote

import commands
import pytest
from repository import ROOT, projects

FAQ = ROOT / "docs/faq.md"
PAGES = [FAQ, ROOT / "docs/migration.md"]
GROUPS = ["安装", "运行", "显卡与设备", "数据", "训练", "可视化", "权重与断点", "各项目"]
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")


def without_code(text: str) -> str:
    """去掉代码块和行内代码：里面的方括号不是链接。链接的文字里有代码时，去掉的只是反引号之间。"""
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    return re.sub(r"`[^`\n]*`", "", text)


def headings(path: Path) -> list[str]:
    """Markdown 文件或笔记本里的标题文字，代码块里的 # 不算。"""
    if path.suffix == ".ipynb":
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    else:
        text = path.read_text(encoding="utf-8")
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    return [line.lstrip("#").strip() for line in text.splitlines() if re.match(r"#{1,6} ", line)]


def anchors(path: Path) -> set[str]:
    """GitHub 给标题的锚点：小写，去掉标点，空格换成连字符；还有写明的 <a id>。"""
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings(path)}
    return slugs | set(re.findall(r'<a id="([^"]+)">', path.read_text(encoding="utf-8")))


def link_problems(page: Path, text: str) -> list[str]:
    problems = []
    for label, target in LINK.findall(without_code(text)):
        name, _, anchor = target.partition("#")
        if "://" in name:
            continue
        path = (page.parent / name).resolve() if name else page
        if not path.exists():
            problems.append(f"{target}：没有这个文件")
        elif anchor and unquote(anchor) not in anchors(path):
            problems.append(f"{target}：没有这个标题")
        for section in re.findall("「([^」]+)」", label) if path.is_file() else []:
            if not any(section in heading.replace("`", "") for heading in headings(path)):
                problems.append(f"{target}：没有「{section}」这一节")
    return problems


def questions(text: str) -> list[tuple[str, str, str]]:
    """(组，问题，回答)。"""
    found = []
    for group in re.split(r"^## ", text, flags=re.M)[1:]:
        name = group.splitlines()[0]
        for entry in re.split(r"^### ", group, flags=re.M)[1:]:
            question, _, answer = entry.partition("\n")
            found.append((name, question, answer.strip()))
    return found


def command_lines(text: str) -> list[str]:
    """代码块里的行，和行内代码里完整的命令。"""
    return re.findall(r"^(?:`)?(python main\.py [^`\n]+)", text, flags=re.M) + \
        re.findall(r"(?<=[^\n])`(python main\.py [^`\n]+)`", text)


ENTRIES = questions(FAQ.read_text(encoding="utf-8"))
COMMANDS = [(question, line.strip()) for _, question, answer in ENTRIES for line in command_lines(answer)]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files_headings_and_sections(page):
    text = page.read_text(encoding="utf-8")
    assert link_problems(page, text) == []
    assert len(LINK.findall(without_code(text))) > 50


@pytest.mark.parametrize(("question", "line"), COMMANDS, ids=[line[15:] for _, line in COMMANDS])
def test_commands_parse(question, line):
    """写在「第 N 章：」之下的归那个项目，其余的要每个项目都认得。"""
    chapter = re.match(r"第(\d+)章：", question)
    for project in [ROOT / f"chapter{chapter[1]}"] if chapter else projects():
        commands.parse(project, line)


def test_questions_are_grouped_and_answered():
    assert list(dict.fromkeys(group for group, _, _ in ENTRIES)) == GROUPS
    assert len(ENTRIES) >= 50
    assert len({question for _, question, _ in ENTRIES}) == len(ENTRIES)
    for _, question, answer in ENTRIES:
        assert question.endswith("？"), question
        prose = re.sub(r"```.*?```", "", answer, flags=re.S).strip()
        assert 1 <= len(prose.splitlines()) <= 7, question
    chapters = [int(found[1]) for _, question, _ in ENTRIES if (found := re.match(r"第(\d+)章：", question))]
    assert len(chapters) == sum(group == "各项目" for group, _, _ in ENTRIES)
    assert {6, 9} <= set(chapters)


# ---------------------------------------------------------------- 检查本身


@pytest.mark.parametrize(("link", "says"), [
    ("[a](missing.md)", "没有这个文件"),
    ("[a](faq.md#没有的标题)", "没有这个标题"),
    ("[a](#没有的标题)", "没有这个标题"),
    ("[a](migration.md#no-such-row)", "没有这个标题"),
    ("[2.1「不存在的一节」](../chapter2/2.1_environment.ipynb)", "没有「不存在的一节」这一节"),
])
def test_a_broken_link_is_found(link, says):
    problem, = link_problems(FAQ, f"见{link}。")
    assert says in problem


def test_good_links_and_code_are_left_alone():
    text = "[安装](#安装) [a](migration.md#loss-data0) `x[0](missing.md)` [2.1「检查安装」](../chapter2/2.1_environment.ipynb)"
    assert link_problems(FAQ, text) == []


@pytest.mark.parametrize("line", [
    "python main.py trian", "python main.py train --lr-deacy=1", "python main.py train --max-epoch=x",
    "python main.py train --max-epoch = 3", "python main.py train extra", "python main.py train --batch-size=0",
])
def test_a_wrong_command_is_found(line):
    with pytest.raises(commands.UserError, match="错误"):
        commands.parse(ROOT / "chapter6", line)


def test_commands_are_found_in_blocks_and_in_the_text():
    text = "先 `python main.py help` 再\n\n```bash\npython main.py train --resume   # 注释\ntorchrun main.py\n```\n`python main.py 命令` 是一例"
    assert [line.split("#")[0].strip() for line in command_lines(text)] == [
        "python main.py train --resume", "python main.py 命令", "python main.py help"]
