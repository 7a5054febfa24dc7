"""Presets whose PSF and sky differ from image to image."""

import hashlib
from typing import Any

import numpy as np
import pytest

from darklens.errors import BadPreset
from darklens.files.plain_yaml import parse_yaml
from darklens.modelling import ImageFitter
from darklens.simulation import Preset, Simulator, load_preset, parse_preset
from darklens.simulation.conditions import central_value
from darklens.simulation.distributions import parse_distribution
from darklens.simulation.presets import preset_text

# sha256 of the pixels of lenses 0 to 2 of seed 0, made before presets could draw PSF and sky
STRAIGHT = "468b93d96c428137d28b32aaf8a35a7153653e9e2b4f014535595974caabeddf"
VORTEX = "cddcc670269747f4f7ddf85555141684b2026bf882827156bf58f3bbde9f43d9"
BYTES = {
    "model-1": "16a1e779af7bd3ec18c6b0307f223b80abde071d735a2a870b43a47b6b77d7cf",
}


def content(name: str = "common-test-1") -> dict[str, Any]:
    return dict(parse_yaml(preset_text(name), "preset", BadPreset))


def drawn() -> dict[str, Any]:
    preset = content()
    preset["instrument"] = {"psf": {"gaussian": {"fwhm": {"uniform": [0.15, 0.25]}}}}
    preset["noise"] = {"photon": {"background": {"uniform": [8, 14]}}}
    return preset


@pytest.mark.parametrize("name", BYTES)
def test_presets_without_them_keep_their_bytes(name: str) -> None:
    images = Simulator(name).simulate(3).images
    assert hashlib.sha256(images.tobytes()).hexdigest() == BYTES[name]


def test_the_benchmark_keeps_its_bytes_but_for_the_vortices(straight_vortices: Preset) -> None:
    before = Simulator(straight_vortices).simulate(3).images
    assert hashlib.sha256(before.tobytes()).hexdigest() == STRAIGHT
    after = Simulator("common-test-1").simulate(3).images
    assert np.array_equal(after[:2], before[:2])
    assert hashlib.sha256(after[2].tobytes()).hexdigest() == VORTEX


def test_psf_and_sky_are_drawn_and_told() -> None:
    simulator = Simulator(parse_preset(drawn()))
    lenses = simulator.simulate(6, seed=3)
    table = lenses.parameters
    for name, low, high in (("psf_fwhm", 0.15, 0.25), ("background", 8.0, 14.0)):
        assert table[name].between(low, high).all()
        assert table[name].nunique() == 6
    corners = lenses.images[:, 0, :20, :20].mean(axis=(1, 2))
    assert np.abs(corners - table["background"]).max() < 0.8
    assert np.array_equal(simulator.lens(4, seed=3).image, lenses.images[4])
    same = Simulator("common-test-1").simulate(6, seed=3).parameters
    assert "background" not in same
    for name in ("einstein_radius", "source_x", "shear"):
        assert np.array_equal(same[name], table[name])


def test_the_sky_may_have_a_magnitude_that_varies() -> None:
    preset = content("model-2")
    preset["instrument"]["sky_magnitude"] = {"uniform": [19.0, 25.0]}
    lenses = Simulator(parse_preset(preset)).simulate(4)
    drawn = lenses.parameters["sky_magnitude"].to_numpy()
    assert np.unique(drawn).size == 4
    noise = np.median(np.abs(np.diff(lenses.images[:, 0, :6], axis=2)), axis=(1, 2))
    assert noise.argmax() == drawn.argmin()
    assert noise.max() > 2 * noise.min()


def test_a_fit_finds_the_sky_that_was_drawn() -> None:
    preset = drawn()
    preset["instrument"] = content()["instrument"]
    preset = parse_preset(preset)
    lens = Simulator(preset).lens(0, seed=3)
    image = lens.image[0] - float(lens.image.min())
    found = ImageFitter(preset, draws=600).fit(image)
    assert found.verdict(5.0) == "ok"
    assert found.fit.values["background"] == pytest.approx(lens.parameters["background"], abs=0.2)


@pytest.mark.parametrize(
    ("distribution", "value"),
    [
        ({"uniform": [1, 3]}, 2.0),
        ({"log_uniform": [1, 4]}, 2.0),
        ({"power_law": [1, 9, -1.9]}, 3.0),
        ({"normal": [5, 1]}, 5.0),
        ({"truncated_normal": [5, 1, 4, 6]}, 5.0),
        ({"poisson": 7}, 7.0),
        ({"mixture": [[1, 2], [3, {"uniform": [3, 5]}]]}, 3.5),
        (4, 4.0),
    ],
)
def test_the_middle_of_a_distribution(distribution: object, value: float) -> None:
    assert central_value(parse_distribution(distribution, "here")) == pytest.approx(value)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (
            {"psf": {"gaussian": {"fwhm": {"unifrom": [1, 2]}}}},
            "instrument.psf.gaussian.fwhm must be .*did you mean 'uniform'",
        ),
        ({"sky_magnitude": {"uniform": [3, 2]}}, "instrument.sky_magnitude.uniform"),
    ],
)
def test_mistakes_name_their_place(place: dict[str, Any], message: str) -> None:
    with pytest.raises(BadPreset, match=message):
        parse_preset(content() | {"instrument": place})


def test_impossible_draws_are_refused() -> None:
    preset = content() | {"noise": {"photon": {"background": {"uniform": [-5, 15]}}}}
    with pytest.raises(BadPreset, match="background"):
        Simulator(parse_preset(preset)).simulate(20)
    assert load_preset("common-test-1").conditions.free_sky is False
