"""`darklens predict`: the table on stdout, and what failed."""

from pathlib import Path

import pandas as pd

from darklens.classify import UNKNOWN
from darklens.cli.failures import say_failures
from darklens.files.tables import printable
from darklens.progress import say

__all__ = ["show"]


def show(table: pd.DataFrame, *, output: Path | None) -> int:
    """Print the table if it was not written to a file, and say which images failed.

    Raises:
        BadInput: If no image could be classified.
    """
    if output is None:
        print(printable(table, "{:.3f}"))
    code = say_failures(table, "classified")
    unknown = table["label"] == UNKNOWN
    if count := int(unknown.sum()):
        say(
            f"{count} of {len(table)} images: {UNKNOWN} (unlike what the model was calibrated on); "
            "see the column note"
        )
    if count := int((_noted(table) & ~unknown).sum()):
        say(f"{count} of {len(table)} images: less certain than their label; see the column note")
    return code


def _noted(table: pd.DataFrame) -> "pd.Series[bool]":
    """Whether each image has a note."""
    notes = table["note"] if "note" in table else pd.Series(None, index=table.index, dtype=object)
    return notes.map(bool, na_action="ignore").eq(True)
