"""Second lens galaxies: their deflection, its derivatives, and the search beside one."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from jaxtyping import Float

from darklens.cli.main import main
from darklens.detection import Distances, SubhaloDetector
from darklens.detection.flexible_lens import FlexibleLens
from darklens.detection.lens_state import LensState
from darklens.detection.satellites import satellite_deflection, satellite_fields
from darklens.lensing import EPL, SIE, GaussianPSF, PixelGrid, Sersic, Shear
from darklens.observations import observation_of

TWO = np.array([1.5, -1.2, 0.15, -1.9, 0.3, 0.08])
SCALE, SIDE = 0.08, 71
PLACE, THETA = (2.0, 1.1), 0.25
PSF = GaussianPSF(0.12, 4)


def observed(*, satellite: bool, seed: int = 3) -> tuple[Any, Any]:
    """A lens with a satellite at `PLACE`, and its noise."""
    n = 3
    grid = PixelGrid((n * SIDE, n * SIDE), SCALE / n)
    x, y = grid.coordinates()
    masses: list[Any] = [EPL(1.1, 2.05, 0.78, 0.4, 0.02, -0.03), Shear(0.03, -0.02)]
    if satellite:
        masses.append(SIE(THETA, 1.0, 0.0, *PLACE))
    bent = [mass.deflection(x, y) for mass in masses]
    source = Sersic(1.0, 0.25, 1.0, 0.8, 0.3, 0.08, -0.05)
    fine = source.brightness(x - sum(b[0] for b in bent), y - sum(b[1] for b in bent))
    flux = fine.reshape(SIDE, n, SIDE, n).mean(axis=(1, 3)) * SCALE**2
    flux = PSF.convolve(flux, SCALE)
    noise = np.full(flux.shape, flux.max() / 60)
    return flux + noise * np.random.default_rng(seed).normal(size=flux.shape), noise


def rays() -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    x, y = PixelGrid((20, 20), 0.21).coordinates()
    return x.ravel(), y.ravel()


def test_deflection_is_that_of_isothermal_spheres() -> None:
    lenstronomy = pytest.importorskip("lenstronomy.LensModel.lens_model")
    x, y = rays()
    places = [{"theta_E": t, "center_x": u, "center_y": v} for u, v, t in TWO.reshape(2, 3)]
    expected = lenstronomy.LensModel(["SIS", "SIS"]).alpha(x, y, places)
    np.testing.assert_allclose(satellite_deflection(TWO, x, y), expected, atol=1e-8)


def test_fields_are_the_derivatives() -> None:
    x, y = rays()
    for k, found in enumerate(satellite_fields(TWO, x, y)):
        step = np.zeros_like(TWO)
        step[k] = 1e-6
        ends = [np.stack(satellite_deflection(TWO + s * step, x, y)) for s in (1, -1)]
        np.testing.assert_allclose(np.stack(found), (ends[0] - ends[1]) / 2e-6, atol=1e-5)


def test_directions_of_the_image_are_its_derivatives(
    flexible: FlexibleLens, state: LensState
) -> None:
    lens = replace(flexible, satellites=TWO)
    full = replace(state, satellites=TWO + 0.01)
    image, rows, _ = lens.directions(full)
    assert np.allclose(image, lens.image(full))
    vector = full.vector(lens.free)
    assert len(rows) == len(vector)
    assert np.array_equal(full.moved(lens.free, vector).satellites, full.satellites)
    first = len(lens.free) + len(full.multipoles)
    assert np.array_equal(vector[first : first + 6], full.satellites)
    inside = (slice(6, -6), slice(6, -6))
    for k in range(first, first + 9):  # those of the subhalo follow
        step = np.zeros_like(vector)
        step[k] = 1e-4
        ends = [lens.image(full.moved(lens.free, vector + s * step)) for s in (1, -1)]
        numerical = ((ends[0] - ends[1]) / 2e-4)[inside]
        assert np.abs(rows[k][inside] - numerical).max() < 0.03 * np.abs(numerical).max()


def test_a_satellite_is_found_and_is_no_subhalo() -> None:
    image, noise = observed(satellite=True)
    seen = observation_of(image, noise, SCALE, PSF)
    detector = SubhaloDetector(Distances(0.3, 1.0), draws=40)
    found = detector.detect(replace(seen, satellites=(PLACE,)), lens_light=False)
    assert found.verdict == "no subhalo seen", found.reason
    x, y, theta = found.lens.state.satellites
    errors = found.lens.errors()[-3:]
    assert abs(theta - THETA) < 4 * errors[2]
    assert theta > 5 * errors[2]
    assert np.hypot(x - PLACE[0], y - PLACE[1]) < 0.2
    radius = found.lens.state.parameters[0]
    assert radius == pytest.approx(1.1, abs=0.02)


def test_without_one_its_mass_is_small() -> None:
    image, noise = observed(satellite=False)
    seen = observation_of(image, noise, SCALE, PSF)
    detector = SubhaloDetector(Distances(0.3, 1.0), draws=40)
    found = detector.detect(replace(seen, satellites=(PLACE,)), lens_light=False)
    assert 0 <= found.lens.state.satellites[2] < 0.05
    assert found.verdict == "no subhalo seen"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A FITS file with a lens and its satellite, and its noise."""
    image, noise = observed(satellite=True)
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CRPIX1"] = header["CRPIX2"] = 36.0
    header["CRVAL1"], header["CRVAL2"] = 150.0, 2.0
    header["CDELT1"], header["CDELT2"] = -SCALE / 3600, SCALE / 3600
    fits.PrimaryHDU(image, header).writeto(tmp_path / "lens.fits")
    fits.PrimaryHDU(noise).writeto(tmp_path / "noise.fits")
    return tmp_path


def words(folder: Path) -> list[str]:
    said = ["--noise-map", str(folder / "noise.fits"), "--psf", "0.12", "--quiet"]
    return [str(folder / "lens.fits"), *said]


def test_the_verb_takes_a_pixel_or_a_place_on_the_sky(folder: Path) -> None:
    column, row = (value / SCALE + 35 for value in PLACE)
    cosine = np.cos(np.deg2rad(2.0))
    sky = f"{150 - PLACE[0] / 3600 / cosine:.7f}d,{2 + PLACE[1] / 3600:.7f}d"
    thetas = []
    for place in (f"{column:.3f},{row:.3f}", sky):
        output = folder / "table.csv"
        more = ["--lens-light", "false", "--draws", "20", "--output", str(output)]
        more += ["--maps", str(folder / "maps"), "--satellites", place]
        assert main(["detect", *words(folder), *more]) == 0
        (lens,) = pd.read_csv(output).to_dict("records")
        assert lens["satellite1_x"] == pytest.approx(PLACE[0], abs=0.2)
        error = lens["satellite1_einstein_radius_error"]
        assert lens["satellite1_einstein_radius"] == pytest.approx(THETA, abs=4 * error)
        thetas.append(lens["satellite1_einstein_radius"])
    assert thetas[0] == pytest.approx(thetas[1], abs=1e-3)
    (coolest,) = (folder / "maps").glob("*.coolest.json")
    entities = json.loads(coolest.read_text())["lensing_entities"]
    (mass,) = next(one for one in entities if one["name"] == "satellite 1")["mass_model"]
    assert mass["type"] == "SIS"
    assert mass["parameters"]["theta_E"]["point_estimate"]["value"] == pytest.approx(thetas[1])


@pytest.mark.parametrize(
    ("verb", "satellites", "line"),
    [
        ("detect", "1,2;3,4;5,6;7,8", "--satellites: at most 3, not 4"),
        ("detect", "900,2", "--satellites 900,2 lies outside of the image"),
        ("detect", "near", "--satellites 'near' must be x,y"),
        ("detect", "brightest", "--satellites 'brightest' must be x,y"),
        ("fit", "1,2", "--satellites are modelled by detect, not by fit"),
    ],
)
def test_what_cannot_be_is_one_line(
    folder: Path, verb: str, satellites: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--preset", "galaxy"] if verb == "fit" else []
    assert main([verb, *words(folder), *more, "--satellites", satellites]) == 2
    captured = capsys.readouterr()
    assert line in captured.out + captured.err
    assert "Traceback" not in captured.err


def test_a_manifest_names_satellites(
    folder: Path, capsys: pytest.CaptureFixture[str], error_line: Callable[[], str]
) -> None:
    (folder / "survey.csv").write_text(
        'image,noise_map,psf,satellites\nlens.fits,noise.fits,0.12,"200,3"\n'
    )
    assert main(["detect", str(folder / "survey.csv"), "--quiet"]) == 2
    assert "--satellites 200,3 lies outside" in capsys.readouterr().out
