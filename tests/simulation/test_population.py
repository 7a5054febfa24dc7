"""What may be added to a smooth lens: a slope, multipoles, clumps in the source, lens light."""

from dataclasses import replace

import numpy as np
import pytest

from darklens.lensing import EPL, SIE, Multipole
from darklens.simulation import Lens, Preset, Simulator, load_preset
from darklens.simulation.distributions import Constant, LogUniform, Mixture, Uniform
from darklens.simulation.priors import ClumpPrior, LightPrior

CLUMPS = ClumpPrior(
    number=Constant(3),
    fraction=Uniform(0.05, 0.2),
    offset=Uniform(0.1, 0.5),
    radius=Constant(0.1),
)


@pytest.fixture(scope="module")
def plain() -> Preset:
    return load_preset("common-test-1")


def lens_of(preset: Preset, index: int = 1) -> Lens:
    return Simulator(preset).lens(index, seed=2)


def test_the_slope_of_the_lens(plain: Preset) -> None:
    changed = replace(plain, lens=replace(plain.lens, slope=Uniform(1.85, 2.15)))
    before, after = lens_of(plain), lens_of(changed)
    assert isinstance(before.scene.lens, SIE)
    assert isinstance(after.scene.lens, EPL)
    assert after.scene.lens.slope == after.parameters["lens_slope"]
    assert 1.85 < after.parameters["lens_slope"] < 2.15
    # All else is drawn before it.
    known = {name: after.parameters[name] for name in before.parameters}
    assert known == before.parameters
    assert not np.array_equal(after.image, before.image)


def test_an_isothermal_slope_keeps_the_bytes(plain: Preset) -> None:
    changed = replace(plain, lens=replace(plain.lens, slope=Mixture(((1.0, Constant(2.0)),))))
    lens = lens_of(changed)
    assert isinstance(lens.scene.lens, SIE)
    assert lens.parameters["lens_slope"] == 2.0


def test_multipoles_are_relative_to_the_einstein_radius(plain: Preset) -> None:
    lens_prior = replace(
        plain.lens,
        x=Constant(0.03),
        multipole_1=Uniform(0.001, 0.01),
        multipole_1_angle=Uniform(0, 360),
        multipole_4=Constant(-0.01),
        multipole_4_angle=Constant(30.0),
    )
    lens = lens_of(replace(plain, lens=lens_prior))
    first, fourth = lens.scene.multipoles
    theta, row = lens.parameters["einstein_radius"], lens.parameters
    angle = np.deg2rad(row["multipole_1_angle"])
    assert first == Multipole(1, row["multipole_1"] * theta, angle, theta, 0.03, 0.0)
    assert fourth == Multipole(4, -0.01 * theta, np.deg2rad(30), theta, 0.03, 0.0)
    assert "multipole_3" not in row
    assert lens_of(plain).scene.multipoles == ()


def test_clumps_share_the_light_of_the_source(plain: Preset) -> None:
    changed = replace(plain, source=replace(plain.source, clumps=CLUMPS))
    lens, before = lens_of(changed), lens_of(plain)
    source, *clumps = lens.scene.sources
    row, (smooth,) = lens.parameters, before.scene.sources
    assert len(clumps) == len(row["clump_fraction"]) == 3
    total = sum(light.total_flux for light in lens.scene.sources)
    assert total == pytest.approx(smooth.total_flux)
    assert source.amplitude == row["source_amplitude"] < smooth.amplitude
    for clump, fraction, x, y in zip(
        clumps, row["clump_fraction"], row["clump_x"], row["clump_y"], strict=True
    ):
        assert clump.total_flux == pytest.approx(fraction * smooth.total_flux)
        assert (clump.x, clump.y, clump.radius) == (x, y, 0.1)
        assert 0.1 <= np.hypot(x - source.x, y - source.y) <= 0.5
    others = set(before.parameters) - {"source_amplitude"}
    assert all(row[name] == before.parameters[name] for name in others)


def test_no_clump_is_a_smooth_source(plain: Preset) -> None:
    clumps = replace(CLUMPS, number=Uniform(-3, 0.4))
    lens = lens_of(replace(plain, source=replace(plain.source, clumps=clumps)))
    assert lens.scene.sources == lens_of(plain).scene.sources
    assert lens.parameters["clump_x"] == []


def test_light_of_the_lens_is_a_fraction_of_the_source(plain: Preset) -> None:
    light = LightPrior(radius=Constant(0.5), sersic_index=Constant(4), fraction=Uniform(0.1, 0.2))
    lens = lens_of(replace(plain, lens_light=light, source=replace(plain.source, clumps=CLUMPS)))
    (found,) = lens.scene.lens_light
    flux = sum(source.total_flux for source in lens.scene.sources)
    assert found.total_flux == pytest.approx(lens.parameters["lens_light_fraction"] * flux)
    assert found.amplitude == lens.parameters["lens_light_amplitude"]
    dark = lens_of(replace(plain, lens_light=replace(light, fraction=Constant(0))))
    assert dark.scene.lens_light == ()
    assert dark.parameters["lens_light_amplitude"] == 0


def test_the_wide_preset_contains_the_benchmark(plain: Preset) -> None:
    wide = Simulator("common-test-1-wide")
    table = wide.simulate(240, seed=5).parameters
    for name, value in (
        ("lens_axis_ratio", 1.0),
        ("lens_slope", 2.0),
        ("multipole_1", 0.0),
        ("multipole_3", 0.0),
        ("multipole_4", 0.0),
        ("source_radius", 0.5),
        ("source_sersic_index", 1.5),
        ("lens_light_fraction", 0.0),
    ):
        assert 0.3 < (table[name] == value).mean() < 0.7, name
    assert np.hypot(table["lens_x"], table["lens_y"]).max() <= 0.1
    assert table["lens_slope"].between(1.85, 2.15).all()
    assert table["psf_fwhm"].between(0.19, 0.22).all()
    assert table["background"].between(8, 12).all()
    clumps = table["clump_x"].map(len)
    assert set(clumps) == {0, 1, 2, 3}
    numbers = table["subhalo_mass"].dropna().map(len)
    assert 5 <= numbers.min() < 12 < 40 < numbers.max() <= 60
    lines = table.dropna(subset=["line_mass"])
    assert lines["line_half_length"].between(0.3, 2.2).all()
    assert isinstance(wide.preset.source.clumps, ClumpPrior)
    (line,) = wide.preset.classes["vort"]
    assert line.points == LogUniform(8, 120)
    narrow = [Simulator(plain).lens(i).parameters["einstein_radius"] for i in range(100)]
    assert table["einstein_radius"].min() < min(narrow)
    assert table["einstein_radius"].max() > max(narrow)
