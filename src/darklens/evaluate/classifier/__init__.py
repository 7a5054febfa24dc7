"""A classifier run over data: scores with intervals, predictions of files, figures, reports.

Names are imported on first use: a prediction needs neither the simulator nor figures.
"""

from typing import TYPE_CHECKING

from darklens.lazy_imports import lazy_names

if TYPE_CHECKING:
    from darklens.evaluate.classifier.evaluation import evaluate_classifier
    from darklens.evaluate.classifier.figures import (
        confusion_figure,
        prediction_figure,
        reliability_figure,
        roc_figure,
    )
    from darklens.evaluate.classifier.file_predictions import predict
    from darklens.evaluate.classifier.labelled_images import (
        LabelledImages,
        SimulatedImages,
        labels_for,
    )
    from darklens.evaluate.classifier.prediction import (
        FilePrediction,
        predict_files,
        prediction_table,
    )
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

_HOMES = {
    "ClassifierScores": "darklens.evaluate.classifier.scores",
    "FilePrediction": "darklens.evaluate.classifier.prediction",
    "LabelledImages": "darklens.evaluate.classifier.labelled_images",
    "SimulatedImages": "darklens.evaluate.classifier.labelled_images",
    "StressTable": "darklens.evaluate.classifier.stress",
    "answer_images": "darklens.evaluate.classifier.scores",
    "classifier_report": "darklens.evaluate.classifier.report",
    "classify_images": "darklens.evaluate.classifier.scores",
    "confident_mistakes": "darklens.evaluate.classifier.scores",
    "confusion_figure": "darklens.evaluate.classifier.figures",
    "evaluate_classifier": "darklens.evaluate.classifier.evaluation",
    "labels_for": "darklens.evaluate.classifier.labelled_images",
    "predict": "darklens.evaluate.classifier.file_predictions",
    "predict_files": "darklens.evaluate.classifier.prediction",
    "prediction_figure": "darklens.evaluate.classifier.figures",
    "prediction_table": "darklens.evaluate.classifier.prediction",
    "reliability_figure": "darklens.evaluate.classifier.figures",
    "roc_figure": "darklens.evaluate.classifier.figures",
    "score_classifier": "darklens.evaluate.classifier.scores",
    "stated_probabilities": "darklens.evaluate.classifier.scores",
    "stress_classifier": "darklens.evaluate.classifier.stress",
}

__getattr__ = lazy_names(__name__, _HOMES)
