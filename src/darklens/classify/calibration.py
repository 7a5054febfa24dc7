"""The calibration of a classifier: how large its sets must be, and which images are familiar.

Calibration images are labelled images that no weight was fitted to: the validation part of a
training run, or other images of the kind that the model is meant for. Images whose fit failed are
left out, because in prediction they get no label either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import softmax

from darklens.classify.answers import answerable
from darklens.classify.familiarity import Familiarity, familiarity_from
from darklens.classify.outputs import Outputs, joined
from darklens.data import ImageDataset
from darklens.errors import BadData, BadModel
from darklens.metrics import fit_temperature, prediction_sets, probability_above

if TYPE_CHECKING:
    from darklens.classify.predictor import Classifier

__all__ = [
    "Calibration",
    "calibrate",
    "calibration_from",
    "dataset_outputs",
    "determined_temperature",
]

_READ_AT_ONCE = 256
_LEAST = 4  # images; two of them are references

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Calibration:
    """The results of a classifier for calibration images.

    Attributes:
        scores: Total probability of the classes that were more probable than the true one.
        labels: True class of each calibration image.
        familiarity: Measures how similar another image is to them.
    """

    scores: Float[np.ndarray, " n"]
    labels: Int[np.ndarray, " n"]
    familiarity: Familiarity

    def __repr__(self) -> str:
        return f"Calibration({len(self.labels)} images; {self.familiarity!r})"

    def sets(
        self, probabilities: Float[np.ndarray, "b k"], coverage: float
    ) -> Bool[np.ndarray, "b k"]:
        """Whether each class is in the set of each image; see `darklens.metrics.conformal`."""
        return prediction_sets(
            probabilities, scores=self.scores, labels=self.labels, coverage=coverage
        )


def calibrate(classifier: "Classifier", images: ImageDataset) -> Calibration:
    """Calibrate a classifier on labelled images: its temperature, sets and familiarity.

    The classifier is changed in place. Its temperature stays if the images determine none.
    `darklens.hub.calibrate_model` does the same with a model folder.

    Args:
        classifier: The classifier.
        images: Labelled raw images that no weight was fitted to, with the classifier's classes.

    Raises:
        BadData: If there are too few images or other classes, or they do not suit the network.
    """
    if images.classes != classifier.classes:
        raise BadData(
            f"the calibration images have the classes {', '.join(images.classes)}; the model "
            f"knows {', '.join(classifier.classes)}"
        )
    outputs = dataset_outputs(classifier, images)
    temperature = determined_temperature(outputs.logits, images.labels)
    classifier.temperature = temperature or classifier.temperature
    classifier.calibration = calibration_from(
        outputs, images.labels, temperature=classifier.temperature
    )
    return classifier.calibration


def calibration_from(
    outputs: Outputs,
    labels: Int[np.ndarray, " n"],
    *,
    temperature: float,
    columns: Columns | None = None,
) -> Calibration:
    """Calibration from a classifier's outputs for calibration images.

    Args:
        outputs: Logits, features and columns of the images.
        labels: Their true classes.
        temperature: Temperature of the classifier.
        columns: Results of the preprocessing for each image, if it was done beforehand.

    Raises:
        BadData: If there are too few images.
        BadModel: If an output is not finite.
    """
    columns = outputs.columns if columns is None else columns
    kept = np.flatnonzero(answerable(columns, len(labels))).tolist()
    if len(kept) < _LEAST:
        raise BadData(f"{len(kept)} images are too few to calibrate on")
    if not np.isfinite(outputs.logits).all() or not np.isfinite(outputs.features).all():
        raise BadModel("the model's output for some calibration images is not finite")
    probabilities = softmax(outputs.logits / temperature, axis=1)
    scores = probability_above(probabilities)[np.arange(len(labels)), labels]
    columns = {name: [values[index] for index in kept] for name, values in columns.items()}
    return Calibration(
        scores=scores[kept],
        labels=np.asarray(labels[kept], dtype=np.int64),
        familiarity=familiarity_from(outputs.features[kept], columns),
    )


def dataset_outputs(classifier: "Classifier", images: ImageDataset) -> Outputs:
    """Outputs of a classifier for a whole data set, read in pieces.

    Raises:
        BadData: If images cannot be read.
        BadInput: If they do not suit the network.
    """
    starts = range(0, len(images), _READ_AT_ONCE)
    pieces = (images.images(slice(start, start + _READ_AT_ONCE)) for start in starts)
    return joined([classifier.outputs(piece) for piece in pieces])


def determined_temperature(
    logits: Float[np.ndarray, "n k"], labels: Int[np.ndarray, " n"]
) -> float | None:
    """Temperature that calibrates the classifier on these images; None if there is none.

    The likelihood of the labels has a maximum at a finite temperature if and only if some image is
    misclassified, which limits how sharp the probabilities can be, and the logits of the true
    classes exceed the others on average, so that the network does better than chance.
    """
    if not len(logits) or not np.isfinite(logits).all():
        return None
    true = logits[np.arange(len(logits)), labels]
    some_wrong = bool((true < logits.max(axis=1)).any())
    if not some_wrong or float((true - logits.mean(axis=1)).mean()) <= 0:
        return None
    return round(fit_temperature(logits, labels), 4)
