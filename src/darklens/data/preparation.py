"""Images preprocessed one by one ahead of the network, by worker processes where it pays.

A preprocessing that fits each image takes longer than the network. It runs in processes of its
own, a few images ahead, while the main process reads files and runs the network. An image gives the
same bytes wherever it is preprocessed, and one that cannot be used stops no other.
"""

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Shaped

from darklens.data.preprocessing import Preprocessing
from darklens.data.steps import Panel
from darklens.errors import reason_of
from darklens.workers import WorkerProcesses, Workers, in_order, workers_for

__all__ = ["PreparedImage", "prepare_image", "prepare_images", "preparing_workers"]

_LEAST = 6  # images for each process: it needs about as long to start as to fit that many


@dataclass(frozen=True)
class PreparedImage:
    """One image after the preprocessing.

    Attributes:
        values: What the network takes; None if the image cannot be used.
        columns: What the preprocessing reports on the image.
        panels: Illustrations of it, where they are wanted.
        problem: Why the image cannot be used, or empty.
    """

    values: Float32[np.ndarray, "d i j"] | None
    columns: dict[str, Any]
    panels: tuple[Panel, ...] = ()
    problem: str = ""


def prepare_image(
    steps: Preprocessing, image: Shaped[np.ndarray, "c h w"], *, panels: bool = False
) -> PreparedImage:
    """Preprocess one image.

    Args:
        steps: The preprocessing.
        image: The raw image.
        panels: Whether to illustrate it.
    """
    shown: list[list[Panel]] = [[]]
    try:
        if panels:
            values, said, shown = steps.illustrate(image[np.newaxis])
        else:
            values, said = steps.explain(image[np.newaxis])
    except Exception as error:  # noqa: BLE001  one image, whatever it does, stops no other
        return PreparedImage(None, {}, problem=reason_of(error))
    if not np.isfinite(values).all():
        problem = "some pixels that the model uses are NaN or infinite"
        return PreparedImage(None, {}, problem=problem)
    columns = {name: column[0] for name, column in said.items()}
    return PreparedImage(values[0], columns, tuple(shown[0]))


def preparing_workers(workers: int | Workers, count: int) -> Workers:
    """The workers that prepare `count` images; few images are not worth a second process.

    Args:
        workers: Most processes, 0 for one per CPU core; or workers.
        count: Number of images.
    """
    return workers_for(count // _LEAST, workers)


def prepare_images(
    steps: Preprocessing,
    images: Iterable[Shaped[np.ndarray, "c h w"] | None],
    *,
    workers: int | Workers,
    panels: bool = False,
) -> Generator[PreparedImage | None, None, None]:
    """Preprocess images in order; they are taken a few ahead of the results.

    Close the iterator (`contextlib.closing`) to end the processes at once.

    Args:
        steps: The preprocessing.
        images: Raw images; None, where there is none, stays None.
        workers: Number of worker processes, or workers; with one process the images are prepared
            in this one.
        panels: Whether to illustrate the images.

    Raises:
        WorkerDied: If a worker process was killed.
    """
    if isinstance(workers, int):
        workers = WorkerProcesses(workers)
    if workers.here:
        for image in images:
            yield None if image is None else prepare_image(steps, image, panels=panels)
        return
    calls = ((image,) for image in images)
    prepared = in_order(
        _prepare_in_worker, calls, workers=workers, begin=_begin, arguments=(steps, panels)
    )
    with closing(prepared):
        yield from prepared


_worker: dict[str, Any] = {}


def _begin(steps: Preprocessing, panels: bool) -> None:
    """Set up a worker process."""
    _worker.update(steps=steps, panels=panels)


def _prepare_in_worker(image: Shaped[np.ndarray, "c h w"] | None) -> PreparedImage | None:
    return (
        None if image is None else prepare_image(_worker["steps"], image, panels=_worker["panels"])
    )
