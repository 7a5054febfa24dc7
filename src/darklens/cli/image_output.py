"""Where `simulate` and `generate` write images: a picture, a store or a tree, by the ending.

A place that cannot be written, or a name that promises another kind of file, is refused before
the work.
"""

from pathlib import Path
from typing import Literal

from darklens.errors import BadInput
from darklens.files.configuration import check_configuration
from darklens.files.places import check_file, check_folder_name

__all__ = ["Kind", "configuration_place", "kind_of_output"]

Kind = Literal["png", "zarr", "npy"]

_GRID = 400
_ENDINGS: dict[str, Kind] = {".png": "png", ".zarr": "zarr"}


def kind_of_output(output: Path, count: int, wanted: Literal["zarr", "npy"] | None = None) -> Kind:
    """What is to be written, once it is sure that it can be.

    Args:
        output: The output.
        count: Number of images.
        wanted: What to write where the ending does not say it; a tree if None.

    Raises:
        BadInput: If the name promises another kind of file, contradicts `wanted`, or cannot be
            written.
    """
    ending = output.suffix.lower()
    kind = _ENDINGS.get(ending)
    if kind is not None and wanted not in (None, kind):
        raise BadInput(f"--format {wanted} contradicts the ending of {output}; leave one out")
    kind = kind or wanted or "npy"
    if kind == "png":
        check_file(output)
        if not 1 <= count <= _GRID:
            raise BadInput(f"a picture holds 1 to {_GRID} images, not {count}: give --count")
    else:
        check_folder_name(
            output, "write a store (.zarr), a picture (.png) or a folder of .npy files (no ending)"
        )
    check_configuration(configuration_place(output))
    return kind


def configuration_place(output: Path) -> Path:
    """Beside a folder, too: what lies in it does not depend on its name or on the workers."""
    return output.with_name(f"{output.name}.config.yaml")
