"""Which of many images failed, each with its own reason, on stderr."""

import pandas as pd

from darklens.progress import say

__all__ = ["say_failures"]

_MOST = 20


def say_failures(table: pd.DataFrame) -> None:
    """Name the images that failed, one line each.

    Args:
        table: Table with the columns `path` and `error`.
    """
    failed = table[table["error"].notna()]
    for path, reason in zip(failed["path"][:_MOST], failed["error"][:_MOST], strict=True):
        say(f"  {path}: {reason}")
    if len(failed) > _MOST:
        say(f"  and {len(failed) - _MOST} more; --output keeps all of them in a table")
