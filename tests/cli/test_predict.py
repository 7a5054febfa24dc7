"""`predict` as people run it: good and bad files, the three tables, exit codes."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from darklens.cli.main import main
from darklens.data import ImageDataset, Preprocessing
from darklens.errors import reason_of
from darklens.hub import calibrate_model, export_model, load_classifier

COLUMNS = ["path", "label", "p_no", "p_sphere", "p_vort", "set", "familiarity", "error"]


class Trojan:
    """Runs a command when it is unpickled by an unguarded reader."""

    def __reduce__(self):
        return exec, ("open('trojan', 'w').close()",)


@pytest.fixture
def bad(lenses: Path) -> dict[str, Path]:
    """Files that cannot be classified, by what is wrong with them."""
    folder = lenses / "bad"
    folder.mkdir()
    image = np.random.default_rng(1).random((1, 150, 150))
    arrays = {
        "shape": np.zeros(7),
        "small": image[:, :40, :40],
        "nan": np.where(image > 0.99, np.nan, image),
        "constant": np.ones((150, 150)),
        "extreme": 1e300 * image,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    colour = np.random.default_rng(2).integers(0, 255, (150, 150, 3), dtype=np.uint8)
    Image.fromarray(colour).save(folder / "colour.png")
    (folder / "empty.npy").touch()
    (folder / "text.npy").write_text("not an image\n" * 50)
    np.save(folder / "whole.npy", image)
    (folder / "truncated.npy").write_bytes((folder / "whole.npy").read_bytes()[:5000])
    (folder / "whole.npy").unlink()
    np.save(folder / "trojan.npy", np.array([Trojan()], dtype=object), allow_pickle=True)
    (folder / "plain_pickle.npy").write_bytes(pickle.dumps(Trojan()))
    return {path.stem: path for path in folder.iterdir()}


def test_a_table_of_good_images(lenses: Path, tiny_model: Path, tmp_path: Path) -> None:
    output = tmp_path / "out" / "table.csv"
    words = [str(lenses), "--model", str(tiny_model), "--output", str(output), "--quiet"]
    assert main(["predict", *words]) == 0
    table = pd.read_csv(output)
    assert list(table.columns) == COLUMNS
    found = [str(lenses / name) for name in ("no/1.npy", "vort/1.npy", "vort/2.npy", "vort/3.png")]
    assert table["path"].tolist() == found
    assert table["error"].isna().all()
    probabilities = table[["p_no", "p_sphere", "p_vort"]].to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert table["label"].tolist() == [
        ("no", "sphere", "vort")[index] for index in probabilities.argmax(axis=1)
    ]
    config = yaml.safe_load((tmp_path / "out" / "table.csv.config.yaml").read_text())
    assert config["inputs"] == [str(lenses)]
    assert config["batch"] == 64


def test_the_same_as_python_does(lenses: Path, tiny_model: Path, tmp_path: Path) -> None:
    output = tmp_path / "table.json"
    words = [str(lenses / "no"), "--model", str(tiny_model), "--output", str(output)]
    assert main(["predict", *words]) == 0
    expected = load_classifier(tiny_model).predict(np.load(lenses / "no" / "1.npy")[None])
    row = json.loads(output.read_text())[0]
    assert row["label"] == expected["label"][0]
    assert row["error"] is None
    for name in ("p_no", "p_sphere", "p_vort"):
        assert row[name] == pytest.approx(expected[name][0], rel=1e-9)


def test_bad_files_are_listed_and_stop_nothing(
    lenses: Path, bad: dict[str, Path], tiny_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "table.parquet"
    words = [str(lenses), "/no/such.npy", "--model", str(tiny_model), "--output", str(output)]
    assert main(["predict", *words, "--figures", str(tmp_path / "pictures"), "--batch", "3"]) == 1
    table = pd.read_parquet(output).set_index("path")
    assert len(table) == 4 + len(bad) + 1
    failed = table[table["error"].notna()]
    assert set(failed.index) == {*map(str, bad.values()), "/no/such.npy"}
    assert failed["label"].isna().all()
    assert failed[["p_no", "p_sphere", "p_vort"]].isna().all(axis=None)
    reasons = {
        "shape": "shape",
        "small": "64",
        "colour": "3 channels",
        "nan": "NaN",
        "constant": "constant",
        "extreme": "beyond 1e+30",
        "empty": "empty",
        "truncated": "short",
        "text": "not a .npy file",
        "trojan": "refused",
    }
    for name, reason in reasons.items():
        assert reason in failed.loc[str(bad[name]), "error"]
    assert not failed["error"].str.contains("\n").any()
    assert not Path("trojan").exists()
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 4


def test_order_and_batches_change_nothing(
    lenses: Path, bad: dict[str, Path], tiny_model: Path, tmp_path: Path
) -> None:
    tables = []
    for batch, workers in ((1, 1), (2, 2), (64, 4)):
        output = tmp_path / f"{batch}.csv"
        words = [str(lenses), "--model", str(tiny_model), "--output", str(output)]
        assert main(["predict", *words, f"--batch={batch}", f"--workers={workers}"]) == 1
        tables.append(pd.read_csv(output))
    pd.testing.assert_frame_equal(tables[0], tables[1], rtol=1e-5)
    pd.testing.assert_frame_equal(tables[0], tables[2], rtol=1e-5)


@pytest.mark.parametrize("printed", [False, True])
def test_nothing_readable_is_exit_code_2_and_all_reasons(
    printed: bool,
    bad: dict[str, Path],
    tiny_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "table.csv"
    words = [str(bad["text"].parent), "--model", str(tiny_model)]
    words += [] if printed else ["--output", str(output)]
    assert main(["predict", *words, "--quiet"]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(f"darklens: error: none of {len(bad)} images can be classified: ")
    assert shown.err.count("\n") == 1
    assert "not a .npy file: the magic bytes are missing (2)" in shown.err
    assert "the file is empty (1)" in shown.err
    errors = shown.out if printed else "\n".join(pd.read_csv(output)["error"])
    assert all(reason in errors for reason in ("the file is empty", "NaN"))


@pytest.mark.parametrize(
    "words",
    [
        ["/no/such/folder"],
        ["{lenses}", "--output", "table.txt"],
        ["{lenses}", "--batch", "0"],
        ["{lenses}", "--workers", "-1"],
        ["{lenses}", "--coverage", "1"],
        ["{lenses}", "--model", "no-such-model"],
        ["{lenses}", "--device", "abacus"],
    ],
)
def test_wrong_arguments_are_one_line(
    words: list[str], lenses: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.replace("{lenses}", str(lenses)) for word in words]
    if "--model" not in words:
        words += ["--model", str(tiny_model)]
    assert main(["predict", *words, "--quiet"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("darklens: error: ")
    assert shown.err.count("\n") == 1


def test_without_output_the_table_is_printed(
    lenses: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = tmp_path / "pictures"
    words = [str(lenses / "*" / "1.npy"), "--model", str(tiny_model), "--figures", str(pictures)]
    assert main(["predict", *words]) == 0
    assert (pictures / "config.yaml").is_file()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == COLUMNS[:5], "without columns that are empty"
    assert len(lines) == 3


@pytest.fixture
def calibrated(tiny_model: Path, tmp_path: Path) -> Path:
    """The model, calibrated on images like the first two lenses."""
    images = np.random.default_rng(4).poisson(30, (300, 1, 150, 150)).astype(np.uint16)
    labels = np.arange(300, dtype=np.int64) % 3
    data = ImageDataset.from_arrays(images, labels, classes=("no", "sphere", "vort"))
    export_model(tiny_model, tmp_path / "calibrated")
    calibrate_model(tmp_path / "calibrated", data, data="noise")
    return tmp_path / "calibrated"


def test_images_unlike_the_calibration_images_are_unknown(
    lenses: Path, calibrated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    y, x = np.mgrid[:150, :150]
    np.save(lenses / "no" / "ring.npy", np.exp(-((np.hypot(x - 75, y - 75) - 20) ** 2) / 50))
    output, pictures = tmp_path / "table.csv", tmp_path / "pictures"
    words = ["--model", str(calibrated), "--output", str(output), "--quiet"]
    assert main(["predict", str(lenses / "no"), *words, "--figures", str(pictures)]) == 0
    assert capsys.readouterr().err.startswith(
        "1 of 2 images: unknown (unlike what the model was calibrated on); see the column note\n"
    )
    table = pd.read_csv(output).set_index(pd.read_csv(output)["path"].map(lambda p: Path(p).stem))
    assert table["label"]["ring"] == "unknown"
    assert table["familiarity"]["ring"] < 0.01
    assert table["set"]["ring"] == "no|sphere|vort"
    assert table["note"]["ring"].startswith("no label: unlike the images")
    assert table["p_no"].notna().all()
    assert table["familiarity"]["1"] >= 0.01
    assert table["label"]["1"] in table["set"]["1"].split("|")
    assert len(list(pictures.glob("*.png"))) == 2


def test_a_wider_coverage_makes_sets_larger(lenses: Path, calibrated: Path, tmp_path: Path) -> None:
    sizes = []
    for coverage in ("0.05", "0.999"):
        output = tmp_path / "table.csv"
        words = ["--model", str(calibrated), "--output", str(output), "--coverage", coverage]
        assert main(["predict", str(lenses / "no"), *words]) == 0
        sizes.append(pd.read_csv(output)["set"].str.split("|").str.len().mean())
    assert sizes == [1, 3]


def test_the_run_is_repeated_from_its_configuration(
    lenses: Path, tiny_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "table.csv"
    words = [str(lenses), "--model", str(tiny_model), "--output", str(output)]
    assert main(["predict", *words]) == 0
    first = output.read_bytes()
    output.unlink()
    assert main(["predict", "--config", f"{output}.config.yaml"]) == 0
    assert output.read_bytes() == first


def test_as_a_process(lenses: Path, tiny_model: Path) -> None:
    command = [sys.executable, "-m", "darklens", "predict", str(lenses), "--model", str(tiny_model)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 5
    assert result.stderr == "classifying 4 images with the model 'tiny'\n"


def test_real_images(shared_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    output = tmp_path / "table.csv"
    folder = shared_data / "common_test_1"
    words = [str(folder), "--model", str(tiny_model), "--output", str(output)]
    assert main(["predict", *words]) == 0
    assert len(pd.read_csv(output)) == len(list(folder.rglob("*.npy")))


def test_images_without_an_answer_are_not_kept(bad: dict[str, Path], tiny_model: Path) -> None:
    from darklens.evaluate import predict_files

    rows = predict_files(load_classifier(tiny_model), sorted(bad.values()), batch=64)
    assert all(row.image is None for row in rows if row.error)


@pytest.mark.parametrize("fits", [False, True])
@pytest.mark.parametrize("error", [MemoryError(), RecursionError("deep"), ValueError("odd")])
def test_whatever_one_image_does_stops_no_other(
    fits: bool,
    error: Exception,
    lenses: Path,
    tiny_model: Path,
) -> None:
    from darklens.evaluate import predict_files

    classifier = load_classifier(tiny_model)
    steps = classifier.preprocessing

    class Failing(Preprocessing):
        """Preprocessing that fails for the brightest image."""

        explains = fits

        def explain(self, images: np.ndarray) -> tuple[np.ndarray, dict[str, list[object]]]:
            if images.dtype == np.uint8:
                raise error
            return steps.explain(images)

    classifier.preprocessing = Failing([], [])
    paths = sorted(path for path in lenses.rglob("*") if path.is_file())
    rows = list(predict_files(classifier, paths))
    assert [bool(row.error) for row in rows] == [False, False, False, True]
    assert rows[3].error == reason_of(error)
