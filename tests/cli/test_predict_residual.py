"""`darklens predict` with a model whose preprocessing fits the smooth lens."""

from pathlib import Path
from shutil import copytree

import numpy as np
import pandas as pd
import pytest

from darklens.cli.main import main
from darklens.hub import load_classifier
from darklens.simulation import Simulator


@pytest.fixture(scope="module")
def lenses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lens as counts, scaled, less its sky and in 8 bits, a smooth ramp, and no counts."""
    folder = tmp_path_factory.mktemp("lenses")
    counts = Simulator("common-test-1").lens(0, seed=1).image
    np.save(folder / "counts.npy", counts)
    values = counts.astype(np.float64)
    np.save(folder / "scaled.npy", (values - values.min()) / np.ptp(values))
    np.save(folder / "shifted.npy", values - 10.0)
    np.save(folder / "grey.npy", np.rint(255 * values / values.max()))
    np.save(folder / "negative.npy", np.random.default_rng(0).normal(size=values.shape))
    np.save(folder / "ramp.npy", np.add.outer(np.arange(150), np.arange(150))[None])
    return folder


def test_the_table_says_how_the_fit_went(
    residual_model: Path, lenses: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "table.csv"
    figures = tmp_path / "figures"
    words = ["--model", residual_model, "--output", table, "--figures", figures]
    assert main(["predict", str(lenses), *map(str, words), "--quiet"]) == 1
    rows = pd.read_csv(table).set_index(pd.read_csv(table).path.map(lambda p: Path(p).stem))
    assert list(rows.columns[1:]) == [
        "label",
        "p_no",
        "p_sphere",
        "p_vort",
        "set",
        "familiarity",
        "fit",
        "chi_square",
        "note",
        "error",
    ]
    assert rows.fit["counts"] == rows.fit["scaled"] == rows.fit["shifted"] == "ok"
    assert rows.fit["grey"] == "counts not recovered"
    assert "8-bit" in rows.note["grey"]
    assert pd.isna(rows.note["counts"])
    said = capsys.readouterr().err
    assert "1 of 6 images: unknown (unlike what the model was calibrated on)" in said
    assert "1 of 6 images: less certain than their label; see the column note" in said
    assert rows.chi_square["counts"] == pytest.approx(1.0, abs=0.05)
    assert rows.p_no["counts"] == pytest.approx(rows.p_no["scaled"], abs=1e-5)
    assert rows.fit["ramp"] in ("not converged", "unlike the preset")
    assert rows.label["ramp"] == "unknown"
    assert rows.note["ramp"].startswith(f"no label: the fit is '{rows.fit['ramp']}'")
    assert rows.p_no["ramp"] >= 0
    assert "neither counts nor" in rows.error["negative"]
    assert pd.isna(rows.label["negative"])
    drawn = sorted(path.name for path in figures.glob("*.png"))
    assert len(drawn) == 5, drawn


def test_python_says_the_same(residual_model: Path, lenses: Path) -> None:
    model = load_classifier(residual_model)
    image = np.load(lenses / "counts.npy")
    row = model.predict(image[None]).iloc[0]
    assert row.fit == "ok"
    titles = [panel.title.split(",")[0] for panel in model.illustrate(image[None])[2][0]]
    assert titles == ["image", "smooth lens", "residual [noise]", "significance of a point mass"]


def test_an_image_that_cannot_be_fitted_spoils_no_other(residual_model: Path, lenses: Path) -> None:
    model = load_classifier(residual_model)
    names = ("negative", "counts")
    table = model.predict(np.stack([np.load(lenses / f"{name}.npy") for name in names]))
    assert table.label.isna().tolist() == [True, False]
    assert "neither counts nor" in table.error[0]
    assert pd.isna(table.error[1])
    assert table.fit.isna().tolist() == [True, False]


def test_the_table_is_the_same_bytes_for_any_number_of_workers(
    residual_model: Path, lenses: Path, tmp_path: Path
) -> None:
    """Six images, one of which cannot be fitted, twice, so that a second worker pays."""
    for name in ("first", "second"):
        copytree(lenses, tmp_path / "images" / name)
    tables = []
    for workers, batch in ((1, 64), (2, 64), (2, 5)):
        table = tmp_path / f"{workers}-{batch}.csv"
        words = ["--model", residual_model, "--output", table, "--workers", workers]
        words += ["--batch", batch, "--quiet"]
        assert main(["predict", str(tmp_path / "images"), *map(str, words)]) == 1
        tables.append(table.read_bytes())
    assert tables[0] == tables[1] == tables[2]
    assert tables[0].count(b"neither counts nor") == 2


def test_python_gives_the_same_with_workers(residual_model: Path, lenses: Path) -> None:
    model = load_classifier(residual_model)
    names = ["counts", "negative", "scaled", "shifted", "counts", "scaled"]
    images = np.stack([np.load(lenses / f"{name}.npy") for name in 2 * names])
    one, two = (model.predict(images, workers=workers) for workers in (1, 2))
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert two.label.isna().tolist() == 2 * [False, True, False, False, False, False]
