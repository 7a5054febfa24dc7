"""Answers of a classifier that fits each image: fits in worker processes, the network in this one.

The network takes a few fitted images at a time, while others are still being fitted.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import islice
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Shaped

from darklens.classify.answers import Answer
from darklens.data import Preprocessing
from darklens.data.preparation import PreparedImage, prepare_images, preparing_workers
from darklens.errors import DarklensError

__all__ = ["TOGETHER", "fitted_answers"]

TOGETHER = 8
"""Fitted images that the network takes at a time."""


@runtime_checkable
class _Answering(Protocol):
    """The part of a classifier that is needed here."""

    preprocessing: Preprocessing

    def answer_prepared(
        self, images: Sequence[PreparedImage], *, coverage: float = 0.95
    ) -> list[Answer]:
        """Answers to images that the model's preprocessing has prepared."""


def fitted_answers(
    classifier: _Answering,
    images: Shaped[np.ndarray, "n c h w"],
    problems: list[str | None],
    *,
    coverage: float,
    workers: int,
) -> list[Answer | None]:
    """Answers to the images without a problem; new problems are added to the list.

    Args:
        classifier: The classifier.
        images: Raw images.
        problems: Why each image cannot be used, or None.
        coverage: Probability with which a set is to hold the true class.
        workers: Most processes that fit; 0 for one per CPU core.

    Raises:
        WorkerDied: If a worker process was killed.
    """
    answers: list[Answer | None] = [None] * len(images)
    good = [index for index, problem in enumerate(problems) if problem is None]
    chosen = (images[index] for index in good)
    fitting = prepare_images(
        classifier.preprocessing, chosen, workers=preparing_workers(workers, len(good))
    )
    with closing(fitting) as prepared:
        pairs = zip(good, prepared, strict=True)
        while group := list(islice(pairs, TOGETHER)):
            usable = {}
            for index, image in group:
                if image is not None and image.values is not None:
                    usable[index] = image
                elif image is not None:
                    problems[index] = image.problem
            for index, answer in _answers(classifier, usable, coverage).items():
                if isinstance(answer, Answer):
                    answers[index] = answer
                else:
                    problems[index] = answer
    return answers


def _answers(
    classifier: _Answering, images: Mapping[int, PreparedImage], coverage: float
) -> dict[int, Answer | str]:
    """Answers to prepared images, or why there is none; one by one if they fail together."""
    if not images:
        return {}
    try:
        found = classifier.answer_prepared(list(images.values()), coverage=coverage)
    except DarklensError as error:
        if len(images) == 1:
            return dict.fromkeys(images, str(error))
        alone = [_answers(classifier, {index: one}, coverage) for index, one in images.items()]
        return {index: answer for part in alone for index, answer in part.items()}
    return dict(zip(images, found, strict=True))
