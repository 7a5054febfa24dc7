"""Presets of users: what they may say, and what is said about wrong ones."""

import re
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from darklens.errors import BadPreset
from darklens.lensing import PixelPSF
from darklens.simulation import Simulator, load_preset
from darklens.simulation.population import draw_scene
from darklens.simulation.presets import preset_text


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return path


def changed(tmp_path: Path, old: str, new: str, base: str = "model-1") -> Path:
    text = preset_text(base)
    assert text.count(old) == 1, f"{old!r} is not one place of {base}"
    return write(tmp_path, text.replace(old, new))


def test_changing_a_prior_takes_one_line(tmp_path: Path) -> None:
    line = "  axis_ratio: 0.8181818181818182  "
    path = changed(tmp_path, line, "  axis_ratio: {uniform: [0.5, 0.6]}  ")
    preset, rng = load_preset(path), np.random.default_rng(0)
    ratios = [draw_scene(preset, "no", rng)[1]["lens_axis_ratio"] for _ in range(30)]
    assert 0.5 <= min(ratios) < max(ratios) <= 0.6
    assert len(set(ratios)) == 30


def test_user_preset_may_give_the_einstein_radius_lens_light_and_halos(tmp_path: Path) -> None:
    text = """
name: mine
grid: {shape: [32, 40], pixel_scale: 0.1}
lens: {redshift: 0.4, einstein_radius: {normal: [1.2, 0.1]}}
source: {redshift: 1.5, radius: 0.2, sersic_index: 1, magnitude: 22}
lens_light: {radius: 0.8, sersic_index: 4, magnitude: 20}
classes:
  smooth: []
  halos:
    - subhalos:
        number: {poisson: 8}
        mass: {power_law: [1.0e+8, 1.0e+10, -1.9]}
        radius: {uniform: [0, 2]}
        concentration: 15
        truncation: 10
instrument: {zero_point: 25, sky_magnitude: 22}
exposure: 1000
noise: none
"""
    simulator = Simulator(write(tmp_path, text))
    lenses = simulator.simulate(4, seed=0)
    assert simulator.shape == (1, 32, 40)
    assert lenses.classes == ("smooth", "halos")
    assert lenses.images.dtype == np.float32
    assert {"lens_light_magnitude", "subhalo_scale_radius"} <= set(lenses.parameters)
    scene = simulator.lens(1).scene
    assert len(scene.perturbers.halos) == len(lenses.parameters["subhalo_mass"][1])
    sky = simulator.preset.instrument.sky_rate(0.01)
    assert lenses.images.min() > 1000 * sky


@pytest.mark.parametrize("ending", ["npy", "fits", "fits.gz"])
def test_psf_of_pixels_is_read_from_the_folder_of_the_preset(tmp_path: Path, ending: str) -> None:
    pixels = np.random.default_rng(0).random((5, 5))
    if ending == "npy":
        np.save(tmp_path / "psf.npy", pixels)
    else:
        fits.writeto(tmp_path / f"psf.{ending}", pixels)
    old = "{psf: {gaussian: {fwhm: 0.087, truncation: 3}}}"
    preset = load_preset(changed(tmp_path, old, f"{{psf: {{pixels: psf.{ending}}}}}"))
    assert isinstance(preset.instrument.psf, PixelPSF)
    np.testing.assert_array_equal(preset.instrument.psf.pixels, pixels)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: model-1", "title: model-1", "unknown key 'title'"),
        ("name: model-1", "", "name is missing"),
        ("shape: [150, 150]", "shape: 150", "grid.shape must be a list, not 150"),
        (
            "shape: [150, 150]",
            "shape: [150, a]",
            r"grid.shape\[1\] must be a whole number, not 'a'",
        ),
        ("shape: [150, 150]", "shape: [0, 150]", "grid: "),
        ("pixel_scale: 0.05", "pixel_scale: fine", "grid.pixel_scale must be a number, not 'fine'"),
        ("pixel_scale: 0.05", "scale: 0.05", "grid: unknown key 'scale'"),
        ("mass: 1.0e+12", "mas: 1.0e+12", "lens: unknown key 'mas'; did you mean 'mass'"),
        ("mass: 1.0e+12", "shear_angle: 0", "lens: give either mass or einstein_radius"),
        ("mass: 1.0e+12", "mass: {uniform: [2, 1]}", "lens.mass.uniform: .* needs low < high"),
        (
            "mass: 1.0e+12",
            "mass: heavy",
            "lens.mass must be a number or exactly one of .* not 'heavy'",
        ),
        ("  redshift: 1.0\n", "", "source: redshift is missing"),
        (
            "amplitude: 20",
            "magnitude: {triangle: 1}",
            "source.magnitude must be a number or exactly one of",
        ),
        (
            "sersic_index: 1",
            "sersic_index: 1\n  b_n: 7",
            "source.b_n must be 'exact', 'lenstronomy' or 'prugniel', not 7",
        ),
        ("- subhalos:", "- clumps:", r"classes.sphere\[0\] must be exactly one of subhalos, line"),
        ("no: []", "no: nothing", "classes.no must be a list, not 'nothing'"),
        ("mass: 3.0e+10", "", r"classes.vort\[0\].line.mass is missing"),
        (
            "{photon: {background_rms: 0.01}}",
            "{photons: {}}",
            "noise must be exactly one of none, photon, .*mean 'photon'",
        ),
        (
            "{photon: {background_rms: 0.01}}",
            "{photon: {rms: 1}}",
            "noise.photon: unknown key 'rms'",
        ),
        (
            "{gaussian: {fwhm: 0.087",
            "{airy: {fwhm: 0.087",
            "instrument.psf must be exactly one of gaussian, pixels",
        ),
        ("{gaussian: {fwhm: 0.087, truncation: 3}}", "{pixels: none.npy}", "psf: .*cannot be read"),
        ("Ob0: 0.05}", "Ob0: 0.05, distances: long}", "cosmology.distances must be 'angular' or"),
        ("shape: [150, 150]", "shape: [150, 1000000]", "of 1 to 16384 pixels"),
        ("shape: [150, 150]", "shape: [16000, 16000]", "rays for one image"),
        ("pixel_scale: 0.05", "pixel_scale: 1.0e-30", "grid: .*from 1e-6 to 3600"),
        ("mass: 1.0e+12", "mass: 1.0e+30", r"lens.mass must be at most 1e\+20, not 1e\+30"),
        (
            "mass: 1.0e+12",
            "mass: {uniform: [1, 1.0e+30]}",
            r"lens.mass.uniform.high must be at most",
        ),
        ("mass: 1.0e+12", "mass: 1.0e+400", "not a finite number"),
        ("amplitude: 20", "fraction: 0.2", "source: fraction is of the source's flux"),
        ("amplitude: 20", "amplitude: 20\n  magnitude: 20", "source: give either amplitude or"),
        (
            "amplitude: 20",
            "amplitude: 20\n  clumps: {number: 1.0e+9, fraction: 0, offset: 0, radius: 1}",
            "source.clumps: number may be at most 1000",
        ),
        (
            "source:\n",
            "lens_light: {radius: 1, sersic_index: 4, fraction: 0.1, clumps: {number: 1, "
            "fraction: 0.1, offset: 0, radius: 1}}\nsource:\n",
            "lens_light: only the source has clumps",
        ),
        ("mass: 1.0e+12", "mass: 1" + 400 * "0", "a number of 401 digits"),
        (
            "mass: 3.0e+10",
            "mass: 3.0e+10\n        points: 1000000000",
            "points may be at most 100000",
        ),
        (
            "mass: 3.0e+10",
            "mass: 3.0e+10\n        spacing: 0.5",
            r"classes.vort\[0\].line: spacing and mass_spread are of points",
        ),
        ("truncation: 3}}", "truncation: 3}}, supersampling: 1000000", "must be from 1 to 64"),
        ("truncation: 3}}", "truncation: 3}}, supersampling: 64", "rays for one image"),
        ("truncation: 3}}", "truncation: 1.0e+9}}", "instrument.psf.gaussian: fwhm and truncation"),
        ("fwhm: 0.087", "fwhm: 3000", "psf: a kernel of"),
        ("{photon: {background_rms: 0.01}}", "{ccd: {exposures: 100000000}}", "exposures must be"),
        ("grid: {", "grid: [", r"line \d+: not plain YAML"),
    ],
)
def test_a_wrong_preset_is_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = changed(tmp_path, old, new)
    with pytest.raises(BadPreset, match=message) as caught:
        Simulator(path).lens(0)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "just words", "name: x", "\x00", "a: !!python/object:os.x"]
)
def test_a_file_that_is_no_preset_is_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadPreset) as caught:
        load_preset(write(tmp_path, text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", ["1.0e+6", "{poisson: 1.0e+8}", "{uniform: [0, 1.0e+7]}"])
def test_the_number_of_subhalos_is_bounded(tmp_path: Path, number: str) -> None:
    text = re.sub(r"number: \S.*", f"number: {number}", preset_text("model-1"), count=1)
    assert f"number: {number}" in text
    with pytest.raises(BadPreset, match="number may be at most 100000"):
        load_preset(write(tmp_path, text))


def test_an_alias_bomb_is_refused_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]"] + [
        f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 12)
    ]
    with pytest.raises(BadPreset, match=r"line 1: .*anchors"):
        load_preset(write(tmp_path, "\n".join(lines)))


def test_files_of_psfs_are_read_with_care(tmp_path: Path) -> None:
    old = "{psf: {gaussian: {fwhm: 0.087, truncation: 3}}}"
    np.save(tmp_path / "objects.npy", np.array([["a", 1]], dtype=object), allow_pickle=True)
    np.save(tmp_path / "line.npy", np.ones(5))
    np.save(tmp_path / "wide.npy", np.ones((1, 2001)))
    np.save(tmp_path / "words.npy", np.array([["a"]]))
    huge = np.lib.format.magic(1, 0) + (118).to_bytes(2, "little")
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    (tmp_path / "huge.npy").write_bytes(huge + header.ljust(117).encode() + b"\n")
    (tmp_path / "empty.npy").touch()
    (tmp_path / "zipped.fits").write_bytes(b"\x1f\x8b\x08" + bytes(100))
    (tmp_path / "cut.fits").write_bytes(b"SIMPLE  =                    T")
    fits.writeto(tmp_path / "cube.fits", np.ones((3, 5, 5)))
    fits.writeto(tmp_path / "wide.fits", np.ones((1, 2001)))
    names = sorted(path.name for path in tmp_path.iterdir())
    for name in [*names, "none.npy", "..", "/dev/zero"]:
        path = changed(tmp_path, old, f"{{psf: {{pixels: {name}}}}}")
        with pytest.raises(BadPreset, match="psf: ") as caught:
            load_preset(path)
        assert "\n" not in str(caught.value)


def test_unknown_names_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(BadPreset, match="there is no preset 'model-9': choose common-test-1"):
        load_preset("model-9")
    with pytest.raises(BadPreset, match="cannot be read"):
        load_preset(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  axis_ratio: 0.8181818181818182 ", "  axis_ratio: {uniform: [1.5, 2]} ", "axis_ratio"),
        ("  redshift: 1.0\n", "  redshift: 0.3\n", "must be in front of the source"),
        ("  radius: 0.25\n", "  radius: -1\n", "radius -1 must be positive"),
        ("amplitude: 20\n", "amplitude: 1.0e+9\n", "more than 65535"),
        ("amplitude: 20\n", "magnitude: 20\n", "needs a zero_point"),
        ("shear: 0.05\n", "shear: 0.05\n  slope: 3.5\n", "slope 3.5 is not between 1 and 3"),
        ("shear: 0.05\n", "shear: 0.05\n  multipole_3: 2\n", "multipole_3 2 is not between"),
        (
            "source:\n",
            "lens_light: {radius: 1, sersic_index: 4, fraction: -0.1}\nsource:\n",
            "lens_light: fraction -0.1 must not be negative",
        ),
        (
            "amplitude: 20\n",
            "amplitude: 20\n  clumps: {number: 1, fraction: -0.1, offset: 0, radius: 1}\n",
            "clumps: fraction -0.1 must not be negative",
        ),
        (
            "amplitude: 20\n",
            "amplitude: 20\n  clumps: {number: 5, fraction: 0.2, offset: 0, radius: 1}\n",
            "clumps: fractions that add up to 1 leave nothing of the source",
        ),
        (
            "amplitude: 20\n",
            "amplitude: 20\n  clumps: {number: 1, fraction: 0.2, offset: 0, radius: 0}\n",
            "clumps: radius 0 must be positive",
        ),
        (
            "mass: 3.0e+10\n",
            "mass: 3.0e+10\n        points: -3\n",
            "points -3 must not be negative",
        ),
        (
            "mass: 3.0e+10\n",
            "mass: 3.0e+10\n        points: 9\n        spacing: 1.5\n",
            r"line: spacing 1.5 is not in \[0, 1\]",
        ),
        (
            "mass: 3.0e+10\n",
            "mass: 3.0e+10\n        points: 9\n        mass_spread: 7\n",
            r"line: mass_spread 7 is not in \[0, 5\]",
        ),
    ],
)
def test_impossible_draws_are_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    simulator = Simulator(changed(tmp_path, old, new))
    with pytest.raises(BadPreset, match=message) as caught:
        simulator.simulate(3)
    assert "\n" not in str(caught.value)
