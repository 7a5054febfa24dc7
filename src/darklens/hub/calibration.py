"""The calibration of a classifier as a file in its model folder.

`calibration.safetensors` holds only arrays of numbers, which are checked against the classes and
the network. A file from elsewhere can therefore make answers wrong, as weights can, but nothing
else.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from darklens.errors import BadModel
from darklens.files.atomic import atomic_file
from darklens.hub.card import CalibrationCard, ModelCard, write_card
from darklens.hub.verified import verified_bytes

if TYPE_CHECKING:  # torch takes seconds to import, and listing cards does not need it
    from torch import nn

    from darklens.classify import Calibration

__all__ = ["CALIBRATION_FILE", "calibration_bytes", "load_calibration", "save_calibration"]

CALIBRATION_FILE = "calibration.safetensors"
_MOST = 4_000_000  # bytes

_AXES: Mapping[str, tuple[str, ...]] = {
    "scores": ("images",),
    "labels": ("images",),
    "mean": ("features",),
    "components": ("features", "inside"),
    "spread": ("inside",),
    "floor": (),
    "centre": ("further",),
    "scale": ("further",),
    "reference": ("references", "vector"),
    "distances": ("distances",),
}
"""Arrays of the file; axes of one name are of one length."""
_POSITIVE = ("spread", "floor", "scale")


def save_calibration(
    folder: Path, card: ModelCard, calibration: "Calibration", *, data: str
) -> ModelCard:
    """Write the calibration of a classifier next to its weights, and list it in the card.

    Args:
        folder: Folder of the model.
        card: Its card.
        calibration: The calibration.
        data: What the calibration images are, in a few words.

    Returns:
        The card as written.
    """
    from safetensors.numpy import save

    familiar = calibration.familiarity
    arrays = {
        "scores": calibration.scores,
        "labels": calibration.labels,
        **{name: np.asarray(getattr(familiar, name)) for name in _AXES if hasattr(familiar, name)},
    }
    content = save({name: np.array(array, order="C") for name, array in arrays.items()})
    named = CalibrationCard(
        CALIBRATION_FILE,
        hashlib.sha256(content).hexdigest(),
        images=len(calibration.labels),
        data=data,
        diagnostics=familiar.diagnostics,
    )
    with atomic_file(folder / CALIBRATION_FILE) as temporary:
        temporary.write_bytes(content)
    card = replace(card, calibration=named)
    write_card(folder, card)
    return card


def load_calibration(folder: Path, card: ModelCard, network: "nn.Module") -> "Calibration | None":
    """Read the calibration of a classifier; None if its card lists none.

    Args:
        folder: Folder of the model.
        card: Its card.
        network: Its network.

    Raises:
        BadModel: If the file is missing, damaged or belongs to another model.
    """
    if card.calibration is None:
        return None
    from darklens.classify import Calibration, Familiarity

    data = calibration_bytes(folder, card.calibration)
    try:
        arrays = _checked(data, card, network)
    except BadModel as error:
        raise BadModel(f"{folder / card.calibration.file}: {error}") from error
    familiarity = Familiarity(
        mean=arrays["mean"].astype(np.float32),
        components=arrays["components"].astype(np.float32),
        spread=arrays["spread"].astype(np.float32),
        floor=float(arrays["floor"]),
        diagnostics=card.calibration.diagnostics,
        centre=arrays["centre"].astype(np.float64),
        scale=arrays["scale"].astype(np.float64),
        reference=arrays["reference"].astype(np.float16),
        distances=arrays["distances"].astype(np.float64),
    )
    labels = arrays["labels"].astype(np.int64)
    return Calibration(arrays["scores"].astype(np.float64), labels, familiarity)


def calibration_bytes(folder: Path, named: CalibrationCard) -> bytes:
    """Bytes of the calibration file listed in a card.

    Raises:
        BadModel: If the file is missing, too large, a link to somewhere else or damaged.
    """
    return verified_bytes(folder, named, most=_MOST)


def _checked(data: bytes, card: ModelCard, network: "nn.Module") -> dict[str, np.ndarray]:
    """Arrays of a calibration file that fit each other, the classes and the network."""
    from darklens.classify import last_linear

    arrays = _read(data)
    layer = last_linear(network)
    sizes = {"features": len(card.classes) if layer is None else layer.in_features}
    if card.calibration is not None:
        sizes |= {"images": card.calibration.images}
        sizes |= {"further": 1 + len(card.calibration.diagnostics)}
    for name, axes in _AXES.items():
        shape = arrays[name].shape
        fits = len(shape) == len(axes) and all(
            sizes.setdefault(axis, length) == length
            for axis, length in zip(axes, shape, strict=True)
        )
        if not fits:
            raise BadModel(f"'{name}' of {shape} does not fit the model")
    if sizes["vector"] != sizes["inside"] + sizes["further"] or not sizes["references"]:
        raise BadModel("its reference vectors do not fit its components")
    if any((arrays[name] <= 0).any() for name in _POSITIVE):
        raise BadModel("it holds scales that are not positive")
    labels = arrays["labels"]
    if labels.dtype.kind not in "iu" or ((labels < 0) | (labels >= len(card.classes))).any():
        raise BadModel("its labels are none of the model's classes")
    return arrays


def _read(data: bytes) -> dict[str, np.ndarray]:
    """Arrays of finite numbers, with the names that belong to a calibration."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays: dict[str, Any] = load(data)
    except (SafetensorError, KeyError, ValueError, TypeError, OverflowError) as error:
        reason = " ".join(str(error).split())[:160]
        raise BadModel(f"no safetensors file: {reason}") from error
    for name in sorted(_AXES.keys() ^ arrays.keys()):
        raise BadModel(f"'{name}' is {'missing' if name in _AXES else 'surplus'}")
    for name, array in arrays.items():
        if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
            raise BadModel(f"'{name}' holds something else than finite numbers")
    return arrays
