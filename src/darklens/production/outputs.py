"""Outputs of images: a grid (.png), a store (.zarr) or a folder of .npy files.

A path that cannot be written, or whose ending belongs to another kind of file, is refused before
any image is made.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from darklens.errors import BadInput
from darklens.files.configuration import check_configuration
from darklens.files.places import check_file, check_folder_name
from darklens.files.remote import url_of
from darklens.naming import visible

__all__ = ["Kind", "WrittenImages", "configuration_place", "kind_of_output"]

Kind = Literal["png", "zarr", "npy"]

_GRID = 400
_ENDINGS: dict[str, Kind] = {".png": "png", ".zarr": "zarr"}


@dataclass(frozen=True)
class WrittenImages:
    """Images that were written.

    Attributes:
        path: The store, folder or file.
        count: Number of images.
        classes: Their classes, in the order of the labels.
        counts: Number of images of each class, where they were counted.
    """

    path: Path
    count: int
    classes: tuple[str, ...]
    counts: tuple[int, ...] = ()

    def __str__(self) -> str:
        each = [
            f"{number} {visible(name)}"
            for number, name in zip(self.counts, self.classes, strict=False)
        ]
        return f"wrote {self.count} images to {url_of(self.path) or self.path}" + (
            f": {', '.join(each)}" if each else ""
        )


def kind_of_output(output: Path, count: int, wanted: Literal["zarr", "npy"] | None = None) -> Kind:
    """The format of an output, after a check that it can be written.

    Args:
        output: Path of the output.
        count: Number of images.
        wanted: Format where the path has no ending; .npy files if None.

    Raises:
        BadInput: If the ending belongs to another kind of file or contradicts `wanted`, or the
            path cannot be written.
    """
    ending = output.suffix.lower()
    kind = _ENDINGS.get(ending)
    if kind is not None and wanted not in (None, kind):
        raise BadInput(f"--format {wanted} contradicts the ending of {output}; leave one out")
    kind = kind or wanted or "npy"
    if kind == "png":
        check_file(output)
        if not 1 <= count <= _GRID:
            raise BadInput(f"a grid holds 1 to {_GRID} images, not {count}: give --count")
    else:
        check_folder_name(
            output, "write a store (.zarr), a grid (.png) or a folder of .npy files (no ending)"
        )
    check_configuration(configuration_place(output))
    return kind


def configuration_place(output: Path) -> Path:
    """Path of the run's configuration: always next to the output, even if that is a folder.

    The content of a folder then depends neither on its name nor on the number of workers.
    """
    return output.with_name(f"{output.name}.config.yaml")
