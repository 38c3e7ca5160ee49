"""这个项目分的是什么。改成自己的任务，只改这里：别处不写类别的名字。"""

PROJECT = "dogcat"              # 记在权重里，认得出是不是这个项目的；自带的权重是 checkpoints/<PROJECT>.pth
CLASSES = ("cat", "dog")        # 标签是次序：cat 为 0，dog 为 1

# 以下可以是空的 {}：没有写在里面的类别，就没有那样东西
TITLES = {"cat": "猫", "dog": "狗"}                             # 网页和提示里的叫法
FOLDERS = {"cats": "cat", "dogs": "dog"}                        # 按类别放的文件夹，除了类别本身还可以叫什么
IMAGENET = {"cat": range(281, 286), "dog": range(151, 269)}     # 在 ImageNet 的 1000 类里的序号，predict 凭它看图里有没有
KAGGLE = {"cat": 12500, "dog": 12500, "test": 12500}            # Kaggle 那一份各有几张，prepare 核对
OXFORD = {"cat": "[A-Z][A-Za-z_]*_[0-9]+", "dog": "[a-z][A-Za-z_]*_[0-9]+"}     # Oxford-IIIT Pet 的文件名：猫的品种大写开头
