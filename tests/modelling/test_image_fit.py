"""Fits of presets to images in any container, and what is said of those that do not match."""

from dataclasses import replace

import numpy as np
import pytest

from darklens.lensing.noise import NoNoise, PhotonNoise
from darklens.modelling import ImageFitter
from darklens.simulation import Simulator, load_preset

LARGEST = 5.0
DRAWS = 600  # fewer than the default, which takes seconds


@pytest.fixture(scope="module")
def fitter() -> ImageFitter:
    return ImageFitter(load_preset("common-test-1"), draws=DRAWS)


def lens(sky: float, index: int = 0) -> np.ndarray:
    preset = load_preset("common-test-1")
    noise = PhotonNoise(background=sky)
    return Simulator(replace(preset, noise=noise)).lens(index, seed=5).image[0].astype(np.int64)


def test_an_image_of_the_preset_is_ok(fitter: ImageFitter) -> None:
    for index in range(3):
        found = fitter.fit(lens(10.0, index))
        assert (found.verdict(LARGEST), found.note, found.free_sky) == ("ok", "", False)


@pytest.mark.parametrize("name", ["model-1", "model-1-legacy", "model-2", "model-3"])
def test_images_of_other_presets_are_ok(name: str) -> None:
    preset = load_preset(name)
    fitter = ImageFitter(preset, draws=DRAWS)
    for index in range(3):
        image = Simulator(preset, classes=["no"]).lens(index, seed=2).image[0]
        found = fitter.fit(image)
        assert (found.verdict(LARGEST), found.note) == ("ok", "")
    if found.counts is not None:
        scaled = (image - float(image.min())) / float(np.ptp(image))
        assert fitter.fit(np.round(scaled, 5)).verdict(LARGEST) == "ok"


@pytest.mark.parametrize("sky", [9.0, 10.4, 12.0, 14.0])
def test_another_sky_is_fitted_and_said(fitter: ImageFitter, sky: float) -> None:
    found = fitter.fit(lens(sky))
    assert found.verdict(LARGEST) == "sky differs"
    assert found.fit.values["background"] == pytest.approx(sky, abs=0.15)
    assert found.fit.chi_square == pytest.approx(1.0, abs=0.04)
    assert f"not 10 as in the preset {'common-test-1'}" in found.note


def test_fewer_photons_than_the_container_says(fitter: ImageFitter) -> None:
    counts = lens(10.0)
    found = fitter.fit(np.rint(255 * (counts / counts.max())))
    assert found.verdict(LARGEST) == "counts not recovered"
    assert "8-bit" in found.note


def test_an_image_without_noise_is_said_to_be() -> None:
    preset = load_preset("model-2")
    clean = Simulator(replace(preset, noise=NoNoise())).lens(0)
    fitter = ImageFitter(preset, draws=DRAWS)
    found = fitter.fit(2 * clean.image[0] / (566))
    assert found.verdict(LARGEST) == "noise differs"
    assert "noise-free" in found.note
    assert fitter.fit(Simulator(preset).lens(0).image[0]).verdict(LARGEST) == "ok"
