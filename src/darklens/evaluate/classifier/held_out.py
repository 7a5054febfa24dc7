"""Open the images that a training run held out, to evaluate its model on them."""

from pathlib import Path

from darklens.data import ImageDataset
from darklens.data.parts_list import PARTS_FILE, open_listed
from darklens.errors import BadConfig, BadInput
from darklens.files.plain_yaml import read_yaml

__all__ = ["open_held_out"]


def open_held_out(run: Path, part: str, data: Path | None) -> ImageDataset:
    """Open the images of one part of a run.

    Args:
        run: Folder of the run.
        part: `train`, `val` or `test`.
        data: Present location of the data; that of the run if None.

    Raises:
        BadInput: If the run keeps no list of its images.
        BadData: If it had no such part, or an image is missing or has changed.
    """
    listed = run / PARTS_FILE
    if not listed.is_file():
        raise BadInput(
            f"{run} has no {PARTS_FILE}, the list of a run's images: give the folder of a run on"
            " --data.path with --run, or evaluate on --data or --preset"
        )
    return open_listed(listed, part, _data_of(run) if data is None else data)


def _data_of(run: Path) -> Path:
    """Location of a run's data."""
    settings = read_yaml(run / "config.yaml", BadConfig)
    found = settings.get("data") if isinstance(settings, dict) else None
    path = found.get("path") if isinstance(found, dict) else None
    if not isinstance(path, str):
        raise BadInput(f"{run / 'config.yaml'} does not say where the data are; give --data")
    return Path(path)
