"""A classifier as an ONNX graph gives the network's probabilities for any number of images."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from darklens.classify import build_network
from darklens.cli.main import main
from darklens.data.steps import STEPS
from darklens.errors import BadModel
from darklens.hub import export_model, load_card, load_classifier, save_model
from darklens.hub.onnx import _FORMULAS

IMAGES = np.random.default_rng(1).poisson(50, (5, 1, 150, 150)).astype(np.float32)
STEP_SPECS: dict[str, dict[str, Any]] = {
    "affine": {"scale": 2.0, "shift": 1.0},
    "asinh": {"scale": 2.0},
    "center_crop": {"size": 99},
    "log": {"offset": 1.0},
    "min_max": {},
    "resize": {"size": 64},
    "sqrt": {"scale": 3.0},
    "standardise": {},
}


def run(file: Path, images: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return session.run(["probabilities", "logits"], {"images": images})


@pytest.mark.parametrize("name", sorted(STEPS))
def test_every_step_is_a_formula(name: str) -> None:
    made = _FORMULAS[name](IMAGES.shape[1:], **STEP_SPECS[name])(torch.from_numpy(IMAGES))
    expected = STEPS[name](**STEP_SPECS[name])(IMAGES)
    np.testing.assert_allclose(made.numpy(), expected, rtol=1e-5, atol=2e-5)


def test_a_network_with_its_preprocessing(tmp_path: Path, tiny_model: Path) -> None:
    torch.manual_seed(0)
    spec = {"name": "subspace", "backbone": "plain", "pool": "avgmax", "options": {"width": 4}}
    network = build_network({**spec, "size": 48, "components": 4, "smooth_images": 20})
    network.fit_smooth(torch.rand(20, 1, 48, 48))
    steps = ({"sqrt": {"scale": 2.0}}, {"standardise": {}}, {"resize": {"size": 60}})
    card = load_card(tiny_model)
    values = {name: getattr(card, name) for name in card.__dataclass_fields__}
    values |= {"network": {**spec, "size": 48, "components": 4}, "temperature": 1.7}
    values |= {"preprocessing": (*steps, {"center_crop": {"size": 48}}), "metrics": ()}
    save_model(tmp_path / "model", network, type(card)(**values))
    export_model(tmp_path / "model", tmp_path / "out", onnx=True)
    classifier = load_classifier(tmp_path / "out")
    for batch in (IMAGES, IMAGES[:1], IMAGES[1:3]):
        probabilities, logits = run(tmp_path / "out" / "model.onnx", batch)
        np.testing.assert_allclose(probabilities, classifier.probabilities(batch), atol=1e-5)
        np.testing.assert_allclose(logits, classifier.logits(batch), atol=1e-4)
    readme = (tmp_path / "out" / "README.md").read_text()
    assert "sqrt, standardise, resize, center_crop, network, temperature, softmax" in readme
    assert "takes raw images" in readme


def test_a_model_of_residuals_begins_behind_the_fit(
    residual_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(residual_model), str(tmp_path / "out"), "--onnx"]) == 0
    maps = np.random.default_rng(2).standard_normal((3, 6, 40, 40)).astype(np.float32)
    probabilities, _ = run(tmp_path / "out" / "model.onnx", maps)
    with torch.inference_mode():
        network = load_classifier(residual_model).network
        expected = network(torch.from_numpy(maps)).softmax(1).numpy()
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    readme = (tmp_path / "out" / "README.md").read_text()
    assert "float32 (n, 6, 40, 40)" in readme
    assert "Not in the graph: `smooth_residual`" in readme


def test_generators_are_refused(
    tiny_generator: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(tiny_generator), str(tmp_path / "out"), "--onnx"]) == 2
    assert "only classifiers are exported to ONNX" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_graph_that_differs_is_not_written(
    residual_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darklens.hub.onnx.AGREEMENT", -1.0)
    with pytest.raises(BadModel, match="differs from the network"):
        export_model(residual_model, tmp_path / "out", onnx=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("model", ["default-pixels", "model-1-legacy-pixels"])
def test_shipped_models_on_pixels(model: str, tmp_path: Path) -> None:
    export_model(model, tmp_path / "out", onnx=True)
    probabilities, _ = run(tmp_path / "out" / "model.onnx", IMAGES)
    np.testing.assert_allclose(
        probabilities, load_classifier(model).probabilities(IMAGES), atol=1e-4
    )
