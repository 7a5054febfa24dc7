"""Export a model folder for sharing: card, weights and a README for the hub."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from darklens.errors import BadModel
from darklens.files.atomic import atomic_folder
from darklens.files.plain_yaml import dump_yaml
from darklens.hub.calibration import calibration_bytes
from darklens.hub.card import CARD_FILE, ModelCard, load_card
from darklens.hub.folders import find_model
from darklens.hub.weights import load_classifier, verified_weights

__all__ = ["export_model", "readme"]

_ONNX_FILE = "model.onnx"

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


def export_model(model: str | Path, output: str | Path, *, onnx: bool = False) -> ModelCard:
    """Check a model and copy it into a new folder with a README for the Hugging Face hub.

    Args:
        model: Name of a shipped model, path of a model folder, or `owner/name` on the hub.
        output: Folder to write.
        onnx: Also write a classifier as an ONNX graph, `model.onnx`, checked against the network.

    Returns:
        The model's card.

    Raises:
        BadModel: If the model is missing or damaged, or cannot be exported to ONNX.
        BadConfig: If the packages needed for ONNX are missing.
        BadInput: If `output` exists.
    """
    folder = find_model(model)
    card = load_card(folder)
    if card.weights is None:
        raise BadModel(f"{folder}: the card lists no weights")
    if onnx and card.kind != "classifier":
        raise BadModel(
            f"the model '{card.name}' is a {card.kind}: only classifiers are exported to ONNX; "
            "leave --onnx out"
        )
    data = verified_weights(folder, card)
    with atomic_folder(Path(output)) as temporary:
        shutil.copyfile(folder / CARD_FILE, temporary / CARD_FILE)
        (temporary / card.weights.file).write_bytes(data)
        if card.calibration is not None:
            (temporary / card.calibration.file).write_bytes(
                calibration_bytes(folder, card.calibration)
            )
        text = readme(card)
        if onnx:
            text += _write_onnx(folder, card, temporary / _ONNX_FILE)
        (temporary / "README.md").write_text(text, encoding="utf-8")
    return card


def readme(card: ModelCard) -> str:
    """README of a model: the front matter for the hub, the contents of the card, how to use it."""
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
            f"Classes, in order: {', '.join(card.classes)}.",
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


def _write_onnx(folder: Path, card: ModelCard, path: Path) -> str:
    """Write the graph and return the README section about it."""
    from darklens.hub.onnx import (
        AGREEMENT,
        write_onnx,
    )  # imports torch, which a plain export does not need

    graph = write_onnx(load_classifier(folder), card, path)
    inside = [*(next(iter(step)) for step in graph.inside), "network", "temperature", "softmax"]
    shape = ", ".join(map(str, ("n", *graph.shape)))
    lines = [
        "",
        "## ONNX",
        "",
        f"`{path.name}` takes `images`, float32 ({shape}) for any n, and returns `probabilities` "
        f"(n, {len(card.classes)}) and `logits`. In the graph: {', '.join(inside)}. On random "
        f"images and batches its probabilities are those of the network to {AGREEMENT:g}; the "
        f"largest difference was {graph.difference:.1g}.",
        "",
    ]
    if graph.outside:
        names = ", ".join(f"`{next(iter(step))}`" for step in graph.outside)
        lines += [
            f"Not in the graph: {names}, the fit of a smooth lens, which cannot be expressed as a "
            "graph. The graph takes the residual maps as input; darklens computes them:",
            "",
        ]
    else:
        lines += ["The graph takes raw images:", ""]
    return "\n".join([*lines, "```python", *_onnx_example(path.name, graph.outside), "```", ""])


def _onnx_example(file: str, outside: Sequence[Mapping[str, Any]]) -> list[str]:
    """Example of how to run the graph, including the steps before it."""
    lines = ["import onnxruntime", ""]
    source = "images.astype('float32')"
    if outside:
        lines = ["import onnxruntime", "from darklens.hub import model_preprocessing", ""]
        lines += [f"steps = model_preprocessing({[dict(step) for step in outside]!r})"]
        source = "steps.batch(images)  # (N, C, H, W) to maps"
    return [
        *lines,
        f"inputs = {source}",
        f'session = onnxruntime.InferenceSession("{file}")',
        'probabilities, logits = session.run(None, {"images": inputs})',
    ]


def _metric_table(card: ModelCard) -> list[str]:
    """Lines of the README's table of results; empty without results."""
    if not card.metrics:
        return []
    lines = ["| metric | value | 95 % interval | data |", "|---|---|---|---|"]
    for item in card.metrics:
        known = item.low is not None and item.high is not None
        interval = f"{item.low:.3f} to {item.high:.3f}" if known else "not measured"
        lines.append(f"| {item.name} | {item.value:.3f} | {interval} | {item.data} |")
    return [*lines, ""]
