"""Progress of a verb: a bar on a terminal, one line per stage elsewhere.

Everything goes to stderr, so that stdout holds only results.
"""

import sys
from collections.abc import Iterable
from typing import Any, TypeAlias, TypeVar

from tqdm import tqdm

from darklens.naming import visible

__all__ = ["ProgressBar", "progress", "progress_bar", "say"]

Item = TypeVar("Item")
ProgressBar: TypeAlias = "tqdm[Any]"


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
    """Wrap a loop in a progress bar, or name the stage once if there is no terminal.

    Args:
        items: The items to loop over.
        stage: What is being done, such as `classifying`.
        total: Number of items, where `len(items)` does not give it.
        unit: What one item is.
        quiet: Show nothing.
    """
    return _bar(items, stage, stage, total=total, unit=unit, quiet=quiet)


def progress_bar(total: int, stage: str, line: str, *, quiet: bool = False) -> ProgressBar:
    """A bar over images that advances by `update`; one line if there is no terminal.

    Args:
        total: Number of images.
        stage: What is being done, such as `simulating`.
        line: The line printed if there is no terminal.
        quiet: Show nothing.
    """
    return _bar(None, stage, line, total=total, unit="images", quiet=quiet)


def _bar(
    items: Iterable[Any] | None,
    stage: str,
    line: str,
    *,
    total: int | None,
    unit: str,
    quiet: bool,
) -> ProgressBar:
    hidden = quiet or not sys.stderr.isatty()
    if hidden:
        say(line, quiet=quiet)
    name = visible(stage)
    return tqdm(items, desc=name, total=total, unit=f" {unit}", disable=hidden, file=sys.stderr)
