"""Network parts and training parts that the classifier and the generator share."""

from darklens.nn.attention import AttentionBlock
from darklens.nn.averaging import MovingAverage
from darklens.nn.chunks import filled_up, in_chunks
from darklens.nn.plain import PlainBackbone
from darklens.nn.run import (
    RunConfig,
    best_weights,
    build_trainer,
    can_resume,
    fit,
    is_first_process,
)
from darklens.nn.schedule import Budget, cosine_restarts, one_cycle
from darklens.nn.specs import parse_spec, write_spec
from darklens.nn.subspace import SmoothSubspace
from darklens.nn.symmetry import d4_average, d4_transform
from darklens.nn.training import Batch, BudgetedTask, OptimiserConfig

__all__ = [
    "AttentionBlock",
    "Batch",
    "Budget",
    "BudgetedTask",
    "MovingAverage",
    "OptimiserConfig",
    "PlainBackbone",
    "RunConfig",
    "SmoothSubspace",
    "best_weights",
    "build_trainer",
    "can_resume",
    "cosine_restarts",
    "d4_average",
    "d4_transform",
    "filled_up",
    "fit",
    "in_chunks",
    "is_first_process",
    "one_cycle",
    "parse_spec",
    "write_spec",
]
