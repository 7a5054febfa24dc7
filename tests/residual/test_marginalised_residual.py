"""The step `marginalised_residual`: its maps do not depend on units, files or the telescope."""

import numpy as np
import pytest
from jaxtyping import Float32

from darklens.errors import BadData, BadModel
from darklens.residual import MarginalisedResidual
from darklens.simulation import Simulator

PRESET = "common-test-1-wide"
DRAWS = 1500

Images = Float32[np.ndarray, "n 1 h w"]


@pytest.fixture(scope="module")
def step() -> MarginalisedResidual:
    return MarginalisedResidual(PRESET, 96, 2, [0.85], 4, draws=DRAWS)


@pytest.fixture(scope="module")
def images() -> Images:
    return Simulator("common-test-1").simulate(3, seed=6).images.astype(np.float32)


@pytest.fixture(scope="module")
def maps(step: MarginalisedResidual, images: Images) -> dict[str, np.ndarray]:
    """Maps of the three classes, by channel."""
    return dict(zip(step.channels, np.moveaxis(step(images), 1, 0), strict=True))


def by_channel(step: MarginalisedResidual, image: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(step.channels, step(image[np.newaxis].astype(np.float32))[0], strict=True))


def unit(image: np.ndarray) -> np.ndarray:
    values = image.astype(np.float64)
    return np.asarray((values - values.min()) / (values.max() - values.min()))


def test_substructure_stands_out(maps: dict[str, np.ndarray]) -> None:
    smooth, subhalos, vortex = maps["point mass"].max(axis=(1, 2))
    assert smooth < min(subhalos, vortex)
    assert maps["residual"][0].std() == pytest.approx(0.5, abs=0.05)
    gains = maps["gain of a line"][:, 0, 0]
    assert gains[2] > gains[0]


def test_points_explain_subhalos(maps: dict[str, np.ndarray]) -> None:
    gains = np.stack([maps[f"gain of {count}"][:, 0, 0] for count in ("1 point", "8 points")])
    assert (gains[0] < gains[1]).all()
    smooth, subhalos, vortex = gains[1]
    assert smooth < min(subhalos, vortex)
    assert (maps["masses of points"] != 0).sum(axis=(1, 2)).max() <= 8
    left = maps["point mass beside points"].max(axis=(1, 2))
    assert (left < maps["point mass"].max(axis=(1, 2))).all()


def test_an_image_without_a_lens_shows_in_the_numbers(
    step: MarginalisedResidual, images: Images
) -> None:
    sky = np.random.default_rng(0).poisson(10, images[:1].shape).astype(np.float32)
    _, told = step.explain(np.concatenate([images[:1], sky]))
    assert told["signal_to_noise"][1] < 0.3 * told["signal_to_noise"][0]
    assert told["source_share"][0] > 0.9 > 0.1 > told["source_share"][1]
    assert told["einstein_radius"][0] == pytest.approx(1.2, abs=0.4)
    assert told["magnification"][0] > 2
    kinds = ("multipoles", "source_structure", "psf_error", "lens_light")
    assert all(0 <= told[kind][0] < 2 for kind in kinds)


def test_chi_square_is_the_same_everywhere_on_its_map(maps: dict[str, np.ndarray]) -> None:
    assert np.ptp(maps["chi-square"], axis=(1, 2)).max() == 0


@pytest.mark.parametrize("unit_of", ["counts", "minmax", "standardised"])
def test_units_do_not_matter(
    step: MarginalisedResidual, images: Images, maps: dict[str, np.ndarray], unit_of: str
) -> None:
    image = images[1].astype(np.float64)
    if unit_of == "minmax":
        image = unit(image)
    if unit_of == "standardised":
        image = (image - image.mean()) / image.std()
    found = by_channel(step, image)
    assert found["point mass"] == pytest.approx(maps["point mass"][1], abs=0.02)


def test_eight_bits_lose_little(
    step: MarginalisedResidual, images: Images, maps: dict[str, np.ndarray]
) -> None:
    for k in (0, 1):
        found = by_channel(step, np.rint(255 * unit(images[k])))
        assert found["point mass"].max() == pytest.approx(maps["point mass"][k].max(), abs=0.3)


def test_the_roll_of_the_telescope_does_not_matter(
    step: MarginalisedResidual, images: Images, maps: dict[str, np.ndarray]
) -> None:
    turned = by_channel(step, np.rot90(images[1], axes=(1, 2)))
    expected = np.rot90(maps["point mass"][1])
    assert np.corrcoef(turned["point mass"].ravel(), expected.ravel())[0, 1] > 0.98


def test_a_lens_off_the_centre_is_no_substructure(
    step: MarginalisedResidual, images: Images
) -> None:
    _, told = step.explain(np.roll(images[:1], (3, -2), axis=(2, 3)))
    assert told["chi_square"][0] == pytest.approx(1, abs=0.1)
    assert told["fit"] == ["ok"]


def test_one_bad_image_does_not_spoil_the_others(
    step: MarginalisedResidual, images: Images
) -> None:
    bad = images[:2].copy()
    bad[0] = 3.0
    maps, told = step.explain(bad)
    assert told["fit"][0] == "failed"
    assert "constant" in told["note"][0]
    assert not maps[0].any()
    assert told["fit"][1] == "ok"
    assert told["note"][1] is None
    with pytest.raises(BadData, match="constant"):
        step(bad)


def test_what_is_estimated_is_said(step: MarginalisedResidual, images: Images) -> None:
    _, told = step.explain(np.rint(255 * unit(images[0]))[np.newaxis].astype(np.float32))
    assert "gain, sky and noise were fitted" in told["note"][0]


def test_panels_show_the_fit(step: MarginalisedResidual, images: Images) -> None:
    _, _, (panels,) = step.illustrate(images[:1])
    assert [panel.title for panel in panels][2:] == [
        "residual [noise]",
        "significance of a point mass",
    ]


def test_images_of_another_size_are_refused(step: MarginalisedResidual) -> None:
    with pytest.raises(BadData, match=r"\(150, 150\)"):
        step(np.ones((1, 1, 64, 64), dtype=np.float32))
    with pytest.raises(BadData, match="1 channel"):
        step(np.ones((1, 3, 150, 150), dtype=np.float32))


@pytest.mark.parametrize(
    "settings",
    [(100, 3), (0, 2), (152, 2), (96, 4, [-1.0]), (96, 4, "0.8"), (96, 4, [0.8], 0)],
)
def test_bad_settings_are_refused(settings: tuple[object, ...]) -> None:
    with pytest.raises(BadModel, match="marginalised_residual"):
        MarginalisedResidual(PRESET, *settings)


def test_structure_of_the_source_is_fitted_if_asked(
    step: MarginalisedResidual, images: Images, maps: dict[str, np.ndarray]
) -> None:
    wanted = MarginalisedResidual(PRESET, 96, 2, [0.85], 4, source_structure=True, draws=DRAWS)
    empty = dict(zip(wanted.channels, wanted(images[:1])[0], strict=True))
    assert all(np.array_equal(empty[name], maps[name][0]) for name in step.channels)
    clumpy = Simulator(PRESET, classes=["no"]).lens(132, seed=83).image
    before, after = by_channel(step, clumpy), by_channel(wanted, clumpy)
    assert before["point mass"].max() > 1.3 * after["point mass"].max()
    assert before["chi-square"].max() > after["chi-square"].max() + 0.5
