"""How images of one lens lie to each other on the sky."""

from collections.abc import Sequence

import numpy as np

from darklens.errors import BadInput
from darklens.naming import visible
from darklens.observations.observation import Observation

__all__ = ["band_offsets"]

_TURNED = 0.5  # degrees between the axes of two images that are still parallel
_INSIDE = 0.5  # of the shorter side: largest offset


def band_offsets(images: Sequence[Observation]) -> tuple[tuple[float, float], ...]:
    """Where the centre of each image lies from that of the first, along its axes [arcsec].

    Without the world coordinates of both, their centres are taken to coincide.

    Args:
        images: Prepared images of one lens; the sides of their pixels are parallel.

    Raises:
        BadInput: If there is no image, or they are not of one lens or not parallel.

    >>> from darklens.observations import observation_of
    >>> band_offsets([observation_of(np.zeros((30, 30)), np.ones((30, 30)), 0.05)])
    ((0.0, 0.0),)
    """
    if not images:
        raise BadInput("no image is given")
    first = images[0]
    return ((0.0, 0.0), *(_offset(first, other) for other in images[1:]))


def _offset(first: Observation, other: Observation) -> tuple[float, float]:
    """Where the centre of an image lies from that of the first."""
    names = f"{visible(other.name)} and {visible(first.name)}"
    if first.wcs is None or other.wcs is None:
        return 0.0, 0.0
    _check_parallel(first, other, names)
    x, y = first.offset_of(other.position)
    sides = [min(one.image.shape) * one.noise_and_scale()[1] for one in (first, other)]
    if not np.hypot(x, y) < _INSIDE * min(sides):
        apart = f"{np.hypot(x, y):.4g} arcsec" if np.isfinite(x + y) else "far"
        raise BadInput(f"{names} are not of one lens: their centres lie {apart} apart on the sky")
    return x, y


def _check_parallel(first: Observation, other: Observation, names: str) -> None:
    """Refuse images that are turned or mirrored against each other."""
    one, two = first.orientation, other.orientation
    if one is None or two is None:
        return
    turn = abs((one.north - two.north + 180) % 360 - 180)
    if turn > _TURNED or one.mirrored != two.mirrored:
        how = "mirrored" if one.mirrored != two.mirrored else f"turned by {turn:.1f} degrees"
        raise BadInput(f"{names} are {how} against each other: resample them to the same axes")
