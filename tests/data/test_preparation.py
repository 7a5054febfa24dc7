"""Images are prepared in order, the same wherever it happens."""

from contextlib import closing

import numpy as np

from darklens.data import build_preprocessing
from darklens.data.preparation import prepare_image, prepare_images, preparing_workers
from darklens.workers import processors

STEPS = build_preprocessing([{"center_crop": {"size": 20}}, {"standardise": {}}])


def images(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).poisson(9.0, (count, 1, 32, 32)).astype(np.uint16))


def test_worker_processes_give_the_same_bytes_in_order() -> None:
    raw: list[np.ndarray | None] = list(images(7))
    raw[2], raw[4] = None, np.zeros((1, 8, 8))
    found = []
    for processes in (1, 2):
        with closing(prepare_images(STEPS, iter(raw), workers=processes)) as prepared:
            found.append(list(prepared))
    for one, other in zip(*found, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.problem == other.problem
            if one.values is not None and other.values is not None:
                assert one.values.tobytes() == other.values.tobytes()
    assert [one is None for one in found[1]] == [False, False, True, False, False, False, False]
    failed = found[1][4]
    assert failed is not None
    assert failed.values is None
    assert "too small for the crop to 20 x 20" in failed.problem


def test_an_image_is_prepared_as_in_a_batch() -> None:
    raw = images(3)
    alone = [prepare_image(STEPS, image).values for image in raw]
    assert np.stack([one for one in alone if one is not None]).tobytes() == (
        STEPS.batch(np.stack(raw)).tobytes()
    )


def test_pixels_that_are_not_finite_are_a_problem() -> None:
    broken = images(1)[0].astype(np.float64)
    broken[0, 16, 16] = np.nan
    assert "NaN or infinite" in prepare_image(STEPS, broken).problem


def test_a_process_is_started_only_where_it_has_enough_to_do() -> None:
    assert preparing_workers(2, 1).count == 1
    assert preparing_workers(2, 11).count == 1
    assert preparing_workers(2, 12).count == 2
    assert preparing_workers(2, 10_000).count == 2
    assert preparing_workers(0, 10_000).count == processors()
