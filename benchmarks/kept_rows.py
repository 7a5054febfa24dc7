"""The finished rows of a long benchmark, a line of JSON each, so that it can be continued."""

import argparse
import json
from pathlib import Path
from typing import Any

__all__ = ["add_rows_option", "keep_row", "kept_rows"]

Row = dict[str, Any]


def add_rows_option(parser: argparse.ArgumentParser) -> None:
    """Add the option `--rows FILE`."""
    parser.add_argument(
        "--rows",
        type=Path,
        help="file of the single results, a line of JSON each; what it holds is not done again",
    )


def kept_rows(path: Path | None) -> list[Row]:
    """The rows of earlier runs; none without a file."""
    if path is None or not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def keep_row(path: Path | None, row: Row) -> None:
    """Add a row to the file, if there is to be one."""
    if path is not None:
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
