"""五个项目共用的小工具。原件在 chapter6/utils/，其余四份逐字节相同（make sync-utils）。"""

from .checkpoint import load_checkpoint, resume_point, save_checkpoint, set_aside
from .loading import BatchSampler, batches
from .options import BaseConfig, Choice, Range, UserError, run
from .runtime import Runtime, seed_step, setup
from .visualize import Visualizer

__all__ = ["BaseConfig", "BatchSampler", "Choice", "Range", "Runtime", "UserError", "Visualizer", "batches",
           "load_checkpoint", "resume_point", "run", "save_checkpoint", "seed_step", "set_aside", "setup"]
