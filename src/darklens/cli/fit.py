"""`darklens fit`: the table on stdout, and what failed, is not trusted or was only estimated."""

from pathlib import Path

import pandas as pd

from darklens.cli.failures import say_failures
from darklens.files.tables import printable, reasons
from darklens.progress import say

__all__ = ["show"]

_SHOWN = (
    "path",
    "lens",
    "chi_square",
    "converged",
    "log_evidence",
    "einstein_radius",
    "lens_axis_ratio",
    "lens_slope",
    "shear",
    "satellite1_einstein_radius",
    "satellite2_einstein_radius",
    "satellite3_einstein_radius",
)
"""Of the flexible lens, whose table is wide."""


def show(table: pd.DataFrame, *, output: Path | None, flexible: bool, quiet: bool) -> int:
    """Print the table if it was not written to a file, and say which rows to look at.

    Raises:
        BadInput: If no image could be fitted.
    """
    if output is None:
        print(printable(_narrow(table) if flexible else table))
    total = len(table)
    code = say_failures(table, "fitted")
    unconverged = table[~table["converged"].fillna(value=True)]
    if len(unconverged) and flexible:
        say(f"{len(unconverged)} of {total} fits are not trusted: {reasons(unconverged['reason'])}")
    elif len(unconverged):
        say(f"{len(unconverged)} fits did not converge; see the column converged", quiet=quiet)
    for what in ("counts", "noise"):
        estimated = int((table[what] == "estimated").sum()) if what in table else 0
        if estimated:
            say(f"{what} estimated from the sky: {estimated} of {total} images", quiet=quiet)
    notes = sum(isinstance(text, str) and bool(text) for text in table.get("note", ()))
    if notes:
        say(f"{notes} of {total} images do not match the preset; see the column note")
    return code


def _narrow(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of a flexible lens that fit a terminal, each with its error."""
    names = [part for name in _SHOWN for part in (name, f"{name}_error")]
    return table[[name for name in (*names, "reason", "error") if name in table]]
