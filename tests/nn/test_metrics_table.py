"""`metrics.csv`: rows of all parts of a run, once each."""

import csv
from pathlib import Path

from darklens.nn.metrics_table import MetricsTable


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def log(path: Path, *rows: dict[str, float]) -> None:
    table = MetricsTable(path)
    for row in rows:
        table.log_metrics({key: row[key] for key in row if key != "step"}, int(row["step"]))
        table.write()
    table.finalize("success")


def test_a_resumed_run_adds_its_rows_and_columns(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    log(path, {"step": 9, "loss": 3.0}, {"step": 11, "val_loss": 2.0})
    log(path, {"step": 19, "loss": 1.0}, {"step": 23, "val_loss": 0.5, "val_auc": 0.9})
    log(path, {"step": 29, "loss": 0.4})
    rows = read(path)
    assert [row["step"] for row in rows] == ["9", "11", "19", "23", "29"]
    assert list(rows[0]) == ["loss", "step", "val_auc", "val_loss"]
    assert [row["loss"] for row in rows] == ["3.0", "", "1.0", "", "0.4"]
    assert rows[3]["val_auc"] == "0.9"
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]


def test_steps_that_are_done_again_replace_their_rows(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    log(path, {"step": 9, "loss": 3.0}, {"step": 19, "loss": 2.0}, {"step": 23, "val_loss": 1.0})
    log(path, {"step": 19, "loss": 2.5}, {"step": 23, "val_loss": 1.5})
    assert [(row["step"], row["loss"] or row["val_loss"]) for row in read(path)] == [
        ("9", "3.0"),
        ("19", "2.5"),
        ("23", "1.5"),
    ]


def test_a_row_cut_off_by_a_kill_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("loss,step,zeta\n3.0,9,\n2.0,1", encoding="utf-8")
    log(path, {"step": 29, "loss": 1.0})
    assert [row["step"] for row in read(path)] == ["9", "29"]


def test_nothing_logged_writes_nothing(tmp_path: Path) -> None:
    log(tmp_path / "metrics.csv")
    assert not list(tmp_path.iterdir())
