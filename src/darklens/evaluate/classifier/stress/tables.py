"""The table of shifts for people and for programs: Markdown, CSV, JSON, and rows for a report."""

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from darklens import __version__
from darklens.files.tables import write_table

__all__ = [
    "NOTES",
    "NOT_LENS_GROUPS",
    "WITHOUT_TRUTH",
    "WITH_TRUTH",
    "ShownTable",
    "StressTable",
    "shown_table",
    "write_stress",
]

NOT_LENS_GROUPS = ("not lenses", "other presets")

WITH_TRUTH = {
    "accuracy": "right [%]",
    "accuracy_answered": "right of the answered [%]",
    "macro_auc": "macro AUC",
    "false_alarms": "false alarms [%]",
    "detections": "detections [%]",
    "refused": "refused [%]",
    "unfamiliar": "unfamiliar [%]",
    "coverage": "sets with the truth [%]",
    "set_size": "classes in a set",
    "confident_mistakes": "wrong with 0.95 or more [%]",
    "calibration_error": "calibration error",
}
WITHOUT_TRUTH = {
    "refused": "refused [%]",
    "unfamiliar": "unfamiliar [%]",
    "set_size": "classes in a set",
    "confident_mistakes": "answered with 0.95 or more [%]",
    "familiarity_auc": "AUC of familiarity",
}
_DECIMALS = {"macro_auc": 4, "familiarity_auc": 4, "set_size": 2, "calibration_error": 3}
NOTES = (
    "Right: the most probable class is the true one, whether or not the image is refused. False "
    "alarms: lenses without substructure among the answered ones that are called something else. "
    "Detections: lenses with substructure that are answered and called one of the classes with "
    "it. Refused: no answer, or `unknown`. Unfamiliar: a familiarity below 0.05. Sets: the "
    "prediction sets of the answered. In brackets Wilson's 95 % intervals."
)


@dataclass(frozen=True)
class ShownTable:
    """A table as text, for a report.

    Attributes:
        title: What its rows are.
        head: Names of the columns.
        rows: Cells of each row.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """The table as Markdown, without its title."""
        lines = (self.head, ("---",) * len(self.head), *self.rows)
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@dataclass(frozen=True)
class StressTable:
    """A classifier under shifts.

    Attributes:
        model: Name of the model.
        weights_sha256: Hash of its weights.
        preset: Name of the preset that was shifted.
        count: Images of each shift.
        seed: Their seed.
        rows: One row for each shift: `group`, `shift`, the scores (`StressScores`), and `reason`
            where the shift does not apply.
    """

    model: str
    weights_sha256: str | None
    preset: str
    count: int
    seed: int
    rows: pd.DataFrame

    def __repr__(self) -> str:
        applied = int(self.rows["reason"].isna().sum())
        return (
            f"StressTable({self.model!r} on {self.preset}: {applied} of {len(self.rows)} shifts "
            f"apply; {self.count} images each, seed {self.seed})"
        )

    @property
    def introduction(self) -> str:
        """One sentence that says what the table is."""
        return (
            f"`{self.model}` on {self.count} images of each kind, all classes in turn, seed "
            f"{self.seed}; every shift changes the preset {self.preset} in one way."
        )

    @property
    def notes(self) -> str:
        """What the columns mean."""
        return NOTES

    def shown(self) -> list[ShownTable]:
        """Tables of the shifts and of the images that are not the preset's lenses."""
        applied = self.rows[self.rows["reason"].isna()]
        other = applied["group"].isin(NOT_LENS_GROUPS)
        return [
            shown_table("Shifts", applied[~other], WITH_TRUTH),
            shown_table("Not lenses, and lenses of other presets", applied[other], WITHOUT_TRUTH),
        ]

    def not_applied(self) -> list[str]:
        """Shifts that do not apply to the preset, with the reason."""
        rest = self.rows[self.rows["reason"].notna()]
        return [f"{row.shift} ({row.reason})" for row in rest.itertuples()]

    def markdown(self) -> str:
        """The tables as Markdown."""
        lines = [self.introduction, ""]
        for table in self.shown():
            lines += [f"{table.title}:", "", table.markdown(), ""]
        lines.append(self.notes)
        if missing := self.not_applied():
            lines += ["", f"Shifts that do not apply: {'; '.join(missing)}."]
        return "\n".join(lines) + "\n"

    def as_dict(self) -> dict[str, Any]:
        """The table for JSON, with null for undefined numbers."""
        rows = self.rows.astype(object).where(self.rows.notna(), None)
        return {
            "model": self.model,
            "weights_sha256": self.weights_sha256,
            "preset": self.preset,
            "images_per_shift": self.count,
            "seed": self.seed,
            "rows": rows.to_dict(orient="records"),
        }


def write_stress(table: StressTable, folder: Path) -> None:
    """Write `stress.md`, `stress.csv` and `stress.json` into a folder."""
    (folder / "stress.md").write_text(table.markdown(), encoding="utf-8")
    write_table(table.rows, folder / "stress.csv")
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    document = {**table.as_dict(), "version": __version__, "date": date}
    text = json.dumps(document, indent=2, allow_nan=False)
    (folder / "stress.json").write_text(text + "\n", encoding="utf-8")


def shown_table(title: str, rows: pd.DataFrame, columns: Mapping[str, str]) -> ShownTable:
    """Scores as text, without the columns in which no row has a value.

    Args:
        title: What the rows are.
        rows: Columns `shift`, what the images are, and the scores (`StressScores`).
        columns: Headings of the scores that are shown, such as `WITH_TRUTH`.
    """
    filled = {name: head for name, head in columns.items() if rows[name].notna().any()}
    cells = [
        (
            str(row["shift"]),
            str(row["images"]),
            *(_cell(name, row) for name in filled),
        )
        for row in rows.to_dict(orient="records")
    ]
    return ShownTable(title, ("images of", "n", *filled.values()), tuple(cells))


def _cell(name: str, row: dict[Any, Any]) -> str:
    value = row[name]
    if pd.isna(value):
        return "-"
    if name in _DECIMALS:
        return f"{value:.{_DECIMALS[name]}f}"
    text = f"{100 * value:.1f}"
    if f"{name}_low" in row:
        text += f" ({100 * row[f'{name}_low']:.1f} to {100 * row[f'{name}_high']:.1f})"
    return text
