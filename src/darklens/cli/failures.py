"""Which of many images failed, each with its own reason, on stderr."""

import pandas as pd

from darklens.errors import BadInput
from darklens.files.tables import reasons
from darklens.progress import say

__all__ = ["say_failures"]

_MOST = 20


def say_failures(table: pd.DataFrame, done: str) -> int:
    """Name the images that failed, one line each.

    Args:
        table: Table with the columns `path` and `error`.
        done: What was to be done to the images, such as `fitted`.

    Returns:
        The exit code: 1 if some failed, 0 if none.

    Raises:
        BadInput: If all failed.
    """
    failed = table[table["error"].notna()]
    if len(failed) == len(table):
        raise BadInput(f"none of {len(table)} images can be {done}: {reasons(failed['error'])}")
    if not len(failed):
        return 0
    say(f"{len(failed)} of {len(table)} images could not be {done}; see the column error")
    for path, reason in zip(failed["path"][:_MOST], failed["error"][:_MOST], strict=True):
        say(f"  {path}: {reason}")
    if len(failed) > _MOST:
        say(f"  and {len(failed) - _MOST} more; --output keeps all of them in a table")
    return 1
