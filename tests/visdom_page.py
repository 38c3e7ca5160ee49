"""让 visdom 的网页不连国外网站也能打开：用自己的 npm 取齐网页脚本，再启动服务器。

    python tests/visdom_page.py                    # 取脚本（只在第一次），在 8097 端口启动
    python tests/visdom_page.py -port 9000         # 其余选项原样交给 visdom
    python tests/visdom_page.py --fetch-only       # 只取脚本，不启动

visdom 第一次启动时要从几家国外的 CDN 下载这些脚本，取不到，网页就是空白，或者服务器直接退出。同样的文件都在
npm 的包里：每个包核对 sha256，放进 visdom 自己的 static 文件夹。全部就位后写下 version.built，visdom 从此
不再下载，平常的 python -m visdom.server 也能离线使用。
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from data.fetch import BuildError, Package, fetch  # noqa: E402

SHA256 = {
    "bootstrap@3.3.7": "a9de9f9d74b46743821bda60e5f81233c7a2dc83ad4db60d0c0e396dc255fc2a",
    "classnames@2.2.5": "38c83d48c787e08af4e79e591bb4e3b519e84c492507b16d593a98f576ea8959",
    "d3@3.5.17": "da49ebf01f88a039c748eb4aa682fec45672f7c2abca3b363633b8f835065b35",
    "d3-selection-multi@1.0.1": "449fab3b22583c83882bb326857c0be04321cd087162ec1bfe872214bd0b9827",
    "jquery@3.1.1": "1edfdafd71f26e2730a2029f5c4971598f55f57627fd17c3410914aed2293821",
    "layout-bin-packer@1.4.0": "f5d72447b16e3a912c5001bbda3b7308dfc48749882c8ff4ce8fc0c265176f7a",
    "mathjax@2.7.5": "7fc8acc02a4930cdc59983ba4003686208af39fc855245fa8ae8d4b27fab781b",
    "mathjax@3.2.2": "1b9c0a1c44df864e915690558e72adb9cc5203360daefd385084ced3b6c64c09",
    "plotly.js-dist-min@2.11.1": "25f1ca783c4e71e01c96031fc85ab114aebf931ba563d250d1ec59421cb79113",
    "react@16.2.0": "c0d1fc3e4157e03898012d3bd6360879a58f1178ab839859a15433aa60ed5499",
    "react-dom@16.2.0": "6596694ba625de26e265c4ae5b7a5f568022568573a05bbdb2659792bcc101b6",
    "react-grid-layout@0.16.3": "b57981208742e5be47a4aa761194103d5c0e3ddd473d7fd8989c608dd9345550",
    "react-grid-layout@2.2.3": "1b0d0eb0cbd71e13d186f10cadf649fd490cb9290bdd4075852ccfa68cc40182",
    "react-modal@3.1.10": "d656a396f68e2a9b2329087840ea005e5da0408410dd8064e1c30ffeaa9d5133",
    "react-resizable@1.4.6": "8855b10f7961dfce72bb032575769b40581a61aa716d0f5d426c4d5e184aa622",
    "react-resizable@3.1.3": "a46a9f326f9f4581e4d64ea5e7a23295f20738bfd1dcf4027c36b9930a7309f3",
    "save-svg-as-png@1.4.17": "639bdcaeb3e945de6282670b88a5d058605431aca7d6890661227c6f7cc3f55a",
    "sjcl@1.0.7": "9fe881f59d05151dd4e38e4eca65821e773f1f8a7eb01f6fdb819008b0ce544e",
}
GLYPHS = "fonts/glyphicons-halflings-regular"
COMMON = {  # static/ 里的文件 → (npm 包, 包里的文件)
    "js/jquery.min.js": ("jquery@3.1.1", "dist/jquery.min.js"),
    "js/bootstrap.min.js": ("bootstrap@3.3.7", "dist/js/bootstrap.min.js"),
    "css/bootstrap.min.css": ("bootstrap@3.3.7", "dist/css/bootstrap.min.css"),
    **{f"{GLYPHS}.{kind}": ("bootstrap@3.3.7", f"dist/{GLYPHS}.{kind}")
       for kind in ("eot", "woff2", "woff", "ttf")},
    f"{GLYPHS}.svg#glyphicons_halflingsregular": ("bootstrap@3.3.7", f"dist/{GLYPHS}.svg"),
    "js/react-react.min.js": ("react@16.2.0", "umd/react.production.min.js"),
    "js/react-dom.min.js": ("react-dom@16.2.0", "umd/react-dom.production.min.js"),
    "js/react-modal.min.js": ("react-modal@3.1.10", "dist/react-modal.min.js"),
    "js/plotly-plotly.min.js": ("plotly.js-dist-min@2.11.1", "plotly.min.js"),
    "js/sjcl.js": ("sjcl@1.0.7", "sjcl.js"),
    "js/layout_bin_packer.js": ("layout-bin-packer@1.4.0", "dist/layout-bin-packer.js"),
    "js/layout-bin-packer.js.map": ("layout-bin-packer@1.4.0", "dist/layout-bin-packer.js.map"),
    "js/d3.v3.min.js": ("d3@3.5.17", "d3.min.js"),
    "js/d3-selection-multi.v1.js": ("d3-selection-multi@1.0.1", "build/d3-selection-multi.js"),
    "js/saveSvgAsPng.js": ("save-svg-as-png@1.4.17", "lib/saveSvgAsPng.js"),
    "fonts/classnames": ("classnames@2.2.5", "index.js"),
}
RESIZABLE, GRID = "css/react-resizable-styles.css", "css/react-grid-layout-styles.css"
MATHJAX_2 = ("config/Safe.js", "config/TeX-AMS-MML_HTMLorMML.js", "extensions/Safe.js",
             "jax/output/SVG/jax.js", "jax/output/SVG/config.js", "jax/output/SVG/fonts/TeX/fontdata.js",
             "jax/output/SVG/fonts/TeX/Size1/Regular/Main.js", "MathJax.js")
FILES = {  # visdom 的版本 → 它要的全部文件，与该版本的 visdom/server/build.py 一致
    "0.2.4": {
        **COMMON,
        RESIZABLE: ("react-resizable@1.4.6", "css/styles.css"),
        GRID: ("react-grid-layout@0.16.3", "css/styles.css"),
        **{f"js/mathjax/2.7.5/{path}": ("mathjax@2.7.5", path) for path in MATHJAX_2},
    },
    "0.3.0": {
        **COMMON,
        RESIZABLE: ("react-resizable@3.1.3", "css/styles.css"),
        GRID: ("react-grid-layout@2.2.3", "css/styles.css"),
        "js/mathjax/3.2.2/es5/tex-mml-svg.js": ("mathjax@3.2.2", "es5/tex-mml-svg.js"),
    },
}


def installed() -> tuple[str, Path]:
    """装着的 visdom 的版本和它的 static 文件夹；不导入它，导入要好几秒。异常：BuildError，没有安装。"""
    spec = importlib.util.find_spec("visdom")
    if spec is None:
        raise BuildError("没有安装 visdom，见 requirements.txt")
    folder = Path(spec.origin).parent
    return (folder / "VERSION").read_text(encoding="utf-8").strip(), folder / "static"


def missing(version: str, static: Path) -> list[str]:
    """static 里还缺的文件；version.built 不是这个版本的，就当全缺。异常：BuildError，不认识的版本。"""
    if version not in FILES:
        raise BuildError(f"没有核对过 visdom {version} 要哪些脚本，只知道 {'、'.join(FILES)} 的")
    built = static / "version.built"
    if not built.is_file() or built.read_text(encoding="utf-8").strip() != version:
        return list(FILES[version])
    return [name for name in FILES[version] if not (static / name).is_file()]


def install(version: str, static: Path) -> int:
    """取来缺的文件，返回取了几个。全部就位之后才写 version.built。"""
    wanted = missing(version, static)
    if not wanted:
        return 0
    by_package: dict[str, list[str]] = {}
    for name in wanted:
        by_package.setdefault(FILES[version][name][0], []).append(name)
    with TemporaryDirectory() as folder:
        for spec, names in by_package.items():
            file = f"{spec.replace('@', '-')}.tgz"
            path = fetch(Package("npm", spec, file, SHA256[spec]), Path(folder))
            with tarfile.open(path) as archive:
                for name in names:
                    content = archive.extractfile(f"package/{FILES[version][name][1]}")
                    place(static / name, content.read())
    place(static / "version.built", version.encode())
    return len(wanted)


def place(path: Path, content: bytes) -> None:
    """先写旁边的临时文件再改名，中断也不会留下半个文件。"""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(content)
    os.replace(partial, path)


def main(arguments: list[str]) -> int:
    try:
        count = install(*installed())
    except (BuildError, OSError) as error:
        print(f"{error}。不用 visdom 也能看曲线：tensorboard --logdir runs")
        return 2
    print(f"网页脚本齐了（这次取了 {count} 个文件）。", flush=True)
    if "--fetch-only" in arguments:
        return 0
    from visdom.server.run_server import main as serve  # 不经过会去下载的 python -m visdom.server

    sys.argv = ["visdom", *arguments]
    try:
        serve()
    except KeyboardInterrupt:
        print("visdom 服务器停了。")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
