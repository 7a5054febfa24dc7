"""Images that are not lenses."""

import numpy as np
import pytest

from darklens.evaluate.classifier.stress.not_lenses import NOT_LENSES, not_a_lens
from darklens.simulation import Simulator

SIMULATOR = Simulator("common-test-1")


@pytest.mark.parametrize("kind", list(NOT_LENSES))
def test_images_are_like_the_presets_and_reproducible(kind: str) -> None:
    image = not_a_lens(kind, SIMULATOR, 0, 7)
    assert image.shape == SIMULATOR.shape
    assert image.dtype == (np.uint8 if kind == "photographs" else SIMULATOR.dtype)
    assert np.array_equal(image, not_a_lens(kind, SIMULATOR, 0, 7))
    assert not np.array_equal(image, not_a_lens(kind, SIMULATOR, 1, 7))
    assert not np.array_equal(image, not_a_lens(kind, SIMULATOR, 0, 8))


@pytest.mark.parametrize("name", ["model-2", "model-1-legacy", "galaxy"])
@pytest.mark.parametrize("kind", list(NOT_LENSES))
def test_other_telescopes_see_them_too(name: str, kind: str) -> None:
    simulator = Simulator(name)
    image = not_a_lens(kind, simulator, 3, 0)
    assert image.shape == simulator.shape
    assert np.isfinite(image).all()


def test_the_empty_sky_is_noise_of_the_sky() -> None:
    image = not_a_lens("empty sky", SIMULATOR, 0, 0)
    assert image.mean() == pytest.approx(10, abs=0.1)
    assert image.var() == pytest.approx(10, abs=0.5)


def test_shuffling_keeps_the_pixels() -> None:
    image, lens = not_a_lens("pixels of lenses in any order", SIMULATOR, 4, 0), SIMULATOR.lens(4)
    assert np.array_equal(np.sort(image.ravel()), np.sort(lens.image.ravel()))


@pytest.mark.parametrize("kind", ["stars", "unlensed Sersic galaxies"])
def test_their_peak_is_that_of_the_lens(kind: str) -> None:
    lens = SIMULATOR.lens(2)
    peak = SIMULATOR.expected_rate(lens.scene).max() + 10
    assert not_a_lens(kind, SIMULATOR, 2, 0).max() == pytest.approx(peak, rel=0.25)


def test_a_galaxy_is_brightest_near_the_centre() -> None:
    image = not_a_lens("unlensed Sersic galaxies", SIMULATOR, 0, 0)[0]
    row, column = np.unravel_index(image.argmax(), image.shape)
    assert np.hypot(row - 74.5, column - 74.5) < 8
