"""`darklens inspect`: what each file holds on stdout, and which images cannot be used."""

from pathlib import Path
from typing import Any

import pandas as pd

from darklens.cli.failures import say_failures
from darklens.files.tables import printable
from darklens.naming import visible
from darklens.progress import say

__all__ = ["show"]

_IN_FULL = 8  # files that are described one by one; more are a table
_BRIEF = ("path", "role", "rows", "columns", "pixel_scale", "band", "noise", "psf", "error")


def show(table: pd.DataFrame, *, output: Path | None, quiet: bool) -> int:
    """Say what was found, if no table was written, and which images cannot be used.

    Raises:
        BadInput: If no image can be used.
    """
    if output is None and len(table) <= _IN_FULL:
        print("\n\n".join(_described(row) for _, row in table.iterrows()))
    elif output is None:
        print(printable(table[list(_BRIEF)]))
    chosen = table[table["role"] == "image"]
    code = say_failures(chosen, "used")
    if not code:
        say(f"all of {len(chosen)} images can be used", quiet=quiet)
    return code


def _described(row: "pd.Series[Any]") -> str:
    """One file as lines of name and value, without what is empty."""
    lines = [visible(row["path"])]
    for name, value in row.items():
        if name == "path" or pd.isna(value):
            continue
        for k, part in enumerate(str(value).split("; ") if name == "note" else [value]):
            text = f"{part:.6g}" if isinstance(part, float) else visible(part)
            lines.append(f"  {'' if k else name!s:<17} {text}")
    return "\n".join(lines)
