"""Open the images that a training run held out, to evaluate its model on them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from darklens.data import ImageDataset
from darklens.data.parts_list import PARTS_FILE, open_listed
from darklens.errors import BadConfig, BadInput
from darklens.files.plain_yaml import read_yaml
from darklens.files.remote import fetched

__all__ = ["open_held_out"]


@contextmanager
def open_held_out(run: Path, part: str, data: Path | None) -> Iterator[ImageDataset]:
    """The images of one part of a run; a copy of those at a URL is removed at the end.

    Args:
        run: Folder of the run.
        part: `train`, `val` or `test`.
        data: Present location of the data, or its URL; that of the run if None.

    Raises:
        BadInput: If the run keeps no list of its images, or a URL cannot be read.
        BadData: If it had no such part, or an image is missing or has changed.
    """
    listed = run / PARTS_FILE
    if not listed.is_file():
        raise BadInput(
            f"{run} has no {PARTS_FILE}, the list of a run's images: give the folder of a run on"
            " --data.path with --run, or evaluate on --data or --preset"
        )
    with fetched(_data_of(run) if data is None else data) as place:
        yield open_listed(listed, part, place)


def _data_of(run: Path) -> Path:
    """Location of a run's data."""
    settings = read_yaml(run / "config.yaml", BadConfig)
    found = settings.get("data") if isinstance(settings, dict) else None
    path = found.get("path") if isinstance(found, dict) else None
    if not isinstance(path, str):
        raise BadInput(f"{run / 'config.yaml'} does not say where the data are; give --data")
    return Path(path)
