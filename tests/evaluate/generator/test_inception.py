"""Inception's features: the published weights only, and the network of torch-fidelity."""

from pathlib import Path

import numpy as np
import pytest
import torch

from darklens.errors import NotComputed
from darklens.evaluate.generator import inception
from darklens.evaluate.generator.inception import INCEPTION_SIZE, load_inception

fidelity = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")


def test_features_are_those_of_torch_fidelity(
    inception_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inception, "_SHA256_STARTS", "")
    images = np.random.default_rng(0).random((3, 30, 30))
    images[0, :5] = 1.7  # clipped
    found = load_inception(inception_weights)(images)
    assert found.shape == (3, INCEPTION_SIZE)
    network = fidelity.FeatureExtractorInceptionV3(
        "any", ["2048"], feature_extractor_weights_path=str(inception_weights)
    )
    grey = torch.from_numpy((255 * images.clip(0, 1) + 0.5).astype(np.uint8))
    (expected,) = network(torch.stack([grey] * 3, dim=1))
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-6)


def test_weights_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotComputed, match=f"weights not found at {tmp_path}/x.pth"):
        load_inception(tmp_path / "x.pth")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(NotComputed, match=f"weights not found at {tmp_path}/hub/checkpoints/"):
        load_inception()
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(NotComputed, match="weights not found at ~/hub/checkpoints/"):
        load_inception()


def test_a_failed_download_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(fidelity, "URL_INCEPTION_V3", (tmp_path / "nothing.pth").as_uri())
    with pytest.raises(NotComputed, match=r"cannot be downloaded \(URLError\).*--inception"):
        load_inception()


def test_other_weights_are_refused(inception_weights: Path) -> None:
    with pytest.raises(NotComputed, match="sha256 must start with 6726825d"):
        load_inception(inception_weights)


def test_a_damaged_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inception, "_SHA256_STARTS", "")
    (tmp_path / "weights.pth").write_bytes(b"no weights")
    with pytest.raises(NotComputed, match="is damaged"):
        load_inception(tmp_path / "weights.pth")
