"""运行每个项目的示范命令，把文字和图片收进 outputs/，并写一页 outputs/index.html。

项目在自己的 demo.txt 里写示范命令：以 # 开头的行是说明，其余每行是 python main.py 之后的部分，
{out} 换成收图片的文件夹。新的项目带上 demo.txt 就会出现，这里不用改。
"""

import html
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
OUTPUTS = ROOT / "outputs"
PICTURES = {".png", ".jpg", ".jpeg", ".gif", ".webp"}
PAGE = """<!doctype html>
<html lang="zh-CN">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>示范结果</title>
<style>
:root {{ color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #d9480f; }}
body {{ max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; line-height: 1.7;
  font-family: system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }}
h1 {{ margin: 0; font-size: 1.8rem; }}
h2 {{ margin: 3.5rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: 1.4rem; }}
nav {{ display: flex; flex-wrap: wrap; gap: .5rem 1.25rem; margin-top: 1rem; }}
a {{ color: var(--accent); text-decoration: none; }}
a:hover {{ text-decoration: underline; }}
figure {{ margin: 1.5rem 0; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }}
figcaption {{ display: flex; justify-content: space-between; gap: 1rem; padding: .5rem 1rem; background: var(--soft); }}
pre, code {{ font-family: ui-monospace, Consolas, "Noto Sans Mono CJK SC", monospace; font-size: .9rem; }}
pre {{ margin: 0; padding: 1rem; max-height: 24rem; overflow: auto; white-space: pre-wrap; }}
img {{ display: block; max-width: 100%; margin: 0 auto; }}
small {{ white-space: nowrap; opacity: .7; }}
.failed figcaption {{ background: #e0313133; }}
</style>
<h1>示范结果</h1>
<nav>{links}</nav>
{body}
</html>
"""


def main() -> int:
    sections, failed = [], 0
    for listing in sorted(ROOT.glob("chapter*/demo.txt"), key=lambda path: int(path.parent.name[7:])):
        project, figures, note = listing.parent, [], []
        out = OUTPUTS / project.name
        out.mkdir(parents=True, exist_ok=True)
        for line in listing.read_text(encoding="utf-8").splitlines():
            if line.startswith("#"):
                note.append(line.lstrip("# "))
            elif line.strip():
                shown, returncode = run_command(project, out, line, "".join(note))
                figures.append(shown)
                failed += returncode != 0
                note = []
        sections.append((project, figures))
        write_page(sections)                                    # 每个项目跑完就写一次，不必等到最后才看
    print("结果页：outputs/index.html")
    return 1 if failed else 0


def run_command(project: Path, out: Path, line: str, note: str) -> tuple[str, int]:
    """运行一条示范命令，返回它在结果页上的一块和退出状态。图片里凡是新写的，归这条命令。"""
    print(f"\n[{project.name}] python main.py {line}", flush=True)
    words = [word.replace("{out}", out.as_posix()) for word in shlex.split(line)]
    begin = time.time()
    done = subprocess.run([sys.executable, "main.py", *words], cwd=project, encoding="utf-8",
                          stdout=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": "utf-8"})
    seconds = time.time() - begin
    print(done.stdout, flush=True)
    pictures = sorted(path for path in out.rglob("*")
                      if path.suffix.lower() in PICTURES and path.stat().st_mtime >= begin)
    command = html.escape(f"python main.py {line.replace('{out}', '图片文件夹')}")
    parts = [f'<figure class="{"failed" if done.returncode else "done"}">',
             f"<figcaption><code>{command}</code><small>{seconds:.0f} 秒</small></figcaption>"]
    parts += [f"<pre>{html.escape(done.stdout.strip())}</pre>"] if done.stdout.strip() else []
    parts += [f'<img src="{html.escape(path.relative_to(OUTPUTS).as_posix())}" alt="{html.escape(path.name)}">'
              for path in pictures]
    return "\n".join([f"<p>{html.escape(note)}</p>"] * bool(note) + parts + ["</figure>"]), done.returncode


def write_page(sections: list[tuple[Path, list[str]]]) -> None:
    """结果页：每个项目一节，标题取自它的 README。"""
    links, body = [], []
    for project, figures in sections:
        title = html.escape((project / "README.md").read_text(encoding="utf-8").splitlines()[0].lstrip("# "))
        links.append(f'<a href="#{project.name}">{title.split("：")[0]}</a>')
        body += [f'<h2 id="{project.name}">{title}</h2>', *figures]
    page = PAGE.format(links="\n".join(links), body="\n".join(body))
    (OUTPUTS / "index.html").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
