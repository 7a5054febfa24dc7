"""A classifier under shifts: how far it holds on images that its preset does not draw.

Arrows inside point one way: run -> shifts | sources | tables -> changes | containers | not_lenses
| answers | scores.
"""

from darklens.evaluate.classifier.stress.run import own_preset, stress_classifier
from darklens.evaluate.classifier.stress.shifts import Shift, load_shifts
from darklens.evaluate.classifier.stress.tables import ShownTable, StressTable, write_stress

__all__ = [
    "Shift",
    "ShownTable",
    "StressTable",
    "load_shifts",
    "own_preset",
    "stress_classifier",
    "write_stress",
]
