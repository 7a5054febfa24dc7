"""`darklens simulate`, `generate` and `convert`: one line about what was written."""

from darklens.production import WrittenImages
from darklens.progress import say

__all__ = ["show"]


def show(written: WrittenImages, *, quiet: bool) -> None:
    """Say what was written."""
    say(str(written), quiet=quiet)
