"""Whether a generator's training images have the values that its preprocessing is made for."""

import numpy as np
from jaxtyping import Float32

from darklens.errors import BadConfig
from darklens.hub import OutputCard
from darklens.train.data import TrainingData
from darklens.train.data_check import DataNeeds

__all__ = ["check_contrast", "normalising_step", "value_needs"]

_ADVICE = (
    "recipes/generator-reference-scaled.yaml is for images from 0 to 1,"
    " recipes/generator-reference.yaml for grey levels from 0 to 255; for others change the affine"
    " step and --data.value-range together, or set --normalise true"
)
_LEAST_CONTRAST = 0.05
_LOOKED_AT = 16
_MEASURED = 1024


def value_needs(output: OutputCard) -> DataNeeds:
    """Requirements on the data: the limits of generated images are those of the real ones."""
    low, high = output.minimum, output.maximum
    known = None if low is None or high is None else (low * output.unit, high * output.unit)
    return DataNeeds(classes=1, value_range=known, advice=_ADVICE)


def normalising_step(data: TrainingData) -> dict[str, dict[str, float]]:
    """The step that brings the preprocessed data to zero mean and unit standard deviation.

    Raises:
        BadConfig: If all pixels are the same.
    """
    values = _sample(data, _MEASURED)
    mean, scale = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    if not scale > 0:
        raise BadConfig("normalise: all pixels of the data are the same")
    return {"affine": {"scale": float(f"{1 / scale:.6g}"), "shift": float(f"{-mean / scale:.6g}")}}


def check_contrast(data: TrainingData) -> None:
    """Refuse a preprocessing that leaves no contrast, such as one made for other values.

    Raises:
        BadConfig: If all preprocessed pixels lie close together.
    """
    values = _sample(data, _LOOKED_AT)
    low, high = float(values.min()), float(values.max())
    if high - low < _LEAST_CONTRAST:
        raise BadConfig(
            f"after the preprocessing all pixels lie between {low:.5g} and {high:.5g}, too little"
            f" contrast for the network: it is made for other values. {_ADVICE}"
        )


def _sample(data: TrainingData, most: int) -> Float32[np.ndarray, "n c h w"]:
    """Preprocessed images, evenly spaced over the whole validation set."""
    count = min(len(data.val), most)
    chosen = np.linspace(0, len(data.val) - 1, count).astype(np.int64)
    sample: Float32[np.ndarray, "n c h w"] = data.preprocessing.batch(data.val.images(chosen))
    return sample
