"""The shipped shifts: ways in which a real image may differ from the images of a preset.

They are declared in `shifts.yaml` next to this file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from darklens.errors import BadPreset
from darklens.evaluate.classifier.stress.changes import Change, PresetContent
from darklens.files.plain_yaml import parse_yaml
from darklens.files.schema import read_as
from darklens.simulation.digest import preset_digest
from darklens.simulation.presets import Preset

__all__ = ["NO_SHIFT", "Shift", "load_shifts", "shifted_preset"]


@dataclass(frozen=True)
class Shift:
    """One way to differ from a preset.

    Attributes:
        name: What differs, in a few words.
        group: Part of the lens or of the observation that it belongs to.
        changes: Alternative changes of the preset; the first that fits is used.
        image: Transformations of the finished image, by name, each with its parameter.
    """

    name: str
    group: str
    changes: tuple[Change, ...] = ()
    image: Mapping[str, int] = field(default_factory=dict)


NO_SHIFT = Shift("no shift", "own preset")


@cache
def load_shifts() -> tuple[Shift, ...]:
    """The shipped shifts in the order of the table."""
    file = resources.files("darklens.evaluate.classifier.stress") / "shifts.yaml"
    content = parse_yaml(file.read_text(encoding="utf-8"), "shifts.yaml", BadPreset)
    shifts: tuple[Shift, ...] = read_as(tuple[Shift, ...], content, BadPreset)
    return shifts


def shifted_preset(content: PresetContent, shift: Shift) -> Preset:
    """The preset that a shift draws from.

    Args:
        content: The preset that is shifted.
        shift: The shift.

    Raises:
        BadPreset: If the shift does not apply to this preset; the message says why.
    """
    own = content.preset()
    if not shift.changes:
        return own
    preset = _first_that_fits(content, shift.changes)
    if preset_digest(preset) == preset_digest(own):
        raise BadPreset("the preset itself is like this")
    return preset


def _first_that_fits(content: PresetContent, changes: tuple[Change, ...]) -> Preset:
    reasons = []
    for change in changes:
        try:
            return content.changed(change)
        except BadPreset as error:
            reasons.append(str(error))
    raise BadPreset("; ".join(reasons))
