"""`darklens detect`: the table on stdout, and the verdicts in words."""

from pathlib import Path

import pandas as pd

from darklens.cli.failures import say_failures
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
    code = say_failures(table, "searched")
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
        say(f"noise estimated from the sky: {estimated} of {len(table)} images", quiet=quiet)
    return code
