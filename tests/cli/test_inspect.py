"""`inspect` as people run it: files, folders, manifests, what is wrong with each, exit codes."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from astropy.io import fits

from darklens.cli.main import main

SIDE, RMS = 61, 0.02


def lens(seed: int = 0) -> np.ndarray:
    y, x = np.indices((SIDE, SIDE)) - 30.0
    ring = np.exp(-0.5 * ((np.hypot(x, y) - 12) / 1.5) ** 2)
    return ring + RMS * np.random.default_rng(seed).normal(size=x.shape)


def psf() -> np.ndarray:
    axis = np.arange(-4, 5)
    return np.exp(-0.5 * np.add.outer(axis**2, axis**2) / 1.3**2)


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A folder of a survey as they are: good files, companions, and bad ones."""
    root = tmp_path / "mixed"
    root.mkdir()
    scale = fits.Header({"PIXSCALE": 0.1, "FILTER": "r"})
    fits.PrimaryHDU(lens(), scale).writeto(root / "good_sci.fits")
    fits.PrimaryHDU(np.full((SIDE, SIDE), RMS)).writeto(root / "good_rms.fits")
    fits.PrimaryHDU(psf()).writeto(root / "psf.fits")
    fits.PrimaryHDU(lens(1)).writeto(root / "scaleless.fits")
    plain = fits.Header({"PIXSCALE": 0.1})
    images = [fits.ImageHDU(lens(k), plain, name=name) for k, name in enumerate(("G", "R"))]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(root / "two.fits")
    (root / "text.fits").write_text("this is no image")
    (root / "empty.npy").touch()
    fits.PrimaryHDU(np.ones((SIDE, SIDE))).writeto(root / "lonely_wht.fits")
    return root


def by_name(table: pd.DataFrame) -> dict[str, "pd.Series[object]"]:
    return {Path(row["path"]).name: row for _, row in table.iterrows()}


def test_each_file_of_a_folder_has_its_row_and_its_reason(
    mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, figures = tmp_path / "table.csv", tmp_path / "figures"
    words = [str(mixed), "--output", str(output), "--figures", str(figures), "--workers", "2"]
    assert main(["inspect", *words]) == 1
    rows = by_name(pd.read_csv(output))
    assert len(rows) == 8
    good = rows["good_sci.fits"]
    assert (good["rows"], good["pixel_scale"], good["band"], good["masked"]) == (SIDE, 0.1, "r", 0)
    assert good["noise"] == "good_rms.fits (found by its name), standard deviation"
    assert good["psf"] == "PSF of 9 x 9 pixels, psf.fits (found by its name)"
    assert pd.isna(good["error"])
    assert rows["good_rms.fits"]["role"] == "noise map of good_sci.fits"
    assert rows["psf.fits"]["role"].startswith("PSF of ")
    assert rows["lonely_wht.fits"]["role"] == "weight map of no image here"
    reasons = {
        "scaleless.fits": "give --pixel-scale",
        "two.fits": "2 images in the file: choose one with --extension, of 1 G, 2 R",
        "text.fits": "not a FITS file",
        "empty.npy": "the file is empty",
    }
    for name, reason in reasons.items():
        assert reason in rows[name]["error"]
    assert rows["scaleless.fits"]["sky_rms"] == pytest.approx(RMS, rel=0.2)  # what is known
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = shown.err.splitlines()
    assert "4 of 5 images could not be used; see the column error" in lines
    for name, reason in reasons.items():
        assert any(name in line and reason in line for line in lines)
    assert len(list(figures.glob("*.png"))) == 2
    config = yaml.safe_load(Path(f"{output}.config.yaml").read_text())
    assert config["neighbours"] is None


def test_one_option_answers_for_all_that_need_it(mixed: Path, tmp_path: Path) -> None:
    for name in ("text.fits", "empty.npy"):
        (mixed / name).unlink()
    output = tmp_path / "table.json"
    words = [str(mixed), "--band", "R", "--pixel-scale", "0.1", "--output", str(output)]
    assert main(["inspect", *words, "--quiet"]) == 0
    rows = {Path(row["path"]).name: row for row in json.loads(output.read_text())}
    assert rows["two.fits"]["error"] is None
    assert rows["scaleless.fits"]["error"] is None
    assert rows["good_sci.fits"]["error"] is None


def test_a_single_file_is_described(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = mixed / "good_sci.fits"
    assert main(["inspect", str(path), "--centre", "brightest", "--size", "41", "--quiet"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == str(path)
    assert "  pixel_scale       0.1" in shown
    assert any(line.startswith("  note              cut out 41 x 41") for line in shown)


def test_a_manifest_runs_in_one_command_and_hides_nothing(
    mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, output = tmp_path / "lenses.csv", tmp_path / "out.csv"
    table.write_text(
        "image,noise,psf,scale,mask,centre,survey\n"
        'mixed/good_sci.fits,mixed/good_rms.fits,0.3,,,"30,30",A\n'
        "mixed/scaleless.fits,mixed/psf.fits,,0.1,,,A\n"
        "mixed/none.fits,,,0.1,,,A\n"
        "mixed/two.fits,,,tiny,,,A\n"
    )
    assert main(["inspect", str(table), "--output", str(output)]) == 1
    rows = pd.read_csv(output)
    assert rows["error"].notna().tolist() == [False, True, True, True]
    assert rows["psf"][0] == "Gaussian PSF of 0.3 arcsec"
    assert "psf.fits has (9, 9) pixels, the image (61, 61)" in rows["error"][1]
    assert rows["error"][2] == "no such file"
    assert "line 5: pixel_scale must be a number" in rows["error"][3]
    assert "columns that are not used: survey" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["/no/such/folder"], "no images found"),
        (["{good}", "--size", "0"], "--size must be from"),
        (["{good}", "--centre", "here"], "--centre 'here' must be x,y"),
        (["{good}", "--centre", "500,2"], "outside of the image"),
        (["{good}", "--neighbours", "hide"], "--neighbours must be one of"),
        (["{good}", "--gain", "-1"], "gain must be positive"),
        (["{good}", "--survey", "/no/survey.yaml"], "/no/survey.yaml cannot be read"),
        (["{good}", "--workers", "0"], "--workers"),
        (["{good}", "--output", "table.txt"], "must end in"),
        (["{good}", "--noise-map", "*_noise.fits"], "no such file"),
        (["{good}", "--images", "sci.fits"], "must be a pattern with one *"),
    ],
)
def test_wrong_arguments_are_one_line(
    words: list[str], reason: str, mixed: Path, error_line: Callable[[], str]
) -> None:
    words = [word.replace("{good}", str(mixed / "good_sci.fits")) for word in words]
    assert main(["inspect", *words, "--quiet"]) == 2
    assert reason in error_line()


def test_as_a_process_and_again_from_its_configuration(mixed: Path, tmp_path: Path) -> None:
    output = tmp_path / "table.csv"
    words = [str(mixed / "good_sci.fits"), "--background", "subtract", "--quiet"]
    command = [sys.executable, "-m", "darklens", "inspect", *words, "--output", str(output)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    first = pd.read_csv(output)
    assert first["note"][0].startswith("subtracted the sky")
    output.unlink()
    assert main(["inspect", "--config", f"{output}.config.yaml"]) == 0
    pd.testing.assert_frame_equal(pd.read_csv(output), first)


def test_real_files_of_telescopes_all_have_a_row(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, output = shared_data / "telescope", tmp_path / "table.csv"
    files = {path.name for path in folder.rglob("*.fits")}
    assert main(["inspect", str(folder), "--output", str(output), "--quiet"]) == 2
    rows = by_name(pd.read_csv(output))
    assert set(rows) == files
    for row in rows.values():
        assert (
            row["role"] != "image"
            or "give --pixel-scale" in row["error"]
            or ("choose one with --extension, of 1 VIS_FLUX" in row["error"])
        )
    assert capsys.readouterr().err.count("\n") == 1
    words = [str(folder), "--band", "VIS", "--pixel-scale", "0.05", "--output", str(output)]
    assert main(["inspect", *words, "--quiet"]) == 0
    rows = by_name(pd.read_csv(output))
    assert rows["noise_map.fits"]["role"] == "noise map of data.fits"
    assert rows["psf.fits"]["role"] == "PSF of data.fits"
    assert rows["lens_vis_yjh.fits"]["band"] == "VIS"
    assert pd.isna(rows["data.fits"]["error"])
