"""`darklens train generator`: the exit code of `darklens.train.train_generator`."""

from functools import wraps
from typing import Any

from darklens.train import train_generator

__all__ = ["generator"]


@wraps(train_generator)
def generator(**arguments: Any) -> int:
    """Train, and say whether everything went well: 1 if the model could not be measured."""
    return 0 if train_generator(**arguments).problem is None else 1
