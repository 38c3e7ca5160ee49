import pytest
from helpers import PROJECT

from data import Vocabulary, load_poems

TINY = ["--embedding-dim=16", "--hidden-dim=16", "--dropout=0.1"]


@pytest.fixture(scope="session")
def poems():
    return load_poems(str(PROJECT / "data"))


@pytest.fixture(scope="session")
def vocabulary(poems):
    return Vocabulary.build(poem.text for poem in poems)


@pytest.fixture(scope="session")
def small_file(poems, tmp_path_factory):
    """一个只有 300 首诗的数据文件。"""
    path = tmp_path_factory.mktemp("data") / "small.tsv"
    rows = [f"{p.author}\t{p.title}\t{p.text}\n" for p in poems[::160][:300]]
    path.write_text("".join(rows), encoding="utf-8")
    return path


@pytest.fixture
def workdir(tmp_path, monkeypatch):
    """在空文件夹里运行，runs/ 不落在项目中。"""
    monkeypatch.chdir(tmp_path)
    return tmp_path
