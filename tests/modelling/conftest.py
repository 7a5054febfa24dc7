"""What the tests of the fit share: fitters, filters, and images of changed lenses."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest


@pytest.fixture(scope="session")
def fitter_of() -> Callable[[str], object]:
    """The fitter of a shipped preset, made once, with a quarter of the draws: they take seconds."""
    from darklens.modelling import SmoothFitter
    from darklens.simulation import load_preset

    def make(preset: str) -> SmoothFitter:
        return SmoothFitter(load_preset(preset), draws=1000)

    return cache(make)


@pytest.fixture(scope="session")
def wide_fitter() -> object:
    """The fitter of the wide preset, of the central 120 pixels in blocks of 2 x 2."""
    from darklens.modelling import MarginalisedFitter
    from darklens.simulation import load_preset

    return MarginalisedFitter(load_preset("common-test-1-wide"), draws=400, size=120, binning=2)


@pytest.fixture(scope="session")
def wide_filters() -> object:
    """Filters for these blocks."""
    from darklens.modelling import MarginalFilters

    return MarginalFilters((60, 60), 0.1, half_lengths=(0.85,), orientations=6)


@pytest.fixture(scope="session")
def blocks_of(wide_fitter: object) -> Callable[..., np.ndarray]:
    """Counts of a lens of `common-test-1` with another scene, binned for that fitter."""
    from darklens.lensing import render
    from darklens.modelling import MarginalisedFitter
    from darklens.simulation import Lens, load_preset

    preset = load_preset("common-test-1")

    def counts(lens: Lens, **scene: object) -> np.ndarray:
        assert isinstance(wide_fitter, MarginalisedFitter)
        flux = render(replace(lens.scene, **scene), preset.grid)
        mean = preset.instrument.observe(flux, preset.grid.pixel_scale) + 10
        drawn = np.random.default_rng(0).poisson(mean).astype(np.float64)
        return wide_fitter.binned(drawn)

    return counts
