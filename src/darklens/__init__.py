"""Dark-matter substructure in strong gravitational lenses: simulate, fit, classify, generate.

The verbs of the command line are functions here with the same names and defaults. Importing this
package loads nothing heavy: each function is imported when it is first used.
"""

from typing import TYPE_CHECKING

from darklens.lazy_imports import lazy_names as _lazy_names

if TYPE_CHECKING:
    from darklens.evaluate.classifier import evaluate_classifier, predict, stress_classifier
    from darklens.evaluate.detect import detect
    from darklens.evaluate.fit import fit
    from darklens.evaluate.generator import evaluate_generator
    from darklens.evaluate.inspect import inspect
    from darklens.production import generate, simulate
    from darklens.train import train_classifier, train_generator

__all__ = [
    "__version__",
    "detect",
    "evaluate_classifier",
    "evaluate_generator",
    "fit",
    "generate",
    "inspect",
    "predict",
    "simulate",
    "stress_classifier",
    "train_classifier",
    "train_generator",
]

__version__ = "0.1.0"

_HOMES = {
    "detect": "darklens.evaluate.detect",
    "evaluate_classifier": "darklens.evaluate.classifier",
    "evaluate_generator": "darklens.evaluate.generator",
    "fit": "darklens.evaluate.fit",
    "generate": "darklens.production",
    "inspect": "darklens.evaluate.inspect",
    "predict": "darklens.evaluate.classifier",
    "simulate": "darklens.production",
    "stress_classifier": "darklens.evaluate.classifier",
    "train_classifier": "darklens.train",
    "train_generator": "darklens.train",
}

__getattr__ = _lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
