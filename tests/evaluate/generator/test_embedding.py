"""Features of a classifier: what its last layer takes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from darklens.classify import Classifier
from darklens.data import build_preprocessing
from darklens.errors import BadModel
from darklens.evaluate.generator.embedding import embed_images, join_embeddings
from darklens.hub import load_classifier
from darklens.simulation import Simulator


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(0).poisson(30, (count, 1, 150, 150)).astype(np.uint16)


def test_the_last_layer_makes_the_logits_of_the_features(tiny_model: Path) -> None:
    classifier = load_classifier(tiny_model)
    images = noise(5)
    found = embed_images(classifier, images)
    with torch.inference_mode():
        logits = classifier.network.linear(torch.from_numpy(found.features)).numpy()
    np.testing.assert_allclose(logits, classifier.logits(images), atol=1e-4)
    np.testing.assert_allclose(found.probabilities, classifier.probabilities(images), atol=1e-5)
    assert not classifier.network.linear._forward_pre_hooks, "the classifier is left as it was"


def test_averaging_over_symmetries_averages_the_features(tiny_model: Path) -> None:
    classifier = load_classifier(tiny_model)
    plain = embed_images(classifier, noise(1))
    classifier.network.d4 = True
    averaged = embed_images(classifier, noise(1))
    assert averaged.features.shape == plain.features.shape
    turned = embed_images(classifier, np.ascontiguousarray(noise(1)[..., ::-1]))
    np.testing.assert_allclose(averaged.features, turned.features, atol=1e-4)
    assert not np.allclose(averaged.features, plain.features, atol=1e-4)


def test_columns_come_along_and_batches_are_joined(residual_model: Path) -> None:
    classifier = load_classifier(residual_model)
    images = Simulator("common-test-1").simulate(3, seed=3).images
    whole = embed_images(classifier, images)
    assert all(0.9 < value < 1.2 for value in whole.columns["chi_square"])
    joined = join_embeddings([embed_images(classifier, part) for part in (images[:2], images[2:])])
    np.testing.assert_allclose(joined.features, whole.features, atol=1e-4)
    np.testing.assert_allclose(joined.probabilities, whole.probabilities, atol=1e-5)
    assert joined.columns == whole.columns


def test_a_network_without_a_last_layer_is_refused() -> None:
    network = torch.nn.Flatten()
    with pytest.raises(BadModel, match="no linear layer"):
        embed_images(Classifier(network, ("no", "vort"), build_preprocessing([])), noise(1))
