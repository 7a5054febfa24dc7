"""Network layers and training code shared by classifiers and generators."""

from darklens.nn.attention import AttentionBlock
from darklens.nn.averaging import MovingAverage
from darklens.nn.checkpoints import best_weights, can_resume, recover
from darklens.nn.chunks import even_size, filled_up, in_chunks
from darklens.nn.freezing import freeze_up_to
from darklens.nn.plain_cnn import PlainBackbone
from darklens.nn.run import RunConfig, build_trainer, fit, is_first_process
from darklens.nn.schedule import Budget, cosine_restarts, one_cycle
from darklens.nn.specs import NetworkRegistry
from darklens.nn.stopping import Stopped, StopSignals
from darklens.nn.subspace import SmoothSubspace
from darklens.nn.symmetry import d4_average, d4_transform
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
