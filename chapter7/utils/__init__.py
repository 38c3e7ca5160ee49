"""五个项目共用的小工具。原件在 chapter6/utils/，其余四份逐字节相同（make sync-utils）。"""

from .checkpoint import load_checkpoint, load_state, save_checkpoint, saved_config
from .files import UserError, check_target, legible, quote, refusing, replacing, say, set_aside
from .job import Job
from .loading import BatchSampler, batches
from .options import BaseConfig, Choice, Range, run
from .runtime import Runtime, seed_step, setup
from .visualize import Visualizer
