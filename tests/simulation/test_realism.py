"""Simulated images against those of others: the public simulator's and the benchmark's.

The statistics are those of `benchmarks/`, where `realism.py` writes the same comparison as a table.
For `model-1-legacy` this is a test: nothing in the preset was tuned to the public images. For
`common-test-1` it is a regression pin: the preset was set by benchmark images, the fifteen that it
is compared with here among them, so agreement shows that nothing has changed, not that the preset
is right.
"""

import json
from pathlib import Path

import common_test_statistics as common_test
import numpy as np
import pytest
import two_sample

from darklens.simulation import Simulator

CLASSES = ("no", "sphere", "vort")
PUBLISHED_NAMES = dict(zip(CLASSES, ("no_substructure", "subhalo", "vortex"), strict=True))


@pytest.fixture(scope="session")
def public(shared_data: Path) -> np.ndarray:
    """Features of 150 images of each class by DeepLenseSim's own code, (classes, 150, features)."""
    folder = shared_data / "deeplensesim_model1"
    return np.array([two_sample.features(np.load(folder / f"{c}.npz")["images"]) for c in CLASSES])


@pytest.fixture(scope="session")
def legacy() -> np.ndarray:
    """The same of as many images of `model-1-legacy`."""
    return by_class(Simulator("model-1-legacy"), seed=7)


def by_class(simulator: Simulator, seed: int) -> np.ndarray:
    table = two_sample.features(simulator.simulate(450, seed=seed).images[:, 0])
    return table.reshape(150, 3, -1).swapaxes(0, 1)


@pytest.mark.parametrize("label", [0, 1, 2], ids=CLASSES)
def test_legacy_images_have_the_statistics_of_the_public_ones(
    public: np.ndarray, legacy: np.ndarray, label: int
) -> None:
    p_values = two_sample.holm(two_sample.compare(public[label], legacy[label]))
    assert p_values.min() > 0.01, dict(zip(two_sample.STATISTICS, p_values, strict=True))


def test_a_classifier_cannot_tell_legacy_images_from_the_public_ones(
    public: np.ndarray, legacy: np.ndarray
) -> None:
    auc, low, high = two_sample.classifier_auc(np.concatenate(public), np.concatenate(legacy))
    assert low <= 0.5 <= high, auc


def test_the_classifier_sees_when_photon_noise_enters_only_once(public: np.ndarray) -> None:
    control = by_class(two_sample.single_noise_simulator(), seed=8)
    auc, low, _ = two_sample.classifier_auc(np.concatenate(public), np.concatenate(control))
    assert auc >= 0.8
    assert low > 0.8


def test_holm_is_the_step_down_procedure() -> None:
    p_values = np.array([0.04, 0.01, 0.03, 0.5])
    np.testing.assert_allclose(two_sample.holm(p_values), [0.09, 0.04, 0.09, 0.5])


def test_classifier_auc_of_equal_and_of_shifted_samples() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 300, 5))
    _, low, high = two_sample.classifier_auc(first, second)
    assert low < 0.5 < high
    _, low, high = two_sample.classifier_auc(first, second + 1.0)
    assert low < 0.943 < high  # Phi(sqrt(5) / sqrt(2))


@pytest.fixture(scope="session")
def published(shared_data: Path) -> dict[str, dict]:
    path = shared_data.parent / "common_test_1_stats.json"
    if not path.is_file():
        pytest.skip(f"no statistics file {path}")
    content = json.loads(path.read_text())
    by_class = {name: content["real_by_class"][PUBLISHED_NAMES[name]] for name in CLASSES}
    groups = {"all": content["real_all"], **by_class}
    return {name: common_test.flatten_published(group) for name, group in groups.items()}


@pytest.fixture(scope="session")
def benchmark_images(shared_data: Path) -> np.ndarray:
    """Statistics of the benchmark images, (classes, 5, statistics)."""
    folder = shared_data / "common_test_1"
    return np.array(
        [
            [common_test.image_statistics(np.load(folder / c / f"{i}.npy")[0]) for i in range(1, 6)]
            for c in CLASSES
        ]
    )


def test_statistics_are_those_of_the_published_file(
    benchmark_images: np.ndarray, published: dict[str, dict[str, float]]
) -> None:
    for name, summary in common_test.summarise_groups(benchmark_images, CLASSES).items():
        assert summary.keys() == published[name].keys()
        for key, value in summary.items():
            assert value == pytest.approx(published[name][key], rel=1e-6), (name, key)


def central(names: list[str]) -> list[str]:
    """Of some summaries, the means and medians over all images."""
    return [
        name
        for name in names
        if name.startswith("all/") and name.endswith(("/mean", "/median", "/p50"))
    ]


def test_regression_pin_of_the_common_test_1_medians(benchmark_images: np.ndarray) -> None:
    """Regression pin, the slow one below in short: 80 images a class, samples of five."""
    table = common_test.simulate_table(Simulator("common-test-1"), 240, seed=99)
    pool = table.reshape(80, 3, -1)
    drawn = np.random.default_rng(0).integers(0, 80, (1000, 5))
    samples = pool[drawn].transpose(0, 2, 1, 3)
    outside, _ = common_test.outside(benchmark_images, samples, CLASSES)
    assert central(outside) == []


@pytest.mark.slow
def test_regression_pin_of_the_common_test_1_statistics(benchmark_images: np.ndarray) -> None:
    samples = common_test.simulate_samples(Simulator("common-test-1"), 1000, seed=99)
    outside, usual = common_test.outside(benchmark_images, samples, CLASSES)
    # All summaries in all classes are 1,428, of which chance alone leaves about three outside.
    assert central(outside) == []
    assert len(outside) <= np.quantile(usual, 0.95), outside
