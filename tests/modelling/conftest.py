"""What the tests of the fit share: fitters."""

from collections.abc import Callable
from functools import cache

import pytest


@pytest.fixture(scope="session")
def fitter_of() -> Callable[[str], object]:
    """The fitter of a shipped preset, made once, with a quarter of the draws: they take seconds."""
    from darklens.modelling import SmoothFitter
    from darklens.simulation import load_preset

    def make(preset: str) -> SmoothFitter:
        return SmoothFitter(load_preset(preset), draws=1000)

    return cache(make)
