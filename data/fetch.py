"""用读者自己的 npm、pip、apt 取数据包，核对 sha256；代码里没有任何下载地址。"""
import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


class BuildError(Exception):
    """一行中文，说明缺什么、怎么办。"""


@dataclass(frozen=True)
class Package:
    """一个有固定版本的数据包。file 是下载得到的文件名，tool 是取它的程序。"""

    tool: str
    spec: str
    file: str
    sha256: str
    options: tuple[str, ...] = ()


ICONIFY = Package(
    "npm", "@iconify/json@2.2.535", "iconify-json-2.2.535.tgz",
    "1a545f86fa224d6531d8fb101dcbe83aac2b28689a21cbed6fc68318a5af4d91")
FASHION = Package(
    "apt-get", "dataset-fashion-mnist=0.0~git20200523.55506a9-1",
    "dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb",
    "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0")
SKIMAGE = Package(
    "pip", "scikit-image==0.25.2",
    "scikit_image-0.25.2-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "a17e17eb8562660cc0d31bb55643a4da996a81944b82c54805c91b3fe66f4824",
    ("--python-version", "3.12", "--platform", "manylinux2014_x86_64"))

ADVICE = {
    "npm": "没有 npm：请先安装 Node.js（它自带 npm）",
    "apt-get": "没有 apt-get：请在 Debian 或 Ubuntu 上运行",
}


def sha256(path: Path) -> str:
    """文件的 sha256，64 位十六进制。"""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def command(package: Package) -> list[str]:
    """取这个包要运行的命令；缺少程序时抛出 BuildError。"""
    if package.tool == "pip":
        return [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:",
                *package.options, package.spec]
    program = shutil.which(package.tool)
    if program is None:
        raise BuildError(f"{ADVICE[package.tool]}，或自备文件 {package.file} 放进 --keep 的目录")
    action = "pack" if package.tool == "npm" else "download"
    return [program, action, package.spec]


def fetch(package: Package, folder: Path) -> Path:
    """返回包在 folder 里的路径；已经有了并且校验和正确就不再下载。"""
    path = folder / package.file
    if not path.is_file():
        arguments = command(package)
        print(f"用 {package.tool} 取 {package.spec} …", flush=True)
        done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True,
                              encoding="utf-8", errors="replace")
        if done.returncode or not path.is_file():
            lines = (done.stderr or done.stdout).strip().splitlines() or ["没有输出"]
            raise BuildError(f"{package.tool} 没能取到 {package.spec}：{lines[-1]}")
    found = sha256(path)
    if found != package.sha256:
        raise BuildError(f"{path.name} 的 sha256 不对：应为 {package.sha256}，实为 {found}；"
                         "请删掉它再试")
    return path
