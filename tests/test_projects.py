"""每个项目文件夹都能独立存在：抄到别处，自己的测试照样通过。"""

import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from repository import ROOT, projects

ORIGINAL = ROOT / "chapter6" / "utils"


@pytest.fixture(scope="module")
def suites(tmp_path_factory):
    """各项目抄到别处以后自己的测试，两个两个地跑：网络都小，各用一个线程。"""
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONPATH", None)

    def run(project):
        copy = copy_to(project, tmp_path_factory.mktemp("copied"))
        return subprocess.run([sys.executable, "-m", "pytest", "-q", "tests", "-p", "no:cacheprovider"], cwd=copy,
                              env=environment, capture_output=True, encoding="utf-8", timeout=3600)

    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        yield {project: pool.submit(run, project) for project in projects()}


@pytest.mark.parametrize("project", projects(), ids=lambda path: path.name)
def test_copied_alone_it_passes_its_own_tests(project, suites):
    done = suites[project].result()
    print(done.stdout[-6000:])
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def copy_to(project, folder):
    copy = folder / project.name
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns("runs", "__pycache__", "outputs"))
    return copy


# Python 启动时自己会导入它：像 Windows 和 macOS 那样，进程不用 fork 起，也没有只有 Unix 才有的东西
ELSEWHERE = """
import multiprocessing, os, signal
multiprocessing.set_start_method("spawn")
for module, names in ((os, ("fork", "forkpty", "setsid")), (signal, ("SIGKILL", "SIGHUP", "SIGPIPE", "pthread_sigmask"))):
    for name in names:
        delattr(module, name)
"""
COMMANDS = {
    "chapter6": ("train --model=SqueezeNet --image-size=32 --batch-size=8 --max-steps=2 --cache-mb=0 --num-workers=2 --val-fold=4",
                 "predict --path=data/photos --picture=图.png"),
    "chapter7": ("prepare --num=8", "train --data-path=data/avatars8.zip --batch-size=4 --ngf=8 --ndf=8 --max-steps=2 --cache-mb=0 --num-workers=2",
                 "generate --gen-num=4 --gen-img=图.png"),
    "chapter8": ("stylize --max-size=128 --result-path=画/图.png",),
    "chapter9": ("train --data-path=poems.txt --max-steps=2 --batch-size=2 --num-workers=2", "gen --candidates=1"),
    "chapter10": ("generate --test-img=data/examples --picture=图.png",),
}


@pytest.mark.parametrize("project", projects(), ids=lambda path: path.name)
def test_as_on_other_systems(project, tmp_path):
    """取数进程和进程池用 spawn；没有 fork、SIGKILL；系统的编码只有 ASCII；路径里有空格和汉字。"""
    (tmp_path / "sitecustomize.py").write_text(ELSEWHERE, encoding="utf-8")
    copy = copy_to(project, tmp_path / "我的 书")
    words = "白日依山尽黄河入海流欲穷千里目更上一层楼"
    (copy / "poems.txt").write_text("".join(f"{words[i % 15:][:5]}，{words[i // 15:][:5]}。\n" for i in range(60)), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "OMP_NUM_THREADS": "1"}
    for name in ("PYTHONIOENCODING", "LANG", "LC_CTYPE"):
        environment.pop(name, None)
    for line in COMMANDS[project.name]:
        done = subprocess.run([sys.executable, "main.py", *line.split()], cwd=copy, env=environment, capture_output=True, timeout=600)
        said = done.stdout.decode("utf-8", "replace") + done.stderr.decode("utf-8", "replace")
        assert done.returncode == 0 and "Traceback" not in said, f"{line}\n{said[-3000:]}"


def bare(project, folder, *words, without=("-S",)):
    """在 folder 里运行 main.py；-S：一个第三方的包也没有的 Python。"""
    return subprocess.run([sys.executable, *without, str(project / "main.py"), *words], cwd=folder, capture_output=True, encoding="utf-8",
                          env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": ""}, timeout=100)


@pytest.mark.parametrize("project", projects(), ids=lambda path: path.name)
def test_help_and_wrong_options_do_not_wait_for_torch(project, tmp_path):
    """帮助与平常的一样；写错的选项、没有装 torch，都是一行话。"""
    done = bare(project, tmp_path, "help")
    assert done.returncode == 0 and done.stderr == "" and done.stdout == bare(project, tmp_path, "help", without=()).stdout
    source = (project / "main.py").read_text(encoding="utf-8")
    assert all(f"  {name} " in done.stdout for name in re.findall(r'"(\w+)": \w+[,}]', source.splitlines()[-1]))
    for words, expected in ((["trian"], "是不是 train？"), (["train", "--max-epoch=x"], "--max-epoch 要整数"), (["train"], "没有装 torch")):
        done = bare(project, tmp_path, *words)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert done.stderr.startswith("错误：") and expected in done.stderr


MISSING = {
    "chapter6": ("train --train-data-root=nosuch", "train --train-data-root=here:3,nosuch.zip:2", "test --test-data-root=nosuch", "val --model-path=nosuch.pth",
                 "predict --path=nosuch.jpg", "predict --path=~/nosuch.jpg", "prepare --source=nosuch.zip"),
    "chapter7": ("train --data-path=nosuch", "generate --netg-path=nosuch.pth", "train --netd-path=nosuch.pth", "evaluate --ref-path=nosuch.zip",
                 "evaluate --vgg-path=nosuch.pth", "prepare --source=nosuch"),
    "chapter8": ("train --data-root=nosuch", "train --style-path=nosuch.jpg", "stylize --content-path=nosuch.jpg", "stylize --model-path=nosuch.pth",
                 "prepare --source=nosuch"),
    "chapter9": ("train --data-path=nosuch.txt", "gen --model-path=nosuch.pth", "prepare --source=nosuch"),
    "chapter10": ("generate --test-img=nosuch.jpg", "generate --model-path=nosuch.pth", "prepare --source=nosuch"),
}
THERE = {
    "chapter6": ("train --train-data-root=here:3,here", "train --train-data-root=a,b", "predict --path=here/*.jpg", "predict --path=dogcat.pth", "prepare --source=npm"),
    "chapter7": ("train --data-path=here",),
    "chapter8": ("stylize --content-path=here --model-path=cafe_terrace", "stylize --content-path=[h]ere/*.jpg"),
    "chapter9": ("gen --model-path=a,b", "prepare --source=npm"),
    "chapter10": ("generate --test-img=here --model-path=photos", "generate --model-path=photos.pth", "prepare --source=npm"),
}


@pytest.mark.parametrize("project", projects(), ids=lambda path: path.name)
def test_missing_files_are_told_without_waiting_for_torch(project, tmp_path):
    """没有的文件当场说；有的、拿不准的都放过，到了要 torch 的时候。"""
    for name in ("here", "a,b"):
        (tmp_path / name).mkdir()
    for line in MISSING[project.name]:
        done = bare(project, tmp_path, *line.split())
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert re.match(rf"错误：{line.split()[1].split('=')[0]}=\S*nosuch\S* 不存在：要", done.stderr), line
    for line in THERE[project.name]:
        assert "没有装 torch" in bare(project, tmp_path, *line.split()).stderr, line


@pytest.mark.parametrize("project", projects(), ids=lambda path: path.name)
def test_utils_are_exact_copies(project):
    names = sorted(path.name for path in ORIGINAL.glob("*.py"))
    assert sorted(path.name for path in (project / "utils").glob("*.py")) == names
    _, different, missing = filecmp.cmpfiles(ORIGINAL, project / "utils", names, shallow=False)
    assert not different + missing, "运行 make sync-utils"
    copy = project / "data/pictures.py"
    assert not copy.exists() or filecmp.cmp(copy, ROOT / "chapter6/data/pictures.py", shallow=False), "运行 make sync-utils"


@pytest.mark.parametrize("project", projects(), ids=lambda path: path.name)
def test_pages_share_what_is_not_their_own(project):
    """各网页自己的只有 web.py，六十行以内，读得完。"""
    _, different, missing = filecmp.cmpfiles(ROOT / "chapter6", project, ["page.py", "timing.py", "requirements-web.txt"], shallow=False)
    assert not different + missing, "运行 make sync-utils"
    assert filecmp.cmp(project / "requirements-web.txt", ROOT / "requirements-web.txt", shallow=False)
    assert len((project / "web.py").read_text(encoding="utf-8").splitlines()) <= 60
    assert 0 < (project / "checkpoints/web.webp").stat().st_size < 120_000         # README 里的截图


@pytest.mark.parametrize("name", ["helpers.py", "test_reliability.py"])
@pytest.mark.parametrize("project", projects(), ids=lambda path: path.name)
def test_the_same_faults_are_tried_everywhere(project, name):
    """各项目自己的只有 faults.py。"""
    assert filecmp.cmp(project / "tests" / name, ROOT / "chapter6/tests" / name, shallow=False), "运行 make sync-utils"


@pytest.mark.parametrize("project", projects(), ids=lambda path: path.name)
def test_option_table_equals_config(project):
    code = "from config import Config; import json; print(json.dumps(Config.describe()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, encoding="utf-8",
                          env={**os.environ, "PYTHONIOENCODING": "utf-8"}, check=True)
    rows = ["| `--{}` | `{}` | {} |".format(name.replace("_", "-"), default, comment.replace("|", "\\|"))
            for name, default, comment in json.loads(done.stdout)]
    text = (project / "README.md").read_text(encoding="utf-8")
    shown = [line for line in text.splitlines() if line.startswith("| `--")]
    assert shown == rows, "README 的选项表与 config.py 不符，应为：\n" + "\n".join(rows)


@pytest.mark.parametrize("project", projects(), ids=lambda path: path.name)
def test_skeleton_is_complete(project):
    expected = ["README.md", "requirements.txt", "config.py", "main.py", "demo.txt", "benchmark.py",
                "models/__init__.py", "data/prepare.py", "data/README.md", "checkpoints", "tests"]
    assert [name for name in expected if not (project / name).exists()] == []
    weights = [path for path in (project / "checkpoints").iterdir() if path.suffix == ".pth"]
    assert all(path.with_suffix(".json").exists() for path in weights)


def test_a_demo_finds_every_project():
    assert [path.name for path in projects()] == sorted(
        (path.parent.name for path in ROOT.glob("chapter*/demo.txt")), key=lambda name: int(name[7:]))
