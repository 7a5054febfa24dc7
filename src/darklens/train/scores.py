"""The end of a classifier's run: the model is written, calibrated and tested.

The model is written first, so nothing here can lose it. Scores that are not defined, because the
validation or the test part is small or lacks a class, are left out and reported.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64

from darklens.classify import (
    Classifier,
    ClassifierNetwork,
    calibration_from,
    dataset_outputs,
    determined_temperature,
)
from darklens.data import ImageDataset
from darklens.errors import DarklensError
from darklens.hub import (
    Metric,
    ModelCard,
    load_classifier,
    save_calibration,
    save_model,
    write_card,
)
from darklens.metrics import accuracy, bootstrap_interval, macro_auc
from darklens.progress import say
from darklens.train.data import TrainingData
from darklens.train.results import TrainedModel

__all__ = ["absent_classes", "fitted_temperature", "measured_scores", "save_measured"]

_READ_AT_ONCE = 256

Report = Callable[[str], None]


def save_measured(
    folder: Path,
    network: ClassifierNetwork,
    card: ModelCard,
    data: TrainingData,
    *,
    calibrate: bool = True,
    quiet: bool = False,
) -> TrainedModel:
    """Write a classifier, then its temperature and calibration and, with a test part, its scores.

    All are measured with the weights as written, in half precision.

    Args:
        folder: Model folder to write.
        network: The trained network.
        card: Its card, without scores.
        data: The data of the run.
        calibrate: Fit the temperature; otherwise that of the card stays.
        quiet: Report nothing but problems.
    """
    card = save_model(folder, network, card)
    written = load_classifier(folder).network
    classifier = Classifier(written, card.classes, data.preprocessing, card.temperature)
    problem = None
    try:
        card = _calibrated(folder, classifier, card, data, temperature=calibrate)
        if data.test is None:
            say("no test scores: the data have no test part", quiet=quiet)
        else:
            command = card.training.command
            scores = measured_scores(classifier, data.test, command=command, report=say)
            card = replace(card, metrics=scores)
            write_card(folder, card)
    except DarklensError as error:
        problem = " ".join(str(error).split())
        say(f"the model is written, but could not be measured: {problem}")
    for metric in card.metrics:
        say(f"{metric.name} {metric.value:.4f} on {metric.data}", quiet=quiet)
    say(f"model: {folder}", quiet=quiet)
    return TrainedModel(folder, card, problem)


def _calibrated(
    folder: Path, classifier: Classifier, card: ModelCard, data: TrainingData, *, temperature: bool
) -> ModelCard:
    """The card with temperature and calibration, once both are written."""
    outputs = dataset_outputs(classifier, data.val)
    labels = data.val.labels
    if temperature:
        card = replace(card, temperature=fitted_temperature(outputs.logits, labels, say))
        write_card(folder, card)
    try:
        calibration = calibration_from(
            outputs, labels, temperature=card.temperature, columns=data.columns
        )
    except DarklensError as error:
        say(f"no prediction sets and no familiarity: {error}")
        return card
    words = f"validation part of the training data, {len(labels)} images"
    return save_calibration(folder, card, calibration, data=words)


def absent_classes(dataset: ImageDataset) -> list[str]:
    """Classes without any image in the data set."""
    present = set(np.unique(dataset.labels).tolist())
    return [name for k, name in enumerate(dataset.classes) if k not in present]


def fitted_temperature(
    logits: Float[np.ndarray, "n k"], labels: Int64[np.ndarray, " n"], report: Report
) -> float:
    """Temperature that calibrates the classifier on the validation images; 1 if there is none.

    Args:
        logits: Its output for them, before temperature and softmax.
        labels: Their true classes.
        report: Takes one line if the images do not determine a temperature.
    """
    temperature = determined_temperature(logits, labels)
    if temperature is not None:
        return temperature
    report(
        f"the temperature stays 1: {len(labels)} validation images, "
        f"{_right(logits, labels)} of them classified correctly, do not determine it"
    )
    return 1.0


def measured_scores(
    classifier: Classifier, test: ImageDataset, *, command: str, report: Report
) -> tuple[Metric, ...]:
    """Accuracy and macro AUC on the test part, with 95 % bootstrap intervals.

    Args:
        classifier: The trained classifier.
        test: Images that played no part in training or selection.
        command: Command of the run, for the card.
        report: Takes one line for each score that is not defined.
    """
    if len(test) == 0:
        report("no test scores: the test part has no images")
        return ()
    probabilities = torch.from_numpy(_logits(classifier, test)).softmax(dim=1).numpy()
    metrics = []
    for name, function in (("accuracy", accuracy), ("macro_auc", macro_auc)):
        if name == "macro_auc" and (absent := absent_classes(test)):
            report(f"no macro_auc: the test part has no images of {', '.join(absent)}")
            continue
        interval = bootstrap_interval(partial(function, test.labels, probabilities), test.labels)
        where = f"test part of the training data, {len(test)} images"
        low, high = _finite([interval.low, interval.high])
        metrics.append(Metric(name, float(interval.value), low, high, data=where, command=command))
    return tuple(metrics)


def _finite(ends: Sequence[Float[np.ndarray, ""]]) -> list[float | None]:
    return [float(end) if np.isfinite(end) else None for end in ends]


def _right(logits: Float[np.ndarray, "n k"], labels: Int64[np.ndarray, " n"]) -> int:
    return int((logits.argmax(axis=1) == labels).sum()) if len(logits) else 0


def _logits(classifier: Classifier, dataset: ImageDataset) -> Float[np.ndarray, "n k"]:
    """Logits of a whole data set, read in pieces."""
    pieces = [np.empty((0, len(classifier.classes)))]
    for start in range(0, len(dataset), _READ_AT_ONCE):
        pieces.append(classifier.logits(dataset.images(slice(start, start + _READ_AT_ONCE))))
    return np.concatenate(pieces)
