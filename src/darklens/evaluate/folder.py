"""The folder that an evaluation writes."""

from darklens.files.configuration import own_folder

__all__ = ["EVALUATION"]

_STRESS = ("stress.md", "stress.csv", "stress.json")
_FIGURES = ("roc", "confusion", "reliability", "images", "physics", "frechet", "closest")
EVALUATION = own_folder(
    "evaluate",
    [
        "metrics.json",
        "report.html",
        *_STRESS,
        *(f"{n}.{end}" for n in _FIGURES for end in ("png", "svg")),
    ],
)
"""What an evaluation writes; one of a classifier replaces one of a generator, and vice versa."""
