"""`darklens models`: the models shipped with the package and those in the cache of the hub."""

from pathlib import Path

from darklens.errors import BadModel
from darklens.hub import ModelCard, cached_models, load_card, shipped_folders
from darklens.naming import visible
from darklens.progress import say

__all__ = ["models", "show"]

_HEAD = ("name", "where", "classes", "trained on", "scores", "size")


def models() -> list[tuple[str, ...]]:
    """List the models that are shipped or cached: data, first metric, size.

    Returns:
        One row per model: name, place, classes, training data, first score, size.
    """
    rows: list[tuple[str, ...]] = []
    found = [(name, "shipped", folder) for name, folder in shipped_folders().items()]
    found += [(hub_id, "cached", folder) for hub_id, folder in cached_models().items()]
    for name, where, folder in found:
        try:
            rows.append(_row(name, where, load_card(folder), folder))
        except (BadModel, OSError) as error:  # damaged, or an unrelated card.yaml
            say(f"{name} ({where}) cannot be used: {error}")
    return rows


def show(rows: list[tuple[str, ...]]) -> None:
    """Print the models as a table."""
    if not rows:
        print("No model is shipped or cached. `darklens train classifier` makes one.")
        return
    table = [_HEAD, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(_HEAD))]
    for row in table:
        print(
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def _row(name: str, where: str, card: ModelCard, folder: Path) -> tuple[str, ...]:
    weights = folder / card.weights.file if card.weights else folder
    size = f"{weights.stat().st_size / 1e6:.1f} MB" if weights.is_file() else "no weights"
    data = card.training.preset or card.training.data or "-"
    row = name, where, ",".join(card.classes), data, _first_metric(card), size
    return tuple(map(visible, row))


def _first_metric(card: ModelCard) -> str:
    """The first score on the card with its interval."""
    if not card.metrics:
        return "-"
    first = card.metrics[0]
    if first.low is None or first.high is None:
        interval = ""
    else:
        interval = f" ({first.low:.3f}-{first.high:.3f})"
    return f"{first.name} {first.value:.3f}{interval} on {first.data}"
