"""`darklens export`: a model folder for sharing, ready for the Hugging Face hub."""

from pathlib import Path

from darklens.files.configuration import check_configuration, write_configuration
from darklens.files.places import check_folder
from darklens.hub import ModelCard, export_model

__all__ = ["export", "show"]


def export(model: str, output: Path, onnx: bool = False) -> ModelCard:
    """Write a model folder for sharing or for the Hugging Face hub.

    The folder holds card.yaml, the weights and a README.md with the hub's front matter. Upload it
    with `hf upload OWNER/NAME FOLDER`.

    Args:
        model: Name of a shipped model, path of a model folder, or owner/name on the hub.
        output: Folder to write; it must not exist yet.
        onnx: Also write a classifier as an ONNX graph, model.onnx, which is checked against the
            network. The README.md describes its input. Needs darklens[onnx].

    Returns:
        The model's card.
    """
    check_folder(output)
    place = output.with_name(f"{output.name}.config.yaml")
    check_configuration(place)
    card = export_model(model, output, onnx=onnx)
    write_configuration(place, "export", {"model": model, "output": output, "onnx": onnx})
    return card


def show(card: ModelCard, *, output: Path) -> None:
    """Print what was exported, and where."""
    print(f"{output}: the model '{card.name}', {', '.join(card.classes)}")
