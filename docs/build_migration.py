"""由 migration.toml 生成 migration.md：python docs/build_migration.py。

tests/test_migration.py 逐行运行数据文件里的代码，并检查 migration.md 与它一致。
"""

from __future__ import annotations

import html
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest 在 Python 3.10 上带着它

DOCS = Path(__file__).resolve().parent
CHAPTERS = {
    2: "快速入门", 3: "Tensor 和 autograd", 4: "神经网络工具箱 nn", 5: "常用工具", 6: "猫狗分类",
    7: "动漫头像", 8: "风格迁移", 9: "AI 诗人", 10: "图像描述",
}
KINDS = {"error": "报错", "warning": "警告", "differs": "结果不同", "same": "仍可用"}

HEAD = """# 书中写法 → 现在

书写于 PyTorch 0.2、Python 2 与 3 并存的时候。下面按章列出 {count} 处变化：左边是书中和原来的代码用的写法，右边是今天的写法。
每一行都由[测试](../tests/test_migration.py)真的运行过：左边的确如所说报错、警告或得到那个结果，右边的确运行并得到所写的值；
报错和警告写的就是它的类型，不是父类。命令也运行过，能用的 `train` 另加几个选项，用小网络只走一步
（torch 2.14.1，torchvision 0.29.1；数据在 [migration.toml](migration.toml)，改完运行 `python docs/build_migration.py` 重新生成本页）。

- **报错**　{error} 处，照搬就停下，多半容易发现。
- **警告**　{warning} 处，还能用，结果没变或如所写，迟早会删。
- **结果不同**　{differs} 处，不报错，最要当心。
- **仍可用**　{same} 处，有了更好的写法，或旧写法本来就藏着毛病。

约定：`t` 是 torch，`nn` 是 torch.nn，`F` 是 torch.nn.functional，`tv` 是 torchvision，`T` 是 torchvision.transforms，`np` 是 numpy，
`Variable`、`Function` 来自 torch.autograd，`Image` 来自 PIL；`x`、`net`、`path` 之类是事先造好的小例子。箭头后面是末一行的值。
更细的讲解在各章笔记本的「书中写法（0.2）→ 现在」；怎样装、怎样跑、出了错怎么办，见[常见问题](faq.md)。
"""


def load(path: Path = DOCS / "migration.toml") -> list[dict]:
    """数据文件里的各行，次序不变。"""
    return tomllib.loads(path.read_text(encoding="utf-8"))["row"]


def chapter_of(row: dict) -> int:
    return int(row["section"].split(".")[0])


def place(row: dict) -> list[int]:
    """节号，用来排序；同一节的保持数据文件里的次序。"""
    return [int(part) for part in row["section"].split(".")]


def render(rows: list[dict]) -> str:
    """整页 Markdown。"""
    counts = {kind: sum(row["kind"] == kind for row in rows) for kind in KINDS}
    parts = [HEAD.format(count=len(rows), **counts), by_message(rows)]
    for chapter, title in CHAPTERS.items():
        lines = [f"## 第{chapter}章 {title}", "", "| 节 | 书中写法 | 现在 | 旧写法今天怎样；为什么 |", "|---|---|---|---|"]
        lines += [table_row(row) for row in sorted(rows, key=place) if chapter_of(row) == chapter]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def by_message(rows: list[dict]) -> str:
    """从报错、警告的文字找到行。"""
    lines = ["## 按报错的文字找", "", "<details>", "<summary>展开全部报错与警告</summary>", "",
             "| 报错或警告 | 写法 |", "|---|---|"]
    for row in sorted((row for row in rows if "says" in row), key=lambda row: row["says"]):
        line = row["old"].splitlines()[-1 if row["kind"] == "error" else 0]     # 警告之后常还有一行看结果
        lines.append(f"| {code(message(row['says']))} | [{row['section']}](#{row['id']}) {code(line)} |")
    return "\n".join([*lines, "", "</details>", ""])


def table_row(row: dict) -> str:
    now = f"**{KINDS[row['kind']]}**"
    if "says" in row:
        now += " " + code(message(row["says"]))
    if "absent" in row:
        now += f"（只因没有装 {row['absent']}）"
    cells = [f"<a id=\"{row['id']}\"></a>{row['section']}", example(row, "old"), example(row, "new"),
             f"{now}<br>{row['why']}"]
    return "| " + " | ".join(cells) + " |"


def example(row: dict, side: str) -> str:
    """一格代码：一行一段，末尾是它的值；新写法应当报错的写出报错。"""
    lines = [code(line) for line in row[side].splitlines()]
    if f"{side}_gives" in row:
        lines.append("→ " + code(row[f"{side}_gives"]))
    if side == "new" and "new_says" in row:
        lines.append("→ 报错 " + code(message(row["new_says"])))
    return "<br>".join(lines)


def message(says: str) -> str:
    kind, _, text = says.partition(": ")
    return f"错误：… {text} …" if kind == "UserError" else f"{kind}: … {text} …"


def code(text: str) -> str:
    """表格里的行内代码：竖线要转义，行首的空格换成不会被合并的。"""
    body = text.lstrip(" ")
    text = "\u00a0" * (len(text) - len(body)) + body.replace("|", "\\|")
    if "`" in text:
        return f"<code>{html.escape(text, quote=False).replace('`', '&#96;').replace('_', '&#95;')}</code>"
    return f"`{text}`"


def main() -> None:
    rows = load()
    (DOCS / "migration.md").write_text(render(rows), encoding="utf-8", newline="\n")
    print(f"migration.md：{len(rows)} 行")


if __name__ == "__main__":
    main()
