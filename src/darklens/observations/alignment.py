"""How images of one lens lie to each other on the sky."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from darklens.errors import BadInput
from darklens.naming import visible
from darklens.observations.observation import Observation

__all__ = ["band_offsets"]

_TURNED = 0.5  # degrees between the axes of two images that are still parallel
_SCALED = 0.03  # by which pixel scales may differ from those of the world coordinates
_INSIDE = 0.5  # of the shorter side: largest offset


def band_offsets(images: Sequence[Observation]) -> tuple[tuple[float, float], ...]:
    """Where the centre of each image lies from that of the first, along its axes [arcsec].

    Without the world coordinates of both, their centres are taken to coincide.

    Args:
        images: Prepared images of one lens; the sides of their pixels are parallel.

    Raises:
        BadInput: If there is no image, or they are not of one lens, not parallel, or of other
            pixel scales than their world coordinates.

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
    x, y = first.offset_of(other.position)
    sides = [min(one.image.shape) * one.noise_and_scale()[1] for one in (first, other)]
    if not np.hypot(x, y) < _INSIDE * min(sides):
        apart = f"{np.hypot(x, y):.4g} arcsec" if np.isfinite(x + y) else "far"
        raise BadInput(f"{names} are not of one lens: their centres lie {apart} apart on the sky")
    _check_parallel(first, other, names)
    return x, y


def _check_parallel(first: Observation, other: Observation, names: str) -> None:
    """Refuse images that are turned, mirrored or of another scale at the place of the lens.

    The matrix of a header says how an image lies at its reference point. Cutouts of two mosaics
    with the same matrix are turned against each other where their reference points are far apart.
    """
    steps = _steps(first, other)
    if steps is None:
        return
    turn = abs(float(np.degrees(np.arctan2(steps[1, 0] - steps[0, 1], np.trace(steps)))))
    mirrored = bool(np.linalg.det(steps) < 0)
    if mirrored or turn > _TURNED:
        how = "mirrored" if mirrored else f"turned by {turn:.1f} degrees"
        raise BadInput(f"{names} are {how} against each other: resample them to the same axes")
    ratio = float(np.sqrt(np.linalg.det(steps)))
    if abs(ratio - 1) > _SCALED:
        raise BadInput(
            f"the pixel scales of {names} do not agree with their world coordinates, which make "
            f"their ratio {ratio:.3g} times as large: leave out --pixel-scale, or give the right "
            "one for each in a manifest"
        )


def _steps(first: Observation, other: Observation) -> Float[np.ndarray, "2 2"] | None:
    """Steps in the first image for one arcsec along x and along y of another; None if unknown."""
    ends = [
        first.offset_of(other.sky_position(*(0.5 * sign * axis)))
        for axis in np.eye(2)
        for sign in (1, -1)
    ]
    right, left, up, down = map(np.array, ends)
    steps = np.stack([right - left, up - down], axis=1)
    return steps if np.isfinite(steps).all() and np.linalg.det(steps) else None
