"""Run a classifier on labelled images; every score has a confidence interval."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, Int, Num

from darklens.classify import UNFAMILIAR, UNKNOWN, Answer, Classifier
from darklens.classify.fitted_answers import TOGETHER
from darklens.data.datasets import BadImage
from darklens.data.preparation import prepare_images, preparing_workers
from darklens.data.survey import ImageProblem, problems_in_words
from darklens.errors import BadData
from darklens.evaluate.classifier.labelled_images import LabelledImages
from darklens.hub import card_of
from darklens.metrics import (
    Interval,
    accuracy,
    auc_per_class,
    bootstrap_interval,
    confusion_matrix,
    expected_calibration_error,
    macro_auc,
    mean_set_size,
    set_coverage,
    weighted_mean,
)
from darklens.workers import Workers

__all__ = [
    "ClassifierScores",
    "answer_images",
    "classify_images",
    "confident_mistakes",
    "same_shape_batches",
    "score_classifier",
    "stated_probabilities",
]

Item = TypeVar("Item")
Progress = Callable[[Iterable[int]], Iterable[int]]  # wraps a loop over images, as tqdm does


@dataclass(frozen=True)
class ClassifierScores:
    """The scores of a classifier on labelled images, with 95 % bootstrap intervals.

    Attributes:
        classes: Class names.
        counts: Number of images of each class.
        scalars: `accuracy`, `macro_auc`, `auc_CLASS` and `expected_calibration_error`; for
            calibrated models also `set_coverage`, `mean_set_size`, `share_unfamiliar`,
            `share_unknown` and `accuracy_answered`.
        confusion: Number of images by true class (rows) and predicted class (columns).
        resamples: Number of bootstrap resamples.
        seed: Seed of the resamples.
    """

    classes: tuple[str, ...]
    counts: tuple[int, ...]
    scalars: dict[str, Interval]
    confusion: Interval
    resamples: int
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """The scores for JSON, with null for undefined numbers."""
        return {
            "classes": list(self.classes),
            "images_per_class": dict(zip(self.classes, self.counts, strict=True)),
            "metrics": {name: _plain(interval) for name, interval in self.scalars.items()},
            "confusion_matrix": _plain(self.confusion),
            "intervals": {
                "method": "percentile bootstrap, images drawn within their class",
                "level": 0.95,
                "resamples": self.resamples,
                "seed": self.seed,
            },
        }


def classify_images(
    classifier: Classifier,
    images: LabelledImages,
    *,
    batch: int = 64,
    progress: Progress = iter,
) -> Float[np.ndarray, "n k"]:
    """Class probabilities of every image; see `answer_images` and `stated_probabilities`."""
    return stated_probabilities(answer_images(classifier, images, batch=batch, progress=progress))


def stated_probabilities(answers: Sequence[Answer]) -> Float[np.ndarray, "n k"]:
    """Class probabilities; if the fit of an image failed, all classes are equally probable."""
    probabilities = np.array([answer.probabilities for answer in answers])
    return np.where(np.isnan(probabilities), 1 / probabilities.shape[1], probabilities)


def answer_images(
    classifier: Classifier,
    images: LabelledImages,
    *,
    coverage: float = 0.95,
    batch: int = 64,
    workers: int | Workers = 1,
    progress: Progress = iter,
) -> list[Answer]:
    """Answers of a classifier for all images, reading one batch at a time.

    Args:
        classifier: A model that was loaded with its card.
        images: The images.
        coverage: Probability with which a set is to hold the true class.
        batch: Images in memory at once.
        workers: Processes that fit, for models that fit each image, 0 for one per CPU core; or
            workers. The answers are the same for any number.
        progress: Wraps the loop over the images.

    Raises:
        BadModel: If the classifier was not loaded with its card.
        BadData: If images cannot be read or do not suit the model: how many, and which.
        WorkerDied: If a worker process was killed.
    """
    card = card_of(classifier)
    bad: list[ImageProblem] = []

    def read() -> Iterator[Num[np.ndarray, "c h w"]]:
        for index in progress(range(len(images))):
            reason = None
            try:
                image = images[index][0]
                reason = card.unsuitable(image.shape)
            except BadImage as error:
                reason = error.reason
            if reason:
                bad.append(ImageProblem("", images.ids[index], reason))
            elif not bad:  # otherwise the rest is only checked
                yield image

    if classifier.preprocessing.explains:
        chosen = preparing_workers(workers, len(images))
        answers = _fitted_answers(classifier, read(), chosen, coverage)
    else:
        batches = same_shape_batches(read(), lambda image: image.shape, batch)
        found = [classifier.answer(np.stack(group), coverage=coverage) for group in batches]
        answers = [answer for group in found for answer in group]
    if bad:
        raise BadData(problems_in_words(bad, len(images)))
    return answers


def _fitted_answers(
    classifier: Classifier,
    images: Iterator[Num[np.ndarray, "c h w"]],
    workers: Workers,
    coverage: float,
) -> list[Answer]:
    """Answers of a model that fits each image, a few at a time while others are fitted."""
    answers: list[Answer] = []
    with closing(prepare_images(classifier.preprocessing, images, workers=workers)) as prepared:
        fitted = (image for image in prepared if image is not None)
        for group in same_shape_batches(fitted, lambda _: None, TOGETHER):
            answers += classifier.answer_prepared(group, coverage=coverage)
    return answers


def score_classifier(
    labels: Int[np.ndarray, " n"],
    probabilities: Float[np.ndarray, "n k"],
    classes: Sequence[str],
    *,
    answers: Sequence[Answer] = (),
    resamples: int = 2000,
    seed: int = 0,
) -> ClassifierScores:
    """Accuracy, AUC, calibration error and confusion matrix with their intervals.

    Args:
        labels: True classes.
        probabilities: Class probabilities. The most probable class counts for all images, whether
            or not their label is `unknown`.
        classes: Class names.
        answers: Answers for the images; needed for the scores of sets and refusals.
        resamples: Bootstrap resamples.
        seed: Seed of the resamples.
    """

    def interval(statistic: Callable[..., Any], *, centred: bool = False) -> Interval:
        return bootstrap_interval(
            lambda weights: statistic(labels, probabilities, weights),
            labels,
            resamples=resamples,
            seed=seed,
            centred=centred,
        )

    per_class = interval(auc_per_class)
    scalars = {"accuracy": interval(accuracy), "macro_auc": interval(macro_auc)}
    for index, name in enumerate(classes):
        scalars[f"auc_{name}"] = Interval(
            *(end[..., index] for end in (per_class.value, per_class.low, per_class.high))
        )
    error = interval(expected_calibration_error, centred=True)
    scalars["expected_calibration_error"] = Interval(
        error.value, np.asarray(np.maximum(error.low, 0.0)), error.high
    )
    for name, statistic in _statistics_of(answers, classes).items():
        scalars[name] = interval(statistic)
    return ClassifierScores(
        classes=tuple(classes),
        counts=tuple(int((labels == index).sum()) for index in range(len(classes))),
        scalars=scalars,
        confusion=interval(confusion_matrix),
        resamples=resamples,
        seed=seed,
    )


def _statistics_of(
    answers: Sequence[Answer], classes: Sequence[str]
) -> dict[str, Callable[..., Float[np.ndarray, "*b"]]]:
    """Scores of refusals and sets; empty for a model without them."""
    unknown = np.array([answer.label == UNKNOWN for answer in answers], dtype=np.float64)
    sets = np.array([[name in answer.possible for name in classes] for answer in answers])
    familiarity = np.array([answer.familiarity for answer in answers])
    found: dict[str, Callable[..., Any]] = {}
    if sets.any():
        unfamiliar = (familiarity < UNFAMILIAR).astype(np.float64)
        found |= {
            "set_coverage": lambda labels, _, weights: set_coverage(labels, sets, weights),
            "mean_set_size": lambda _, __, weights: mean_set_size(sets, weights),
            "share_unfamiliar": lambda _, __, weights: weighted_mean(unfamiliar, weights),
        }
    if sets.any() or unknown.any():
        found |= {
            "share_unknown": lambda _, __, weights: weighted_mean(unknown, weights),
            "accuracy_answered": lambda labels, probabilities, weights: accuracy(
                labels, probabilities, weights * (1 - unknown)
            ),
        }
    return found


def confident_mistakes(
    labels: Int[np.ndarray, " n"], probabilities: Float[np.ndarray, "n k"], count: int
) -> list[int]:
    """Indices of the wrongly classified images, the most confident first."""
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    order = np.argsort(-probabilities[wrong].max(axis=1), kind="stable")
    return [int(index) for index in wrong[order[:count]]]


def same_shape_batches(
    items: Iterable[Item], shape: Callable[[Item], Any], size: int
) -> Iterator[list[Item]]:
    """Lists of at most `size` consecutive items of one shape.

    >>> list(same_shape_batches(["a", "b", "cc", "d"], len, 2))
    [['a', 'b'], ['cc'], ['d']]
    """
    group: list[Item] = []
    for item in items:
        if group and (len(group) == size or shape(item) != shape(group[0])):
            yield group
            group = []
        group.append(item)
    if group:
        yield group


def _plain(interval: Interval) -> dict[str, Any]:
    return {
        name: _null_for_nan(getattr(interval, name).tolist()) for name in ("value", "low", "high")
    }


def _null_for_nan(value: Any) -> Any:
    if isinstance(value, list):
        return [_null_for_nan(item) for item in value]
    return None if np.isnan(value) else value
