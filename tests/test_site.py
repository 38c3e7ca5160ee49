"""网站：每本笔记本、每篇 README 在目录里恰好一次；造出来没有警告，链接都通，不连外网，汉字搜得到。

造网站的包不在 requirements.txt 里，另列在 docs/site/requirements.txt；没有装就跳过后面的几项。
"""

from __future__ import annotations

import importlib.util
import os
import posixpath
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import pytest
from browser import Browser, find_browser
from repository import ROOT, files

CONFIG = ROOT / "docs" / "site"
PACKAGES = ("sphinx", "myst_nb", "sphinx_book_theme", "sphinx-mathjax-offline")
PHRASES = {  # 搜什么 → 结果里应当有哪一页
    "广播": "chapter3/3.1.2_numpy_and_broadcasting",
    "广播规则": "chapter3/3.1.2_numpy_and_broadcasting",
    "反向传播": "chapter3/3.2.2_graph",
    "visdom 空白": "chapter5/README",
    "断点续训": "docs/faq",
    "contiguous": "chapter3/3.1.3_storage",
}


@pytest.fixture(scope="module")
def book():
    """docs/site/book.py，目录就在那里。"""
    spec = importlib.util.spec_from_file_location("book", CONFIG / "book.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_notebook_and_readme_is_in_the_contents_once(book):
    names = [path.relative_to(ROOT).as_posix() for path in files() if path.suffix in {".md", ".ipynb"}]
    pages = {name.rpartition(".")[0] for name in names if not name.startswith("tests/")}
    answers = {page for page in pages if "/solutions/" in page}
    assert sorted(book.everything()) == sorted(pages - answers)
    listed = [name for page in book.everything() for name in book.solutions(page)]
    assert sorted(listed) == sorted(answers)                    # 答案列在各章 README 的末尾


def test_the_contents_follow_the_book(book):
    order = book.everything()
    numbers = [[int(n) for n in re.findall(r"\d+", page.partition("_")[0])] for page in order
               if re.match(r"chapter[2-5]/\d", page)]
    assert len(numbers) > 30 and numbers == sorted(numbers)
    readmes = [page for page in order if re.fullmatch(r"chapter\d+/README", page)]
    assert order[0] == "README" and readmes == [f"chapter{n}/README" for n in range(2, 11)]


# ---------------------------------------------------------------- 造出来的网页


class Links(HTMLParser):
    """一页里的 id、链接和要取来的文件。"""

    def __init__(self, path: Path):
        super().__init__()
        self.ids, self.links, self.needed, self.next = {""}, [], [], None
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids |= {attrs.get("id", ""), attrs.get("name", "") if tag == "a" else ""}
        if tag == "a" and attrs.get("href"):
            self.links.append(attrs["href"])
            if "right-next" in (attrs.get("class") or ""):
                self.next = attrs["href"]
        elif tag == "link" and attrs.get("rel") not in {"next", "prev", "index", "search"}:
            self.needed.append(attrs["href"])
        elif attrs.get("src"):
            self.needed.append(attrs["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """造好的网站；有一个警告就不成。"""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"没有装 {'、'.join(missing)}：见 docs/site/requirements.txt")
    folder = tmp_path_factory.mktemp("site")
    environment = {key: value for key, value in os.environ.items() if key != "REPOSITORY_URL"}
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-c", str(CONFIG), str(ROOT)]
    done = subprocess.run([*command, "-d", str(folder / "read"), str(folder / "html")], env=environment,
                          capture_output=True, encoding="utf-8", timeout=3600)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site):
    """页的路径，相对网站 → 里面的链接。"""
    return {path.relative_to(site).as_posix(): Links(path) for path in site.rglob("*.html")
            if "_static" not in path.parts}


def test_every_link_inside_leads_somewhere(site, pages):
    broken = []
    for name, page in pages.items():
        for link in page.links + page.needed:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(parts.path))) if parts.path else name
            if not (site / target).is_file():
                broken.append(f"{name}: {link}")
            elif target in pages and unquote(parts.fragment) not in pages[target].ids:
                broken.append(f"{name}: {link}（没有这个位置）")
    assert broken == []


def test_nothing_is_taken_from_outside(site, pages):
    outside = [f"{name}: {link}" for name, page in pages.items() for link in page.needed if urlsplit(link).netloc]
    outside += [path.name for path in site.rglob("*.css")
                if re.search(r"(@import|url\()\s*[\"']?(https?:)?//", path.read_text(encoding="utf-8"))]
    assert outside == []


def test_next_leads_through_the_whole_book(pages, book):
    name, order = "README.html", []
    while name:
        order.append(name.removesuffix(".html"))
        following = pages[name].next
        name = following and posixpath.normpath(posixpath.join(posixpath.dirname(name), following))
    assert order == book.everything()


def test_every_page_links_to_its_file(pages, book):
    for page in book.everything():
        source = next(f"{page}{suffix}" for suffix in (".ipynb", ".md") if (ROOT / f"{page}{suffix}").exists())
        assert any(link.endswith(f"_sources/{source}") for link in pages[f"{page}.html"].links), page


def test_folders_open_too(site):
    for page in site.rglob("README.html"):
        assert page.with_name("index.html").read_bytes() == page.read_bytes()


# ---------------------------------------------------------------- 在浏览器里


@pytest.fixture(scope="module")
def browser(site, tmp_path_factory):
    if find_browser() is None:
        pytest.skip("没有装 Chromium 或 Chrome")
    with Browser(find_browser(), tmp_path_factory.mktemp("browser") / "profile", (1280, 900), timeout=600) as page:
        yield page


def show(browser: Browser, url: str, loaded: str) -> None:
    browser.open(url)
    browser.wait_for(f"location.href == {url!r} && document.readyState == 'complete' && !!({loaded})")


@pytest.mark.parametrize("name, formula", [
    ("index.html", False), ("chapter3/3.2.1_autograd.html", True), ("chapter8/README.html", True),
    ("docs/migration.html", False)])
def test_pages_are_whole_without_a_network_and_fit_a_phone(browser, site, name, formula):
    browser.events.clear()
    browser.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True)
    drawn = "document.querySelectorAll('mjx-container svg').length > 0" if formula else "true"
    show(browser, (site / name).as_uri(), drawn)
    assert browser.requested() and all(url.startswith(("file:", "data:")) for url in browser.requested())
    assert browser.failed() == []
    assert browser.evaluate("document.documentElement.scrollWidth") <= 390      # 宽的表格在自己的框里滚动


def test_dark_and_light(browser, site):
    colours = []
    for scheme in ("light", "dark"):
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        show(browser, (site / "index.html").as_uri() + f"?{scheme}", "document.documentElement.dataset.theme")
        colours.append(browser.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours[0] == "rgb(255, 255, 255)" != colours[1]


@pytest.mark.parametrize("phrase", PHRASES)
def test_search_finds_chinese_words(browser, site, phrase):
    show(browser, f"{(site / 'search.html').as_uri()}?q={quote(phrase)}",
         "document.querySelector('#search-results li a')")
    browser.wait_for("/\\d/.test(document.querySelector('#search-results .search-summary').innerText)")      # 找完了
    found = browser.evaluate("[...document.querySelectorAll('#search-results li a')].map(link => link.href)")
    pages = [unquote(urlsplit(url).path).removeprefix(site.as_posix() + "/").removesuffix(".html") for url in found]
    assert PHRASES[phrase] in pages[:5]
    assert not any("/solutions/" in page for page in pages)
