"""What the tests of the fit share: fitters."""

from collections.abc import Callable
from functools import cache
from importlib import import_module

import pytest


@pytest.fixture(scope="session")
def fitter_of() -> Callable[[str], object]:
    """The fitter of a shipped preset, made once, with a quarter of the draws: they take seconds."""
    from darklens.modelling import SmoothFitter
    from darklens.simulation import load_preset

    def make(preset: str) -> SmoothFitter:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(import_module("darklens.modelling.smooth_model"), "_DRAWS", 1000)
            return SmoothFitter(load_preset(preset))

    return cache(make)
