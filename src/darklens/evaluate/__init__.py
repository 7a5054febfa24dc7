"""Run models over data: scores with intervals, predictions and fits for files, figures, reports.

Names are imported from `classifier`, `generator` and `fit` on first use: prediction does not need
the simulator, and fitting does not need a network.
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
    from darklens.evaluate.demonstration import demo
    from darklens.evaluate.figures import save_figure, write_figure
    from darklens.evaluate.fit.figures import fit_figure
    from darklens.evaluate.fit.files import FileFit, FileFitter, fit_row, fit_table
    from darklens.evaluate.generator.evaluation import evaluate_generator
    from darklens.evaluate.generator.features import load_neutral, neutral_features
    from darklens.evaluate.generator.figures import (
        closest_picture,
        frechet_figure,
        images_picture,
        physics_figure,
    )
    from darklens.evaluate.generator.image_sets import (
        ImageSet,
        generated_image_set,
        read_image_set,
        simulated_image_set,
    )
    from darklens.evaluate.generator.inception import load_inception
    from darklens.evaluate.generator.measurement import Measured, Measurer, Pixels, common_pixels
    from darklens.evaluate.generator.protocols import INCEPTION_PROTOCOLS, InceptionProtocol
    from darklens.evaluate.generator.report import generator_report
    from darklens.evaluate.generator.scores import (
        GeneratorScores,
        ProtocolScore,
        score_generator,
    )
    from darklens.evaluate.generator.summary_statistics import SummaryStatistics
    from darklens.evaluate.inspect.figures import inspection_figure
    from darklens.evaluate.inspect.inspection import inspect
    from darklens.evaluate.inspect.rows import (
        Inspected,
        inspect_target,
        inspection_row,
        inspection_table,
    )
    from darklens.evaluate.report import LensCard, LensSection, demo_report, lens_card

__all__ = [
    "INCEPTION_PROTOCOLS",
    "ClassifierScores",
    "FileFit",
    "FileFitter",
    "FilePrediction",
    "GeneratorScores",
    "ImageSet",
    "InceptionProtocol",
    "Inspected",
    "LabelledImages",
    "LensCard",
    "LensSection",
    "Measured",
    "Measurer",
    "Pixels",
    "ProtocolScore",
    "SimulatedImages",
    "StressTable",
    "SummaryStatistics",
    "answer_images",
    "classifier_report",
    "classify_images",
    "closest_picture",
    "common_pixels",
    "confident_mistakes",
    "confusion_figure",
    "demo",
    "demo_report",
    "evaluate_classifier",
    "evaluate_generator",
    "fit_figure",
    "fit_row",
    "fit_table",
    "frechet_figure",
    "generated_image_set",
    "generator_report",
    "images_picture",
    "inspect",
    "inspect_target",
    "inspection_figure",
    "inspection_row",
    "inspection_table",
    "labels_for",
    "lens_card",
    "load_inception",
    "load_neutral",
    "neutral_features",
    "physics_figure",
    "predict",
    "predict_files",
    "prediction_figure",
    "prediction_table",
    "read_image_set",
    "reliability_figure",
    "roc_figure",
    "save_figure",
    "score_classifier",
    "score_generator",
    "simulated_image_set",
    "stated_probabilities",
    "stress_classifier",
    "write_figure",
]

_HOMES = {
    "INCEPTION_PROTOCOLS": "darklens.evaluate.generator.protocols",
    "ClassifierScores": "darklens.evaluate.classifier.scores",
    "FileFit": "darklens.evaluate.fit.files",
    "FileFitter": "darklens.evaluate.fit.files",
    "FilePrediction": "darklens.evaluate.classifier.prediction",
    "GeneratorScores": "darklens.evaluate.generator.scores",
    "ImageSet": "darklens.evaluate.generator.image_sets",
    "InceptionProtocol": "darklens.evaluate.generator.protocols",
    "Inspected": "darklens.evaluate.inspect.rows",
    "LabelledImages": "darklens.evaluate.classifier.labelled_images",
    "LensCard": "darklens.evaluate.report",
    "LensSection": "darklens.evaluate.report",
    "Measured": "darklens.evaluate.generator.measurement",
    "Measurer": "darklens.evaluate.generator.measurement",
    "Pixels": "darklens.evaluate.generator.measurement",
    "ProtocolScore": "darklens.evaluate.generator.scores",
    "SimulatedImages": "darklens.evaluate.classifier.labelled_images",
    "StressTable": "darklens.evaluate.classifier.stress",
    "SummaryStatistics": "darklens.evaluate.generator.summary_statistics",
    "answer_images": "darklens.evaluate.classifier.scores",
    "classifier_report": "darklens.evaluate.classifier.report",
    "classify_images": "darklens.evaluate.classifier.scores",
    "closest_picture": "darklens.evaluate.generator.figures",
    "common_pixels": "darklens.evaluate.generator.measurement",
    "confident_mistakes": "darklens.evaluate.classifier.scores",
    "confusion_figure": "darklens.evaluate.classifier.figures",
    "demo": "darklens.evaluate.demonstration",
    "demo_report": "darklens.evaluate.report",
    "evaluate_classifier": "darklens.evaluate.classifier.evaluation",
    "evaluate_generator": "darklens.evaluate.generator.evaluation",
    "fit_figure": "darklens.evaluate.fit.figures",
    "fit_row": "darklens.evaluate.fit.files",
    "fit_table": "darklens.evaluate.fit.files",
    "frechet_figure": "darklens.evaluate.generator.figures",
    "generated_image_set": "darklens.evaluate.generator.image_sets",
    "generator_report": "darklens.evaluate.generator.report",
    "images_picture": "darklens.evaluate.generator.figures",
    "inspect": "darklens.evaluate.inspect.inspection",
    "inspect_target": "darklens.evaluate.inspect.rows",
    "inspection_figure": "darklens.evaluate.inspect.figures",
    "inspection_row": "darklens.evaluate.inspect.rows",
    "inspection_table": "darklens.evaluate.inspect.rows",
    "labels_for": "darklens.evaluate.classifier.labelled_images",
    "lens_card": "darklens.evaluate.report",
    "load_inception": "darklens.evaluate.generator.inception",
    "load_neutral": "darklens.evaluate.generator.features",
    "neutral_features": "darklens.evaluate.generator.features",
    "physics_figure": "darklens.evaluate.generator.figures",
    "predict": "darklens.evaluate.classifier.file_predictions",
    "predict_files": "darklens.evaluate.classifier.prediction",
    "prediction_figure": "darklens.evaluate.classifier.figures",
    "prediction_table": "darklens.evaluate.classifier.prediction",
    "read_image_set": "darklens.evaluate.generator.image_sets",
    "reliability_figure": "darklens.evaluate.classifier.figures",
    "roc_figure": "darklens.evaluate.classifier.figures",
    "save_figure": "darklens.evaluate.figures",
    "score_classifier": "darklens.evaluate.classifier.scores",
    "score_generator": "darklens.evaluate.generator.scores",
    "simulated_image_set": "darklens.evaluate.generator.image_sets",
    "stated_probabilities": "darklens.evaluate.classifier.scores",
    "stress_classifier": "darklens.evaluate.classifier.stress",
    "write_figure": "darklens.evaluate.figures",
}

__getattr__ = lazy_names(__name__, _HOMES)
