"""Changes of a preset: keys that are set, scaled, added to or removed.

A path names a key of a preset, such as `lens.axis_ratio`. `classes.line.points` stands for the key
`points` of every `line` in the classes, whatever their names.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from operator import add, mul
from pathlib import Path
from typing import Any

import numpy as np

from darklens.errors import BadPreset
from darklens.files.plain_yaml import parse_yaml
from darklens.lensing.instrument import GaussianPSF, PixelPSF
from darklens.simulation.presets import Preset, parse_preset, preset_text

__all__ = ["Change", "PresetContent", "Wings", "read_content"]

_SHAPES = {"power_law": 1}  # parameters of a distribution, from the last, that are no lengths
_SCALED = ("uniform", "log_uniform", "normal", "truncated_normal", "power_law")
_MOVED = ("uniform",)


@dataclass(frozen=True)
class Wings:
    """Wings of a PSF.

    Attributes:
        share: Share of the light in the wings.
        width: Width of the wings, a Gaussian, over that of the core.
    """

    share: float
    width: float


@dataclass(frozen=True)
class Change:
    """A change of a preset; `set`, `scale` and `add` map paths to values.

    Attributes:
        set: New values of keys, whether or not they exist.
        scale: Factors of numbers and of the ends of distributions.
        add: Terms added to numbers and to the ends of distributions.
        remove: Keys that are removed, if they exist.
        without: Key that the preset must not have.
        wings: Wings that are added to the PSF.
    """

    set: Mapping[str, Any] = field(default_factory=dict)
    scale: Mapping[str, float] = field(default_factory=dict)
    add: Mapping[str, float] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    without: str | None = None
    wings: Wings | None = None


@dataclass(frozen=True)
class PresetContent:
    """The plain content of a preset, from which changed presets are made.

    Attributes:
        values: The content.
        folder: Folder of the files that it names.
    """

    values: Mapping[str, Any]
    folder: Path

    def preset(self) -> Preset:
        """The unchanged preset."""
        return parse_preset(self.values, self.folder)

    def changed(self, change: Change) -> Preset:
        """The preset with one change.

        Raises:
            BadPreset: If the change does not fit the preset; the message says why.
        """
        made = deepcopy(dict(self.values))
        if change.without is not None and _last(change.without) in _holder(made, change.without):
            raise BadPreset(f"the preset has a {change.without} of its own")
        for path in change.remove:
            for holder in _holders(made, path):
                holder.pop(_last(path), None)
        for path, value in change.set.items():
            for holder in _holders(made, path):
                holder[_last(path)] = deepcopy(value)
        for path, factor in change.scale.items():
            _apply(made, path, _SCALED, partial(mul, factor))
        for path, step in change.add.items():
            _apply(made, path, _MOVED, partial(add, step))
        preset = parse_preset(made, self.folder)
        return preset if change.wings is None else _with_wings(preset, change.wings)


def read_content(preset: str | Path) -> PresetContent:
    """The content of a shipped preset by its name, or of a YAML file.

    Raises:
        BadPreset: If there is none, or it is wrong.
    """
    values = parse_yaml(preset_text(preset), f"preset {preset}", BadPreset)
    content = PresetContent(values, Path(preset).parent)
    content.preset()
    return content


def _apply(
    content: dict[str, Any], path: str, kinds: tuple[str, ...], change: Callable[[float], float]
) -> None:
    """Change the number or the distribution at a path."""
    for holder in _holders(content, path):
        if holder.get(_last(path)) is None:
            raise BadPreset(f"the preset has no {path}")
        holder[_last(path)] = _changed(holder[_last(path)], path, kinds, change)


def _changed(
    value: Any, path: str, kinds: tuple[str, ...], change: Callable[[float], float]
) -> Any:
    """A number, or the lengths among a distribution's parameters, after the change."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return change(value)
    name = next(iter(value)) if isinstance(value, Mapping) and len(value) == 1 else ""
    if name == "mixture":
        parts = [[weight, _changed(part, path, kinds, change)] for weight, part in value[name]]
        return {name: parts}
    if name not in kinds or not isinstance(value[name], list):
        raise BadPreset(f"{path} is neither a number nor a distribution with ends")
    numbers = value[name]
    kept = len(numbers) - _SHAPES.get(name, 0)
    return {name: [*map(change, numbers[:kept]), *numbers[kept:]]}


def _holder(content: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The mapping that holds the last key of a path.

    Raises:
        BadPreset: If the preset has none.
    """
    *folders, _ = path.split(".")
    inner: Any = content
    for name in folders:
        inner = inner.get(name) if isinstance(inner, Mapping) else None
    if not isinstance(inner, dict):
        raise BadPreset(f"the preset has no {'.'.join(folders)}")
    return inner


def _holders(content: Mapping[str, Any], path: str) -> list[dict[str, Any]]:
    """The mappings that hold the last key of a path: several if it leads into the classes."""
    if not path.startswith("classes."):
        return [_holder(content, path)]
    _, kind, _ = path.split(".")
    components = [part for parts in content["classes"].values() for part in parts]
    found = [part[kind] for part in components if kind in part]
    if not found:
        raise BadPreset(f"none of the preset's classes has {kind}")
    return found


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _with_wings(preset: Preset, wings: Wings) -> Preset:
    """The preset with part of its PSF's light in a wider Gaussian."""
    psf, scale = preset.instrument.psf, preset.grid.pixel_scale
    if not isinstance(psf, GaussianPSF):
        raise BadPreset("the preset's PSF is not a Gaussian")
    wide = replace(psf, fwhm=wings.width * psf.fwhm).kernel(scale)
    core = psf.kernel(scale)
    core = np.pad(core, (wide.size - core.size) // 2)
    pixels = (1 - wings.share) * np.outer(core, core) + wings.share * np.outer(wide, wide)
    instrument = replace(preset.instrument, psf=PixelPSF(pixels))
    conditions = replace(preset.conditions, psf_fwhm=None)
    return replace(preset, instrument=instrument, conditions=conditions)
