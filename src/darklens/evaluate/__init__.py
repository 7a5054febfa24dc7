"""Run models over data: scores with intervals, predictions for files, figures, HTML reports."""

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

__all__ = [
    "ClassifierScores",
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
