"""仓库本身：说的都是真的，没有带进不该有的东西。"""

import collections
import csv
import hashlib
import json
import re
from pathlib import Path, PurePosixPath

import commands
import pytest
from repository import ROOT, files, projects

TEXT = {".py", ".md", ".txt", ".toml", ".ipynb", ".json", ".csv"}
NAMES = {"Makefile", ".gitignore", "run"}
LICENCES = ("CC0", "CC BY", "Public Domain", "公有领域", "MIT", "Apache", "BSD", "ISC", "OFL", "CC-BY-4.0", "逐套列出")
DATA_FOLDERS = [ROOT / "data", *(project / "data" for project in projects())]


def texts():
    for path in files():
        if path.suffix in TEXT or path.name in NAMES:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def test_no_path_of_one_machine_and_no_registry_host():
    machine = re.compile(r"(?<![\w.])/(?:home|root|work|Users)/\w+|[A-Z]:\\\\?Users"
                         r"|\b(?:pypi|pythonhosted|npmjs|unpkg|npm{2}irror|deb\.debian)\.(?:org|com)")
    found = [f"{name}: {match.group()}" for name, text in texts() for match in machine.finditer(text)
             if name != "tests/test_repository.py" and name != "tests/notebooks.py" and name != "tests/test_notebooks.py"]
    assert found == []


def test_sizes():
    big = {path.relative_to(ROOT).as_posix(): path.stat().st_size for path in files() if path.stat().st_size > 20e6}
    assert big == {}
    assert sum(path.stat().st_size for path in files() if path.suffix == ".pth") < 80e6
    for folder in DATA_FOLDERS:
        sizes = collections.Counter()
        for path in files():
            if folder in path.parents:
                sizes[path.relative_to(folder).parts[0]] += path.stat().st_size
        assert max(sizes.values()) < 8e6, sizes


def test_no_stray_blank_lines():
    """Markdown 里代码块之外，空行不连着两行。"""
    found = []
    for path in files():
        if path.suffix == ".md":
            outside = path.read_text(encoding="utf-8").split("```")[::2]
            found += [path.relative_to(ROOT).as_posix() for text in outside if "\n\n\n" in text]
    assert found == []


def test_names_that_every_system_can_hold():
    """Windows 不分大小写，有的名字和字符不能用，路径长不过 260 个字符（克隆的位置要占去一些）。"""
    names = [path.relative_to(ROOT).as_posix() for path in files()]
    parents = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    assert len({name.lower() for name in names} | {name.lower() for name in parents}) == len(names) + len(parents)
    reserved = re.compile(r"(?i)(^|/)(con|prn|aux|nul|com\d|lpt\d)(\.|/|$)|[<>:\"|?*\\\x00-\x1f]|[ .](/|$)")
    assert [name for name in names if reserved.search(name) or len(name) > 120] == []


@pytest.mark.parametrize("folder", DATA_FOLDERS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_data_file_is_listed_with_source_and_licence(folder):
    """列在 README 的表里；成百张图片的数据集列在自己的 sources.csv（file、licence、sha256 三列）里。"""
    readme = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    for path in files():
        if folder not in path.parents or path.suffix in {".py", ".md"}:
            continue
        name = path.relative_to(folder).as_posix()
        rows = [line for line in readme if line.startswith(f"| `{name}` |")] + csv_rows(folder, name)
        assert rows, f"{name} 没有列出"
        assert hashlib.sha256(path.read_bytes()).hexdigest() in rows[0], f"{name} 的 sha256 不符"
        assert any(licence in rows[0] for licence in LICENCES), f"{name} 没有写明许可"


def csv_rows(folder: Path, name: str) -> list[str]:
    listing = folder / "sources.csv"
    if not listing.exists():
        return []
    with open(listing, encoding="utf-8", newline="") as file:
        return [f"{row['licence']} {row['sha256']}" for row in csv.DictReader(file)
                if row.get("file") == name]


def test_every_shipped_weight_tells_where_it_comes_from():
    for path in files():
        if path.suffix == ".pth":
            story = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            assert {"data", "seed", "steps", "metrics", "wall_time", "command"} <= set(story), path.name


def test_links_between_files_lead_somewhere():
    broken = []
    for name, text in texts():
        if name.endswith(".ipynb"):
            text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"]
                             if cell["cell_type"] == "markdown")
        elif not name.endswith(".md"):
            continue
        text = re.sub(r"```.*?```", "", text, flags=re.S)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path = target.partition("#")[0]
            if path and "://" not in path and not path.startswith(("data:", "attachment:")) \
                    and not ((ROOT / name).parent / path).exists():
                broken.append(f"{name}: {target}")
    assert broken == []


@pytest.mark.parametrize("project", projects(), ids=lambda path: path.name)
def test_commands_in_the_readme_use_options_that_exist(project):
    lines = re.findall(r"main\.py ([a-z]+[^`\n]*)", (project / "README.md").read_text(encoding="utf-8"))
    assert lines
    for line in lines:
        commands.parse(project, f"python main.py {line}")


def test_requirements_cover_the_projects():
    def names(path: Path) -> set[str]:
        lines = path.read_text(encoding="utf-8").splitlines()
        return {re.split(r"[<>=;\[ ]", line)[0] for line in lines if line.strip() and not line.startswith("#")}

    root = names(ROOT / "requirements.txt")
    for project in projects():
        assert names(project / "requirements.txt") <= root


def test_one_word_on_platforms():
    """Windows、Mac、显卡、几台机器：五个项目的 README 里是同一段话，跑过就要一起改。"""
    found = [re.findall(r"^.*(?:真机|真卡|在 Windows 上).*$", (project / "README.md").read_text(encoding="utf-8"), flags=re.M) for project in projects()]
    assert len(found[0]) == 1 and found[0][0].startswith("**Windows、Mac、显卡、几台机器。**")
    assert all(lines == found[0] for lines in found)


@pytest.mark.parametrize("name, more", [("README.md", "训练要多久"), ("README.en.md", "How long training takes")])
def test_the_first_screen_and_the_table_of_times(name, more):
    """前 25 行：图，然后两条命令。用时的表里每个项目一行，命令的选项都有；两种文字的数相同，各项目的 README 指到它。"""
    text = (ROOT / name).read_text(encoding="utf-8")
    screen = "\n".join(text.splitlines()[:25])
    assert 0 < screen.index("docs/results.jpg") < screen.index("make demo") < screen.index("make lab")
    rows = re.findall(r"^\| \[(chapter\d+)\].*$", text.split(f"## {more}")[1].split("\n## ")[0], flags=re.M)
    assert rows == [project.name for project in projects()]
    for project in projects():
        row = re.search(rf"^\| \[{project.name}\]\(.*$", text.split(f"## {more}")[1], flags=re.M)[0]
        lines = re.findall(r"`(python main\.py [^`]+)`", row)
        assert lines and all(commands.parse(project, line) is not None for line in lines)
        assert "../README.md#训练要多久" in (project / "README.md").read_text(encoding="utf-8")


def test_both_tables_of_times_tell_the_same():
    found = []
    for name, title in (("README.md", "训练要多久"), ("README.en.md", "How long training takes")):
        section = (ROOT / name).read_text(encoding="utf-8").split(f"## {title}")[1].split("\n## ")[0]
        found.append([sorted(re.findall(r"`[^`]+`|\d[\d,.]*", line)) for line in section.splitlines() if line.startswith("| [chapter")])
    assert found[0] == found[1]
