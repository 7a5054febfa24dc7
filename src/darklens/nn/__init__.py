"""Network layers and training code shared by classifiers and generators.

Names that need Lightning are imported on first use: a trained network works without it.
"""

from typing import TYPE_CHECKING

from darklens.lazy_imports import lazy_names
from darklens.nn.attention import AttentionBlock
from darklens.nn.averaging import MovingAverage
from darklens.nn.chunks import even_size, filled_up, in_chunks
from darklens.nn.freezing import freeze_up_to
from darklens.nn.plain_cnn import PlainBackbone
from darklens.nn.schedule import Budget, cosine_restarts, one_cycle
from darklens.nn.specs import NetworkRegistry
from darklens.nn.stopping import Stopped, StopSignals
from darklens.nn.subspace import SmoothSubspace
from darklens.nn.symmetry import d4_average, d4_transform

if TYPE_CHECKING:
    from darklens.nn.checkpoints import best_weights, can_resume, recover
    from darklens.nn.run import RunConfig, build_trainer, fit, is_first_process
    from darklens.nn.training import BudgetedTask, OptimiserConfig

__all__ = [
    "AttentionBlock",
    "Budget",
    "BudgetedTask",
    "MovingAverage",
    "NetworkRegistry",
    "OptimiserConfig",
    "PlainBackbone",
    "RunConfig",
    "SmoothSubspace",
    "StopSignals",
    "Stopped",
    "best_weights",
    "build_trainer",
    "can_resume",
    "cosine_restarts",
    "d4_average",
    "d4_transform",
    "even_size",
    "filled_up",
    "fit",
    "freeze_up_to",
    "in_chunks",
    "is_first_process",
    "one_cycle",
    "recover",
]

_HOMES = {
    "BudgetedTask": "darklens.nn.training",
    "OptimiserConfig": "darklens.nn.training",
    "RunConfig": "darklens.nn.run",
    "best_weights": "darklens.nn.checkpoints",
    "build_trainer": "darklens.nn.run",
    "can_resume": "darklens.nn.checkpoints",
    "fit": "darklens.nn.run",
    "is_first_process": "darklens.nn.run",
    "recover": "darklens.nn.checkpoints",
}

__getattr__ = lazy_names(__name__, _HOMES)
