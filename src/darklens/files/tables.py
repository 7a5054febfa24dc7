"""Write tables and figures: one row and one figure for each image.

File and class names come from outside. In every table they are made printable, and in CSV, which
is opened in spreadsheets, none of them starts like a formula.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darklens.errors import BadInput
from darklens.files.atomic import atomic_file
from darklens.files.configuration import check_configuration, configuration_path
from darklens.files.places import check_added_folder, check_apart, check_file
from darklens.files.remote import check_url, sent_file, url_of
from darklens.naming import in_spreadsheet, visible

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "TABLE_ENDINGS",
    "check_outputs",
    "check_table_name",
    "picture_name",
    "printable",
    "reasons",
    "write_table",
]

TABLE_ENDINGS = (".csv", ".parquet", ".json")
_LONGEST_NAME = 120  # characters in the name of a picture; file systems allow 255 bytes
_MOST_REASONS = 40


def check_table_name(output: Path | None) -> None:
    """Check that a table can be written and that its suffix gives the format.

    Raises:
        BadInput: If the suffix is not one of `TABLE_ENDINGS`, or the path cannot be written.
    """
    if output is None:
        return
    if output.suffix not in TABLE_ENDINGS:
        raise BadInput(f"the name of {output} must end in one of {', '.join(TABLE_ENDINGS)}")
    if url_of(output) is None:
        check_file(output)
    else:
        check_url(output)


def check_outputs(
    output: Path | None,
    figures: Path | None,
    inputs: Sequence[Path] = (),
    *,
    page: Path | None = None,
) -> Path | None:
    """Check before the work that table, figures and configuration can be written.

    Args:
        output: Table to write, if any.
        figures: Folder to add pictures to, if any.
        inputs: Files to read.
        page: HTML page to write, if any.

    Returns:
        Path of the configuration of the run; None if nothing is written.

    Raises:
        BadInput: If one of them cannot be written, is an input, or contains one.
    """
    check_table_name(output)
    if figures is not None:
        check_added_folder(figures)
    if page is not None:
        if page.suffix != ".html":
            raise BadInput(f"the name of {page} must end in .html")
        check_file(page)
    for written in filter(None, (output, figures, page)):
        check_apart(written, inputs)
    file = output or (None if figures else page)
    place = configuration_path(file) if file else figures and figures / "config.yaml"
    if place is not None:
        check_configuration(place)
    return place


def write_table(table: "pd.DataFrame", output: Path) -> None:
    """Write a table in the format given by its suffix, to a path or a URL."""
    with sent_file(output) as place, atomic_file(place) as temporary:
        if output.suffix == ".csv":
            _with_text(table, _csv_cell).to_csv(temporary, index=False)
        elif output.suffix == ".parquet":
            _with_text(table, _visible_cell).to_parquet(temporary, index=False)
        else:
            plain = _with_text(table, _visible_cell)
            plain.to_json(temporary, orient="records", indent=2, double_precision=15)


def printable(table: "pd.DataFrame", digits: str = "{:.4g}") -> str:
    """The table for display: few digits, and no empty columns."""
    full = [name for name in table if name == "path" or not table[name].isna().all()]
    shown = _with_text(table[full], _visible_cell)
    return shown.to_string(index=False, na_rep="-", float_format=digits.format)


def reasons(errors: Iterable[str]) -> str:
    """The distinct reasons of failures in one line, most frequent first.

    >>> reasons(["the file is empty", "no such file", "the file is empty"])
    'the file is empty (2), no such file (1)'
    """
    counted = Counter(errors).most_common()
    words = [f"{reason} ({count})" for reason, count in counted[:_MOST_REASONS]]
    more = len(counted) - _MOST_REASONS
    return ", ".join(words + [f"and {more} others"] * (more > 0))


def picture_name(index: int, path: Path) -> str:
    """A unique file name that still identifies the image.

    >>> picture_name(3, Path("set/no/1.npy")), picture_name(4, Path("no.npz[17]"))
    ('000003_no_1.png', '000004_no-17.png')
    """
    name = re.sub(r"(.)\.[A-Za-z]+(\.gz|\.fz)?(?=\[|$)", r"\1", path.name)
    words = "_".join([path.parent.name, name]).strip("_")
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", words).rstrip("-")
    return f"{index:06d}_{plain[-_LONGEST_NAME:]}.png"


def _with_text(table: "pd.DataFrame", cell: Callable[[str, Any], Any]) -> "pd.DataFrame":
    """Apply `cell` to every cell and heading that is text."""
    import pandas as pd

    columns = {}
    for name in table.columns:
        column = table[name]
        if column.dtype == object or pd.api.types.is_string_dtype(column):
            column = column.map(lambda value, name=name: cell(str(name), value))
        columns[cell("", str(name))] = column
    return pd.DataFrame(columns)


def _visible_cell(_column: str, value: Any) -> Any:
    return visible(value) if isinstance(value, str) else value


def _csv_cell(column: str, value: Any) -> Any:
    """Text that is not a formula; a path then starts with `./` and is still valid."""
    if not isinstance(value, str):
        return value
    text = in_spreadsheet(value)
    return f"./{text[1:]}" if column == "path" and text != visible(value) else text
