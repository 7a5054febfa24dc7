"""`darklens train classifier`: the exit code of `darklens.train.train_classifier`."""

from functools import wraps
from typing import Any

from darklens.train import train_classifier

__all__ = ["classifier"]


@wraps(train_classifier)
def classifier(**arguments: Any) -> int:
    """Train, and say whether everything went well: 1 if the model could not be measured."""
    return 0 if train_classifier(**arguments).problem is None else 1
