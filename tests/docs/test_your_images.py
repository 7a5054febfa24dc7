"""The page on one's own images: its commands run on files such as it describes."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from darklens.cli.main import main

from .conftest import BLOCK

PAGE = Path(__file__).resolve().parents[2] / "docs" / "your_images.md"
NUMBER = r"-?\d+\.\d+"
BLOCKS = BLOCK.findall(PAGE.read_text())
SIDE, SCALE, RMS = 101, 0.1, 0.02


def lens(seed: int) -> np.ndarray:
    """A galaxy with a ring, and a neighbour."""
    y, x = np.indices((SIDE, SIDE)) - 50.0
    ring = np.exp(-0.5 * ((np.hypot(x, y) - 20) / 2.5) ** 2) * (1 + 0.5 * x / 20)
    other = 1.5 * np.exp(-0.5 * ((x - 38) ** 2 + (y - 36) ** 2) / 2.5**2)
    galaxy = 3 * np.exp(-0.5 * np.hypot(x, y) ** 2 / 3**2)
    return galaxy + ring + other + RMS * np.random.default_rng(seed).normal(size=x.shape)


def header() -> fits.Header:
    place = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.1, "CRVAL2": 2.2}
    place |= {"CRPIX1": 51.0, "CRPIX2": 51.0, "CD1_1": -SCALE / 3600, "CD2_2": SCALE / 3600}
    return fits.Header(place | {"BUNIT": "ELECTRONS/S", "FILTER": "F814W"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the page names."""
    root = tmp_path_factory.mktemp("page")
    axis = np.arange(-5, 6)
    psf = np.exp(-0.5 * np.add.outer(axis**2, axis**2) / 1.3**2)
    noise = np.full((SIDE, SIDE), RMS)

    def parts(first: str = "", seed: int = 0) -> list[fits.ImageHDU]:
        names = [f"{first}FLUX" if first else "SCI", f"{first}RMS" if first else "ERR"]
        image = fits.ImageHDU(lens(seed).astype(np.float32), header(), name=names[0])
        return [image, fits.ImageHDU(noise, name=names[1]), fits.ImageHDU(psf, name=f"{first}PSF")]

    fits.HDUList([fits.PrimaryHDU(), *parts()]).writeto(root / "lens.fits")
    both = [*parts("VIS_"), *parts("NIR_H_", 1)]
    fits.HDUList([fits.PrimaryHDU(), *both]).writeto(root / "bands.fits")
    fits.PrimaryHDU(lens(2)).writeto(root / "plain.fits")
    fits.PrimaryHDU(noise**-2).writeto(root / "plain_weights.fits")
    grey = np.clip(100 * lens(3) + 20, 0, 255).astype(np.uint8)
    Image.fromarray(np.stack([grey, grey, grey // 2], axis=-1)).save(root / "picture.png")
    (root / "survey").mkdir()
    fits.PrimaryHDU(psf).writeto(root / "survey" / "star.fits")
    for name, seed in (("a", 4), ("b", 5)):
        fits.PrimaryHDU(lens(seed)).writeto(root / "survey" / f"{name}_sci.fits")
        fits.PrimaryHDU(noise**-2).writeto(root / "survey" / f"{name}_wht.fits")
    for _, text in BLOCKS:
        if named := re.match(r"# (\S+)\n", text):
            (root / named[1]).write_text(text.split("\n", 1)[1])
    return root


def commands() -> list[Any]:
    lines = "".join(text for language, text in BLOCKS if language == "console").splitlines()
    slow = {"darklens fit": pytest.mark.slow}
    return [pytest.param(line, marks=slow.get(line[:12], ())) for line in lines]


def test_the_page_has_commands() -> None:
    assert len(commands()) >= 8


@pytest.mark.parametrize("line", commands())
def test_command_runs(
    line: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    assert main(shlex.split(line)[1:]) == 0, capsys.readouterr().err


def test_the_first_command_prints_what_is_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert main(["inspect", "lens.fits"]) == 0
    printed = capsys.readouterr().out
    shown = next(text for language, text in BLOCKS if language == "text")
    assert re.sub(NUMBER, "#", printed).split() == re.sub(NUMBER, "#", shown).split()
    pairs = zip(re.findall(NUMBER, printed), re.findall(NUMBER, shown), strict=True)
    assert all(float(a) == pytest.approx(float(b), rel=0.02, abs=2e-3) for a, b in pairs)


def test_the_example_in_python(folder: Path) -> None:
    code = next(text for language, text in BLOCKS if language == "python")
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("(61, 61) (61, 61) 0\n")
    assert "cut out 61 x 61 pixels around the brightest galaxy" in run.stdout
