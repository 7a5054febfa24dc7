"""`fit --flexible`: satellites, bands, a source that is none, its files, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from PIL import Image

from darklens.cli.fit import show
from darklens.cli.main import main
from darklens.detection import LensFitter
from darklens.detection.source_plane import multiply_imaged
from darklens.evaluate.fit import FileFitter, fit_flexible, fit_row, flexible_row, flexible_table
from darklens.evaluate.lenses import LensImages
from darklens.lensing import EPL, SIE, GaussianPSF, PixelGrid, Scene, Sersic, Shear, render
from darklens.observations import ImageOptions, Target
from darklens.simulation import load_preset

SCALE, SIDE, WIDTH = 0.1, 49, 0.15
PLACE, THETA = (1.9, 1.0), 0.25
"""Of the satellite [arcsec]."""
RADIUS, SLOPE, AXIS_RATIO, SHEAR = 1.1, 2.05, 0.78, (0.03, -0.02)


def header(scale: float, side: int) -> fits.Header:
    found = fits.Header()
    found["CTYPE1"], found["CTYPE2"] = "RA---TAN", "DEC--TAN"
    found["CRPIX1"] = found["CRPIX2"] = 0.5 * (side + 1)
    found["CRVAL1"], found["CRVAL2"] = 150.0, 2.0
    found["CDELT1"], found["CDELT2"] = -scale / 3600, scale / 3600
    return found


def with_satellite() -> Any:
    """The arcs of a lens with a satellite at `PLACE`, before the noise."""
    n, psf = 3, GaussianPSF(WIDTH, 4)
    x, y = PixelGrid((n * SIDE, n * SIDE), SCALE / n).coordinates()
    masses = EPL(RADIUS, SLOPE, AXIS_RATIO, 0.4), Shear(*SHEAR), SIE(THETA, 1.0, 0.0, *PLACE)
    bent = [mass.deflection(x, y) for mass in masses]
    source = Sersic(1.0, 0.25, 1.0, 0.8, 0.3, 0.08, -0.05)
    fine = source.brightness(x - sum(b[0] for b in bent), y - sum(b[1] for b in bent))
    return psf.convolve(fine.reshape(SIDE, n, SIDE, n).mean(axis=(1, 3)) * SCALE**2, SCALE)


def band(scale: float, side: int, radius: float) -> Any:
    """The arcs of a lens without satellites in one band."""
    source = Sersic(4.0, radius, 1.0, 0.7, 0.6, 0.08, -0.05)
    scene = Scene(EPL(RADIUS, SLOPE, AXIS_RATIO, 0.4), Shear(*SHEAR), sources=(source,))
    flux = render(scene, PixelGrid((side, side), scale), 3)
    return GaussianPSF(WIDTH, 4).convolve(flux, scale)


def no_lens() -> Any:
    """Two galaxies side by side."""
    x, y = PixelGrid((SIDE, SIDE), SCALE).coordinates()
    galaxies = Sersic(4.0, 0.5, 2.0, 0.8, 0.3), Sersic(2.0, 0.3, 2.0, 0.6, 1.2, 1.5, 0.9)
    light = sum(one.brightness(x, y) for one in galaxies) * SCALE**2
    return GaussianPSF(WIDTH, 4).convolve(light, SCALE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lens with a satellite, one in two bands, and two galaxies that are no lens."""
    root = tmp_path_factory.mktemp("lenses")
    images = {
        "satellite": (with_satellite(), SCALE, 60),
        "F814W": (band(0.1, 41, 0.2), 0.1, 50),
        "F160W": (band(0.14, 31, 0.3), 0.14, 50),
        "pair": (no_lens(), SCALE, 200),
    }
    for k, (name, (flux, scale, signal)) in enumerate(images.items()):
        noise = np.full(flux.shape, flux.max() / signal)
        image = flux + noise * np.random.default_rng(k).normal(size=flux.shape)
        fits.PrimaryHDU(image, header(scale, len(flux))).writeto(root / f"{name}.fits")
        fits.PrimaryHDU(noise).writeto(root / f"{name}_rms.fits")
    column, row = (value / SCALE + 0.5 * (SIDE - 1) for value in PLACE)
    rows = [f'satellite.fits,satellite_rms.fits,,"{column:.3f},{row:.3f}"']
    rows += [f"{name}.fits,{name}_rms.fits,J1000," for name in ("F814W", "F160W")]
    (root / "lenses.csv").write_text("\n".join(["image,noise_map,lens,satellites", *rows]))
    return root


@pytest.fixture(scope="module")
def made(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the verb writes for the first two lenses."""
    root = tmp_path_factory.mktemp("fits")
    words = [str(folder / "lenses.csv"), "--flexible", "--lens-light", "false", "--quiet"]
    words += ["--psf", str(WIDTH), "--output", str(root / "fits.csv")]
    words += ["--maps", str(root / "maps"), "--figures", str(root / "figures")]
    assert main(["fit", *words]) == 0
    return root


@pytest.fixture(scope="module")
def rows(made: Path) -> dict[str, dict[str, Any]]:
    """Rows of the table by file."""
    table = pd.read_csv(made / "fits.csv")
    assert list(table.columns[:5]) == [
        "path",
        "chi_square",
        "converged",
        "reason",
        "log_evidence",
    ]
    assert list(table.columns[-4:]) == ["lens", "bands", "prepared", "error"]
    return {Path(str(row["path"])).stem: row for row in table.to_dict("records")}


def near(row: dict[str, Any], name: str, truth: float) -> bool:
    """Whether a value is within four of its errors, which are small."""
    error = row[f"{name}_error"]
    return bool(abs(row[name] - truth) < 4 * error and 0 < error < 0.15)


def test_a_lens_comes_back_with_its_satellite(rows: dict[str, dict[str, Any]]) -> None:
    row = rows["satellite"]
    truth = {"einstein_radius": RADIUS, "lens_slope": SLOPE, "lens_axis_ratio": AXIS_RATIO}
    truth |= {"gamma1": SHEAR[0], "gamma2": SHEAR[1], "shear": float(np.hypot(*SHEAR))}
    truth |= {"satellite1_einstein_radius": THETA, "source_x": 0.08, "source_radius": 0.25}
    truth |= {"satellite1_x": PLACE[0], "satellite1_y": PLACE[1], "multipole4_cos": 0.0}
    assert [name for name, value in truth.items() if not near(row, name, value)] == []
    assert row["satellite1_einstein_radius"] > 5 * row["satellite1_einstein_radius_error"]
    assert row["converged"]
    assert row["noise"] == "map"
    assert row["magnification"] > 3
    assert 0.8 < row["chi_square"] < 1.2
    assert all(pd.isna(row[name]) for name in ("reason", "lens", "error"))


def test_bands_of_a_lens_are_one_row(rows: dict[str, dict[str, Any]]) -> None:
    assert set(rows) == {"satellite", "F814W"}
    row = rows["F814W"]
    assert row["lens"] == "J1000"
    assert all(name in row["bands"] for name in ("F814W", "F160W"))
    truth = {"einstein_radius": RADIUS, "lens_slope": SLOPE, "gamma1": SHEAR[0]}
    assert [name for name, value in truth.items() if not near(row, name, value)] == []
    assert row["einstein_radius_error"] < 0.003
    assert row["converged"]
    assert pd.isna(row["satellite1_x"])


def test_maps_covariance_coolest_and_pictures(made: Path, rows: dict[str, dict[str, Any]]) -> None:
    (file,) = (made / "maps").glob("*F814W.fits")
    with fits.open(file) as planes:
        shapes = {plane.name: plane.data.shape for plane in planes}
        assert shapes["MODEL"] == shapes["SOURCE"] == (41, 41)
        assert shapes["IMAGE_2"] == shapes["RESIDUAL_2"] == (31, 31)
        assert "SIGNIFICANCE" not in shapes
        assert 0.8 < np.nanstd(planes["RESIDUAL_2"].data) < 1.2
        assert planes[0].header["CONVERGE"]
        assert planes[0].header["LOGEVID"] == pytest.approx(rows["F814W"]["log_evidence"])
    (file,) = (made / "maps").glob("*satellite.fits")
    with fits.open(file) as planes:
        matrix, words = planes["COVARIANCE"].data, planes["COVARIANCE"].header
    names = [words[f"PAR{k + 1}"] for k in range(len(matrix))]
    assert names[-1] == "satellite1_einstein_radius"
    assert np.allclose(matrix, matrix.T)
    for k, name in enumerate(names):
        assert words[f"VAL{k + 1}"] == pytest.approx(rows["satellite"][name])
        assert np.sqrt(matrix[k, k]) == pytest.approx(rows["satellite"][f"{name}_error"])
    (file,) = (made / "maps").glob("*satellite.coolest.json")
    coolest = json.loads(file.read_text())
    assert coolest["meta"]["converged"]
    assert coolest["meta"]["redshifts"] == "assumed"
    assert "satellite 1" in {one["name"] for one in coolest["lensing_entities"]}
    sizes = []
    for path in sorted((made / "figures").glob("*.png")):
        with Image.open(path) as picture:
            sizes.append(picture.size)
    assert len(sizes) == 2
    assert sizes[1][1] > 1.5 * sizes[0][1]  # a row of panels for each band
    assert "flexible: true" in (made / "fits.csv.config.yaml").read_text()
    assert "preset: galaxy" in (made / "fits.csv.config.yaml").read_text()


def test_a_companion_does_not_pass_for_a_source(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its light has one image, whatever it is magnified."""
    said = ImageOptions(noise_map=str(folder / "pair_rms.fits"), psf=WIDTH)
    lens = LensImages((Target(folder / "pair.fits", said),))
    found = fit_flexible(lens, fitter=LensFitter())
    assert found.fit is not None
    row = flexible_row(found)
    assert row["converged"] is False
    assert "may be a companion" in row["reason"]
    assert row["magnification"] < 3
    assert multiply_imaged(found.fit.views[0]) < 0.1
    assert show(flexible_table([row]), output=None, flexible=True, quiet=True) == 0
    shown = capsys.readouterr()
    assert "1 of 1 fits are not trusted: " in shown.err
    assert "may be a companion" in shown.out


def test_a_companion_does_not_pass_for_a_source_without_it(folder: Path) -> None:
    rows = {}
    for name, light in (("pair", True), ("F160W", False)):
        fitter = FileFitter(load_preset("galaxy"), lens_light=light)
        said = ImageOptions(noise_map=str(folder / f"{name}_rms.fits"), psf=WIDTH)
        found = fitter.fit(Target(folder / f"{name}.fits", said))
        assert found.fit is not None
        assert found.fit.converged
        rows[name] = fit_row(found)
    assert rows["pair"]["converged"] is False
    assert rows["pair"]["note"]
    assert rows["pair"]["chi_square"] < 1.5
    assert rows["F160W"]["converged"] is True
    assert rows["F160W"]["note"] is None


def test_without_it_neither_satellites_nor_bands_are_ignored_in_silence(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(folder / "lenses.csv"), "--preset", "galaxy", "--psf", str(WIDTH), "--quiet"]
    words += ["--lens-light", "false", "--output", str(tmp_path / "fits.csv")]
    words += ["--size", "24"]
    assert main(["fit", *words]) == 1
    table = pd.read_csv(tmp_path / "fits.csv")
    assert len(table) == 3
    assert "add --flexible" in table["error"][0]
    assert table["error"][1:].isna().all()
    shown = capsys.readouterr().err.splitlines()
    assert shown[0].startswith("several images of J1000: each is fitted alone; --flexible fits")


def test_a_survey_file_is_heard(folder: Path, tmp_path: Path, error_line: Any) -> None:
    survey = tmp_path / "survey.yaml"
    survey.write_text("psf: 0.15\nsatellites: 9,9\n")
    words = [str(folder / "satellite.fits"), "--preset", "galaxy", "--quiet"]
    assert main(["fit", *words, "--survey", str(survey)]) == 2
    assert "--satellites are modelled by detect, not by fit, unless it fits" in error_line()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--flexible", "--preset", "common-test-1"], "omit --preset common-test-1"),
        (["--flexible", "--mass", "sphere"], "omit --mass"),
        (["--flexible", "--posterior", "samples"], "--posterior samples the parametric lens"),
        (["--flexible", "--satellites", "1,2;3,4;5,6;7,8"], "at most 3, not 4"),
        (["--flexible", "--satellites", "900,2"], "lies outside of the image"),
        (["--flexible", "--size", "420", "--centre", "9,9"], "more than the 400 on a side"),
        (["--flexible", "--maps", __file__], "test_fit_flexible.py"),
        (["--preset", "galaxy", "--maps", "maps"], "--maps are those of the flexible lens"),
        (["--flexible", "--workers", "0"], "--workers must be at least 1"),
    ],
)
def test_wrong_arguments_are_one_line(
    folder: Path, words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", str(folder / "satellite.fits"), "--quiet", *words]) == 2
    shown = capsys.readouterr().err
    assert reason in shown
    assert shown.startswith("darklens: error: ")
    assert shown.count("\n") == 1


def test_turned_bands_are_refused(folder: Path, tmp_path: Path, error_line: Any) -> None:
    with fits.open(folder / "F160W.fits") as planes:
        image, words = planes[0].data, planes[0].header
        words["PC1_1"] = words["PC2_2"] = np.cos(0.3)
        words["PC1_2"], words["PC2_1"] = np.sin(0.3), -np.sin(0.3)
        fits.PrimaryHDU(image, words).writeto(tmp_path / "turned.fits")
    files = [str(folder / "F814W.fits"), str(tmp_path / "turned.fits")]
    assert main(["fit", *files, "--lens", "J1000", "--flexible", "--quiet"]) == 2
    assert "are turned by 17.2 degrees against each other" in error_line()


@pytest.mark.slow
def test_processes_give_the_same_table(made: Path, folder: Path, tmp_path: Path) -> None:
    words = [str(folder / "lenses.csv"), "--flexible", "--lens-light", "false", "--quiet"]
    words += ["--psf", str(WIDTH), "--output", str(tmp_path / "fits.csv"), "--workers", "2"]
    assert main(["fit", *words]) == 0
    first, again = (pd.read_csv(root / "fits.csv") for root in (made, tmp_path))
    pd.testing.assert_frame_equal(first, again, rtol=1e-6)
