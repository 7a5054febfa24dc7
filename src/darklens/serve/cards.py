"""The cards of the models and presets that requests can name."""

from pathlib import Path

from darklens.hub import ModelCard
from darklens.serve.messages import Model, PresetSummary
from darklens.simulation import load_preset, preset_names

__all__ = ["model_message", "preset_messages"]

_FITTING = ("smooth_residual", "marginalised_residual")


def model_message(name: str, card: ModelCard, folder: Path) -> Model:
    """The card of a model, for people.

    Args:
        name: The name by which requests choose it.
        card: Its card.
        folder: Its folder.
    """
    weights = folder / card.weights.file if card.weights else folder
    steps = [step for item in card.preprocessing for step in item]
    return Model(
        name=name,
        kind=card.kind,
        description=card.description,
        classes=list(card.classes),
        size=(card.input.height, card.input.width),
        pixel_scale=card.input.pixel_scale,
        values=card.input.values,
        fits=any(step in _FITTING for step in steps),
        calibrated=card.calibration is not None,
        preset=card.training.preset,
        trained=_training(card),
        scores=list(card.metrics),
        licence=card.licence,
        megabytes=round(weights.stat().st_size / 1e6, 1) if weights.is_file() else 0.0,
    )


def preset_messages() -> list[PresetSummary]:
    """The shipped presets."""
    presets = [load_preset(name) for name in preset_names(populations=False)]
    return [
        PresetSummary(one.name, one.description, list(one.classes), one.general) for one in presets
    ]


def _training(card: ModelCard) -> str:
    """How the weights were trained, in a sentence."""
    training = card.training
    data = training.preset or training.data or "unknown data"
    return (
        f"{training.images:,} images of {data} in {training.seconds / 60:.0f} min on "
        f"{training.machine}, {training.date}: {training.command}"
    )
