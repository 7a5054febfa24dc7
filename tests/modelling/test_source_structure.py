"""Derivatives of the structure of the source are those of its image."""

import numpy as np
import pytest

from darklens.modelling import NuisancePriors, Parameter, SmoothModel, marginalised_model
from darklens.modelling.nuisance import SOURCE, nuisance_directions
from darklens.modelling.source_structure import SourceStructure
from darklens.simulation import load_preset

PRIORS = NuisancePriors(shapelet_order=4)
CLUMPS = np.array([[0.3, -0.2, 0.2], [-0.4, 0.1, 0.3]])
STEP = 1e-4


@pytest.fixture(scope="module")
def model() -> SmoothModel:
    """A model with a line of mass, of all pixels."""
    return marginalised_model(load_preset("common-test-1-wide"), line=True, draws=20)


@pytest.fixture(scope="module")
def structure() -> SourceStructure:
    count = 14 + len(CLUMPS)
    return SourceStructure(np.random.default_rng(0).normal(size=count), CLUMPS)


def parameters(model: SmoothModel) -> np.ndarray:
    """A lens with a line beside the pixels' centres."""
    p = model.draws[0].copy()
    p[[Parameter.SOURCE_X, Parameter.SOURCE_Y]] = 0.13, -0.08
    p[Parameter.LINE_X :] = 0.51, 1.33, 0.4, np.log(0.6), 0.03
    return p


def image(model: SmoothModel, p: np.ndarray, structure: SourceStructure) -> np.ndarray:
    """Flux of the structure."""
    nothing = np.zeros((2, *model.grid.shape))
    kinds = nuisance_directions(model, p, nothing, PRIORS, structure.clumps, line=True)
    return np.tensordot(structure.amplitudes, kinds[SOURCE].astype(np.float64), 1)


@pytest.mark.parametrize(
    "name",
    [
        "einstein_radius",
        "lens_e1",
        "lens_y",
        "lens_slope",
        "gamma2",
        "source_x",
        "source_log_radius",
        "source_log_amplitude",
        "line_x",
        "line_angle",
        "line_log_half_length",
        "line_strength",
    ],
)
def test_derivatives_are_those_of_the_image(
    model: SmoothModel, structure: SourceStructure, name: str
) -> None:
    p = parameters(model)
    (k,) = (k for k in model.free if Parameter(k).name.lower() == name)
    ends = []
    for sign in (-1, 1):
        moved = p.copy()
        moved[k] += sign * 10 * STEP
        ends.append(image(model, moved, structure))
    expected = (ends[1] - ends[0]) / (20 * STEP)
    jacobian = structure.derivatives(model, p, PRIORS)
    seen = model.instrument.observe(jacobian, model.grid.pixel_scale)
    found = seen[list(model.free).index(k)]
    size = np.abs(expected).max()
    assert size > 0
    near = np.abs(found - expected) < 0.02 * size  # rays across the line have kinks
    assert near.mean() > 0.99


def test_what_the_structure_does_not_depend_on(
    model: SmoothModel, structure: SourceStructure
) -> None:
    found = structure.derivatives(model, parameters(model), PRIORS)
    for name in ("source_sersic_index", "source_e1", "background"):
        assert not found[model.names.index(name)].any()


def test_blocks_are_sums_of_pixels(model: SmoothModel, structure: SourceStructure) -> None:
    """A binned model's derivatives, and those of more light, are sums over its blocks."""
    p, binned = parameters(model), model.binned(120, 2)
    assert binned.exact is not None
    light = structure.derivatives(binned, p, PRIORS)
    found = binned.exact_derivatives(p, light) - binned.exact_derivatives(p)
    assert found.shape == (len(binned.free), 60, 60)
    seen = model.instrument.observe(light, model.grid.pixel_scale)
    expected = binned.on_blocks(seen)
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


def test_another_clump_is_dark(model: SmoothModel, structure: SourceStructure) -> None:
    more = structure.with_clump(np.array([[0.5, 0.5, 0.1]]))
    assert len(more.clumps) == 3
    np.testing.assert_array_equal(
        more.derivatives(model, parameters(model), PRIORS),
        structure.derivatives(model, parameters(model), PRIORS),
    )
