"""The `metrics.csv` of a run: one table of all logged values, across resumed runs.

Rows are written just before each checkpoint, so that the table normally holds no steps that a
resumed run repeats. If it does, after a kill at that moment or a damaged last checkpoint, the new
rows replace the old ones.
"""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from darklens.errors import DarklensError
from darklens.files.atomic import atomic_file

__all__ = ["MetricsTable"]

Row = dict[str, Any]


class MetricsTable(Logger):
    """A logger that appends to a CSV file.

    Args:
        path: The file; existing rows are kept.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._rows: list[Row] = []
        self._columns: list[str] = []

    @property
    def name(self) -> str:
        return ""

    @property
    def version(self) -> str:
        return ""

    @rank_zero_only
    def log_hyperparams(self, *arguments: Any, **keywords: Any) -> None:
        """Do nothing; the settings are saved with the configuration of the run."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Keep a row until the next `write`."""
        self._rows.append({**metrics, "step": step})

    @rank_zero_only
    def write(self) -> None:
        """Append the rows collected since the last call to the file."""
        rows, self._rows = self._rows, []
        if not rows:
            return
        begun = bool(self._columns)
        if begun and set().union(*rows) <= set(self._columns):
            with self.path.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, self._columns).writerows(rows)
            return
        older = _read(self.path)
        if not begun:
            older = [row for row in older if _step(row) < int(rows[0]["step"] or 0)]
        self._columns = sorted(set(self._columns).union(*older, *rows))
        with atomic_file(self.path) as temporary:
            _write(temporary, self._columns, [*older, *rows])

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write the remaining rows; after a failed run, errors in writing are not reported."""
        try:
            self.write()
        except (OSError, DarklensError):
            if status == "success":
                raise


def _read(path: Path) -> list[Row]:
    """Rows of a table, without one truncated by a kill."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    whole = text[: text.rfind("\n") + 1].splitlines()
    rows = [{key: value for key, value in row.items() if key} for row in csv.DictReader(whole)]
    return [row for row in rows if _step(row) >= 0]


def _step(row: Mapping[str, str]) -> int:
    """Step of a row of the file; -1 if it is unreadable."""
    text = row.get("step") or ""
    return int(text) if text.isascii() and text.isdigit() else -1


def _write(path: Path, columns: list[str], rows: Iterable[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
