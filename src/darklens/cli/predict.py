"""`darklens predict`: the table on stdout, and what failed."""

from pathlib import Path

import pandas as pd

from darklens.errors import BadInput
from darklens.files.tables import printable, reasons
from darklens.progress import say

__all__ = ["show"]


def show(table: pd.DataFrame, *, output: Path | None) -> int:
    """Print the table if it was not written to a file, and say which images failed.

    Raises:
        BadInput: If no image could be classified.
    """
    if output is None:
        print(printable(table, "{:.3f}"))
    failed = table["error"].dropna()
    if len(failed) == len(table):
        raise BadInput(f"none of {len(table)} images can be classified: {reasons(failed)}")
    if len(failed):
        say(f"{len(failed)} of {len(table)} images could not be classified; see the column error")
    notes = (
        int(table["note"].map(bool, na_action="ignore").eq(True).sum()) if "note" in table else 0
    )
    if notes:
        say(f"{notes} of {len(table)} images do not match the model's preset; see the column note")
    return 1 if len(failed) else 0
