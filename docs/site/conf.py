"""全书做成网站：make site，网页在 outputs/site/，从 index.html 看起，不用联网。

Sphinx 读仓库里的笔记本和 README 本身，没有副本；笔记本用存好的输出，一个单元也不执行。仓库里的写法照 GitHub 的
习惯，这里只补三样网站不同的地方：书的次序、指向文件夹和文件的链接、汉字的搜索。
"""

from __future__ import annotations

import importlib.resources
import os
import re
import shutil
import sys
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.search.en import SearchEnglish

sys.path.insert(0, str(Path(__file__).resolve().parent))
from book import contents, solutions  # noqa: E402

# 仓库在 GitHub 上的地址，如 https://github.com/某人/某仓库。给出时，每页有它的按钮，程序文件的链接指到那里；
# 空着则指到网站里附带的原文件。GitHub Pages 的工作流自动给出。
REPOSITORY = os.environ.get("REPOSITORY_URL", "")
BRANCH = "main"

project = "深度学习框架 PyTorch：入门与实践"
html_title = project
language = "zh_CN"
root_doc = "README"
include_patterns = ["README*.md", "docs/*.md", "data/README.md", "chapter*/README.md", "chapter*/data/README.md",
                    "chapter*/*.ipynb", "chapter*/solutions/*.ipynb"]
extensions = ["myst_nb"]
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath", "attrs_inline"]
myst_heading_anchors = 4
# t.relu? 是 IPython 的写法，代码块标作 python，GitHub 才认得
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "sphinx_book_theme"
html_theme_options = {
    "repository_url": REPOSITORY,
    "repository_branch": BRANCH,
    "use_repository_button": bool(REPOSITORY),
    "use_source_button": bool(REPOSITORY),
    "use_download_button": True,
    "home_page_in_toc": True,
    "show_toc_level": 2,
}
html_static_path = ["style.css", str(importlib.resources.files("sphinx-mathjax-offline") / "static/mathjax/tex-svg.js")]
html_css_files = ["style.css"]
mathjax_path = "tex-svg.js"        # 一个文件，不再去取字体
html_sourcelink_suffix = ""        # 下载到的是 .ipynb，不是 .ipynb.txt
html_search_language = "zh"
html_use_index = False


# ---------------------------------------------------------------- 每一页


def add_contents(app, docname: str, source: list[str]) -> None:
    """README 之后接上目录和练习的答案；指向文件夹的链接指到它的 README。"""
    text = re.sub(r"\]\(((?:\.\./)*chapter\d+)/\)", r"](\1/README.md)", source[0])
    text = re.sub(r"\]\(solutions/\)", "](README.md#练习的答案)", text)
    text = re.sub(r'<a id="([\w-]+)"></a>', r"[]{#\1}", text)
    if answers := solutions(docname):
        text += "\n\n## 练习的答案\n\n" + "\n".join(f"- [](/{page}.ipynb)" for page in answers)
    if pages := contents(docname):
        text += "\n\n```{toctree}\n:hidden:\n\n" + "\n".join(f"/{page}" for page in pages) + "\n```\n"
    source[0] = text


def tidy(app, doctree: nodes.document) -> None:
    """答案不进目录和搜索；文件的链接指到 GitHub；行末换行前后都是汉字时不留空格。"""
    docname = app.env.docname
    if "/solutions/" in docname:
        app.env.metadata[docname].update(orphan=True, nosearch=True)
    if REPOSITORY:
        for link in list(doctree.findall(addnodes.download_reference)):
            path = os.path.normpath(Path(docname).parent / link["reftarget"])
            link.replace_self(nodes.reference("", "", *link.children, refuri=f"{REPOSITORY}/blob/{BRANCH}/{path}"))
    wide = "[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef“”‘’—…]"
    for text in list(doctree.findall(nodes.Text)):
        if text == "\n" and re.fullmatch(f"{wide}{wide}", "".join(beside(text))):
            text.parent.replace(text, nodes.Text(""))


def beside(text: nodes.Text) -> tuple[str, str]:
    """同一段里紧挨在它前面和后面的字。"""
    siblings = text.parent.children
    index = siblings.index(text)
    before = "".join(node.astext() for node in siblings[:index])
    after = "".join(node.astext() for node in siblings[index + 1:])
    return before[-1:], after[:1]


class Chinese(SearchEnglish):
    """汉字按相邻的两个字一组编进索引，搜索的话也同样切开，任何词都找得到，不靠词典；英文照旧取词干。"""

    lang = "zh"
    js_splitter_code = r"""
function splitQuery(query) {
  const pairs = word => word.length < 2 ? [word] : [...word.slice(1)].map((c, i) => word[i] + c);
  return (query.match(/[\u4e00-\u9fff]+|(?:(?![\u4e00-\u9fff])[\p{L}\p{N}_])+/gu) ?? [])
    .flatMap(word => /[\u4e00-\u9fff]/.test(word) ? pairs(word) : [word]);
}
"""

    def split(self, input: str) -> list[str]:
        words = []
        for word in re.findall(r"[\u4e00-\u9fff]+|[^\W\u4e00-\u9fff]+", input):
            words += [a + b for a, b in zip(word, word[1:])] if "\u4e00" <= word[0] <= "\u9fff" else [word]
        return words


def add_front_pages(app, error) -> None:
    """只写文件夹的网址也打得开：README.html 另存为 index.html。"""
    if error is None:
        for page in Path(app.outdir).glob("**/README.html"):
            shutil.copyfile(page, page.with_name("index.html"))


def setup(app) -> None:
    app.add_search_language(Chinese)
    app.connect("source-read", add_contents)
    app.connect("doctree-read", tidy)
    app.connect("build-finished", add_front_pages)
