"""The output folder of an evaluation."""

from darklens.files.configuration import own_folder

__all__ = ["EVALUATION"]

_STRESS = ("stress.md", "stress.csv", "stress.json")
_FIGURES = ("roc", "confusion", "reliability", "images", "physics", "frechet", "closest", "stress")
EVALUATION = own_folder(
    "evaluate",
    [
        "metrics.json",
        "report.html",
        *_STRESS,
        *(f"{n}.{end}" for n in _FIGURES for end in ("png", "svg")),
    ],
)
"""The output of an evaluation; one of a classifier may replace one of a generator."""
