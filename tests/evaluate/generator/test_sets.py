"""The training images of a model that learned from simulations are simulated again."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import yaml

from darklens.errors import BadInput
from darklens.evaluate import ImageSet, Measurer
from darklens.evaluate.generator.comparison import score_memorisation
from darklens.evaluate.generator.measurement import Pixels
from darklens.evaluate.generator.sets import EvaluatedSets, SetOptions
from darklens.hub import find_model, load_card
from darklens.simulation import Simulator
from darklens.train import DataOptions

OPTIONS = SetOptions(model="common-test-1", preset="common-test-1", count=21, training_count=30)
RECIPE = Path(__file__).parents[3] / "recipes" / "generator-default.yaml"


def images_of(image_set: ImageSet) -> np.ndarray:
    return np.concatenate([images for images, _ in image_set.batches(16)])


@pytest.fixture(scope="module")
def sets() -> EvaluatedSets:
    return EvaluatedSets.open(OPTIONS)


def test_the_card_names_the_simulations_of_the_recipe() -> None:
    card = load_card(find_model("common-test-1"))
    data = yaml.safe_load(RECIPE.read_text())["data"]
    assert card.training.preset == data["preset"]
    assert card.training.simulations == data["prepared_images"]
    assert card.training.simulations_seed == data.get("stream_seed", DataOptions().stream_seed)


def test_the_training_images_are_those_of_the_training_seed(sets: EvaluatedSets) -> None:
    assert sets.training is not None
    expected = Simulator("common-test-1").simulate(30, seed=1_000_001).images
    np.testing.assert_array_equal(images_of(sets.training), expected)
    assert "the first 30 of the 150,000 simulations of common-test-1" in sets.training.description
    assert "seed 1000001" in sets.training.description
    assert list(sets.parts()) == ["real", "generated", "training"]
    assert not np.array_equal(images_of(sets.real), expected[:21]), "held out"


def test_expected_counts_are_compared_with_expected_counts() -> None:
    sets = EvaluatedSets.open(dataclasses.replace(OPTIONS, expected=True, training_count=3))
    assert sets.training is not None
    expected = Simulator("common-test-1").expectation().simulate(3, seed=1_000_001).images
    np.testing.assert_array_equal(images_of(sets.training), expected)


def test_a_repeated_training_image_is_found(sets: EvaluatedSets) -> None:
    """Without summary statistics, which the training images do not need."""
    assert sets.training is not None
    measurer = Measurer(None)
    measured = {
        name: measurer.measure(part.batches(16), Pixels("counts"))
        for name, part in {"real": sets.real, "training": sets.training}.items()
    }
    real, training = (measured[name].thumbnails for name in ("real", "training"))
    copies = score_memorisation(training[4:8], real, training)
    assert copies.closest_training[:4] == (4, 5, 6, 7)
    assert (copies.share_close, copies.training) == (1, 30)
    assert copies.p_value < 0.01
    honest = score_memorisation(real[::2], real[1::2], training)
    assert honest.p_value > 0.01
    assert min(honest.closest_distances) > 0


@pytest.mark.parametrize(
    "changes",
    [
        {"preset": "common-test-1-wide"},  # not what it learned from
        {"model": "common-test-1-components"},  # whose simulations have changed since
    ],
)
def test_other_simulations_are_not_taken_for_training_images(changes: dict[str, str]) -> None:
    assert EvaluatedSets.open(dataclasses.replace(OPTIONS, **changes)).training is None


def test_wrong_options_are_refused() -> None:
    with pytest.raises(BadInput, match="--seed 1000001 is that of the model's training images"):
        EvaluatedSets.open(dataclasses.replace(OPTIONS, seed=1_000_001))
    with pytest.raises(BadInput, match="--training-count must be at least 1"):
        dataclasses.replace(OPTIONS, training_count=0)
