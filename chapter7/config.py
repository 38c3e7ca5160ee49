from dataclasses import dataclass
from typing import Annotated

from utils.options import BaseConfig, Choice, Exists, Range


@dataclass
class Config(BaseConfig):
    # 数据
    data_path: Annotated[str, Exists("图片的文件夹或 zip")] = "data/avatars.zip"  # 训练的图片：一个文件夹（含子文件夹），或一个 zip
    image_size: Annotated[int, Choice(64, 96, 128)] = 96  # 图片的边长，像素
    cache_mb: Annotated[int, Range(0)] = 4096  # 解码后的图片不超过这么多 MB 就全留在内存里
    num_workers: Annotated[int, Range(0)] = 0  # 取数据的进程数；图片在内存里时不用，放不下时设 4 左右
    num: Annotated[int, Range(0)] = 0  # prepare 画多少张头像，存到 data/avatars<张数>.zip；0 为只检查
    source: Annotated[str, Exists("图片的文件夹或 zip")] = ""  # prepare 要检查的图片：一个文件夹或 zip；空则检查自带的

    # 模型
    arch: Annotated[str, Choice("dcgan", "residual")] = "dcgan"  # 书中的 DCGAN，或残差网络
    nz: Annotated[int, Range(1)] = 100  # 噪声的维数
    ngf: Annotated[int, Range(1)] = 64  # 生成器最后一层之前的通道数，其余各层是它的 2、4、8 倍
    ndf: Annotated[int, Range(1)] = 64  # 判别器第一层的通道数，其余各层是它的 2、4、8 倍
    netg_path: Annotated[str, Exists("一个 .pth 文件")] = ""  # 要载入的生成器；空时 train 从头开始，generate、evaluate 用自带的
    netd_path: Annotated[str, Exists("一个 .pth 文件")] = ""  # 要载入的判别器；空时同上

    # 训练
    loss: Annotated[str, Choice("r1", "bce", "wgan-gp", "hinge")] = "r1"  # 对抗损失，见 losses.py；bce 是书中的，r1 在它上面加了惩罚
    texture: Annotated[float, Range(0)] = 0.0  # 第二个判别器在生成器的损失里占的权重，它在预训练的特征上看质地；0 为不用
    batch_size: Annotated[int, Range(2)] = 32  # 一批几张，多进程时是合起来的
    max_epoch: Annotated[int, Range(1)] = 20  # 训练几轮
    max_steps: Annotated[int, Range(0)] = 0  # 最多训练几步（批），0 为不限
    lr1: Annotated[float, Range(0)] = 0.0  # 生成器的学习率，后一半的训练里直线降到 0；默认的 0 是用 losses.py 里适合这种损失的
    lr2: Annotated[float, Range(0)] = 0.0  # 判别器的学习率；同上
    beta1: Annotated[float, Range(-1, 0.999)] = -1.0  # Adam 的 beta1，GAN 里动量要比平常小；-1 同上
    d_every: Annotated[int, Range(1)] = 1  # 每几步训练一次判别器
    g_every: Annotated[int, Range(1)] = 1  # 每几步训练一次生成器；书中为 5，wgan-gp 也宜用 5
    ema: Annotated[float, Range(0, 0.9999)] = 0.998  # 生成器的滑动平均每步保留多少；画图和保存的是平均后的，0 为不平均
    channels_last: bool = True  # 通道放在最后的内存格式，卷积更快
    seed: Annotated[int, Range(0)] = 0  # 随机种子
    resume: bool = False  # 从 runs/<env>/last.pth 接着训练
    cpu_bf16: bool = False  # CPU 上也用 bfloat16 混合精度；没有 AVX-512 时仍用 float32，有 AVX512-BF16 或 AMX 指令时更快
    use_gpu: bool = True  # 有加速卡就用，没有则用 CPU
    env: str = "avatar"  # 这次训练的名字：结果在 runs/<env>/，也是 visdom 环境名
    plot_every: Annotated[int, Range(1)] = 20  # 每几步画曲线；断点也在这时存，至多一分钟一次
    save_every: Annotated[int, Range(1)] = 10  # 每几轮另存一份生成器 netg_<轮>.pth
    save_path: str = ""  # 每轮的图存到这个文件夹；空为 runs/<env>/samples
    debug_file: str = "debug_avatar"  # 训练中新建这个文件就进入 ipdb

    # 生成与评价
    gen_img: str = "result.png"  # generate 的图存到这里
    gen_num: Annotated[int, Range(1)] = 64  # 留下几张
    gen_search_num: Annotated[int, Range(0)] = 0  # 从几张里挑判别器打分最高的；0 为不挑
    gen_mean: float = 0.0  # 噪声的均值
    gen_std: Annotated[float, Range(above=0)] = 1.0  # 噪声的标准差；小于 1 更稳妥，也更雷同
    interpolate: Annotated[int, Range(0)] = 0  # 大于 0 时，generate 改为在两个噪声之间走这么多步，另存一份 GIF
    eval_num: Annotated[int, Range(10)] = 5000  # evaluate 用几张生成的和几张没训练过的
    ref_path: Annotated[str, Exists("图片的文件夹或 zip，或一个 .pth 文件")] = ""  # evaluate 的对照：没训练过的图片（文件夹或 zip），或 --save-ref 存下的 .pth；空时，自带的权重用自带的对照，自己的权重用现画的 DiceBear 头像
    save_ref: str = ""  # evaluate 把对照特征的均值和协方差存到这个 .pth，以后不要图片也能算 FID；空为不存
    vgg_path: Annotated[str, Exists("一个 .pth 文件")] = ""  # evaluate 再用 VGG16 量一遍：第8章 prepare 得到的 checkpoints/vgg16.pth；空为不量
    nearest_img: str = "nearest.png"  # evaluate 把最像训练图的几张存到这里
    port: Annotated[int, Range(1024, 65535)] = 8007  # web 的网页在本机的这个端口上
