"""The image of a flexible lens and its derivatives."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from darklens.detection.flexible_lens import MULTIPOLES, FlexibleLens
from darklens.detection.lens_state import LensState
from darklens.lensing import Multipole, PixelPSF, render
from darklens.modelling import PARAMETERS, GaussianLikelihood, Parameter, SmoothModel


def test_without_freedom_it_is_the_smooth_model(flexible: FlexibleLens, lens: Any) -> None:
    image = flexible.image(flexible.state(lens.parameters))
    assert np.allclose(image, lens.model.image(lens.parameters), rtol=1e-9, atol=1e-12)
    assert np.allclose(image, lens.flux, rtol=1e-3, atol=1e-3 * lens.flux.max())


def test_multipoles_and_a_subhalo_bend_the_light_as_in_simulations(
    flexible: FlexibleLens, lens: Any, make_lens: Callable[..., Any]
) -> None:
    truth = make_lens(10.0)
    amplitudes = 0.01 * np.arange(1.0, 7.0)
    theta, place = truth.scene.lens.einstein_radius, (truth.scene.lens.x, truth.scene.lens.y)
    multipoles = tuple(
        Multipole(m, float(a) * theta, phase / m, theta, *place)
        for a, (m, phase) in zip(amplitudes, MULTIPOLES, strict=True)
    )
    scene = replace(truth.scene, multipoles=multipoles)
    expected = lens.model.instrument.observe(render(scene, lens.model.grid, 2), 0.08)
    bare = flexible.state(lens.parameters)
    full = replace(bare, multipoles=amplitudes, perturber=np.array([1.0, 0.5, 10.0]))
    assert np.allclose(flexible.image(full), expected, atol=2e-3 * lens.flux.max())
    without = flexible.image(replace(bare, multipoles=amplitudes))
    assert np.abs(without - expected).max() > 0.05 * lens.flux.max()


def test_directions_are_the_derivatives(flexible: FlexibleLens, state: LensState) -> None:
    image, rows, _ = flexible.directions(state)
    assert np.allclose(image, flexible.image(state))
    vector = state.vector(flexible.free)
    assert len(rows) == len(vector)
    names = [PARAMETERS[k] for k in flexible.free]
    few = [*range(len(names) + 6 + 3 + 3 + 10), len(vector) - 60, len(vector) - 1]
    inside = (slice(6, -6), slice(6, -6))  # many images are dark beyond the edge
    for k in few:
        step = np.zeros_like(vector)
        step[k] = 1e-4
        ends = [flexible.image(state.moved(flexible.free, vector + s * step)) for s in (1, -1)]
        numerical = ((ends[0] - ends[1]) / 2e-4)[inside]
        size = np.abs(numerical).max()
        # derivatives neglect that a PSF correction or a multipole moves with the rest
        allowed = 0.06 if k < len(names) else 0.03
        assert np.abs(rows[k][inside] - numerical).max() < allowed * size, names[k : k + 1] or k


def test_gradient_is_that_of_the_lensed_source(flexible: FlexibleLens, lens: Any) -> None:
    """A shift of the source by a small step."""
    bare = flexible.state(lens.parameters)
    _, _, gradient = flexible.directions(bare)
    ends = []
    for sign in (1, -1):
        moved = bare.parameters.copy()
        moved[Parameter.SOURCE_X] += sign * 1e-4
        ends.append(flexible.source_only(replace(bare, parameters=moved)))
    blurred = lens.model.instrument.observe(gradient[0], 0.08)
    assert np.allclose(-blurred, (ends[0] - ends[1]) / 2e-4, atol=1e-3 * np.abs(blurred).max())


def test_a_pixelised_psf_gives_the_same_directions(
    flexible: FlexibleLens, state: LensState
) -> None:
    row = flexible.model.instrument.psf.kernel(0.08)
    psf = PixelPSF(np.outer(row, row))
    model: SmoothModel = replace(
        flexible.model,
        instrument=replace(flexible.model.instrument, psf=psf),
        likelihood=GaussianLikelihood(np.ones(flexible.model.grid.shape)),
    )
    other = replace(flexible, model=model)
    _, rows, _ = flexible.directions(state)
    _, again, _ = other.directions(state)
    keep = [k for k in range(len(rows)) if not 32 <= k < 35]  # of the width of the PSF itself
    assert np.allclose(rows[keep], again[keep], atol=1e-4 * np.abs(rows[keep]).max())


def test_states_survive_their_vector(flexible: FlexibleLens, state: LensState) -> None:
    again = state.moved(flexible.free, state.vector(flexible.free))
    for name in ("parameters", "multipoles", "source", "light", "psf", "perturber"):
        assert np.array_equal(getattr(again, name), getattr(state, name))


def test_no_perturber_no_rows(flexible: FlexibleLens, lens: Any) -> None:
    bare = flexible.with_perturbation(None)
    _, rows, _ = bare.directions(bare.state(lens.parameters))
    _, more, _ = flexible.directions(
        replace(flexible.state(lens.parameters), perturber=np.array([1.0, 0.5, 9.0]))
    )
    assert len(more) == len(rows) + 3
