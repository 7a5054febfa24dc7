"""Structure of the source is told from substructure, and fitted."""

from collections.abc import Callable

import numpy as np
import pytest

from darklens.lensing import Perturbers, Sersic
from darklens.modelling import (
    MarginalFilters,
    MarginalisedFitter,
    NuisancePriors,
    Parameter,
    parts_of,
    with_source_structure,
)
from darklens.modelling.nuisance import NO_CLUMPS, clump_images
from darklens.simulation import Lens, Simulator

Blocks = Callable[..., np.ndarray]
PLACE = (0.2, 0.15)
"""Of the clump from the centre of the source [arcsec]."""


@pytest.fixture(scope="module")
def lens() -> Lens:
    return Simulator("common-test-1", classes=["no"]).lens(3, seed=1)


def clumpy(lens: Lens) -> tuple[Sersic, Sersic]:
    """The source of the lens, and a clump beside its centre."""
    source = lens.scene.sources[0]
    x, y = source.x + PLACE[0], source.y + PLACE[1]
    return source, Sersic(3 * source.amplitude, 0.06, 1.0, 1.0, 0.0, x, y)


def test_a_clump_is_found_and_leaves_nothing(
    wide_fitter: MarginalisedFitter, wide_filters: MarginalFilters, blocks_of: Blocks, lens: Lens
) -> None:
    data = blocks_of(lens, sources=clumpy(lens))
    first = wide_fitter.fit(data)
    assert wide_filters(*parts_of(first)).point.max() > 8
    found, maps = with_source_structure(
        wide_fitter, wide_filters, data, first, wide_filters(*parts_of(first))
    )
    assert 1 <= len(found.structure.clumps) <= 6
    radius = np.exp(found.fit.parameters[Parameter.SOURCE_LOG_RADIUS])
    truth = lens.scene.sources[0]
    x, y = (
        found.fit.parameters[k] - centre
        for k, centre in ((Parameter.SOURCE_X, truth.x), (Parameter.SOURCE_Y, truth.y))
    )
    offset = found.structure.clumps[0, :2] * radius + [x, y] - PLACE
    assert np.hypot(*offset) < 0.06
    assert maps.point.max() < 6
    assert found.fit.chi_square < first.fit.chi_square
    assert found.source_light.max() > 5 * found.fit.noise.min()


def test_a_subhalo_is_no_clump(
    wide_fitter: MarginalisedFitter, wide_filters: MarginalFilters, blocks_of: Blocks, lens: Lens
) -> None:
    radius = lens.parameters["einstein_radius"]
    points = np.array([[0.0, radius, 0.12]])
    data = blocks_of(lens, perturbers=Perturbers(points=points))
    first = wide_fitter.fit(data)
    found, maps = with_source_structure(
        wide_fitter, wide_filters, data, first, wide_filters(*parts_of(first))
    )
    assert len(found.structure.clumps) == 0
    assert found.fit.chi_square == first.fit.chi_square
    assert not found.source_light.any()
    assert maps.point.max() > 10


def test_nothing_is_found_in_a_smooth_lens(
    wide_fitter: MarginalisedFitter, wide_filters: MarginalFilters, blocks_of: Blocks, lens: Lens
) -> None:
    data = blocks_of(lens)
    first = wide_fitter.fit(data)
    found, maps = with_source_structure(
        wide_fitter, wide_filters, data, first, wide_filters(*parts_of(first))
    )
    assert len(found.structure.clumps) == 0
    assert maps.point.max() < 5.5


def test_clumps_have_the_light_of_their_prior(wide_fitter: MarginalisedFitter) -> None:
    """Without a lens, a Gaussian of the width given, of `clump` times the source's brightness."""
    model = wide_fitter.model
    p = model.draws[0].copy()
    p[[Parameter.EINSTEIN_RADIUS, Parameter.GAMMA1, Parameter.GAMMA2]] = 1e-9, 0, 0
    p[[Parameter.SOURCE_X, Parameter.SOURCE_Y]] = 0.1, -0.2
    p[Parameter.SOURCE_LOG_RADIUS] = np.log(0.5)
    clumps = np.array([[0.4, 0.2, 0.5], [0.0, 0.0, 0.3]])
    images = clump_images(model, p, NuisancePriors(clump=2.0), clumps)
    assert images.shape == (2, 60, 60)
    x, y = model.grid.coordinates()
    brightness = 2 * np.exp(p[Parameter.SOURCE_LOG_AMPLITUDE])
    for image, (u, v, width) in zip(images, clumps, strict=True):
        sigma = 0.5 * width
        assert image.sum() == pytest.approx(brightness * 2 * np.pi * sigma**2, rel=0.02)
        assert (x * image).sum() / image.sum() == pytest.approx(0.1 + 0.5 * u, abs=0.01)
        assert (y * image).sum() / image.sum() == pytest.approx(-0.2 + 0.5 * v, abs=0.01)
    assert clump_images(model, p, NuisancePriors(), NO_CLUMPS).shape == (0, *images.shape[1:])
