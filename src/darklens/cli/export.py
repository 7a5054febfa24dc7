"""`darklens export`: a model folder for sharing, which the Hugging Face hub accepts as it is."""

from pathlib import Path

from darklens.cli.configuration import write_configuration
from darklens.hub import export_model

__all__ = ["export"]


def export(model: str, output: Path) -> None:
    """Write a model folder for sharing or for the Hugging Face hub.

    The folder holds card.yaml, the weights and a README.md with the hub's front matter. Upload it
    with `hf upload OWNER/NAME FOLDER`.

    Args:
        model: Name of a shipped model, path of a model folder, or owner/name on the hub.
        output: Folder to write; it must not exist yet.
    """
    card = export_model(model, output)
    write_configuration(
        output.with_name(output.name + ".config.yaml"),
        "export",
        {"model": model, "output": output},
    )
    print(f"{output}: the model '{card.name}', {', '.join(card.classes)}")
