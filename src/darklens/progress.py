"""What a verb says while it works: a progress bar on a terminal, one line a stage without one.

All of it goes to stderr, so that stdout holds nothing but results.
"""

import sys
from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

from darklens.naming import visible

__all__ = ["progress", "say"]

Item = TypeVar("Item")


def say(message: str, *, quiet: bool = False) -> None:
    """Print one line of progress."""
    if not quiet:
        print(visible(message), file=sys.stderr, flush=True)


def progress(
    items: Iterable[Item],
    stage: str,
    *,
    total: int | None = None,
    unit: str = "image",
    quiet: bool = False,
) -> Iterable[Item]:
    """Wrap a loop in a progress bar, or name the stage once where there is no terminal.

    Args:
        items: What to loop over.
        stage: What is being done, such as `classifying`.
        total: Number of items, if they do not say it themselves.
        unit: What one item is.
        quiet: Show nothing.
    """
    if not quiet and not sys.stderr.isatty():
        say(stage)
    disabled = quiet or not sys.stderr.isatty()
    name = visible(stage)
    return tqdm(items, desc=name, total=total, unit=f" {unit}", disable=disabled, file=sys.stderr)
