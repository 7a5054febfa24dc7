"""`darklens evaluate classifier`: the scores on stdout."""

from pathlib import Path

from darklens.evaluate import ClassifierScores
from darklens.naming import visible
from darklens.progress import say

__all__ = ["show"]


def show(scores: ClassifierScores, *, output: Path, stress: bool, quiet: bool) -> None:
    """Print the scores with their intervals."""
    for name, item in scores.scalars.items():
        print(f"{visible(name):<28}{item.value:7.4f}   95 % {item.low:.4f} to {item.high:.4f}")
    say(f"report: {output / 'report.html'}", quiet=quiet)
    if stress:
        say(f"shifts: {output / 'stress.md'}", quiet=quiet)
