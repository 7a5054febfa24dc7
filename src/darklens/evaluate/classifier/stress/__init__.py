"""A classifier under shifts: how well it holds on images that differ from its preset.

Arrows inside point one way: run | figure -> rows -> shifts | sources | tables -> changes |
not_lenses | answers | scores.
"""

from darklens.evaluate.classifier.stress.figure import stress_figure
from darklens.evaluate.classifier.stress.rows import base_preset
from darklens.evaluate.classifier.stress.run import stress_classifier
from darklens.evaluate.classifier.stress.shifts import Shift, load_shifts
from darklens.evaluate.classifier.stress.tables import ShownTable, StressTable, write_stress

__all__ = [
    "Shift",
    "ShownTable",
    "StressTable",
    "base_preset",
    "load_shifts",
    "stress_classifier",
    "stress_figure",
    "write_stress",
]
