"""Image `i` of seed `s` is the same bytes however it is asked for."""

from itertools import islice

import numpy as np
import pytest
from pandas.testing import assert_frame_equal

from darklens.errors import BadInput, BadPreset
from darklens.simulation import Simulator

PRESETS = ["common-test-1", "model-1-legacy", "model-1", "model-2", "model-3"]


@pytest.mark.parametrize("preset", PRESETS)
def test_an_image_does_not_depend_on_order_or_batch(preset: str) -> None:
    whole = Simulator(preset).simulate(8, seed=5)
    simulator = Simulator(preset)
    for i in (7, 0, 3, 4):
        lens = simulator.lens(i, seed=5)
        assert lens.image.tobytes() == whole.images[i].tobytes()
        assert lens.label == whole.labels[i]
    late = simulator.simulate(3, seed=5, start=4)
    assert late.images.tobytes() == whole.images[4:7].tobytes()
    assert late.parameters["index"].tolist() == [4, 5, 6]
    columns = late.parameters.columns.intersection(whole.parameters.columns)
    rows = whole.parameters.iloc[4:7].reset_index(drop=True)
    assert_frame_equal(late.parameters[columns], rows[columns], check_dtype=False)


def test_seeds_and_indices_give_different_images() -> None:
    simulator = Simulator("model-2")
    images = {simulator.lens(i, seed=s).image.tobytes() for i in (0, 3, 6) for s in (0, 1, 2**40)}
    assert len(images) == 9


def test_labels_cycle_through_the_classes() -> None:
    lenses = Simulator("model-2").simulate(7, seed=0, start=2)
    assert lenses.labels.tolist() == [2, 0, 1, 2, 0, 1, 2]
    assert lenses.parameters["label"].tolist()[:3] == ["vort", "no", "sphere"]


def test_a_subset_of_classes_cycles_through_the_subset() -> None:
    simulator = Simulator("model-2", classes=["vortex", "no_sub"])
    assert simulator.classes == ("vort", "no")
    lenses = simulator.simulate(4, seed=0)
    assert lenses.labels.tolist() == [0, 1, 0, 1]
    assert lenses.parameters["label"].tolist() == ["vort", "no", "vort", "no"]
    assert lenses.parameters["axion_mass"].notna().tolist() == [True, False, True, False]
    # An image depends on seed, index and class alone: where both agree, so do the bytes.
    whole = Simulator("model-2")
    assert whole.lens(3).label == 0
    assert simulator.lens(3).image.tobytes() == whole.lens(3).image.tobytes()


def test_stream_is_the_same_images_in_strides() -> None:
    simulator = Simulator("model-2")
    whole = simulator.simulate(9, seed=2)
    for start, stride in ((0, 1), (1, 2), (2, 3)):
        stream = simulator.stream(seed=2, start=start, stride=stride)
        for k, (image, label) in enumerate(islice(stream, 3)):
            i = start + k * stride
            assert image.tobytes() == whole.images[i].tobytes()
            assert label == whole.labels[i]


def test_parameters_rebuild_the_lens() -> None:
    simulator = Simulator("common-test-1")
    lens = simulator.lens(1, seed=4)
    truth, scene = lens.parameters, lens.scene
    assert scene.lens.einstein_radius == truth["einstein_radius"]
    twice = 2 * np.deg2rad(truth["shear_angle"])
    assert scene.shear.gamma1 == pytest.approx(truth["shear"] * np.cos(twice))
    np.testing.assert_array_equal(scene.perturbers.points[:, 0], truth["subhalo_x"])
    mass_ratio = np.array(truth["subhalo_mass"]) / 1e12
    radii = truth["einstein_radius"] * np.sqrt(mass_ratio)
    np.testing.assert_allclose(scene.perturbers.points[:, 2], radii)
    assert scene.sources[0].x == truth["source_x"]


def test_noise_scatters_around_the_expected_counts() -> None:
    simulator = Simulator("common-test-1")
    lens = simulator.lens(0, seed=1)
    expected = simulator.expected_rate(lens.scene) * lens.parameters["exposure"] + 10
    chi = (lens.image[0] - expected) / np.sqrt(expected)
    assert abs(chi.mean()) < 5 / np.sqrt(chi.size)
    assert (chi**2).mean() == pytest.approx(1, abs=0.05)


def test_the_expectation_shows_the_same_lenses_without_noise() -> None:
    simulator = Simulator("common-test-1", classes=["vort", "no"])
    lens = simulator.lens(1, seed=1)
    expected = simulator.expectation().lens(1, seed=1)
    assert expected.parameters == lens.parameters
    rate = simulator.expected_rate(lens.scene)
    np.testing.assert_allclose(
        expected.image[0], rate * lens.parameters["exposure"] + 10, rtol=1e-6
    )
    with pytest.raises(BadPreset, match="not that of photons"):
        Simulator("model-1-legacy").expectation()


def test_wrong_numbers_and_classes_are_refused() -> None:
    simulator = Simulator("model-2")
    for call in (
        lambda: simulator.simulate(0),
        lambda: simulator.lens(-1),
        lambda: simulator.lens(0, seed=-1),
        lambda: simulator.lens(0, seed=2**64),
        lambda: Simulator("model-2", classes=[]),
        lambda: Simulator("model-2", classes=["no", "no_sub"]),
        lambda: Simulator("model-2", classes=["sub"]),
    ):
        with pytest.raises(BadInput):
            call()
