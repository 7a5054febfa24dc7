"""Run models over data: scores with intervals, predictions and fits for files, figures, reports.

Names that need the physics, or a generator's networks, are loaded when they are first asked for.
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
    save_figure,
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
    from darklens.evaluate.features import load_neutral, neutral_features
    from darklens.evaluate.fit_figures import fit_figure
    from darklens.evaluate.fitting import FileFit, FileFitter, fit_files, fit_row, fit_table
    from darklens.evaluate.generation_figures import (
        closest_picture,
        frechet_figure,
        images_picture,
        physics_figure,
    )
    from darklens.evaluate.generation_report import generator_report
    from darklens.evaluate.generator import GeneratorScores, score_generator
    from darklens.evaluate.inception import load_inception
    from darklens.evaluate.measurement import Measured, Measurer, Pixels, common_pixels
    from darklens.evaluate.physics import Ruler
    from darklens.evaluate.streams import (
        ImageStream,
        stream_dataset,
        stream_generator,
        stream_simulations,
    )

__all__ = [
    "ClassifierScores",
    "FileFit",
    "FileFitter",
    "FilePrediction",
    "GeneratorScores",
    "ImageStream",
    "LabelledImages",
    "LensCard",
    "LensSection",
    "Measured",
    "Measurer",
    "Pixels",
    "Ruler",
    "SimulatedImages",
    "classifier_report",
    "classify_images",
    "closest_picture",
    "common_pixels",
    "confident_mistakes",
    "confusion_figure",
    "demo_report",
    "fit_figure",
    "fit_files",
    "fit_row",
    "fit_table",
    "frechet_figure",
    "generator_report",
    "grid_picture",
    "images_picture",
    "labels_for",
    "lens_card",
    "lens_picture",
    "load_inception",
    "load_neutral",
    "neutral_features",
    "physics_figure",
    "picture_uri",
    "predict_files",
    "prediction_figure",
    "prediction_table",
    "reliability_figure",
    "roc_figure",
    "save_figure",
    "score_classifier",
    "score_generator",
    "stream_dataset",
    "stream_generator",
    "stream_simulations",
    "write_figure",
    "write_picture",
]

_HEAVY = {
    "FileFit": "darklens.evaluate.fitting",
    "FileFitter": "darklens.evaluate.fitting",
    "GeneratorScores": "darklens.evaluate.generator",
    "ImageStream": "darklens.evaluate.streams",
    "Measured": "darklens.evaluate.measurement",
    "Measurer": "darklens.evaluate.measurement",
    "Pixels": "darklens.evaluate.measurement",
    "Ruler": "darklens.evaluate.physics",
    "closest_picture": "darklens.evaluate.generation_figures",
    "common_pixels": "darklens.evaluate.measurement",
    "fit_figure": "darklens.evaluate.fit_figures",
    "fit_files": "darklens.evaluate.fitting",
    "fit_row": "darklens.evaluate.fitting",
    "fit_table": "darklens.evaluate.fitting",
    "frechet_figure": "darklens.evaluate.generation_figures",
    "generator_report": "darklens.evaluate.generation_report",
    "images_picture": "darklens.evaluate.generation_figures",
    "load_inception": "darklens.evaluate.inception",
    "load_neutral": "darklens.evaluate.features",
    "neutral_features": "darklens.evaluate.features",
    "physics_figure": "darklens.evaluate.generation_figures",
    "score_generator": "darklens.evaluate.generator",
    "stream_dataset": "darklens.evaluate.streams",
    "stream_generator": "darklens.evaluate.streams",
    "stream_simulations": "darklens.evaluate.streams",
}


def __getattr__(name: str) -> Any:
    if name in _HEAVY:
        return getattr(import_module(_HEAVY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
