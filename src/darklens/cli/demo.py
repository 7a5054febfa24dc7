"""`darklens demo`: the predictions as tables on stdout."""

from collections.abc import Iterable
from pathlib import Path

from darklens.evaluate import LensCard, LensSection

__all__ = ["show"]


def show(sections: list[LensSection], *, output: Path) -> None:
    """Print a table for each section, and where the report is."""
    for section in sections:
        print("\n".join([section.title, *_table(section.lenses), ""]))
    print(f"report: {output / 'report.html'}")


def _table(lenses: Iterable[LensCard]) -> list[str]:
    """Lines of a table, with the number of correct predictions below."""
    lenses = list(lenses)
    classes = list(lenses[0].probabilities)
    head = f"  {'true':<8}{'predicted':<11}" + "".join(f"p_{name:<8}" for name in classes)
    rows = [
        f"  {lens.truth:<8}{lens.label:<11}"
        + "".join(f"{lens.probabilities[name]:<10.3f}" for name in classes)
        for lens in lenses
    ]
    right = sum(lens.label == lens.truth for lens in lenses)
    return [head.rstrip(), *(row.rstrip() for row in rows), f"  {right} of {len(lenses)} right"]
