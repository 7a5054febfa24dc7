"""Simulated sets that several tests share, and the statistics of the realism benchmark."""

import sys
from pathlib import Path

import pytest

from darklens.lensing import Lenses, Simulator

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))


@pytest.fixture(scope="session")
def legacy_lenses() -> Lenses:
    """450 lenses of `model-1-legacy`, as many as there are public images."""
    return Simulator("model-1-legacy").simulate(450, seed=7)
