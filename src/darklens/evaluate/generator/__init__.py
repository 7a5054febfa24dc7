"""Comparison of generated with real images: distances, tests of the physics, figures, reports."""

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
from darklens.evaluate.generator.scores import GeneratorScores, ProtocolScore, score_generator
from darklens.evaluate.generator.summary_statistics import SummaryStatistics

__all__ = [
    "INCEPTION_PROTOCOLS",
    "GeneratorScores",
    "ImageSet",
    "InceptionProtocol",
    "Measured",
    "Measurer",
    "Pixels",
    "ProtocolScore",
    "SummaryStatistics",
    "closest_picture",
    "common_pixels",
    "evaluate_generator",
    "frechet_figure",
    "generated_image_set",
    "generator_report",
    "images_picture",
    "load_inception",
    "load_neutral",
    "neutral_features",
    "physics_figure",
    "read_image_set",
    "score_generator",
    "simulated_image_set",
]
