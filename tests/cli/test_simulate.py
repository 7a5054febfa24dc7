"""`darklens simulate` as people run it: any number of workers, same bytes.

`tests/faults` kills it at random points.
"""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from darklens.cli.main import main
from darklens.data import open_dataset
from darklens.simulation import Lenses, Simulator

COUNT, SEED = 2600, 3  # six shards
SMALL = """
name: small
description: Small images for tests.
grid: {shape: [64, 64], pixel_scale: 0.1}
lens: {redshift: 0.5, einstein_radius: {uniform: [1.0, 1.4]}, shear: 0.05}
source: {redshift: 1.0, radius: 0.25, sersic_index: 1, amplitude: 20000}
classes:
  "no": []
  sphere:
    - subhalos: {number: {poisson: 25}, mass: {power_law: [1.0e+6, 1.0e+10, -0.9]}, radius: 1}
  vort:
    - line: {mass: 3.0e+10, half_length: {uniform: [0.1, 1]}}
instrument: {psf: {gaussian: {fwhm: 0.2}}}
noise: {photon: {background: 10}}
"""


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("preset") / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.fixture(scope="module")
def truth(preset: Path) -> Lenses:
    """The lenses that an output holds, simulated in Python."""
    return Simulator(preset).simulate(COUNT, seed=SEED)


def words(output: Path, preset: Path, *more: str) -> list[str]:
    given = ["--preset", str(preset), "--count", str(COUNT), "--seed", str(SEED), "--quiet"]
    return ["simulate", str(output), *given, *more]


def digest(folder: Path) -> dict[str, str]:
    """Hash of each file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def name_of_output(kind: str) -> str:
    return "lenses.zarr" if kind == "zarr" else "lenses"


@pytest.fixture(scope="module", params=["zarr", "npy"])
def whole(
    request: pytest.FixtureRequest, preset: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An output of one process that was never killed."""
    output = tmp_path_factory.mktemp("whole") / name_of_output(request.param)
    assert main(words(output, preset, "--workers", "1")) == 0
    return output


def test_output_holds_the_images_labels_and_parameters(whole: Path, truth: Lenses) -> None:
    dataset = open_dataset(whole)
    assert dataset.classes == truth.classes
    table = pd.read_parquet(whole / "parameters.parquet")
    assert table["index"].tolist() == list(range(COUNT))
    assert [truth.classes[k] for k in truth.labels] == table["label"].tolist()
    np.testing.assert_array_equal(table["einstein_radius"], truth.parameters["einstein_radius"])
    spheres = table[table["label"] == "sphere"]
    assert spheres["subhalo_mass"].notna().all()
    assert table[table["label"] == "no"]["subhalo_mass"].isna().all()
    found = {image.tobytes() for image, _ in (dataset[i] for i in range(9))}
    expected = {truth.images[i].tobytes() for i in range(COUNT)}
    assert found <= expected
    assert np.bincount(dataset.labels).tolist() == np.bincount(truth.labels).tolist()


def test_resolved_configuration_lies_beside_the_output(whole: Path, preset: Path) -> None:
    path = whole.with_name(f"{whole.name}.config.yaml")
    assert "simulate" in path.read_text().splitlines()[0]
    written = yaml.safe_load(path.read_text())
    assert written["count"] == COUNT
    assert written["seed"] == SEED
    assert written["preset"] == str(preset)


def test_any_number_of_workers_writes_the_same_bytes(
    whole: Path, preset: Path, tmp_path: Path
) -> None:
    output = tmp_path / whole.name
    assert main(words(output, preset, "--workers", "2")) == 0
    assert digest(output) == digest(whole)


def test_a_finished_output_is_left_alone(whole: Path, preset: Path) -> None:
    before = digest(whole)
    assert main(words(whole, preset)) == 0
    assert digest(whole) == before


def test_another_seed_is_refused_over_a_finished_output(
    whole: Path, preset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = digest(whole)
    changed = words(whole, preset)
    changed[changed.index("--seed") + 1] = "4"
    assert main(changed) == 2
    assert digest(whole) == before
    line = capsys.readouterr().err.strip()
    assert line.startswith("darklens: error: ")
    assert "\n" not in line


def test_common_test_1_files_are_scaled_as_the_benchmark_is(tmp_path: Path) -> None:
    output = tmp_path / "lenses"
    more = ["--preset", "common-test-1", "--count", "3", "--seed", "0", "--workers", "1"]
    assert main(["simulate", str(output), *more, "--quiet"]) == 0
    counts = Simulator("common-test-1").simulate(3, seed=0).images.astype(np.float64)
    for i, name in enumerate(("no", "sphere", "vort")):
        image = np.load(output / name / f"{i:08d}.npy")
        assert image.dtype == np.float64
        assert image.shape == (1, 150, 150)
        assert (image.min(), image.max()) == (0.0, 1.0)
        span = counts[i].max() - counts[i].min()
        np.testing.assert_allclose(image, (counts[i] - counts[i].min()) / span)


def test_a_subset_of_classes_and_the_other_format(preset: Path, tmp_path: Path) -> None:
    output = tmp_path / "lenses"
    more = ["--classes", "vort,no", "--count", "5", "--format", "npy", "--workers", "1"]
    assert main(["simulate", str(output), "--preset", str(preset), "--quiet", *more]) == 0
    names = sorted(str(path.relative_to(output)) for path in output.rglob("*.npy"))
    assert names == [
        "no/00000001.npy",
        "no/00000003.npy",
        "vort/00000000.npy",
        "vort/00000002.npy",
        "vort/00000004.npy",
    ]


@pytest.mark.parametrize(
    "more",
    [
        ["--preset", "model-9"],
        ["--preset", "none.yaml"],
        ["--count", "0"],
        ["--seed", "-1"],
        ["--seed", str(2**64)],
        ["--workers", "-1"],
        ["--classes", "no,sub"],
        ["--format", "fits"],
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", str(tmp_path / "lenses.zarr"), "--quiet", *more]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("darklens: error: ")
    assert "\n" not in error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("einstein_radius: {uniform: [1.0, 1.4]}", "einstein_radius: .nan", "not a finite number"),
        ("amplitude: 20000", "amplitude: 1.0e+20", "a pixel expects"),
        ("mass: 3.0e+10", "mass: -3.0e+10", "line: mass -3e+10 must be positive"),
        ("{uniform: [0.1, 1]}", "0", "line: half_length 0 must be positive"),
        ("fwhm: 0.2", "fwhm: 0", "fwhm and truncation must be positive"),
        ("{background: 10}", "{background: -1}", "background must not be negative"),
        ("  sphere:", "  no_sub:", "names must be different"),
        ("  sphere:", "  ../x:", "names must be different"),
        ("redshift: 1.0", "redshift: 0.4", "must be in front of the source"),
    ],
)
def test_a_preset_that_draws_the_impossible_is_one_line_and_leaves_nothing(
    old: str, new: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert old in SMALL
    path = tmp_path / "impossible.yaml"
    path.write_text(SMALL.replace(old, new))
    assert main(words(tmp_path / "lenses.zarr", path)) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert message in error[0]
    assert list(tmp_path.iterdir()) == [path]
