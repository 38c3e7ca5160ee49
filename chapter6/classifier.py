"""造出、载入和接着训练一个分类网络。"""

from pathlib import Path

import torch as t

import models
from config import Config
from data import CLASSES, DogCat, to_input
from models.basic_module import PROJECT, BasicModule
from utils.checkpoint import load_checkpoint
from utils.files import UserError, legible
from utils.runtime import Runtime

SHIPPED = Path(__file__).parent / "checkpoints" / "dogcat.pth"


def build_model(name: str) -> BasicModule:
    if name not in models.__all__:
        raise UserError(f"没有叫 {name} 的网络，--model 可选 {'、'.join(models.__all__)}")
    return getattr(models, name)(num_classes=len(CLASSES))


def new_model(opt: Config) -> BasicModule:
    """训练的起点：--model-path 的权重、ImageNet 权重，或随机的权重。"""
    model = build_model(opt.model)
    if opt.image_size < model.min_size:
        raise UserError(f"--image-size={opt.image_size} 太小：{opt.model} 至少要 {model.min_size}")
    if opt.model_path:
        model.load(opt.model_path)
    elif starts_from_imagenet(opt):
        model.load_pretrained()
    return model


def starts_from_imagenet(opt: Config) -> bool:
    """另外三个网络的权重要联网下载，所以只在使用者写明 --pretrained 时才用。"""
    return opt.pretrained and (opt.model == "EfficientNetLite0" or "pretrained" in opt.given)


def parameter_groups(model: BasicModule, opt: Config, tuned: bool) -> list[dict]:
    """分类层一组，其余一组。微调（tuned）时其余的已经学好，学习率小些。"""
    learned = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    head = [p for name, p in learned if name.startswith(model.head)]
    rest = [p for name, p in learned if not name.startswith(model.head)]
    return [{"params": params, "lr": lr, "initial_lr": lr}
            for params, lr in ((head, opt.lr), (rest, opt.lr * (opt.backbone_lr if tuned else 1)))]


def set_train(net: t.nn.Module, freeze_bn: bool) -> None:
    """置于训练模式；freeze_bn 时批归一化仍留在验证模式，用权重里的统计量。"""
    net.train()
    for module in net.modules():
        if freeze_bn and isinstance(module, t.nn.BatchNorm2d):
            module.eval()


@t.no_grad()
def update_average(average: t.nn.Module, model: t.nn.Module, keep: float) -> None:
    """average 的每个参数保留 keep，其余换成 model 的；批归一化的统计量照抄。"""
    for mean, new in zip(average.parameters(), model.parameters()):
        mean.lerp_(new, 1 - keep)
    for mean, new in zip(average.buffers(), model.buffers()):
        mean.copy_(new)


def load_model(opt: Config, device: t.device) -> tuple[BasicModule, int, float]:
    """载入 opt.model_path（空则为自带权重），返回网络、它训练时的 image_size 和校准概率的温度。"""
    path = opt.model_path or SHIPPED
    content = load_checkpoint(path, PROJECT)
    size, temperature = content["image_size"], content.get("temperature", 1.0)      # 以前存的没有温度
    if not (isinstance(size, int) and isinstance(temperature, float) and isinstance(content["classes"], list)):
        raise UserError(f"{legible(str(path))} 被改动过：重新下载，或重新训练")
    if content["classes"] != list(CLASSES):
        raise UserError(f"{legible(str(path))} 分的是 {'、'.join(map(str, content['classes']))}，不是 {'、'.join(CLASSES)}：先训练，再用 --model-path 指明权重")
    model = build_model(opt.model if "model" in opt.given else content["model_name"])
    model.load(path)
    return model.to(device).eval(), opt.image_size if "image_size" in opt.given else size, temperature


def make_dataset(opt: Config, split: str, image_size: int | None = None, cache_mb: int | None = None) -> DogCat:
    root = opt.test_data_root if split == "test" else opt.train_data_root
    return DogCat(root, split, image_size or opt.image_size, opt.val_fold, opt.cache_mb if cache_mb is None else cache_mb)


def score(model: BasicModule, images: t.Tensor, runtime: Runtime, cpu_bf16: bool = False) -> t.Tensor:
    """(B, 4, H, W) 的 uint8 → (B, 类别数) 的得分：原图和左右翻转后的两次取平均。"""
    x = to_input(images.to(runtime.device), model.mean, model.std)
    with runtime.autocast(cpu_bf16):
        scores = t.stack([model(x), model(x.flip(3))])          # (2, B, 类别数)
    return scores.float().mean(0).cpu()


@t.inference_mode()
def shares(model: BasicModule, images: t.Tensor, temperature: float, opt: Config, runtime: Runtime) -> t.Tensor:
    """(B, 4, H, W) 的 uint8 → (B, 类别数)：校准过的各类的概率。"""
    return (score(model, images, runtime, opt.cpu_bf16) / temperature).softmax(1)
