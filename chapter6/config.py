from dataclasses import dataclass
from typing import Annotated

from utils.options import BaseConfig, Choice, Exists, Range


@dataclass
class Config(BaseConfig):
    # 数据
    train_data_root: Annotated[str, Exists("图片的文件夹或 zip")] = "data/train"  # 训练和验证的图片：文件夹或 zip，里面是各类别的文件夹，或 <类别>.<号码>.jpg；几处用逗号隔开，写成 place:3 的训练时用三遍
    test_data_root: Annotated[str, Exists("图片的文件夹或 zip")] = "data/test"  # 测试的图片：文件夹或 zip，里面是 <号码>.jpg
    val_fold: Annotated[int, Range(0)] = 0  # 自带的图标按画风分成 5 折（0–4），这一折验证，其余训练
    image_size: Annotated[int, Range(32)] = 128  # 输入的边长，像素
    cache_mb: Annotated[int, Range(0)] = 1024  # 解码后的图片不超过这么多 MB 就全留在内存里
    num_workers: Annotated[int, Range(0)] = 0  # 取数据的进程数；图片在内存里时不用，放不下时设 4 左右
    source: Annotated[str, Exists("npm，或装着照片的 zip、文件夹")] = ""  # prepare 的来源：npm，或装着照片的 zip、文件夹；空则只检查自带数据

    # 模型
    model: str = "EfficientNetLite0"  # 网络的名字：models/__init__.py 里的任意一个
    pretrained: bool = True  # 从 ImageNet 权重开始；其余三个网络要写明 --pretrained，才去下载 torchvision 的权重
    model_path: Annotated[str, Exists("一个 .pth 文件")] = ""  # 要载入的权重；空时 val、test、predict 用自带的

    # 训练
    batch_size: Annotated[int, Range(2)] = 32  # 一批几张，多进程时是合起来的；图少时不给它就自动减小，每轮至少走 4 步
    max_epoch: Annotated[int, Range(1)] = 12  # 训练几轮
    val_every: Annotated[int, Range(1)] = 1  # 每几轮验证一次；最后一轮总要验证
    max_steps: Annotated[int, Range(0)] = 0  # 最多训练几步（批），0 为不限
    lr: Annotated[float, Range(above=0)] = 1e-3  # 初始学习率
    lr_schedule: Annotated[str, Choice("plateau", "cosine")] = "plateau"  # 学习率怎样减小：plateau 看损失，cosine 按余弦降到 0
    lr_decay: Annotated[float, Range(0, 1)] = 0.5  # 一轮的损失不比上一轮低时，plateau 的学习率乘以它
    backbone_lr: Annotated[float, Range(0, 1)] = 0.1  # 微调时，分类层以外的学习率是 lr 的几倍
    freeze_early: bool = False  # 微调时网络的前几层也不学，快约七成
    freeze_bn: bool = True  # 微调时批归一化只用原有权重里的统计量；从头训练时不起作用
    average: Annotated[float, Range(0, 0.999)] = 0.95  # 权重的滑动平均每步保留多少；验证和保存的是平均后的网络，0 为不平均
    weight_decay: Annotated[float, Range(0)] = 0.01  # AdamW 的权重衰减
    cpu_bf16: bool = False  # CPU 上也用 bfloat16 混合精度；没有 AVX-512 时仍用 float32，有 AVX512-BF16 或 AMX 指令时更快
    channels_last: bool = True  # 通道放在最后的内存格式，卷积更快
    seed: Annotated[int, Range(0)] = 0  # 随机种子
    resume: bool = False  # 从 runs/<env>/last.pth 接着训练
    use_gpu: bool = True  # 有加速卡就用，没有则用 CPU
    env: str = "dogcat"  # 这次训练的名字：结果在 runs/<env>/，也是 visdom 环境名
    plot_every: Annotated[int, Range(1)] = 20  # 每几步画曲线；断点也在这时存，至多一分钟一次
    debug_file: str = "debug_dogcat"  # 训练中新建这个文件就进入 ipdb

    # 测试和使用
    result_file: str = "result.csv"  # test 的结果写在这里
    path: Annotated[str, Exists("一张图片、一个文件夹，或 'photos/*.jpg' 这样带引号的写法")] = "data/test"  # predict 要判断的图片、文件夹，或 'photos/*.jpg'
    doubt: Annotated[float, Range(0, 1)] = 0.1  # ImageNet 网络给这几类各品种的概率加起来不到它，predict 就说都不像；0 为不看
    picture: str = ""  # predict 把图片和判断拼成一张图存到这里，空为不存
    port: Annotated[int, Range(1024, 65535)] = 8006  # web 的网页在本机的这个端口上
