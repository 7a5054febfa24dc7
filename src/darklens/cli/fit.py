"""`darklens fit`: the table on stdout, and what failed or was only estimated."""

from pathlib import Path

import pandas as pd

from darklens.cli.failures import say_failures
from darklens.files.tables import printable
from darklens.progress import say

__all__ = ["show"]


def show(table: pd.DataFrame, *, output: Path | None, quiet: bool) -> int:
    """Print the table if it was not written to a file, and say which rows to look at.

    Raises:
        BadInput: If no image could be fitted.
    """
    if output is None:
        print(printable(table))
    total = len(table)
    code = say_failures(table, "fitted")
    unconverged = sum(not pd.isna(value) and not value for value in table["converged"])
    if unconverged:
        say(f"{unconverged} fits did not converge; see the column converged", quiet=quiet)
    for what in ("counts", "noise"):
        estimated = int((table[what] == "estimated").fillna(value=False).sum())
        if estimated:
            say(f"{what} estimated from the sky: {estimated} of {total} images", quiet=quiet)
    notes = sum(isinstance(text, str) and bool(text) for text in table.get("note", ()))
    if notes:
        say(f"{notes} of {total} images do not match the preset; see the column note")
    return code
