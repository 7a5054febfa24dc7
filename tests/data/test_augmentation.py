"""Augmentation moves pixels and nothing else."""

import numpy as np
import pytest
import torch

from darklens.data import Augmentation
from darklens.errors import BadData

ALL_OFF = Augmentation(flips=False, rotations=False, shifts=False)
IMAGE = torch.arange(32.0).reshape(2, 4, 4)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def copies(count: int = 256) -> torch.Tensor:
    return IMAGE.repeat(count, 1, 1, 1)


def distinct(images: torch.Tensor) -> set[bytes]:
    return {image.numpy().tobytes() for image in images}


def test_switched_off_it_does_nothing() -> None:
    assert torch.equal(ALL_OFF(copies(), generator()), copies())


@pytest.mark.parametrize(
    ("switches", "views"),
    [
        (Augmentation(rotations=False), 2),
        (Augmentation(flips=False), 4),
        (Augmentation(), 8),
    ],
)
def test_flips_and_turns_give_all_views_and_no_others(switches: Augmentation, views: int) -> None:
    turned = [torch.rot90(IMAGE, k, (1, 2)) for k in range(4)]
    all_views = distinct(torch.stack([*turned, *(view.flip(2) for view in turned)]))
    seen = distinct(switches(copies(), generator()))
    assert len(seen) == views
    assert seen <= all_views


def test_the_given_batch_is_left_as_it_is() -> None:
    images = copies()
    Augmentation(shifts=True)(images, generator())
    assert torch.equal(images, copies())


def test_the_generator_decides() -> None:
    augmentation = Augmentation(shifts=True)
    first = augmentation(copies(), generator(1))
    assert torch.equal(first, augmentation(copies(), generator(1)))
    assert not torch.equal(first, augmentation(copies(), generator(2)))


def test_shifts_move_by_up_to_half_a_pixel_and_keep_the_flux() -> None:
    axis = torch.arange(41.0) - 20
    blob = torch.exp(-(axis[:, None] ** 2 + axis[None, :] ** 2) / 32)[None]
    moved = Augmentation(flips=False, rotations=False, shifts=True)(
        blob.repeat(200, 1, 1, 1), generator()
    )
    flux = moved.sum(dim=(1, 2, 3))
    np.testing.assert_allclose(flux, blob.sum(), rtol=1e-3)
    x = (moved * axis).sum(dim=(1, 2, 3)) / flux
    y = (moved * axis[:, None]).sum(dim=(1, 2, 3)) / flux
    for centre in (x, y):
        assert centre.abs().max() < 0.505
        assert centre.min() < -0.45
        assert centre.max() > 0.45
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.3


def test_oblong_images_cannot_be_turned() -> None:
    oblong = torch.zeros(2, 1, 4, 6)
    with pytest.raises(BadData, match="switch rotations off"):
        Augmentation()(oblong, generator())
    shape = Augmentation(rotations=False, shifts=True)(oblong, generator()).shape
    assert shape == oblong.shape
