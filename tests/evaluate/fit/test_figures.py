"""Pictures of fits: what their panels hold, and where the caustics lie."""

import io
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from darklens.evaluate import fit_figure
from darklens.evaluate.fit.curves import critical_curves
from darklens.evaluate.fit.figures import _ticks
from darklens.lensing import SIE, PixelGrid, Scene, Shear
from darklens.modelling import (
    GaussianLikelihood,
    SmoothFit,
    SmoothFitter,
    SmoothModel,
    adapt_preset,
    scene_parameters,
    smooth_model,
)
from darklens.modelling.fit import fit_result
from darklens.modelling.levenberg_marquardt import optimise
from darklens.simulation import Simulator, load_preset


def titles(figure: Figure) -> list[str]:
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def draw(image: np.ndarray, fit: SmoothFit, model: SmoothModel) -> Figure:
    """The figure, rendered once."""
    figure = fit_figure(image, fit, model, title="lens.npy")
    memory = io.BytesIO()
    figure.savefig(memory, format="png", dpi=50)
    assert len(memory.getvalue()) > 10_000
    return figure


def test_a_benchmark_image() -> None:
    lens = Simulator("common-test-1").lens(0, seed=1)
    fitter = SmoothFitter(load_preset("common-test-1"))
    image = lens.image[0].astype(np.float64)
    fit = fitter.fit(image)
    figure = draw(image, fit, fitter.model)
    names = ["data", "smooth model", "residual [noise]", "source plane (square root)"]
    assert titles(figure) == names
    headline = figure.get_suptitle()
    assert headline.startswith("lens.npy")
    assert f"{fit.values['einstein_radius']:.4f}" in headline
    assert "not converged" not in headline
    again = fit_figure(image, replace(fit, converged=False), fitter.model)
    assert again.get_suptitle().endswith("not converged")


def test_the_light_of_the_lens_is_taken_away() -> None:
    preset = adapt_preset(load_preset("galaxy"), grid=PixelGrid((60, 50), 0.1))
    lens = Simulator(preset).lens(0, seed=2)
    truth = scene_parameters(lens.scene)
    noise = np.full((60, 50), 0.05)
    noise[:5] = np.inf
    model = smooth_model(preset, GaussianLikelihood(noise), draws=1000)
    image = model.image(truth) + 0.05 * np.random.default_rng(0).normal(size=(60, 50))
    fit = fit_result(model, image, optimise(model, image, truth, 2))
    figure = draw(image, fit, model)
    assert len(titles(figure)) == 6
    arcs = next(a for a in figure.axes if a.get_title() == "model without the lens light")
    shown = np.asarray(arcs.get_images()[0].get_array())
    dark = replace(model, lens_light=False)
    np.testing.assert_allclose(shown, dark.image(fit.parameters), atol=1e-9)
    residual = next(a for a in figure.axes if a.get_title() == "residual [noise]")
    assert np.ma.getmaskarray(residual.get_images()[0].get_array())[:5].all()


def test_critical_curve_and_caustic_of_a_sheared_sphere() -> None:
    """Without shear a circle and a point; with it cusps at 2 g t / (1 -+ g)."""
    grid, theta, shear = PixelGrid((150, 150), 0.05), 1.2, 0.1
    (circle,), (point,) = critical_curves(Scene(SIE(theta)), grid)
    assert np.hypot(*circle.T) == pytest.approx(theta, abs=0.01)
    assert np.hypot(*point.T).max() < 0.02
    _, (astroid,) = critical_curves(Scene(SIE(theta), Shear(shear, 0.0)), grid)
    reach = 2 * shear * theta / np.array([1 + shear, 1 - shear])
    assert np.sort(np.abs(astroid).max(axis=0)) == pytest.approx(reach, rel=0.06)


def test_ticks_lie_apart_and_inside() -> None:
    from matplotlib.colors import AsinhNorm

    norm = AsinhNorm(linear_width=0.04, vmin=-0.02, vmax=5.6)
    ticks = _ticks(norm)
    assert ticks[0] == 5
    places = np.sort([float(norm(tick)) for tick in ticks])
    assert (np.diff(places) > 0.09).all()
    assert places[0] >= 0
    assert places[-1] <= 1
