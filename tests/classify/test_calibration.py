"""A classifier that is calibrated says when it does not know."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from darklens.classify import UNKNOWN, Classifier, build_network, calibrate, logits_and_features
from darklens.data import ImageDataset, Panel, Preprocessing, build_preprocessing
from darklens.data.steps import Images
from darklens.errors import BadData, BadInput

CLASSES = ("no", "sphere", "vort")


class Bright(nn.Module):
    """Logits from the mean brightness of three stripes."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(12, 3, bias=False)
        with torch.no_grad():
            self.linear.weight.copy_(torch.eye(3).repeat_interleave(4, dim=1))

    def forward(self, images: Tensor) -> Tensor:
        result: Tensor = self.linear(images.mean(dim=(1, 3)))
        return result


class Fit:
    """A step that calls images with a dark first pixel failed, and very dark ones another way."""

    def __call__(self, images: Images) -> Images:
        return self.explain(images)[0]

    def explain(self, images: Images) -> tuple[Images, dict[str, list[object]]]:
        first = images[:, 0, 0, 0]
        words = ["failed" if x < -50 else "not converged" if x < -20 else "ok" for x in first]
        maps = images * (first >= -50)[:, None, None, None]
        chi_square = [
            np.nan if word == "failed" else 1.0 + 0.01 * x
            for word, x in zip(words, first, strict=True)
        ]
        notes = ["no counts" if word == "failed" else None for word in words]
        return maps, {"fit": words, "chi_square": chi_square, "note": notes}

    def illustrate(
        self, images: Images
    ) -> tuple[Images, dict[str, list[object]], list[list[Panel]]]:
        panels = [[Panel("image", image[0].astype(float))] for image in images]
        return *self.explain(images), panels


def lenses(count: int, *, seed: int = 0, strength: float = 1.5) -> ImageDataset:
    """Noise with a brighter stripe that tells the class, often not clearly."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 3
    images = generator.normal(size=(count, 1, 12, 12)).astype(np.float32)
    for image, label in zip(images, labels, strict=True):
        image[0, 4 * label : 4 * label + 4] += strength * generator.random()
    return ImageDataset.from_arrays(images, labels, classes=CLASSES)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    steps = Preprocessing([{"fit": {}}], [Fit()])
    made = Classifier(Bright(), CLASSES, steps)
    calibrate(made, lenses(900))
    return made


def test_the_temperature_is_fitted_first(classifier: Classifier) -> None:
    assert 0.1 < classifier.temperature < 0.9


def test_sets_hold_the_true_class(classifier: Classifier) -> None:
    data = lenses(600, seed=1)
    answers = classifier.answer(data.images(), coverage=0.9)
    known = [k for k, answer in enumerate(answers) if answer.label != UNKNOWN]
    held = [CLASSES[data.labels[k]] in answers[k].possible for k in known]
    assert np.mean(held) > 0.88
    assert all(answers[k].label in answers[k].possible for k in known)
    sizes = {}
    for coverage in (0.5, 0.9, 0.99):
        found = classifier.answer(data.images(), coverage=coverage)
        sizes[coverage] = np.mean([len(answer.possible) for answer in found])
    assert sizes[0.5] < sizes[0.9] < sizes[0.99]


def test_images_like_the_calibration_images_are_answered(classifier: Classifier) -> None:
    table = classifier.predict(lenses(600, seed=2).images())
    assert np.mean(table["label"] == UNKNOWN) < 0.03
    assert table["familiarity"].between(0, 1).all()
    assert np.mean(table["familiarity"] < 0.05) < 0.1


def test_others_are_unknown_and_keep_their_probabilities(classifier: Classifier) -> None:
    images = lenses(3, seed=3).images()
    images[1] *= 30
    table = classifier.predict(images)
    assert table["label"].tolist()[1] == UNKNOWN
    assert table["note"][1].startswith("no label: unlike the images that the model was calibrated")
    assert "check the pixel scale" in table["note"][1]
    assert table["p_no"].notna().all()
    assert table["set"][1] == "no|sphere|vort"


def test_a_bad_fit_is_unknown_and_a_failed_one_has_no_probabilities(
    classifier: Classifier,
) -> None:
    images = lenses(4, seed=4).images()
    usual = classifier.predict(images[2:])
    images[0, 0, 0, 0], images[1, 0, 0, 0] = -100, -30
    table = classifier.predict(images)
    assert table["label"].tolist()[:2] == [UNKNOWN, UNKNOWN]
    assert table["p_no"].isna().tolist() == [True, False, False, False]
    assert table["note"][0].endswith("; no counts")
    assert "the fit is 'not converged'" in table["note"][1]
    assert table["label"][2:].tolist() == usual["label"].tolist()
    assert "error" not in table


def test_the_summary_names_no_class_for_an_unknown_image(classifier: Classifier) -> None:
    images = lenses(3, seed=5).images()
    images[0] *= 30
    images[1, 0, 0, 0] = -30
    found = [answer.summary for answer in classifier.answer(images, panels=True)]
    assert found[0] == "unknown: unlike the calibration images"
    assert found[1] == "unknown: fit not converged"
    assert found[2].startswith(classifier.predict(images[2:])["label"][0])
    assert len(classifier.answer(images, panels=True)[0].panels) == 1


def test_too_few_images_and_other_classes_are_refused(classifier: Classifier) -> None:
    fresh = Classifier(Bright(), CLASSES, build_preprocessing([]))
    with pytest.raises(BadData, match="3 images are too few"):
        calibrate(fresh, lenses(3))
    two = ImageDataset.from_arrays(
        lenses(6).images(), np.arange(6, dtype=np.int64) % 2, classes=("no", "vort")
    )
    with pytest.raises(BadData, match="the model knows no, sphere, vort"):
        calibrate(fresh, two)


@pytest.mark.parametrize("coverage", [0.0, 1.0, 95.0])
def test_an_impossible_coverage_is_one_line(classifier: Classifier, coverage: float) -> None:
    with pytest.raises(BadInput, match="--coverage must be above 0 and below 1"):
        classifier.predict(lenses(3).images(), coverage=coverage)


def test_features_are_what_the_last_layer_sees() -> None:
    network = Bright()
    rows = torch.randn(4, 1, 12, 12)
    logits, features = logits_and_features(network, rows)
    assert torch.equal(features, rows.mean(dim=(1, 3)))
    assert torch.equal(logits, network(rows))
    plain = nn.Flatten()
    assert torch.equal(*logits_and_features(plain, rows))


def test_with_d4_the_answer_is_the_same_for_a_turned_image() -> None:
    """Features and familiarity are averaged over the turns as the logits are."""
    torch.manual_seed(0)
    spec = {"name": "backbone", "backbone": "plain", "d4": True, "options": {"width": 4}}
    turning = Classifier(build_network(spec), CLASSES, build_preprocessing([]))
    images = np.random.default_rng(6).normal(size=(60, 1, 32, 32)).astype(np.float32)
    labels = np.arange(60, dtype=np.int64) % 3
    calibrate(turning, ImageDataset.from_arrays(images, labels, classes=CLASSES))
    upright = turning.predict(images[:6])
    for turned in (np.rot90(images[:6], axes=(2, 3)), images[:6, :, ::-1]):
        table = turning.predict(turned.copy())
        pd.testing.assert_frame_equal(table, upright, rtol=1e-3)
