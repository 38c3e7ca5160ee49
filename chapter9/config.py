from dataclasses import dataclass
from typing import Annotated

from utils.options import BaseConfig, Choice, Exists, Range


@dataclass
class Config(BaseConfig):
    # 数据
    data_path: Annotated[str, Exists("存放 <类别>.tsv.gz 的文件夹，或一个 .txt、.tsv、.tsv.gz 文件")] = "data"  # 存放 <category>.tsv.gz 的文件夹，或一个 .txt / .tsv / .tsv.gz 文件
    category: str = "poet.tang"  # 诗的类别：poet.tang 唐诗（自带），poet.song 宋诗（先 prepare）
    author: str = ""  # 只用这位作者的诗，空为全部
    constrain: Annotated[int, Choice(0, 5, 7)] = 0  # 只用每句都是 5 或 7 个字的诗，0 为不限
    maxlen: Annotated[int, Range(16)] = 125  # 训练时一段最多几个字，长诗在句末切开
    source: Annotated[str, Exists("npm，或 chinese-poetry 仓库的文件夹")] = ""  # prepare 的来源：npm，或 chinese-poetry 仓库的文件夹；空则只检查自带数据

    # 模型
    model: Annotated[str, Choice("PoetryModel", "PoetryTransformer")] = "PoetryModel"  # 网络的名字
    embedding_dim: Annotated[int, Range(1)] = 256  # 字向量维数
    hidden_dim: Annotated[int, Range(1)] = 512  # LSTM 每层的宽度；Transformer 前馈层的宽度
    num_layers: Annotated[int, Range(1)] = 2  # 层数
    num_heads: Annotated[int, Range(1)] = 4  # Transformer 的注意力头数，须整除 embedding_dim
    dropout: Annotated[float, Range(0, 0.9)] = 0.15  # 丢弃率
    tie_weights: bool = True  # 输入的字向量与输出层共用权重

    # 训练
    batch_size: Annotated[int, Range(1)] = 32  # 一批几首
    max_epoch: Annotated[int, Range(1)] = 6  # 训练几轮
    max_steps: Annotated[int, Range(0)] = 0  # 最多训练几步（批），0 为不限
    lr: Annotated[float, Range(above=0)] = 2e-3  # 最大学习率
    warmup_steps: Annotated[int, Range(0)] = 200  # 前几步学习率从 0 升到 lr，至多是全部步数的十分之一
    lr_schedule: Annotated[str, Choice("cosine", "constant")] = "cosine"  # constant 是升到 lr 后不变
    weight_decay: Annotated[float, Range(0)] = 0.01  # AdamW 的权重衰减
    grad_clip: Annotated[float, Range(above=0)] = 1.0  # 梯度范数的上限
    seed: Annotated[int, Range(0)] = 0  # 随机种子
    resume: bool = False  # 从 runs/<env>/last.pth 接着训练
    use_gpu: bool = True  # 有加速卡就用，没有则用 CPU
    cpu_bf16: bool = False  # CPU 上也用 bfloat16 混合精度；没有 AVX-512 时仍用 float32，有 AVX512-BF16 或 AMX 指令时更快
    num_workers: Annotated[int, Range(0)] = 0  # 取数据的进程数；诗都在内存里，0 最快
    env: str = "poet"  # 这次训练的名字：结果在 runs/<env>/，也是 visdom 环境名
    plot_every: Annotated[int, Range(1)] = 200  # 每几步画曲线、写样诗；断点也在这时存，至多一分钟一次
    debug_file: str = "debug_poet"  # 训练中新建这个文件就进入 ipdb
    model_path: Annotated[str, Exists("一个 .pth 文件")] = ""  # 要载入的权重；空时 gen、test 用自带的（成绩最好的 Transformer，或 --model 给出的那种），train 从头训练

    # 作诗
    start_words: str = "闲云潭影日悠悠"  # 诗的开头；藏头诗时是各句的头一个字。不给出而权重不认得默认的这句时，由它自己开头
    prefix_words: str = ""  # 意境：先读给模型听，不出现在诗里
    acrostic: bool = False  # 写藏头诗
    form: Annotated[str, Choice("", "五绝", "七绝", "五律", "七律")] = ""  # 体裁，空为自由
    rhyme: bool = False  # 偶数句押韵（今音，中华新韵），须同时给出 form
    tones: bool = False  # 平仄合律（今音），须同时给出 form
    candidates: Annotated[int, Range(1)] = 8  # 每首先写几首，留下网络自己读来最通顺、没有重复句子的一首；test 不给出时为 1
    max_gen_len: Annotated[int, Range(1)] = 125  # 自由体裁最多写几个字（含标点）
    temperature: Annotated[float, Range(0)] = 0.7  # 越高越出奇，0 为总取最可能的字
    top_k: Annotated[int, Range(0)] = 0  # 只在最可能的 k 个字里抽，0 为不限
    top_p: Annotated[float, Range(0, 1)] = 0.9  # 只在累计概率达到 p 的字里抽，1 为不限
    num: Annotated[int, Range(1)] = 1  # 一次写几首
    port: Annotated[int, Range(1024, 65535)] = 8009  # web 的网页在本机的这个端口上
