"""A preprocessing that fits each image: its result for one image, and its image size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Shaped

from darklens.data import Preprocessing
from darklens.errors import BadData
from darklens.hub import model_preprocessing
from darklens.naming import sides
from darklens.simulation import Preset, load_preset, parse_preset
from darklens.simulation.presets import preset_names

__all__ = ["FittedImage", "check_size", "fitted", "fitted_presets"]

_FAILED = "failed"  # in the column `fit` of a step that fits


@dataclass(frozen=True)
class FittedImage:
    """The preprocessing of one image.

    Attributes:
        maps: The input of the network; None if the image cannot be fitted.
        columns: Results of the steps, in plain values; empty if there is no fit.
        reason: Why the image cannot be fitted.
    """

    maps: Float32[np.ndarray, "d i j"] | None
    columns: dict[str, Any]
    reason: str | None = None


def fitted(steps: Preprocessing, image: Shaped[np.ndarray, "c h w"]) -> FittedImage:
    """Preprocess one image.

    Args:
        steps: The preprocessing.
        image: The raw image.
    """
    try:
        maps, found = steps.explain(image[np.newaxis])
    except BadData as error:
        return FittedImage(None, {}, str(error))
    columns = {name: _plain(values[0]) for name, values in found.items()}
    if columns.get("fit") == _FAILED:
        return FittedImage(None, {}, str(columns["note"]))
    return FittedImage(maps[0], columns)


def fitted_presets(spec: Sequence[Mapping[str, Any]]) -> dict[int, Preset]:
    """The presets whose lenses are fitted, by the position of the step.

    Args:
        spec: The declared preprocessing.
    """
    presets = {
        number: parameters["preset"]
        for number, step in enumerate(spec)
        for parameters in step.values()
        if parameters and "preset" in parameters
    }
    return {
        number: parse_preset(preset) if isinstance(preset, Mapping) else load_preset(str(preset))
        for number, preset in presets.items()
    }


def check_size(spec: Sequence[Mapping[str, Any]], image: Shaped[np.ndarray, "c h w"]) -> None:
    """Compare the size of an image with that of the lenses that are fitted.

    Args:
        spec: The declared preprocessing.
        image: A raw image.

    Raises:
        BadData: If they differ; says which preprocessing to give.
    """
    for number, preset in fitted_presets(spec).items():
        shape = model_preprocessing(spec[:number])(image).shape
        if shape == (1, *preset.grid.shape):
            continue
        step = next(iter(spec[number]))
        raise BadData(
            f"the images are {sides(shape)}, but {step} fits the lenses of the preset {preset.name}"
            f" of {sides((1, *preset.grid.shape))}; {_advice(step, shape)}"
        )


def _advice(step: str, shape: tuple[int, ...]) -> str:
    """Which preprocessing to give for images of this shape."""
    pixels = "--preprocessing '[{min_max: {}}]' trains without a fit"
    channels, *size = shape
    if channels != 1:
        return f"a fit takes one channel; {pixels}"
    same = [
        name
        for name in preset_names(populations=False)
        if list(load_preset(name).grid.shape) == size
    ]
    if not same:
        return f"write a preset for images of this size, or {pixels}"
    given = f"{{preset: {same[0]}, size: {min(size)}, binning: 1}}"
    return (
        f"give the preset of your images ({', '.join(same)}?), as in"
        f" --preprocessing '[{{{step}: {given}}}]', or {pixels}"
    )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
