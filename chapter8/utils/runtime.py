"""在哪里算、几个进程一起算。同一份代码用于 CPU、一块加速卡、多卡和多机。"""

import atexit
import contextlib
import os
import random
from dataclasses import dataclass

import numpy as np
import torch as t
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous


@dataclass(frozen=True)
class Runtime:
    """本进程的设备和它在全体进程中的位置。由 `setup` 创建。"""
    device: t.device
    rank: int = 0
    world_size: int = 1

    @property
    def is_main(self) -> bool:
        """只有 0 号进程打印、画图、存文件。"""
        return self.rank == 0

    def wrap(self, model: t.nn.Module) -> t.nn.Module:
        """把模型搬到设备上；多进程时套上 DDP，反向传播会自动平均各进程的梯度。"""
        model, ids = model.to(self.device), None if self.device.type == "cpu" else [self.device.index]
        return model if self.world_size == 1 else t.nn.parallel.DistributedDataParallel(model, ids)

    def autocast(self, on_cpu: bool = False):
        """bfloat16 混合精度的上下文。加速卡支持就用；CPU 上只在 on_cpu=True、有 AVX-512 时用；否则什么也不做。"""
        usable = (on_cpu or self.device.type != "cpu") and _has_bfloat16(self.device)
        return t.autocast(self.device.type, dtype=t.bfloat16) if usable else contextlib.nullcontext()

    def sum(self, *values: float) -> list[float]:
        """把几个数分别在所有进程上相加。"""
        if self.world_size == 1:
            return list(values)
        total = t.tensor(values, dtype=t.float64, device=self.device)       # MPS 没有 float64，也没有多进程后端，走不到这里
        dist.all_reduce(total)
        return total.tolist()


def setup(use_gpu: bool = True) -> Runtime:
    """选设备：用哪块卡由 CUDA_VISIBLE_DEVICES 决定，没有就用 CPU；由 torchrun 启动时加入进程组（CPU 用 gloo，英伟达卡用 nccl）。"""
    rank, world_size, device = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1)), t.device("cpu")
    if use_gpu and t.accelerator.is_available():
        index = int(os.environ.get("LOCAL_RANK", 0)) % t.accelerator.device_count()
        t.accelerator.set_device_index(index)
        device = t.device(t.accelerator.current_accelerator().type, index)
    if world_size > 1 and not dist.is_initialized():
        store, *_ = next(rendezvous("env://"))
        if os.environ.get("GROUP_WORLD_SIZE", "1") == "1":      # torchrun 重新起的进程用的还是那个存储，里面有死去的进程的地址，连上去就卡住
            store = dist.PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), store)
        dist.init_process_group(dist.get_default_backend_for_device(device), store=store, rank=rank, world_size=world_size)
        atexit.register(dist.destroy_process_group)
    return Runtime(device, rank, world_size)


def seed_step(seed: int, step: int = 0, rank: int = 0) -> None:
    """让此后的随机数只由 (seed, step, rank) 决定。每一步调用一次，断点里就不必保存随机数状态，从任何一步继续都一样。"""
    mixed = int(np.random.SeedSequence([seed, step, rank]).generate_state(1)[0])
    random.seed(mixed)
    np.random.seed(mixed)
    t.manual_seed(mixed)


def bfloat16_unit() -> str:
    """这个 CPU 算 bfloat16 的专门指令的名字；没有时为空。"""
    return "AMX" if t.cpu._is_amx_tile_supported() else "AVX512-BF16" if t.cpu._is_avx512_bf16_supported() else ""


def _has_bfloat16(device: t.device) -> bool:
    if device.type == "cpu":                # 没有 AVX-512 的 CPU 上，LSTM 遇到 bfloat16 会出错
        return t.backends.mkldnn.is_available() and t.ops.mkldnn._is_mkldnn_bf16_supported()
    return t.cuda.is_bf16_supported(including_emulation=False) if device.type == "cuda" else device.type == "xpu"
