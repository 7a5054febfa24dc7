"""`fit` as people run it: benchmark files, images of telescopes, bad files, exit codes."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from astropy.io import fits

from darklens.cli.main import main
from darklens.lensing import GaussianPSF, PixelGrid
from darklens.lensing.noise import NoNoise, PhotonNoise
from darklens.modelling import adapt_preset
from darklens.simulation import Simulator, load_preset

CHI_SQUARES = {1: 1.0033, 2: 1.0104, 3: 0.9929, 4: 1.0146, 5: 0.9962}
"""Of the smooth model, in the physical specification of the benchmark."""


@pytest.fixture(scope="module")
def lenses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two lenses of the benchmark: scaled to [0, 1] as its files are, and as counts."""
    root = tmp_path_factory.mktemp("lenses")
    scaled, counts = (lens[0].astype(np.float64) for lens in simulate().images)
    np.save(root / "counts.npy", counts[None])
    np.save(root / "scaled.npy", (scaled - scaled.min())[None] / np.ptp(scaled))
    return root


def simulate():
    return Simulator("common-test-1", classes=["no"]).simulate(2, seed=7)


@pytest.fixture(scope="module")
def telescope(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A galaxy that does not shine, behind a known PSF: image, noise map, PSF, truth.

    The image is NaN where its noise is infinite; `bare`, the same in a frame of NaN.
    """
    root = tmp_path_factory.mktemp("telescope")
    psf = GaussianPSF(0.25, 4)
    preset = adapt_preset(
        load_preset("galaxy"), grid=PixelGrid((64, 64), 0.1), psf=psf, lens_light=False
    )
    lens = Simulator(replace(preset, noise=NoNoise())).lens(0, seed=3)
    expected = lens.image[0] / lens.parameters["exposure"]
    noise = np.full(expected.shape, 0.01 * float(expected.max()))
    image = expected + noise * np.random.default_rng(0).normal(size=noise.shape)
    bare_image = np.full(image.shape, np.nan)  # the frame around what is fitted
    bare_image[5:-5, 5:-5] = image[5:-5, 5:-5]
    whole = image.copy()
    image[:4, 9:30], noise[:4, 9:30] = np.nan, np.inf
    weights = psf.kernel(0.1)
    planes = {"SCI": image, "RMS": noise, "PSF": np.outer(weights, weights)}
    items = [fits.ImageHDU(plane, name=name) for name, plane in planes.items()]
    items[0].header["PIXSCALE"] = 0.1
    path = root / "lens.fits"
    fits.HDUList([fits.PrimaryHDU(), *items]).writeto(path)
    bare, nan = root / "bare.fits", root / "nan.fits"
    fits.PrimaryHDU(bare_image).writeto(bare)
    fits.PrimaryHDU(np.where(whole == whole.max(), np.nan, whole)).writeto(nan)
    truth = json.dumps({k: v for k, v in lens.parameters.items() if np.isscalar(v)})
    return {"path": str(path), "bare": str(bare), "nan": str(nan), "truth": truth}


def test_a_table_with_errors_and_figures(lenses: Path, tmp_path: Path) -> None:
    output = tmp_path / "out" / "table.csv"
    figures = tmp_path / "figures"
    words = [str(lenses), "--output", str(output), "--figures", str(figures), "--workers", "2"]
    assert main(["fit", *words, "--quiet"]) == 0
    table = pd.read_csv(output)
    assert table["path"].tolist() == [str(lenses / "counts.npy"), str(lenses / "scaled.npy")]
    assert table["counts"].tolist() == ["stored", "recovered"]
    assert table["converged"].all()
    assert table["chi_square"].between(0.96, 1.04).all()
    assert list(table.columns)[:5] == ["path", "chi_square", "converged", "counts", "noise"]
    assert table.columns[-1] == "error"
    truth = simulate().parameters.iloc[[1, 0]].reset_index(drop=True)
    for name in ("einstein_radius", "shear", "source_x", "source_y", "source_axis_ratio"):
        assert ((table[name] - truth[name]).abs() < 5 * table[f"{name}_error"]).all()
    assert len(list(figures.glob("*.png"))) == 2
    config = yaml.safe_load((tmp_path / "out" / "table.csv.config.yaml").read_text())
    assert config["preset"] == "common-test-1"


def test_samples_of_the_posterior_are_written_and_summed_up(lenses: Path, tmp_path: Path) -> None:
    output, folder = tmp_path / "fits.csv", tmp_path / "posterior"
    command = ["fit", str(lenses / "counts.npy"), "--output", str(output)]
    command += ["--posterior", str(folder), "--posterior-steps", "6", "--quiet"]
    assert main(command) == 0
    (row,) = pd.read_csv(output).to_dict("records")
    (file,) = folder.glob("*.parquet")
    samples = pd.read_parquet(file)
    assert {"einstein_radius", "shear", "source_x", "log_probability"} <= set(samples)
    assert row["einstein_radius_p50"] == pytest.approx(samples["einstein_radius"].median())
    assert row["shear_p16"] < row["shear_p50"] < row["shear_p84"]
    assert "autocorrelation times long" in row["note"]


def test_a_posterior_needs_steps(lenses: Path, tmp_path: Path, error_line) -> None:
    command = ["fit", str(lenses / "counts.npy"), "--posterior", str(tmp_path / "posterior")]
    assert main([*command, "--posterior-steps", "1"]) == 2
    assert "--posterior-steps must be at least 2" in error_line()
    assert not (tmp_path / "posterior").exists()


def test_bad_files_are_listed_and_stop_nothing(
    lenses: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    np.save(bad / "small.npy", np.random.default_rng(0).random((1, 64, 64)))
    np.save(bad / "negative.npy", np.random.default_rng(0).normal(size=(1, 150, 150)))
    (bad / "text.npy").write_text("no image")
    output = tmp_path / "table.json"
    words = [str(lenses / "counts.npy"), str(bad), "/no/such.npy", "--output", str(output)]
    assert main(["fit", *words]) == 1
    rows = {Path(row["path"]).stem: row for row in json.loads(output.read_text())}
    assert rows["counts"]["error"] is None
    reasons = {
        "small": "150 x 150 pixels",
        "negative": "neither counts nor values",
        "text": "not a .npy file",
        "such": "no such file",
    }
    for name, reason in reasons.items():
        assert reason in rows[name]["error"]
        assert rows[name]["einstein_radius"] is None
    shown = capsys.readouterr().err.splitlines()
    assert shown[:2] == [
        "fitting 5 images with the preset 'common-test-1'",
        "4 of 5 images could not be fitted; see the column error",
    ]
    assert len(shown) == 6
    for name, reason in reasons.items():
        assert any(f"{name}.npy: " in line and reason in line for line in shown[2:])
    none = tmp_path / "none.csv"
    assert main(["fit", str(bad), "--output", str(none), "--quiet"]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("darklens: error: none of 3 images can be fitted: ")
    assert shown.count("\n") == 1
    assert len(pd.read_csv(none)) == 3


def test_a_telescopes_image_with_its_noise_and_psf(
    telescope: dict[str, str], tmp_path: Path
) -> None:
    output = tmp_path / "table.parquet"
    path = telescope["path"]
    words = [path, "--preset", "galaxy", "--lens-light", "false", "--output", str(output)]
    words += [f"--noise-map={path}[RMS]", "--psf", f"{path}[PSF]", "--quiet"]
    assert main(["fit", *words]) == 0
    row = pd.read_parquet(output).iloc[0]
    assert row["noise"] == "map"
    assert row["converged"]
    assert row["chi_square"] == pytest.approx(1, abs=0.08)
    truth = json.loads(telescope["truth"])
    for name in ("einstein_radius", "lens_axis_ratio", "source_x", "source_y", "source_radius"):
        assert row[name] == pytest.approx(truth[name], abs=5 * row[f"{name}_error"])
    assert not any(name.startswith("lens_light") for name in row.index)


def test_noise_psf_and_mask_of_the_file_are_found_and_nan_is_left_out(
    telescope: dict[str, str], tmp_path: Path
) -> None:
    """In a manifest, beside rows that cannot be fitted."""
    manifest, output = tmp_path / "lenses.csv", tmp_path / "table.csv"
    manifest.write_text(
        "image,psf,scale,centre,size\n"
        f'{telescope["path"]},,,"31.5,31.5",60\n'
        f"{telescope['nan']},0.25,0.1,,\n"
        f"{telescope['nan']},,,,\n"
        "none.fits,,,,\n"
    )
    words = [str(manifest), "--preset", "galaxy", "--lens-light", "false", "--quiet"]
    assert main(["fit", *words, "--output", str(output)]) == 1
    table = pd.read_csv(output)
    assert table["error"].notna().tolist() == [False, False, True, True]
    assert "give --pixel-scale" in table["error"][2]
    assert table["error"][3] == "no such file"
    assert table["noise"][:2].tolist() == ["map", "estimated"]
    assert table["chi_square"][0] == pytest.approx(1, abs=0.08)
    assert table["prepared"][0].startswith("cut out 60 x 60 pixels around pixel 31.5, 31.5")
    truth = json.loads(telescope["truth"])["einstein_radius"]
    assert table["einstein_radius"][:2].tolist() == pytest.approx([truth, truth], rel=0.01)


def test_estimated_noise_is_said(
    telescope: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = [telescope["bare"], "--preset=galaxy", "--pixel-scale=0.1", "--psf=0.25", "--size=50"]
    assert main(["fit", *words, "--mass", "sphere", "--lens-light", "false"]) == 0
    shown = capsys.readouterr()
    assert "noise estimated from the sky: 1 of 1 images" in shown.err
    assert "estimated" in shown.out
    assert "lens_axis_ratio" not in shown.out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["{bare}", "--preset", "galaxy"], "pixel scale"),
        (["{bare}"], "150 x 150 pixels"),
        (["{path}", "--preset", "galaxy", "--extension", "ERR"], "no image in extension ERR"),
        (["{path}", "--preset", "galaxy", "--noise-map", "{path}[PSF]"], "[PSF] has"),
        (["{path}", "--preset", "galaxy", "--psf", "/no/psf.fits"], "--psf /no/psf.fits: no such"),
        (["{path}", "--preset", "galaxy", "--psf", "{path}[SCI]"], "must be finite"),
        (["{path}", "--preset", "galaxy", "--psf", "-1"], "width"),
        (["{path}", "--preset", "galaxy", "--size", "10"], "fewer than 20 pixels"),
        (["{path}", "--preset", "galaxy", "--pixel-scale", "0"], "--pixel-scale must be from"),
        (["{path}", "--size", "50"], "omit --size"),
        (["{path}", "--neighbours", "mask"], "omit --neighbours"),
        (["{path}", "--noise-map", "{path}[RMS]"], "defines its own noise"),
        (["{path}", "--centre", "brightest"], "omit --centre"),
        (["{path}", "--preset", "galaxy", "--centre", "90,9"], "outside of the image"),
        (["{path}", "--preset", "galaxy", "--survey", "/no/survey.yaml"], "cannot be read"),
        (["{path}", "--lens-light", "true"], "light of the lens"),
        (["{path}", "--preset", "none-such"], "no preset"),
        (["{path}", "--output", "table.txt"], "must end in"),
        (["{path}", "--workers", "0"], "--workers"),
        (["/no/such/folder"], "no images found"),
    ],
)
def test_wrong_arguments_are_one_line(
    words: list[str],
    reason: str,
    telescope: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("path", "bare", "nan"):
        words = [word.replace(f"{{{name}}}", telescope[name]) for word in words]
    assert main(["fit", *words, "--quiet"]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" or reason in shown.out  # the table of files that all failed
    assert reason in shown.err
    assert shown.err.startswith("darklens: error: ")
    assert shown.err.count("\n") == 1


def test_as_a_process_and_again_from_its_configuration(lenses: Path, tmp_path: Path) -> None:
    output = tmp_path / "table.csv"
    command = [sys.executable, "-m", "darklens", "fit"]
    words = [str(lenses / "scaled.npy"), "--output", str(output), "--quiet"]
    result = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    first = pd.read_csv(output)
    output.unlink()
    assert main(["fit", "--config", f"{output}.config.yaml"]) == 0
    pd.testing.assert_frame_equal(pd.read_csv(output), first, rtol=1e-6)  # last digits may differ


def test_real_images_reach_their_chi_squares(shared_data: Path, tmp_path: Path) -> None:
    output = tmp_path / "table.csv"
    folder = shared_data / "common_test_1" / "no"
    assert main(["fit", str(folder), "--output", str(output), "--quiet"]) == 0
    table = pd.read_csv(output)
    assert (table["counts"] == "recovered").all()
    assert table["converged"].all()
    found = {int(Path(row.path).stem): row.chi_square for row in table.itertuples()}
    assert found == pytest.approx(CHI_SQUARES, abs=0.002)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "radius", "chi_square"),
    [
        (
            [
                "{slacs}/data.fits",
                "--noise-map={slacs}/noise_map.fits",
                "--psf={slacs}/psf.fits",
                "--pixel-scale=0.05",
                "--size=161",
            ],
            1.41,
            1.5,
        ),
        (
            [
                "{euclid}",
                "--extension=VIS_FLUX",
                "--noise-map={euclid}[VIS_RMS]",
                "--psf={euclid}[VIS_PSF]",
                "--size=81",
            ],
            1.22,
            0.8,
        ),
    ],
)
def test_real_galaxies(
    words: list[str], radius: float, chi_square: float, shared_data: Path, tmp_path: Path
) -> None:
    places = {
        "slacs": str(shared_data / "telescope" / "slacs0946"),
        "euclid": str(shared_data / "telescope" / "euclid_q1" / "lens_vis_yjh.fits"),
    }
    output = tmp_path / "table.csv"
    words = [word.format(**places) for word in words]
    assert main(["fit", *words, "--preset=galaxy", "--output", str(output), "--quiet"]) == 0
    row = pd.read_csv(output).iloc[0]
    assert row["einstein_radius"] == pytest.approx(radius, abs=0.03)
    assert row["chi_square"] < chi_square


def test_what_does_not_match_the_preset_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sky of 12 counts is fitted; 8 bits do not hold the counts; Model II has no noise."""
    preset = load_preset("common-test-1")
    brighter = replace(preset, noise=PhotonNoise(background=12.0))
    counts = Simulator(brighter, classes=["no"]).lens(0, seed=7).image[0].astype(np.float64)
    np.save(tmp_path / "sky.npy", np.round((counts - counts.min()) / np.ptp(counts), 4))
    np.save(tmp_path / "grey.npy", np.rint(255 * (counts - counts.min()) / np.ptp(counts)))
    output = tmp_path / "table.csv"
    assert main(["fit", str(tmp_path), "--output", str(output)]) == 0
    assert "2 of 2 images do not match the preset" in capsys.readouterr().err
    rows = pd.read_csv(output).set_index(pd.read_csv(output).path.map(lambda p: Path(p).stem))
    assert rows.counts.to_dict() == {"sky": "recovered", "grey": "estimated"}
    assert "not 10 as in the preset" in rows.note["sky"]
    assert rows.background["sky"] == pytest.approx(12.0, abs=0.15)
    assert rows.chi_square["sky"] == pytest.approx(1.0, abs=0.04)
    np.save(tmp_path / "sky.npy", Simulator("model-2-legacy", classes=["no"]).lens(0).image[0])
    assert main(["fit", str(tmp_path / "sky.npy"), "--preset", "model-2"]) == 0
    assert "noise-free" in capsys.readouterr().out
    words = [str(tmp_path / "sky.npy"), "--preset", "model-2-legacy", "--output", str(output)]
    assert main(["fit", *words, "--quiet"]) == 0
    row = pd.read_csv(output).iloc[0]
    assert (row.noise, row.converged) == ("nominal", True)
    assert row.chi_square < 1e-3
    assert pd.isna(row.note)
