"""A whole table of shifts, in one process and in two."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from darklens.data import ImageDataset
from darklens.errors import BadInput, BadPreset
from darklens.evaluate.classifier.stress import (
    Shift,
    StressTable,
    load_shifts,
    stress_classifier,
    stress_figure,
    write_stress,
)
from darklens.evaluate.classifier.stress.answers import answers_to
from darklens.evaluate.classifier.stress.changes import Change
from darklens.evaluate.classifier.stress.not_lenses import NOT_LENSES
from darklens.hub import calibrate_model, export_model, load_classifier
from darklens.metrics import accuracy
from darklens.simulation import Simulator, preset_names

SHIFTS = (
    Shift("axis ratio 0.8", "lens", (Change(set={"lens.axis_ratio": 0.8}),)),
    Shift("counts of a CCD", "telescope", (Change(scale={"noise.ccd.read_noise": 2}),)),
    Shift("8-bit integers", "file", image={"integers": 8}),
    Shift("too bright", "source", (Change(set={"source.amplitude": 1e9}),)),
)


def stress(model: Path, **options: object) -> StressTable:
    settings = {"shifts": SHIFTS, "count": 4, "batch": 3, "quiet": True} | options
    return stress_classifier(model=str(model), **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def table(tiny_model: Path) -> StressTable:
    return stress(tiny_model)


def test_one_row_for_each_shift_and_each_kind_of_image(table: StressTable) -> None:
    others = [name for name in preset_names(populations=False) if name != "model-1-legacy"]
    names = ["no shift", *(shift.name for shift in SHIFTS), *NOT_LENSES, *others]
    assert table.rows["shift"].tolist() == names
    assert (table.model, table.preset, table.count) == ("tiny", "model-1-legacy", 4)
    assert len(table.weights_sha256 or "") == 64


def test_what_does_not_apply_says_why(table: StressTable) -> None:
    reasons = table.rows.set_index("shift")["reason"].dropna()
    assert reasons["counts of a CCD"] == "the preset has no noise.ccd"
    assert "lower the source's brightness" in reasons["too bright"]
    assert reasons["model-1"] == "of one family with model-1-legacy"
    applied = table.rows[table.rows["reason"].isna()]
    assert (applied["images"] == 4).all()
    assert (table.rows["images"] == 0).sum() == 3


def test_accuracy_is_that_of_the_same_images(table: StressTable, tiny_model: Path) -> None:
    lenses = Simulator("model-1-legacy").simulate(4, seed=1_000_003)
    right = accuracy(lenses.labels, load_classifier(tiny_model).probabilities(lenses.images))
    assert table.rows["accuracy"][0] == right


def test_a_calibrated_model_is_scored_by_its_sets_and_familiarity(
    tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "tiny"
    export_model(tiny_model, folder)
    own = Simulator("model-1-legacy").simulate(60, seed=5)
    images = ImageDataset.from_arrays(own.images, own.labels, classes=own.classes)
    calibrate_model(folder, images, data="simulations")
    rows = stress(folder, shifts=(), count=9).rows.set_index("shift")
    assert rows.loc["no shift", "familiarity_auc"] == 0.5
    assert rows.loc["no shift", "coverage"] > 0.6
    assert 1 <= rows.loc["no shift", "set_size"] <= 3
    smaller = stress(folder, shifts=(), count=9, coverage=0.5).rows
    assert smaller["set_size"][0] < rows.loc["no shift", "set_size"]
    assert rows.loc["empty sky", "familiarity_auc"] > 0.8
    assert 0 <= rows.loc["no shift", "unfamiliar"] < rows.loc["empty sky", "unfamiliar"] <= 1


def test_two_workers_give_the_same_table(table: StressTable, tiny_model: Path) -> None:
    again = stress(tiny_model, workers=2)
    pd.testing.assert_frame_equal(again.rows, table.rows)


def test_files_say_the_same(table: StressTable, tmp_path: Path) -> None:
    write_stress(table, tmp_path)
    document = json.loads((tmp_path / "stress.json").read_text())
    read = pd.read_csv(tmp_path / "stress.csv")
    assert read["shift"].tolist() == [row["shift"] for row in document["rows"]]
    assert document["rows"][0]["accuracy"] == table.rows["accuracy"][0]
    assert document["rows"][0]["coverage"] is None
    text = (tmp_path / "stress.md").read_text()
    share = f"{100 * table.rows['accuracy'][0]:.1f} ("
    assert f"| no shift | 4 | {share}" in text
    assert "| photographs | 4 |" in text
    assert "coverage" not in text, "no column without a value"
    assert "counts of a CCD (the preset has no noise.ccd)" in text
    assert {line.count("|") for line in text.splitlines()} == {0, 11, 5}


def test_the_figure_has_a_line_for_each_shift_that_applies(table: StressTable) -> None:
    accuracy_axes, alarm_axes = stress_figure(table).axes
    names = [label.get_text() for label in accuracy_axes.get_yticklabels()]
    assert names == ["no shift", "axis ratio 0.8", "8-bit integers"]
    points = accuracy_axes.containers[0].lines[0].get_xdata()
    shown = table.rows["accuracy"][[0, 1, 3]]
    assert np.allclose(points, 100 * shown)
    assert alarm_axes.get_xlabel() == "false alarms [%]"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"count": 0}, BadInput, "--stress-count"),
        ({"preset": "no-such"}, BadPreset, "no-such"),
        ({"preset": "PATH/two.yaml"}, BadInput, "has not the classes"),
    ],
)
def test_wrong_arguments(
    options: dict[str, object],
    error: type[Exception],
    message: str,
    tiny_model: Path,
    tmp_path: Path,
) -> None:
    two = (
        "name: two\ngrid: {shape: [150, 150], pixel_scale: 0.05}\n"
        "lens: {redshift: 0.5, einstein_radius: 1}\n"
        "source: {redshift: 1, radius: 0.3, sersic_index: 1, amplitude: 10}\n"
        "classes: {no: [], other: []}\ninstrument: {}\nnoise: {photon: {background: 1}}"
    )
    (tmp_path / "two.yaml").write_text(two)
    if "preset" in options:
        options = {"preset": str(options["preset"]).replace("PATH", str(tmp_path))}
    with pytest.raises(error, match=message):
        stress(tiny_model, **options)


def test_the_shipped_shifts_are_the_default(tiny_model: Path) -> None:
    table = stress(tiny_model, shifts=None, count=1)
    names = [shift.name for shift in load_shifts()]
    assert table.rows["shift"].tolist()[1 : len(names) + 1] == names
    assert "shifts apply; 1 images each" in repr(table)


def test_a_batch_that_cannot_be_used_is_refused(tiny_model: Path) -> None:
    blank = answers_to(load_classifier(tiny_model), np.zeros((2, 1, 150, 150)), np.array([0, 1]))
    assert not blank.answered.any()
    assert np.isnan(blank.probabilities).all()
