"""Inverse preprocessing: from a network's output back to pixel values.

    >>> import numpy as np
    >>> from darklens.data.preprocessing import build_preprocessing
    >>> steps = [{"sqrt": {"scale": 1.0}}, {"affine": {"scale": 0.5, "shift": -2.0}}]
    >>> image = np.array([[[[4.0, 100.0]]]], dtype=np.float32)
    >>> undo_preprocessing(steps)(build_preprocessing(steps).batch(image)).tolist()
    [[[[4.0, 100.0]]]]

Changes of size are not undone: a generator's images keep the size of its network.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from darklens.data.steps import Images, Step
from darklens.errors import BadModel

__all__ = ["undo_preprocessing"]


def undo_preprocessing(spec: Sequence[Mapping[str, Mapping[str, Any] | None]]) -> Step:
    """The inverse of declared steps accepted by `build_preprocessing`; can be pickled.

    Raises:
        BadModel: If a step cannot be undone.
    """
    inverses = [_inverse(name, dict(given or {})) for item in spec for name, given in item.items()]
    return _Undo(tuple(reversed(inverses)))


@dataclass(frozen=True)
class _Undo:
    """Inverse steps applied in turn."""

    inverses: tuple[Step, ...]

    def __call__(self, images: Images) -> Images:
        for inverse in self.inverses:
            images = inverse(images)
        return images.astype(np.float32)


def _inverse(name: str, given: dict[str, Any]) -> Step:
    if name not in _INVERSES:
        raise BadModel(
            f"the preprocessing step {name!r} cannot be undone; a generator can use "
            f"{', '.join(sorted(_INVERSES))}"
        )
    if name == "affine" and given["scale"] == 0:
        raise BadModel("the preprocessing step 'affine' cannot be undone: its scale is 0")
    return partial(_INVERSES[name], **given)


def _affine(images: Images, *, scale: float, shift: float) -> Images:
    return np.asarray((images - np.float32(shift)) / np.float32(scale))


def _asinh(images: Images, *, scale: float) -> Images:
    return np.asarray(np.sinh(images) / np.float32(scale))


def _log(images: Images, *, offset: float) -> Images:
    return np.asarray(np.exp(images) - np.float32(offset))


def _sqrt(images: Images, *, scale: float) -> Images:
    return np.asarray(np.square(np.maximum(images, 0)) / np.float32(scale))


def _same_size(images: Images, *, size: int) -> Images:  # noqa: ARG001  not undone
    return images


_INVERSES: Mapping[str, Callable[..., Images]] = {
    "affine": _affine,
    "asinh": _asinh,
    "center_crop": _same_size,
    "log": _log,
    "resize": _same_size,
    "sqrt": _sqrt,
}
