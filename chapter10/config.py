from dataclasses import dataclass
from typing import Annotated

from utils.options import BaseConfig, Choice, Exists, Range


@dataclass
class Config(BaseConfig):
    # 数据
    caption_data_path: str = "runs/scenes"  # 标注所在的文件夹：train.json、val.json、test.json，AI Challenger 的格式
    img_path: str = "runs/scenes/images"  # 图片所在的文件夹，标注里的 image_id 相对于它
    img_feature_path: str = ""  # 提取好的图像特征放在这里；空则是标注文件夹里的 features
    encoder: str = "EfficientNetLite0"  # 提取特征的图像网络；ResNet50 的权重要联网下载
    scale_size: Annotated[int, Range(32)] = 192  # 图片的短边先缩放到多少像素；自带的画是 128，放大了小东西才认得清
    img_size: Annotated[int, Range(32)] = 192  # 再取正中多少像素见方
    min_appear: Annotated[int, Range(1)] = 2  # 词在训练集里至少出现几次才进词表
    max_words: Annotated[int, Range(1)] = 10000  # 词表至多几个词
    num_workers: Annotated[int, Range(0)] = 0  # 取数据的进程数；提取照片的特征时设 4 左右
    source: Annotated[str, Exists("npm，或官方数据的文件夹")] = ""  # prepare 的来源：npm 重画精灵图，或官方数据的文件夹；空则画自带的场景

    # 模型
    model: Annotated[str, Choice("AttentionCaptionModel", "CaptionModel")] = "AttentionCaptionModel"  # 网络的名字
    embedding_dim: Annotated[int, Range(1)] = 256  # 词向量维数
    rnn_hidden: Annotated[int, Range(1)] = 256  # LSTM 的宽度
    num_layers: Annotated[int, Range(1)] = 2  # CaptionModel 的 LSTM 层数；AttentionCaptionModel 总是两个 LSTMCell
    dropout: Annotated[float, Range(0, 0.9)] = 0.3  # 丢弃率

    # 训练
    batch_size: Annotated[int, Range(1)] = 64  # 一批几张图，多进程时是合起来的
    max_epoch: Annotated[int, Range(1)] = 16  # 训练几轮；一轮里每张图用五句描述中的一句
    max_steps: Annotated[int, Range(0)] = 0  # 最多训练几步（批），0 为不限
    lr: Annotated[float, Range(above=0)] = 2e-3  # 最大学习率
    warmup_steps: Annotated[int, Range(0)] = 200  # 前几步学习率从 0 升到 lr，之后按余弦降到 0
    weight_decay: Annotated[float, Range(0)] = 0.01  # AdamW 的权重衰减
    label_smoothing: Annotated[float, Range(0, 0.9)] = 0.0  # 目标词只占 1 减去它，其余平分给整个词表；照片的描述各人说法不同，0.1 好些
    grad_clip: Annotated[float, Range(above=0)] = 1.0  # 梯度范数的上限
    seed: Annotated[int, Range(0)] = 0  # 随机种子
    resume: bool = False  # 从 runs/<env>/last.pth 接着训练
    cpu_bf16: bool = False  # CPU 上也用 bfloat16 混合精度；没有 AVX-512 时仍用 float32，有 AVX512-BF16 或 AMX 指令时更快
    use_gpu: bool = True  # 有加速卡就用，没有则用 CPU
    env: str = "caption"  # 这次训练的名字：结果在 runs/<env>/，也是 visdom 环境名
    plot_every: Annotated[int, Range(1)] = 100  # 每几步画曲线；断点也在这时存，至多一分钟一次
    debug_file: str = "debug_caption"  # 训练中新建这个文件就进入 ipdb
    model_path: Annotated[str, Exists("一个 .pth 文件，或自带权重的名字", named=True)] = ""  # 要载入的权重：文件，或自带的权重的名字，如 photos；空时 generate、test 用自带的，train 从头训练

    # 描述图片
    test_img: Annotated[str, Exists("一张图片或一个文件夹")] = ""  # generate 要描述的图片，或一个文件夹；空则是自带的场景和照片，各用认得它们的权重
    beam_size: Annotated[int, Range(1)] = 10  # 束搜索的宽度，1 为贪心
    max_caption_length: Annotated[int, Range(1)] = 40  # 一句最多几个词
    length_norm: Annotated[float, Range(0, 10)] = 0.7  # 候选按「对数概率 ÷ 长度的几次方」排名，0 为不除
    picture: str = ""  # generate、test 把图片和描述画成一张图存到这里，空为不存
    port: Annotated[int, Range(1024, 65535)] = 8010  # web 的网页在本机的这个端口上
