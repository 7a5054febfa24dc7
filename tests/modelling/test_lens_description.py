"""Descriptions of lenses against the simulator's own images."""

from dataclasses import replace

import numpy as np
import pytest

from darklens.errors import BadPreset
from darklens.modelling import LensDescriber
from darklens.modelling.lens_description import FRAME
from darklens.simulation import Simulator, load_preset


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator("common-test-1").expectation()


@pytest.fixture(scope="module")
def describer() -> LensDescriber:
    return LensDescriber(load_preset("common-test-1"), 25)


def chi_square(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Squared difference of expected counts in units of the photon noise."""
    return float((np.square(ours.astype(float) - theirs) / theirs).sum())


def test_smooth_lenses_and_subhalos_are_described_exactly(
    simulator: Simulator, describer: LensDescriber
) -> None:
    for index in (0, 1, 3, 4):
        lens = simulator.lens(index, seed=2)
        made = describer.image(describer.describe(lens.scene))
        assert made.dtype == np.float32
        assert chi_square(made, lens.image[0]) < 1e-6


def test_vortices_are_described_far_below_their_effect(
    simulator: Simulator, describer: LensDescriber
) -> None:
    lost, effect = [], []
    for index in range(2, 60, 3):
        lens = simulator.lens(index, seed=5)
        description = describer.describe(lens.scene)
        lost.append(chi_square(describer.image(description), lens.image[0]))
        description[len(describer.coordinates)] = 0  # without its strength there is no line
        effect.append(chi_square(describer.image(description), lens.image[0]))
    assert np.median(lost) < 1
    assert np.sum(lost) < 2e-3 * np.sum(effect)


def test_a_description_says_what_it_holds(describer: LensDescriber) -> None:
    scene, _ = Simulator("common-test-1").scene(0, seed=1)
    numbers = describer.describe(scene)
    assert numbers.shape == (len(describer),) == (7 + FRAME + 3 * 25,)
    assert numbers[7] == 0
    assert repr(describer) == "LensDescriber('common-test-1': 88 numbers, 25 masses)"


def test_numbers_out_of_range_make_an_image_all_the_same(describer: LensDescriber) -> None:
    scene, _ = Simulator("common-test-1").scene(1, seed=1)
    numbers = describer.describe(scene)
    smooth = numbers.copy()
    smooth[7] = 0
    numbers[7] = -0.2
    np.testing.assert_array_equal(describer.image(numbers), describer.image(smooth))
    numbers[7:13] = (50, 0, 0, 90, 0, 0)
    numbers[-25:] = -1
    assert np.isfinite(describer.image(numbers)).all()


@pytest.mark.parametrize("name", ["model-1", "model-1-legacy"])
def test_other_presets(name: str) -> None:
    preset = load_preset(name)
    try:
        expected = Simulator(preset).expectation()
    except BadPreset:
        with pytest.raises(BadPreset, match="noise of photons"):
            LensDescriber(preset, 8)
        return
    lens = expected.lens(0, seed=2)
    describer = LensDescriber(preset, 8)
    made = describer.image(describer.describe(lens.scene, lens.parameters["exposure"]))
    assert chi_square(made, lens.image[0]) < 1e-3


def test_what_cannot_be_described_is_refused(describer: LensDescriber) -> None:
    scene, _ = Simulator("common-test-1").scene(0, seed=1)
    two = replace(scene, sources=(*scene.sources, *scene.sources))
    with pytest.raises(BadPreset, match="clumps"):
        describer.describe(two)
    with pytest.raises(BadPreset, match="one telescope"):
        LensDescriber(load_preset("common-test-1-wide"), 8)
