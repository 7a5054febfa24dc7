"""The rows of a model's table: its own preset, shifts of it, and other images."""

from collections.abc import Sequence
from dataclasses import dataclass

from darklens.errors import BadInput, BadPreset
from darklens.evaluate.classifier.stress.changes import PresetContent, read_content
from darklens.evaluate.classifier.stress.not_lenses import NOT_LENSES
from darklens.evaluate.classifier.stress.shifts import NO_SHIFT, Shift, shifted_preset
from darklens.evaluate.classifier.stress.sources import ImageSource, NotLenses, ShiftedLenses
from darklens.evaluate.classifier.stress.tables import NOT_LENS_GROUPS
from darklens.hub import ModelCard
from darklens.simulation import Preset, preset_names

__all__ = ["Row", "base_preset", "table_rows"]


@dataclass(frozen=True)
class Row:
    """One row of the table: its images, or the reason for having none."""

    group: str
    shift: str
    source: ImageSource | None
    reason: str = ""


def base_preset(card: ModelCard, preset: str | None = None) -> str:
    """The preset that is shifted: the given one, or that of the model's training.

    Raises:
        BadInput: If there is none, or its images do not suit the model.
        BadPreset: If it cannot be read.
    """
    name = preset or card.training.preset
    if name is None:
        raise BadInput(f"the card of '{card.name}' names no preset to shift: give --preset")
    own = read_content(name).preset()
    if unsuitable := card.unsuitable((1, *own.grid.shape)):
        raise BadInput(f"an image of the preset {name} {unsuitable}")
    if len(_labels(own, card)) < 2:
        raise BadInput(
            f"the preset {name} has not the classes {', '.join(card.classes)} of '{card.name}'"
        )
    return name


def table_rows(name: str, card: ModelCard, shifts: Sequence[Shift]) -> list[Row]:
    """All rows of the table; the first is of the preset's own images.

    Args:
        name: The preset, as `base_preset` gives it.
        card: The model's card.
        shifts: The shifts.
    """
    content = read_content(name)
    own = content.preset()
    lenses = [_shifted(content, _labels(own, card), shift) for shift in (NO_SHIFT, *shifts)]
    kinds = [Row(NOT_LENS_GROUPS[0], kind, NotLenses(kind, own)) for kind in NOT_LENSES]
    others = [
        _other(content, other, name) for other in preset_names(populations=False) if other != name
    ]
    return [*lenses, *kinds, *others]


def _labels(preset: Preset, card: ModelCard) -> dict[str, int]:
    """Label of each class that the preset shares with the model."""
    return {name: card.classes.index(name) for name in preset.classes if name in card.classes}


def _shifted(content: PresetContent, labels: dict[str, int], shift: Shift) -> Row:
    try:
        preset = shifted_preset(content, shift)
    except BadPreset as error:
        return Row(shift.group, shift.name, None, str(error))
    return Row(shift.group, shift.name, ShiftedLenses(preset, labels, shift.image))


def _other(content: PresetContent, other: str, name: str) -> Row:
    """Lenses of another preset on the model's own pixel grid."""
    group = NOT_LENS_GROUPS[1]
    if f"{other}-".startswith(f"{name}-") or f"{name}-".startswith(f"{other}-"):
        return Row(group, other, None, f"of one family with {name}")
    theirs = read_content(other)
    values = {**theirs.values, "grid": content.values["grid"]}
    preset: Preset = PresetContent(values, theirs.folder).preset()
    return Row(group, other, ShiftedLenses(preset, dict.fromkeys(preset.classes, -1)))
