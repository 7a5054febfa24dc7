"""What a model card shows of itself in a notebook."""

from typing import TYPE_CHECKING

from darklens.display import facts_html, table_html
from darklens.naming import sides

if TYPE_CHECKING:
    from darklens.hub.card import Metric, ModelCard

__all__ = ["card_html"]


def card_html(card: "ModelCard") -> str:
    """The description of a model, its images, its training and its scores as HTML."""
    size, training = card.input, card.training
    scale = f" of {size.pixel_scale:g} arcsec" if size.pixel_scale else ""
    steps = [name for step in card.preprocessing for name in step]
    calibration = card.calibration
    facts = {
        "description": card.description,
        "classes": ", ".join(card.classes),
        "images": f"{sides((size.channels, size.height, size.width))} pixels{scale}",
        "values": size.values,
        "preprocessing": ", ".join(steps) or "none",
        "trained on": training.preset or training.data or "not stated",
        "training": f"{training.images} images in {training.seconds:.0f} s on {training.machine}, "
        f"{training.date}",
        "licence": card.licence,
    }
    if card.kind == "classifier":
        facts["calibration"] = f"{calibration.images} images" if calibration else "none"
    rows = [(item.name.replace("_", " "), _score(item), item.data) for item in card.metrics]
    scores = table_html(("score", "value [95 % interval]", "on"), rows) if rows else ""
    return facts_html(f"{card.kind.capitalize()} {card.name}", facts, scores)


def _score(item: "Metric") -> str:
    if item.low is None or item.high is None:
        return f"{item.value:.3f}"
    return f"{item.value:.3f} [{item.low:.3f}, {item.high:.3f}]"
