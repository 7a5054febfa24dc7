"""A classifier run over data: scores with intervals, predictions of files, figures, reports."""

from darklens.evaluate.classifier.evaluation import evaluate_classifier
from darklens.evaluate.classifier.figures import (
    confusion_figure,
    prediction_figure,
    reliability_figure,
    roc_figure,
)
from darklens.evaluate.classifier.file_predictions import predict
from darklens.evaluate.classifier.labelled_images import LabelledImages, SimulatedImages, labels_for
from darklens.evaluate.classifier.prediction import FilePrediction, predict_files, prediction_table
from darklens.evaluate.classifier.report import classifier_report
from darklens.evaluate.classifier.scores import (
    ClassifierScores,
    answer_images,
    classify_images,
    confident_mistakes,
    score_classifier,
    stated_probabilities,
)
from darklens.evaluate.classifier.stress import StressTable, stress_classifier

__all__ = [
    "ClassifierScores",
    "FilePrediction",
    "LabelledImages",
    "SimulatedImages",
    "StressTable",
    "answer_images",
    "classifier_report",
    "classify_images",
    "confident_mistakes",
    "confusion_figure",
    "evaluate_classifier",
    "labels_for",
    "predict",
    "predict_files",
    "prediction_figure",
    "prediction_table",
    "reliability_figure",
    "roc_figure",
    "score_classifier",
    "stated_probabilities",
    "stress_classifier",
]
