"""A model folder for other people: card, weights and the README that the hub shows."""

import shutil
from pathlib import Path

from darklens.atomic import atomic_folder
from darklens.errors import BadModel
from darklens.hub.card import CARD_FILE, ModelCard, load_card
from darklens.hub.folders import find_model
from darklens.hub.weights import verified_weights
from darklens.plain_yaml import dump_yaml

__all__ = ["export_model", "readme"]

_CLASSIFY = (
    "from darklens.hub import load_classifier",
    "",
    'model = load_classifier("OWNER/NAME")  # this repository, or a folder',
    "table = model.predict(images)  # (N, H, W) or (N, C, H, W)",
)
_GENERATE = (
    "from darklens.hub import load_generator",
    "",
    'model = load_generator("OWNER/NAME")  # this repository, or a folder',
    "images = model.generate(16, seed=0).images  # (N, C, H, W)",
)


def export_model(model: str | Path, output: str | Path) -> ModelCard:
    """Copy a model, checked, into a new folder with a README for the Hugging Face hub.

    Args:
        model: Name of a shipped model, path of a model folder, or `owner/name` on the hub.
        output: Folder to write.

    Returns:
        The model's card.

    Raises:
        BadModel: If the model is missing or damaged.
        BadInput: If `output` exists.
    """
    folder = find_model(model)
    card = load_card(folder)
    if card.weights is None:
        raise BadModel(f"{folder}: the card names no weights")
    data = verified_weights(folder, card)
    with atomic_folder(Path(output)) as temporary:
        shutil.copyfile(folder / CARD_FILE, temporary / CARD_FILE)
        (temporary / card.weights.file).write_bytes(data)
        (temporary / "README.md").write_text(readme(card), encoding="utf-8")
    return card


def readme(card: ModelCard) -> str:
    """README of a model: the hub's front matter, what the card says, how to use it."""
    generates = card.kind == "generator"
    subject = "Images" if generates else "Input"
    task = "unconditional-image-generation" if generates else "image-classification"
    front = {
        "library_name": "darklens",
        "license": card.licence.lower(),
        "pipeline_tag": task,
        "tags": ["astronomy", "gravitational-lensing", "dark-matter", task],
    }
    return "\n".join(
        [
            "---",
            dump_yaml(front).strip(),
            "---",
            "",
            f"# {card.name}",
            "",
            card.description,
            "",
            f"Classes, in their order: {', '.join(card.classes)}.",
            f"{subject}: {card.input.channels} x {card.input.height} x {card.input.width} pixels, "
            f"{card.input.values}. The preprocessing is declared in `card.yaml`, and darklens "
            "applies it.",
            f"Trained on {card.training.preset or card.training.data or 'data not named'} "
            f"({card.training.images} images, {card.training.seconds:.0f} s on "
            f"{card.training.machine}):",
            "",
            f"    {card.training.command}",
            "",
            *_metric_table(card),
            "## Use",
            "",
            "```python",
            *(_GENERATE if generates else _CLASSIFY),
            "```",
            "",
        ]
    )


def _metric_table(card: ModelCard) -> list[str]:
    """Rows of the README's table of results, with a line before and after; none, no table."""
    if not card.metrics:
        return []
    lines = ["| metric | value | 95 % interval | data |", "|---|---|---|---|"]
    for item in card.metrics:
        known = item.low is not None and item.high is not None
        interval = f"{item.low:.3f} to {item.high:.3f}" if known else "not measured"
        lines.append(f"| {item.name} | {item.value:.3f} | {interval} | {item.data} |")
    return [*lines, ""]
