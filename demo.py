"""运行每个项目的示范命令，把文字和图片收进 outputs/，并写一页 outputs/index.html。

项目在自己的 demo.txt 里写示范命令，每行是 python main.py 之后的部分；{out} 换成收图片的文件夹。
新的项目带上 demo.txt 就会出现，这里不用改。
"""

import html
import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
OUTPUTS = ROOT / "outputs"
PICTURES = {".png", ".jpg", ".jpeg", ".gif", ".webp"}
PAGE = """<!doctype html>
<html lang="zh"><meta charset="utf-8"><title>示范结果</title>
<style>body{{max-width:60em;margin:2em auto;padding:0 1em;font-family:sans-serif;line-height:1.6}}
pre{{background:#f4f4f4;padding:1em;white-space:pre-wrap}}img{{max-width:100%}}</style>
<h1>示范结果</h1>
{body}
</html>
"""


def main() -> int:
    sections, failed = [], 0
    for listing in sorted(ROOT.glob("chapter*/demo.txt"), key=lambda p: int(p.parent.name[7:])):
        project = listing.parent
        out = OUTPUTS / project.name
        out.mkdir(parents=True, exist_ok=True)
        texts = []
        for line in listing.read_text(encoding="utf-8").splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            print(f"\n[{project.name}] python main.py {line}", flush=True)
            words = [word.replace("{out}", out.as_posix()) for word in shlex.split(line)]
            done = subprocess.run([sys.executable, "main.py", *words], cwd=project, encoding="utf-8",
                                  stdout=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": "utf-8"})
            print(done.stdout)
            texts.append(f"$ python main.py {line.replace('{out}', '图片文件夹')}\n{done.stdout}")
            failed += done.returncode != 0
        (out / "output.txt").write_text("\n".join(texts), encoding="utf-8")
        sections.append(section(project, out, texts))
    (OUTPUTS / "index.html").write_text(PAGE.format(body="\n".join(sections)), encoding="utf-8")
    print("结果页：outputs/index.html")
    return 1 if failed else 0


def section(project: Path, out: Path, texts: list[str]) -> str:
    """一个项目在结果页上的一节：标题取自它的 README，然后是文字和图片。"""
    title = (project / "README.md").read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
    parts = [f"<h2>{html.escape(title)}</h2>", *(f"<pre>{html.escape(text)}</pre>" for text in texts)]
    for picture in sorted(path for path in out.rglob("*") if path.suffix.lower() in PICTURES):
        address = picture.relative_to(OUTPUTS).as_posix()
        parts.append(f'<p><img src="{html.escape(address)}" alt="{html.escape(picture.name)}"></p>')
    return "\n".join(parts)




if __name__ == "__main__":
    raise SystemExit(main())
