"""`detect` on several images of one lens: a manifest with a column `lens`, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from darklens.cli.main import main
from darklens.lensing import EPL, GaussianPSF, PixelGrid, Scene, Sersic, Shear, render

BANDS = {"F814W": (0.1, 41, 0.15, 0.2), "F160W": (0.14, 31, 0.25, 0.3)}
"""Pixel scale, side, width of the PSF and radius of the source."""
SHIFT = 1  # pixels of the second band by which its image is moved on the sky


def header(scale: float, side: int, *, shift: float = 0.0, ra: float = 150.0) -> fits.Header:
    found = fits.Header()
    found["CTYPE1"], found["CTYPE2"] = "RA---TAN", "DEC--TAN"
    found["CRPIX1"], found["CRPIX2"] = 0.5 * (side + 1) + shift, 0.5 * (side + 1)
    found["CRVAL1"], found["CRVAL2"] = ra, 2.0
    found["CDELT1"], found["CDELT2"] = -scale / 3600, scale / 3600
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lens in two bands, the second with its lens one pixel off the middle, and their noise."""
    root = tmp_path_factory.mktemp("bands")
    for k, (band, (scale, side, width, radius)) in enumerate(BANDS.items()):
        psf = GaussianPSF(width, 4)
        dx = SHIFT * scale if k else 0.0
        scene = Scene(
            EPL(1.1, 2.05, 0.8, 0.4, dx, 0.0),
            Shear(0.02, 0.01),
            sources=(Sersic(4.0, radius, 1.0, 0.7, 0.6, 0.08 + dx * 0.98, -0.05 - dx * 0.01),),
        )
        flux = psf.convolve(render(scene, PixelGrid((side, side), scale), 3), scale)
        noise = np.full(flux.shape, flux.max() / 50)
        image = flux + noise * np.random.default_rng(k).normal(size=flux.shape)
        shift = SHIFT if k else 0
        fits.PrimaryHDU(image, header(scale, side, shift=shift)).writeto(root / f"{band}.fits")
        fits.PrimaryHDU(noise).writeto(root / f"{band}_rms.fits")
    return root


def manifest(folder: Path, rows: list[str], name: str = "bands.csv") -> str:
    path = folder / name
    path.write_text("\n".join(["image,lens,noise_map,psf", *rows]) + "\n")
    return str(path)


ROWS = [f"{band}.fits,J1000,{band}_rms.fits,{BANDS[band][2]}" for band in BANDS]


def test_a_manifest_joins_the_bands_of_a_lens(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, maps = tmp_path / "table.csv", tmp_path / "maps"
    words = [manifest(folder, ROWS), "--lens-light", "false", "--draws", "20"]
    words += ["--lens-redshift", "0.3", "--source-redshift", "1.0", "--maps", str(maps)]
    assert main(["detect", *words, "--output", str(output)]) == 0
    (row,) = pd.read_csv(output).to_dict("records")
    assert Path(str(row["path"])).name == "F814W.fits"
    assert row["lens"] == "J1000"
    assert "F814W" in row["bands"]
    assert "F160W" in row["bands"]
    assert row["noise"] == "map"
    assert row["verdict"] == "no subhalo seen", row["reason"]
    assert row["einstein_radius"] == pytest.approx(1.1, abs=4 * row["einstein_radius_error"])
    assert row["lens_x"] == pytest.approx(0.0, abs=0.04)
    (found,) = maps.glob("*.fits")
    with fits.open(found) as planes:
        shapes = {plane.name: plane.data.shape for plane in planes}
        assert shapes["SIGNIFICANCE"] == shapes["RESIDUAL"] == (41, 41)
        assert shapes["IMAGE_2"] == shapes["RESIDUAL_2"] == shapes["SOURCE_2"] == (31, 31)
        assert "SIGNIFICANCE_2" not in shapes
        place = WCS(planes["MODEL_2"].header).pixel_to_world(15.0 + SHIFT, 15.0)
        assert place.ra.deg == pytest.approx(150.0)
        spread = {name: np.nanstd(planes[name].data) for name in ("RESIDUAL", "RESIDUAL_2")}
        assert all(0.8 < value < 1.2 for value in spread.values())
    assert "no subhalo seen: 1" in capsys.readouterr().err


def test_the_option_joins_files(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both are read before the search, and the second is not of the same lens."""
    scale, side, *_ = BANDS["F160W"]
    away = tmp_path / "away.fits"
    pixels = fits.getdata(folder / "F160W.fits")
    fits.PrimaryHDU(pixels, header(scale, side, ra=150.01)).writeto(away)
    words = [str(folder / "F814W.fits"), str(away), "--lens", "J1000", "--quiet"]
    assert main(["detect", *words]) == 2
    shown = capsys.readouterr().err.strip().splitlines()
    assert "none of 1 images" in shown[-1]
    assert "are not of one lens: their centres lie" in shown[-1]


def _written(folder: Path, name: str, change: Any) -> str:
    scale, side, *_ = BANDS["F160W"]
    words = header(scale, side)
    change(words)
    pixels = fits.getdata(folder / "F160W.fits")
    fits.PrimaryHDU(pixels, words).writeto(folder / name, overwrite=True)
    return f"{name},J1000,F160W_rms.fits,0.25"


def _turn(words: fits.Header) -> None:
    words["PC1_1"] = words["PC2_2"] = np.cos(0.3)
    words["PC1_2"], words["PC2_1"] = np.sin(0.3), -np.sin(0.3)


def _mirror(words: fits.Header) -> None:
    words["CDELT1"] = -words["CDELT1"]


def _no_scale(words: fits.Header) -> None:
    words.clear()


@pytest.mark.parametrize(
    ("change", "row", "reason"),
    [
        (_turn, "", "are turned by 17.2 degrees against each other"),
        (_mirror, "", "are mirrored against each other"),
        (_no_scale, "", "does not give its pixel scale"),
        (None, "F160W.fits,J1000,none.fits,0.25", "none.fits"),
        (None, "nothing.fits,J1000,,0.25", "nothing.fits"),
        (None, "F160W.fits,J1000,F160W_rms.fits,wide", "wide"),
    ],
)
def test_bad_bands_are_one_line(
    folder: Path, change: Any, row: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if change is not None:
        row = _written(folder, "other.fits", change)
    words = [manifest(folder, [ROWS[0], row], "bad.csv"), "--draws", "20", "--quiet"]
    assert main(["detect", *words]) == 2
    shown = capsys.readouterr().err.strip().splitlines()
    assert "none of 1 images can be searched" in shown[-1]
    assert reason in shown[-1]
    assert not any("Traceback" in line for line in shown)


def test_too_many_bands_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [ROWS[0].replace("0.15", f"0.{k + 11}") for k in range(9)]
    assert main(["detect", manifest(folder, rows, "many.csv"), "--quiet"]) == 2
    assert "J1000 has 9 images: at most 8 bands" in capsys.readouterr().err
