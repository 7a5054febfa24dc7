"""The step `smooth_residual`: its maps, what it says of them, and benchmark images."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from darklens.errors import BadData, BadModel
from darklens.lensing.noise import PhotonNoise
from darklens.residual.smooth_residual import SmoothResidual
from darklens.simulation import Lenses, Simulator, load_preset
from darklens.simulation.presets import preset_text

# physics_common_test_1, the reduced chi-squares of the images of class no
BENCHMARK = {"1": 1.0033, "2": 1.0104, "3": 0.9929, "4": 1.0146, "5": 0.9962}
DRAWS = 600  # of the prior, fewer than the default: thousands take seconds


@pytest.fixture(scope="module")
def step() -> SmoothResidual:
    return SmoothResidual("common-test-1", 120, 2, [0.85], 6, draws=DRAWS)


@pytest.fixture(scope="module")
def plain() -> SmoothResidual:
    return SmoothResidual("common-test-1", 100, 4, draws=DRAWS)


@pytest.fixture(scope="module")
def lenses() -> Lenses:
    return Simulator("common-test-1").simulate(3, seed=5)


@pytest.fixture(scope="module")
def images(lenses: Lenses) -> np.ndarray:
    return lenses.images.astype(np.float32)


@pytest.fixture(scope="module")
def maps(step: SmoothResidual, images: np.ndarray) -> dict[str, np.ndarray]:
    """Maps of the three classes, by channel."""
    return dict(zip(step.channels, np.moveaxis(step(images), 1, 0), strict=True))


def scaled(images: np.ndarray) -> np.ndarray:
    low, high = images.min(axis=(1, 2, 3)), images.max(axis=(1, 2, 3))
    return (images - low[:, None, None, None]) / (high - low)[:, None, None, None]


def test_channels_are_what_they_are_called(
    step: SmoothResidual, plain: SmoothResidual, images: np.ndarray, maps: dict[str, np.ndarray]
) -> None:
    assert plain.channels == (
        "residual",
        "sensitivity",
        "smooth image",
        "point mass",
        "depth",
        "chi-square",
    )
    assert step.channels[:6] == plain.channels
    assert step.channels[6:] == (
        "line of half length 0.85",
        "residual beside a line",
        "point mass beside a line",
        "chi-square with a line",
    )
    few = plain(images[:1])
    assert few.shape == (1, 6, 25, 25)
    assert few.dtype == np.float32
    for values in maps.values():
        assert values.shape == (3, 60, 60)
        assert np.isfinite(values).all()
        assert abs(values).max() < 10


def test_perturbers_show(maps: dict[str, np.ndarray]) -> None:
    """The images are of no, sphere and vort."""
    excess, with_line = (maps[name][:, 0, 0] for name in ("chi-square", "chi-square with a line"))
    assert abs(excess[0]) < 0.7
    assert excess[2] > 0.7 > with_line[2]
    assert np.ptp(maps["chi-square"][0]) == 0
    assert maps["line of half length 0.85"][2].max() > 2 * maps["line of half length 0.85"][0].max()
    assert np.array_equal(maps["residual beside a line"][0], maps["residual"][0])
    assert maps["residual beside a line"][2].std() < maps["residual"][2].std()
    assert maps["residual"][0].std() == pytest.approx(0.5, abs=0.03)


def test_maps_are_the_same_every_time(
    plain: SmoothResidual, images: np.ndarray, maps: dict[str, np.ndarray], step: SmoothResidual
) -> None:
    together = plain(images)
    assert np.array_equal(together, np.concatenate([plain(images[i : i + 1]) for i in range(3)]))
    again = SmoothResidual("common-test-1", 100, 4, draws=DRAWS)
    assert np.array_equal(together[1:2], again(images[1:2]))
    assert np.array_equal(step(images[2:])[0, 0], maps["residual"][2])


def test_a_scaled_image_has_the_maps_of_its_counts(
    plain: SmoothResidual, images: np.ndarray
) -> None:
    assert np.array_equal(plain(scaled(images)), plain(images))


def test_what_explain_tells(
    plain: SmoothResidual, images: np.ndarray, maps: dict[str, np.ndarray]
) -> None:
    explained, columns = plain.explain(images)
    assert np.array_equal(explained, plain(images))
    assert set(columns) == {"fit", "chi_square", "note"}
    assert columns["fit"] == ["ok"] * 3
    assert columns["note"] == [None] * 3
    excess = (np.array(columns["chi_square"]) - 1) * np.sqrt(22500 / 2)
    assert np.allclose(np.arcsinh(excess) / 3, maps["chi-square"][:, 0, 0], atol=1e-5)


def test_the_maps_do_not_depend_on_the_container(plain: SmoothResidual, images: np.ndarray) -> None:
    wanted = plain(images[:1])
    for container in (
        np.rint(65535 * scaled(images[:1])),
        np.round(scaled(images[:1]), 4),
        scaled(images[:1]).astype(np.float16),
        images[:1] - images[:1].min(),
    ):
        assert np.array_equal(plain(container.astype(np.float32)), wanted)


def test_estimated_counts_are_said_to_be(plain: SmoothResidual, images: np.ndarray) -> None:
    grey = np.rint(255 * scaled(images[:1])).astype(np.float32)
    _, columns = plain.explain(grey)
    assert columns["fit"] == ["counts not recovered"]
    assert "estimated" in columns["note"][0]


def test_a_line_is_fitted_on_another_sky(step: SmoothResidual) -> None:
    preset = load_preset("common-test-1")
    other = Simulator(replace(preset, noise=PhotonNoise(background=12.0)))
    images = other.simulate(3, seed=5).images[2:].astype(np.float32)
    maps, columns = step.explain(images)
    assert columns["fit"] == ["sky differs"]
    names = dict(zip(step.channels, maps[0], strict=True))
    assert names["chi-square with a line"][0, 0] < 0.7 < names["chi-square"][0, 0]


def test_other_images_are_said_to_be_unlike(images: np.ndarray) -> None:
    strict = SmoothResidual("common-test-1", 100, 4, largest_chi_square=1.03, draws=DRAWS)
    _, columns = strict.explain(images[2:])
    assert columns["fit"] == ["unlike the preset"]
    other = Simulator("model-1", classes=["no"]).simulate(1).images.astype(np.float32)
    _, columns = SmoothResidual("common-test-1", 100, 4, draws=DRAWS).explain(other)
    assert columns["fit"][0] in ("unlike the preset", "not converged")


def test_images_in_other_units_than_counts() -> None:
    images = Simulator("model-2").simulate(1).images
    step = SmoothResidual("model-2", 64, 2, draws=DRAWS)
    assert step(images).shape == (1, 6, 32, 32)
    assert step.explain(images)[1]["fit"] == ["ok"]


def test_a_preset_may_be_given_whole(plain: SmoothResidual, images: np.ndarray) -> None:
    content = yaml.safe_load(preset_text("common-test-1"))
    step = SmoothResidual(content, 100, 4, draws=DRAWS)
    assert np.array_equal(step(images[:1]), plain(images[:1]))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"binning": 0}, "at most 150 and a multiple"),
        ({"size": 152}, "at most 150 and a multiple"),
        ({"size": 0}, "at most 150 and a multiple"),
        ({"size": 101}, "at most 150 and a multiple"),
        ({"half_lengths": "0.85"}, "must be a list"),
        ({"half_lengths": 0.85}, "must be a list"),
        ({"half_lengths": [0.0]}, "must be positive"),
        ({"half_lengths": [True]}, "must be positive"),
        ({"half_lengths": ["long"]}, "must be positive"),
        ({"orientations": 0}, "must be positive"),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(BadModel, match=message):
        SmoothResidual(**({"preset": "common-test-1", "size": 100, "binning": 2} | parameters))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.ones((2, 150, 150), np.float32), "1 channel, not 2"),
        (np.full((1, 150, 150), np.nan, np.float32), "not finite"),
        (np.ones((1, 150, 150), np.float32), "constant"),
        (np.random.default_rng(0).poisson(10, (1, 64, 64)).astype(np.float32), "pixels, not"),
    ],
)
def test_images_of_another_kind_are_refused(
    image: np.ndarray, message: str, plain: SmoothResidual
) -> None:
    with pytest.raises(BadData, match=message):
        plain(image[None])


@pytest.mark.parametrize("name", BENCHMARK)
def test_benchmark_images_reach_the_known_chi_square(
    name: str, plain: SmoothResidual, shared_data: Path
) -> None:
    image = np.load(shared_data / "common_test_1" / "no" / f"{name}.npy")
    _, columns = plain.explain(image[None].astype(np.float32))
    assert columns["fit"] == ["ok"]
    assert columns["chi_square"][0] == pytest.approx(BENCHMARK[name], abs=0.002)
