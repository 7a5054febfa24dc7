"""Raw images to probabilities."""

import numpy as np
import pytest

from darklens.classify import Classifier, build_network
from darklens.data import ImageDataset, build_preprocessing
from darklens.errors import BadInput
from darklens.hub import load_classifier

STEPS = build_preprocessing([{"min_max": {}}])


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    network = build_network({"name": "backbone", "backbone": "test_resnet"})
    return Classifier(network, ("no", "sphere", "vort"), STEPS, temperature=2.0)


def test_probabilities_and_table_agree(classifier: Classifier, dataset: ImageDataset) -> None:
    images = dataset.images()
    probabilities = classifier.probabilities(images)
    assert probabilities.shape == (24, 3)
    assert probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    table = classifier.predict(images[:, 0])
    assert list(table.columns) == ["label", "p_no", "p_sphere", "p_vort", "set", "familiarity"]
    assert table[["set", "familiarity"]].isna().all(axis=None), "without a calibration"
    np.testing.assert_allclose(table[["p_no", "p_sphere", "p_vort"]].to_numpy(), probabilities)
    assert table["label"].tolist() == [
        classifier.classes[index] for index in probabilities.argmax(axis=1)
    ]


def test_batches_and_order_do_not_change_a_bit(
    classifier: Classifier, dataset: ImageDataset
) -> None:
    images = np.concatenate([dataset.images()] * 4)
    once = classifier.logits(images)
    for batch in (1, 7, 64):
        parts = [classifier.logits(images[i : i + batch]) for i in range(0, len(images), batch)]
        np.testing.assert_array_equal(np.concatenate(parts), once)
    np.testing.assert_array_equal(classifier.logits(images[::-1])[::-1], once)


@pytest.mark.parametrize("model", ["default-pixels", "model-1-legacy-pixels"])
def test_shipped_models_answer_the_same_in_any_batch(model: str) -> None:
    shipped = load_classifier(model)
    images = np.random.default_rng(0).poisson(40, (11, 1, 150, 150)).astype(np.uint16)
    together = shipped.logits(images)
    for batch in (1, 4):
        parts = [shipped.logits(images[i : i + batch]) for i in range(0, len(images), batch)]
        np.testing.assert_array_equal(np.concatenate(parts), together)


def test_the_temperature_divides_the_logits(classifier: Classifier, dataset: ImageDataset) -> None:
    logits = classifier.logits(dataset.images()) / 2
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(classifier.probabilities(dataset.images()), expected)


def test_no_images_give_an_empty_table_and_wrong_axes_an_error(classifier: Classifier) -> None:
    assert len(classifier.predict(np.zeros((0, 1, 32, 32)))) == 0
    with pytest.raises(BadInput, match="not 5 axes"):
        classifier.probabilities(np.zeros((1, 1, 1, 32, 32)))


def test_unusable_images_are_listed_with_their_reason(
    classifier: Classifier, dataset: ImageDataset
) -> None:
    images = dataset.images([0, 1, 2, 3, 4]).astype(np.float64)
    images[1, 0, 3, 4] = np.nan
    images[2] = 7.0
    images[3, 0, 0, 0] = np.inf
    table = classifier.predict(images)
    assert table["label"].isna().tolist() == [False, True, True, True, False]
    assert table["p_no"].isna().tolist() == [False, True, True, True, False]
    assert table["error"].tolist()[1:4] == [
        "some pixels are NaN",
        "constant: every pixel is 7",
        "some pixels are infinite",
    ]
    np.testing.assert_allclose(table["p_no"][4], classifier.predict(images[4:])["p_no"][0])
    with pytest.raises(BadInput, match="none of 3 images can be used; the first: some pixels"):
        classifier.predict(images[1:4])


def test_pixels_that_are_cropped_may_be_nan(classifier: Classifier, dataset: ImageDataset) -> None:
    steps = build_preprocessing([{"min_max": {}}, {"center_crop": {"size": 24}}])
    cropping = Classifier(classifier.network, classifier.classes, steps)
    images = dataset.images([0, 1]).astype(np.float64)
    images[:, 0, 0, :2] = images[:, 0, 9, 9:11]  # neither the least nor the largest
    expected = cropping.predict(images)
    images[:, 0, 0, :2] = np.nan
    np.testing.assert_array_equal(cropping.predict(images)["p_no"], expected["p_no"])
    images[1, 0, 16, 16] = np.nan
    table = cropping.predict(images)
    assert table["error"].tolist()[1] == "some pixels are NaN"
    with pytest.raises(BadInput, match="NaN or infinite"):
        cropping.probabilities(images)


def test_images_that_do_not_suit_the_network_are_an_error(classifier: Classifier) -> None:
    with pytest.raises(BadInput, match="images of 3 x 32 x 32 do not suit the model"):
        classifier.predict(np.random.default_rng(0).random((2, 3, 32, 32)))
