"""`darklens detect`: the table on stdout, and the verdicts in words."""

from pathlib import Path

import pandas as pd

from darklens.errors import BadInput
from darklens.files.tables import printable, reasons
from darklens.progress import say

__all__ = ["show"]

_SHOWN = [
    "path",
    "verdict",
    "significance",
    "p_value",
    "mass",
    "mass_error",
    "x",
    "y",
    "limit_mass",
    "einstein_radius",
    "error",
]


def show(
    table: pd.DataFrame, *, output: Path | None, lens_redshift: float | None, quiet: bool
) -> int:
    """Print the answers if the table was not written to a file, and sum them up.

    Raises:
        BadInput: If no image could be searched.
    """
    if output is None:
        print(printable(table[[name for name in _SHOWN if name in table]]))
    total = len(table)
    failed = [text for text in table["error"] if isinstance(text, str) and text]
    if len(failed) == total:
        raise BadInput(f"none of {total} images can be searched: {reasons(failed)}")
    if failed:
        say(f"{len(failed)} of {total} images could not be searched; see the column error")
    counts = table["verdict"].value_counts()
    say(", ".join(f"{verdict}: {n}" for verdict, n in counts.items()), quiet=quiet)
    unsure = table[table["verdict"] == "cannot say"]
    if len(unsure):
        say(f"cannot say: {reasons(unsure['reason'])}")
    if lens_redshift is None:
        say(
            "masses are squared Einstein radii [arcsec^2]: give --lens-redshift and "
            "--source-redshift for solar masses",
            quiet=quiet,
        )
    estimated = int((table["noise"] == "estimated").fillna(value=False).sum())
    if estimated:
        say(f"noise estimated from the sky: {estimated} of {total} images", quiet=quiet)
    return 1 if failed else 0
