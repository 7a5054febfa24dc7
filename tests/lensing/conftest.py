"""What the tests of the physics share: the statistics of the realism benchmark, and fitters."""

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))


@pytest.fixture(scope="session")
def fitter_of() -> Callable[[str], object]:
    """The fitter of a shipped preset, made once: the draws behind it take seconds here."""
    from darklens.lensing import SmoothFitter, load_preset

    return cache(lambda preset: SmoothFitter(load_preset(preset)))
