"""The marginalised fit: what is no substructure leaves no residual, and units do not matter."""

from dataclasses import replace

import numpy as np
import pytest

from darklens.cutouts import block_sums, central_cutout
from darklens.lensing.profiles import SIE, Sersic, Shear
from darklens.lensing.render import render
from darklens.modelling import (
    MarginalisedFitter,
    Parameter,
    marginalised_fit,
    scene_parameters,
)
from darklens.modelling.linear_marginalisation import _inverse_root, linear_solution
from darklens.modelling.measured_noise import measured_noise
from darklens.simulation import Lens, Simulator, load_preset

WIDE = "common-test-1-wide"
DRAWS = 1500


@pytest.fixture(scope="module")
def fitter() -> MarginalisedFitter:
    return MarginalisedFitter(load_preset(WIDE), draws=DRAWS)


@pytest.fixture(scope="module")
def lens() -> Lens:
    return Simulator("common-test-1").lens(0, seed=3)


def counts_of(lens: Lens, **scene: object) -> np.ndarray:
    """Counts of the lens with another scene."""
    preset = load_preset("common-test-1")
    flux = render(replace(lens.scene, **scene), preset.grid)
    mean = preset.instrument.observe(flux, preset.grid.pixel_scale) + 10
    return np.random.default_rng(7).poisson(mean).astype(np.float64)


def test_a_smooth_lens_leaves_noise(fitter: MarginalisedFitter, lens: Lens) -> None:
    found = fitter.fit(lens.image[0].astype(np.float64))
    assert found.fit.chi_square == pytest.approx(1, abs=0.03)
    assert found.freedom < 20


def test_parameters_keep_their_truth(fitter: MarginalisedFitter, lens: Lens) -> None:
    found = fitter.fit(lens.image[0].astype(np.float64)).fit
    truth = scene_parameters(lens.scene)
    assert found.parameters[Parameter.EINSTEIN_RADIUS] == pytest.approx(
        truth[Parameter.EINSTEIN_RADIUS], abs=0.02
    )
    assert found.parameters[Parameter.LENS_SLOPE] == pytest.approx(2, abs=0.1)


def test_a_clumpy_source_is_no_substructure(fitter: MarginalisedFitter, lens: Lens) -> None:
    source = lens.scene.sources[0]
    clumps = [
        Sersic(0.4 * source.amplitude, 0.12, 1.0, x=source.x + dx, y=source.y + dy)
        for dx, dy in ((0.2, 0.1), (-0.15, 0.2))
    ]
    found = fitter.fit(counts_of(lens, sources=(source, *clumps)))
    assert found.fit.chi_square < 1.06
    assert found.freedom > 20
    smooth = fitter.fit(counts_of(lens))
    kind = "structure of the source"
    assert found.departures[kind] > 3 * smooth.departures[kind]


def test_light_of_the_lens_is_taken_off(fitter: MarginalisedFitter, lens: Lens) -> None:
    light = Sersic(0.5 * lens.scene.sources[0].amplitude, 0.3, 1.5)
    counts = counts_of(lens, lens_light=(light,))
    found = fitter.fit(counts)
    kind = "light of the lens"
    assert found.departures[kind] > 10 * fitter.fit(counts_of(lens)).departures[kind]
    taken = counts - found.data
    x, y = load_preset(WIDE).grid.coordinates()
    inner = np.hypot(x, y) < 0.3
    assert taken[inner].mean() == pytest.approx(
        light.brightness(x, y)[inner].mean() * 0.05**2, rel=0.2
    )
    assert found.fit.chi_square < 1.06


def test_light_of_the_lens_has_the_noise_of_its_photons(
    fitter: MarginalisedFitter, lens: Lens
) -> None:
    light = Sersic(lens.scene.sources[0].amplitude, 0.3, 1.0, 0.8, 0.4)
    counts = counts_of(lens, lens_light=(light,))
    x, y = load_preset(WIDE).grid.coordinates()
    inner = np.hypot(x, y) < 0.4
    for known in (True, False):
        found = fitter.fit(counts, known_gain=known).fit
        assert np.median(found.noise[inner] / np.sqrt(counts[inner])) == pytest.approx(1, abs=0.1)
        assert np.square(found.residual[inner]).mean() < 1.2


def test_blocks_of_pixels_say_the_same(fitter: MarginalisedFitter, lens: Lens) -> None:
    blocks = MarginalisedFitter(load_preset(WIDE), draws=DRAWS, size=120, binning=2)
    simulator = Simulator("common-test-1")
    for image in (lens.image[0], simulator.lens(1, seed=5).image[0]):
        counts = image.astype(np.float64)
        fine, found = fitter.fit(counts).fit, blocks.fit(blocks.binned(counts)).fit
        assert found.residual.shape == (60, 60)
        expected = 0.5 * block_sums(central_cutout(fine.residual, 120), 2)
        assert np.corrcoef(found.residual.ravel(), expected.ravel())[0, 1] > 0.97
        radius = Parameter.EINSTEIN_RADIUS
        assert found.parameters[radius] == pytest.approx(fine.parameters[radius], abs=0.005)


def test_signal_and_magnification_are_those_of_the_source(
    fitter: MarginalisedFitter, lens: Lens
) -> None:
    found = fitter.fit(lens.image[0].astype(np.float64))
    preset = load_preset("common-test-1")
    lensed = render(lens.scene, preset.grid)
    unlensed = render(replace(lens.scene, lens=SIE(1e-6), shear=Shear()), preset.grid)
    assert found.source_share(lens.image[0].astype(np.float64)) > 0.95
    assert found.magnification == pytest.approx(lensed.sum() / unlensed.sum(), rel=0.05)
    noise = np.sqrt(lensed + 10)
    assert found.signal_to_noise == pytest.approx(
        np.sqrt(np.square(lensed / noise).sum()), rel=0.05
    )


def test_subhalos_are_left(fitter: MarginalisedFitter) -> None:
    simulator = Simulator("common-test-1")
    found = [fitter.fit(simulator.lens(3 * k + 1, seed=5).image[0].astype(float)) for k in range(4)]
    assert np.median([one.fit.chi_square for one in found]) > 1.02


def test_the_gain_need_not_be_known(fitter: MarginalisedFitter, lens: Lens) -> None:
    counts = lens.image[0].astype(np.float64)
    known, unknown = fitter.fit(counts), fitter.fit(1.3 * counts - 4, known_gain=False)
    assert unknown.fit.chi_square == pytest.approx(1, abs=0.05)
    central = np.s_[20:130, 20:130]
    difference = known.fit.residual[central] - unknown.fit.residual[central]
    assert difference.std() < 0.15


def test_noise_is_measured_on_the_image() -> None:
    rng = np.random.default_rng(1)
    x, y = np.meshgrid(np.arange(150), np.arange(150))
    mean = 10 + 300 * np.exp(-0.5 * ((x - 75) ** 2 + (y - 75) ** 2) / 15**2)
    data = rng.poisson(mean).astype(np.float64)
    ratio = measured_noise(3 * data, 3 * mean) / (3 * np.sqrt(mean))
    assert ratio.min() > 0.9
    assert ratio.max() < 1.1


def test_directions_that_are_alike_are_no_error() -> None:
    matrix = np.full((3, 3), 1.0)
    matrix[0, 0] -= 1e-9
    root = _inverse_root(matrix)
    assert np.isfinite(root).all()
    assert _inverse_root(4 * np.eye(2)) == pytest.approx(0.5 * np.eye(2))


def test_no_direction_has_numbers_that_are_slow(
    fitter: MarginalisedFitter, lens: Lens, monkeypatch: pytest.MonkeyPatch
) -> None:
    smallest = []

    def watched(directions: np.ndarray, *others: object) -> object:
        smallest.append(abs(directions[directions != 0]).min())
        return linear_solution(directions, *others)

    monkeypatch.setattr(marginalised_fit, "linear_solution", watched)
    fitter.fit(lens.image[0].astype(np.float64))
    assert min(smallest) > np.finfo(np.float32).tiny
