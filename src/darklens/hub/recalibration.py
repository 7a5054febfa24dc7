"""Calibrate an existing model on images of the kind that it will be used for."""

from dataclasses import replace
from pathlib import Path

from darklens.data import ImageDataset
from darklens.hub.calibration import save_calibration
from darklens.hub.card import ModelCard, load_card
from darklens.hub.folders import find_model
from darklens.hub.weights import load_classifier

__all__ = ["calibrate_model"]


def calibrate_model(model: str | Path, images: ImageDataset, *, data: str) -> ModelCard:
    """Calibrate a classifier anew: temperature, prediction sets and familiarity.

    The weights stay as they are. Scores in the card that depend on the temperature, such as the
    calibration error, were measured with the previous one.

    Args:
        model: Name of a shipped model, or path of a model folder, which is changed.
        images: Labelled raw images that no weight was fitted to, with the model's classes.
        data: What the images are, in a few words, for the card.

    Returns:
        The card as written.

    Raises:
        BadModel: If the model is missing, damaged or not a classifier.
        BadData: If the images are too few, have other classes or do not suit the model.
    """
    from darklens.classify import calibrate

    folder = find_model(model)
    classifier = load_classifier(folder)
    calibration = calibrate(classifier, images)
    card = replace(load_card(folder), temperature=classifier.temperature)
    return save_calibration(folder, card, calibration, data=data)
