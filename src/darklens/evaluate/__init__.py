"""Run models over data: scores with intervals, predictions and fits for files, figures, reports.

Names that need the physics are loaded when they are first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from darklens.evaluate.classifier import (
    ClassifierScores,
    classify_images,
    confident_mistakes,
    score_classifier,
)
from darklens.evaluate.figures import (
    confusion_figure,
    prediction_figure,
    reliability_figure,
    roc_figure,
    write_figure,
)
from darklens.evaluate.pictures import (
    grid_picture,
    lens_picture,
    picture_uri,
    write_picture,
)
from darklens.evaluate.prediction import FilePrediction, predict_files, prediction_table
from darklens.evaluate.report import (
    LensCard,
    LensSection,
    classifier_report,
    demo_report,
    lens_card,
)
from darklens.evaluate.source import LabelledImages, SimulatedImages, labels_for

if TYPE_CHECKING:
    from darklens.evaluate.fit_figures import fit_figure
    from darklens.evaluate.fitting import FileFit, FileFitter, fit_files, fit_row, fit_table

__all__ = [
    "ClassifierScores",
    "FileFit",
    "FileFitter",
    "FilePrediction",
    "LabelledImages",
    "LensCard",
    "LensSection",
    "SimulatedImages",
    "classifier_report",
    "classify_images",
    "confident_mistakes",
    "confusion_figure",
    "demo_report",
    "fit_figure",
    "fit_files",
    "fit_row",
    "fit_table",
    "grid_picture",
    "labels_for",
    "lens_card",
    "lens_picture",
    "picture_uri",
    "predict_files",
    "prediction_figure",
    "prediction_table",
    "reliability_figure",
    "roc_figure",
    "score_classifier",
    "write_figure",
    "write_picture",
]

_HEAVY = {
    "FileFit": "darklens.evaluate.fitting",
    "FileFitter": "darklens.evaluate.fitting",
    "fit_figure": "darklens.evaluate.fit_figures",
    "fit_files": "darklens.evaluate.fitting",
    "fit_row": "darklens.evaluate.fitting",
    "fit_table": "darklens.evaluate.fitting",
}


def __getattr__(name: str) -> Any:
    if name in _HEAVY:
        return getattr(import_module(_HEAVY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
