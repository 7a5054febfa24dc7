"""`darklens export`: a model folder for sharing, which the Hugging Face hub accepts as it is."""

from pathlib import Path

from darklens.files.configuration import check_configuration, write_configuration
from darklens.files.places import check_folder
from darklens.hub import export_model

__all__ = ["export"]


def export(model: str, output: Path, onnx: bool = False) -> None:
    """Write a model folder for sharing or for the Hugging Face hub.

    The folder holds card.yaml, the weights and a README.md with the hub's front matter. Upload it
    with `hf upload OWNER/NAME FOLDER`.

    Args:
        model: Name of a shipped model, path of a model folder, or owner/name on the hub.
        output: Folder to write; it must not exist yet.
        onnx: Write a classifier also as an ONNX graph, model.onnx, which is compared with the
            network. The README.md says what the graph takes. Needs darklens[onnx].
    """
    check_folder(output)
    place = output.with_name(f"{output.name}.config.yaml")
    check_configuration(place)
    card = export_model(model, output, onnx=onnx)
    write_configuration(place, "export", {"model": model, "output": output, "onnx": onnx})
    print(f"{output}: the model '{card.name}', {', '.join(card.classes)}")
