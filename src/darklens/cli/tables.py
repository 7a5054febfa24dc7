"""Tables and pictures that a verb writes: one row and one picture for each image."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from darklens.atomic import atomic_file, check_file
from darklens.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TABLE_ENDINGS", "check_table_name", "picture_name", "printable", "write_table"]

TABLE_ENDINGS = (".csv", ".parquet", ".json")


def check_table_name(output: Path | None) -> None:
    """Refuse a table that cannot be written, or whose format its ending does not say.

    Raises:
        BadInput: If the ending is none of `TABLE_ENDINGS`, or the place cannot be written to.
    """
    if output is None:
        return
    if output.suffix not in TABLE_ENDINGS:
        raise BadInput(f"the ending of {output} must be one of {', '.join(TABLE_ENDINGS)}")
    check_file(output)


def write_table(table: "pd.DataFrame", output: Path) -> None:
    """Write a table in the format that the ending of its name says."""
    with atomic_file(output) as temporary:
        if output.suffix == ".csv":
            table.to_csv(temporary, index=False)
        elif output.suffix == ".parquet":
            table.to_parquet(temporary, index=False)
        else:
            table.to_json(temporary, orient="records", indent=2, double_precision=15)


def printable(table: "pd.DataFrame", digits: str = "{:.4g}") -> str:
    """The table for people: few digits, and only columns that say anything."""
    full = [name for name in table if name == "path" or not table[name].isna().all()]
    return table[full].to_string(index=False, na_rep="-", float_format=digits.format)


def picture_name(index: int, path: Path) -> str:
    """A file name that is unique and still says which image it is.

    >>> picture_name(3, Path("set/no/1.npy"))
    '000003_no_1.png'
    """
    words = "_".join([path.parent.name, path.stem]).strip("_")
    return f"{index:06d}_{re.sub(r'[^A-Za-z0-9._-]+', '-', words)}.png"
