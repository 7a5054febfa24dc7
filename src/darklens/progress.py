"""Progress of a verb: a bar on a terminal or in a notebook, one line per stage elsewhere.

Everything goes to stderr, so that stdout holds only results.
"""

import sys
import warnings
from collections.abc import Iterable
from typing import Any, TypeAlias, TypeVar

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # a notebook without ipywidgets gets lines in place of bars
    from tqdm.auto import tqdm

from darklens.naming import visible

__all__ = ["ProgressBar", "progress", "progress_bar", "say"]

Item = TypeVar("Item")
ProgressBar: TypeAlias = "tqdm[Any]"

_NOTEBOOK = any(base.__name__ == "tqdm_notebook" for base in tqdm.__mro__)


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
    """Wrap a loop in a progress bar; where none can be shown, name the stage once.

    Args:
        items: The items to loop over.
        stage: What is being done, such as `classifying`.
        total: Number of items, where `len(items)` does not give it.
        unit: What one item is.
        quiet: Show nothing.
    """
    return _bar(items, stage, stage, total=total, unit=unit, quiet=quiet)


def progress_bar(total: int, stage: str, line: str, *, quiet: bool = False) -> ProgressBar:
    """A bar over images that advances by `update`; one line where none can be shown.

    Args:
        total: Number of images.
        stage: What is being done, such as `simulating`.
        line: The line printed if there is neither a terminal nor a notebook.
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
    hidden = quiet or not (_NOTEBOOK or sys.stderr.isatty())
    if hidden:
        say(line, quiet=quiet)
    name = visible(stage)
    return tqdm(items, desc=name, total=total, unit=f" {unit}", disable=hidden, file=sys.stderr)
