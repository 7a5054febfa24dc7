"""`detect` as people run it: a table, maps with their place on the sky, bad files, exit codes."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from darklens.cli.main import main
from darklens.lensing import (
    EPL,
    GaussianPSF,
    PixelGrid,
    Scene,
    Sersic,
    Shear,
    render,
)

SCALE = 0.08


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lens with noise map and PSF in one file, and two files that cannot be used."""
    root = tmp_path_factory.mktemp("survey")
    scene = Scene(
        EPL(1.1, 2.05, 0.8, 0.4),
        Shear(0.02, 0.01),
        sources=(Sersic(4.0, 0.2, 1.0, 0.7, 0.6, 0.08, -0.05),),
    )
    psf = GaussianPSF(0.16, 4)
    flux = psf.convolve(render(scene, PixelGrid((51, 51), SCALE), 2), SCALE)
    noise = np.full(flux.shape, flux.max() / 60)
    image = flux + noise * np.random.default_rng(0).normal(size=flux.shape)
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CRPIX1"] = header["CRPIX2"] = 26.0
    header["CRVAL1"], header["CRVAL2"] = 150.0, 2.0
    header["CDELT1"], header["CDELT2"] = -SCALE / 3600, SCALE / 3600
    row = psf.kernel(SCALE)
    (root / "images").mkdir()
    fits.PrimaryHDU(image, header).writeto(root / "images" / "lens.fits")
    fits.PrimaryHDU(image).writeto(root / "images" / "no_scale.fits")
    (root / "images" / "text.fits").write_text("no image")
    fits.PrimaryHDU(noise).writeto(root / "noise.fits")
    fits.PrimaryHDU(np.outer(row, row)).writeto(root / "psf.fits")
    return root


def test_table_maps_and_picture(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, maps, figures = tmp_path / "table.csv", tmp_path / "maps", tmp_path / "figures"
    words = [str(folder / "images"), "--output", str(output), "--maps", str(maps)]
    words += ["--figures", str(figures), "--lens-light", "false", "--draws", "40"]
    words += ["--noise-map", str(folder / "noise.fits"), "--psf", str(folder / "psf.fits")]
    assert main(["detect", *words, "--lens-redshift", "0.3", "--source-redshift", "1.0"]) == 1
    table = pd.read_csv(output)
    assert list(table.columns[:6]) == [
        "path",
        "verdict",
        "reason",
        "significance",
        "p_value",
        "mass",
    ]
    assert table.columns[-1] == "error"
    rows = {Path(row["path"]).stem: row for _, row in table.iterrows()}
    lens = rows["lens"]
    assert lens["verdict"] == "no subhalo seen"
    assert lens["einstein_radius"] == pytest.approx(1.1, abs=5 * lens["einstein_radius_error"])
    assert lens["mass_unit"] == "M_sun"
    assert 1e7 < lens["limit_mass_3"] <= lens["limit_mass"]
    assert abs(lens["ra"] - 150.0) < 0.001
    assert lens["ra"] == pytest.approx(150.0 - lens["x"] / 3600 / np.cos(np.deg2rad(2.0)), abs=1e-6)
    assert "pixel scale" in rows["no_scale"]["error"]
    assert "not a FITS file" in rows["text"]["error"]
    (found,) = maps.glob("*lens*.fits")
    with fits.open(found) as planes:
        names = {plane.name for plane in planes[1:]}
        assert {"MODEL", "RESIDUAL", "NO_LENS_LIGHT", "SIGNIFICANCE", "LIMIT_MASS_5"} <= names
        assert all(plane.data.shape == (51, 51) for plane in planes)
        place = WCS(planes["SIGNIFICANCE"].header).pixel_to_world(25.0, 25.0)
        assert place.ra.deg == pytest.approx(150.0)
    (model,) = maps.glob("*lens*.coolest.json")
    coolest = json.loads(model.read_text())
    assert coolest["standard"] == "COOLEST"
    mass = coolest["lensing_entities"][1]["mass_model"][0]["parameters"]
    angle = mass["phi"]["point_estimate"]["value"]
    assert angle == pytest.approx(np.rad2deg(0.4) - 90, abs=15)  # from the y axis
    assert mass["theta_E"]["point_estimate"]["value"] == pytest.approx(lens["einstein_radius"])
    assert len(list(figures.glob("*.png"))) == 1
    assert (tmp_path / "table.csv.config.yaml").is_file()
    shown = capsys.readouterr().err
    assert "2 of 3 images could not be searched" in shown
    assert "no subhalo seen: 1" in shown


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--psf", "none.fits"], "--psf none.fits"),
        (["--psf", "0"], "width must be positive"),
        (["--pixel-scale", "-1"], "--pixel-scale must be"),
        (["--lens-redshift", "0.5"], "both the lens and the source"),
        (["--lens-redshift", "2", "--source-redshift", "1"], "in front of the source"),
        (["--draws", "3"], "at least 20"),
        (["--workers", "0"], "--workers must be at least 1"),
        (["--size", "10", "--pixel-scale", "0.08"], "fewer than 20 pixels"),
        (
            ["--size", "420", "--centre", "9,9", "--pixel-scale", "0.08"],
            "420 x 420 pixels are more",
        ),
        (["--pixel-scale", "0.08", "--noise-map", "[1]"], "no image in extension 1"),
        (["--output", "table.txt"], ".csv"),
        (["--maps", __file__], "test_detect.py"),
    ],
)
def test_bad_arguments_are_one_line(
    folder: Path, words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["detect", str(folder / "images" / "no_scale.fits"), "--quiet", *words]) == 2
    shown = capsys.readouterr().err.strip().splitlines()
    assert reason in shown[-1]
    assert not any("Traceback" in line for line in shown)
