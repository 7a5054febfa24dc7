"""Lens and structure of the source are fitted together: sources of several bright clumps."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from darklens.lensing import Perturbers, Sersic
from darklens.modelling import (
    MarginalFilters,
    MarginalisedFit,
    MarginalisedFitter,
    Parameter,
    marginalised_model,
    parts_of,
    with_line,
    with_line_of_mass,
    with_source_structure,
)
from darklens.modelling.joint_fit import with_structure
from darklens.simulation import Lens, Simulator, load_preset

Blocks = Callable[..., np.ndarray]
LINE = np.array([[0.6, 1.1, 0.5, 0.7, 0.35, 0.0]])


@pytest.fixture(scope="module")
def lens() -> Lens:
    """A smooth lens whose source has three clumps as bright as its centre."""
    lens = Simulator("common-test-1", classes=["no"]).lens(0, seed=1000003)
    source = lens.scene.sources[0]
    clumps = [
        Sersic(4 * source.amplitude, 0.1, 1.0, 1.0, 0.0, source.x + x, source.y + y)
        for x, y in ((0.45, 0.02), (-0.04, -0.28), (-0.45, -0.19))
    ]
    return replace(lens, scene=replace(lens.scene, sources=(source, *clumps)))


@pytest.fixture(scope="module")
def first(wide_fitter: MarginalisedFitter, blocks_of: Blocks, lens: Lens) -> MarginalisedFit:
    return wide_fitter.fit(blocks_of(lens))


def test_the_lens_is_right_where_the_plain_fit_is_wrong(
    wide_fitter: MarginalisedFitter,
    wide_filters: MarginalFilters,
    blocks_of: Blocks,
    lens: Lens,
    first: MarginalisedFit,
) -> None:
    data = blocks_of(lens)
    assert wide_filters(*parts_of(first)).point.max() > 20
    found = with_structure(wide_fitter, data, first, first.structure, first.widths)
    found = with_structure(wide_fitter, data, found, found.structure, None)
    assert found.cost < first.cost - 1000
    assert found.fit.chi_square < 1.3 < first.fit.chi_square
    parameters = found.fit.parameters
    truth = lens.scene
    assert parameters[Parameter.EINSTEIN_RADIUS] == pytest.approx(
        truth.lens.einstein_radius, abs=0.01
    )
    assert parameters[Parameter.GAMMA1] == pytest.approx(truth.shear.gamma1, abs=0.01)
    assert parameters[Parameter.LENS_E1] == pytest.approx(0, abs=0.02)
    assert abs(first.fit.parameters[Parameter.LENS_E1]) > 0.05


def test_no_substructure_is_seen_where_there_is_none(
    wide_fitter: MarginalisedFitter,
    wide_filters: MarginalFilters,
    blocks_of: Blocks,
    lens: Lens,
    first: MarginalisedFit,
) -> None:
    data = blocks_of(lens)
    found, maps = with_source_structure(
        wide_fitter, wide_filters, data, first, wide_filters(*parts_of(first))
    )
    assert found.source_light.max() > 100 * found.fit.noise.min()
    assert maps.point.max() < 6
    assert found.signal_to_noise > first.signal_to_noise
    assert found.source_share(data) > first.source_share(data)


def test_a_line_of_mass_is_found_behind_the_clumps(
    wide_fitter: MarginalisedFitter, wide_filters: MarginalFilters, blocks_of: Blocks, lens: Lens
) -> None:
    data = blocks_of(lens, perturbers=Perturbers(lines=LINE))
    plain = wide_fitter.fit(data)
    found, maps = with_source_structure(
        wide_fitter, wide_filters, data, plain, wide_filters(*parts_of(plain))
    )
    assert found.source_light.any()
    assert maps.lines[0].significance > 8
    preset = load_preset("common-test-1-wide")
    model = wide_fitter.binned_model(marginalised_model(preset, line=True, draws=400))
    model = replace(model, likelihood=found.model.likelihood, prior=found.model.prior)
    starts = [with_line(found.fit.parameters, line) for line in maps.lines[:3]]
    line = with_line_of_mass(wide_fitter, model, data, found, starts)
    assert line.cost < found.cost - 50
    parameters = line.fit.parameters
    assert (
        np.hypot(
            parameters[Parameter.LINE_X] - LINE[0, 0], parameters[Parameter.LINE_Y] - LINE[0, 1]
        )
        < 0.3
    )
    assert 0.4 < parameters[Parameter.LINE_STRENGTH] / LINE[0, 4] ** 2 < 2.5
