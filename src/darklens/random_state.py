"""NumPy's global generator, for libraries that draw from it and take no generator of ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

__all__ = ["seeded_global_generator"]


@contextmanager
def seeded_global_generator(seed: int) -> Iterator[None]:
    """Seed NumPy's global generator for a while, and put it back afterwards.

    Args:
        seed: From 0 to 2^32 - 1.

    >>> with seeded_global_generator(1):
    ...     round(np.random.random(), 3)
    0.417
    """
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002
