"""A row of the table of true parameters, and the check of what goes into it."""

from typing import Any

import numpy as np

from darklens.errors import BadPreset

__all__ = ["Record", "check_positive"]

Record = dict[str, Any]
"""Numbers, and lists for the perturbers."""


def check_positive(where: str, **values: float) -> None:
    """Refuse drawn values that are not positive.

    Raises:
        BadPreset: If one is not; the message begins with `where` and names the value.
    """
    for name, value in values.items():
        if not 0 < value < np.inf:
            raise BadPreset(f"{where}: {name} {value:g} must be positive")
