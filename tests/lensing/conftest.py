"""What the tests of the physics share: the statistics of the realism benchmark, and fitters."""

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))


@pytest.fixture(scope="session")
def fitter_of() -> Callable[[str], object]:
    """The fitter of a shipped preset, made once, with a quarter of the draws: they take seconds."""
    from darklens.lensing import SmoothFitter, load_preset

    def make(preset: str) -> SmoothFitter:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("darklens.lensing.smooth._DRAWS", 1000)
            return SmoothFitter(load_preset(preset))

    return cache(make)
