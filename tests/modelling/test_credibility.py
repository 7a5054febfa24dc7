"""What makes a fit no strong lens, in the order of the checks."""

from dataclasses import replace

import pytest

from darklens.modelling import Parameter, SmoothFit, SmoothFitter, SmoothModel, smooth_model
from darklens.modelling.credibility import doubt_of_lens, first_doubt, source_checks
from darklens.simulation import load_preset


@pytest.fixture(scope="module")
def model() -> SmoothModel:
    return smooth_model(load_preset("common-test-1"), draws=20)


@pytest.fixture(scope="module")
def fit(model: SmoothModel) -> SmoothFit:
    """A fit whose parameters the tests replace: a round lens without shear."""
    parameters = model.draws[0].copy()
    found = SmoothFitter(model).fit(model.image(parameters), parameters)
    for k in (Parameter.LENS_E1, Parameter.LENS_E2, Parameter.GAMMA1, Parameter.GAMMA2):
        parameters[k] = 0.0
    for k in (Parameter.LENS_X, Parameter.LENS_Y, Parameter.SOURCE_X, Parameter.SOURCE_Y):
        parameters[k] = 0.0
    return replace(found, parameters=parameters)


def changed(fit: SmoothFit, **values: float) -> SmoothFit:
    parameters = fit.parameters.copy()
    for name, value in values.items():
        parameters[Parameter[name.upper()]] = value
    return replace(fit, parameters=parameters)


def test_a_source_behind_the_lens_is_beyond_doubt(model: SmoothModel, fit: SmoothFit) -> None:
    assert doubt_of_lens(model, fit) == ""


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"einstein_radius": 0.05}, "is not resolved"),
        ({"einstein_radius": 5.0}, "reaches beyond the image"),
        ({"lens_x": 3.0}, "reaches beyond the image"),
        ({"source_x": 2.6, "source_log_radius": -2.5}, "times only: it may be a companion"),
    ],
)
def test_a_wrong_lens_or_source_is_told(
    model: SmoothModel, fit: SmoothFit, values: dict[str, float], reason: str
) -> None:
    assert reason in doubt_of_lens(model, changed(fit, **values))


def test_magnified_light_with_one_image_is_doubted() -> None:
    assert first_doubt(source_checks(5.0, 0.5)) == ""
    assert "only 3 % of the light" in first_doubt(source_checks(5.0, 0.03))
    assert "magnified 1.2 times" in first_doubt(source_checks(1.2, 0.03))


def test_magnification_is_that_of_an_isothermal_sphere(model: SmoothModel, fit: SmoothFit) -> None:
    """A point source at beta has images of total magnification 2 / beta, within the radius."""
    radius = float(fit.parameters[Parameter.EINSTEIN_RADIUS])
    point = changed(fit, source_x=0.5 * radius, source_log_radius=-3.0, source_sersic_index=1.0)
    assert model.magnification(point.parameters) == pytest.approx(4, rel=0.1)
