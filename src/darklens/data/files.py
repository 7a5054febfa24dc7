"""Find image files from the paths that a user gives."""

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path

from darklens.errors import BadInput

__all__ = [
    "FITS_ENDINGS",
    "IMAGE_ENDINGS",
    "find_images",
    "is_image_name",
    "list_images",
    "split_extension",
    "split_member",
]

FITS_ENDINGS = (".fits", ".fit", ".fts", ".fits.gz", ".fits.fz")
IMAGE_ENDINGS = (".npy", ".npz", *FITS_ENDINGS, ".jpg", ".jpeg", ".png")


def split_extension(name: str | Path) -> tuple[Path, str | None]:
    """Split `FILE[EXTENSION]` into FITS file and extension, in the notation of CFITSIO and DS9.

    A file with exactly this name takes precedence; other names have no extension.
    """
    named = re.fullmatch(r"(.+)\[([^\[\]]+)\]", str(name), re.DOTALL)
    if named is None or not named[1].lower().endswith(FITS_ENDINGS) or os.path.lexists(name):
        return Path(name), None
    return Path(named[1]), named[2]


def split_member(name: str | Path) -> tuple[Path, int] | None:
    """Split `stack.npz[17]` into stack and image number; None for other names.

    A file with exactly this name takes precedence.
    """
    named = re.fullmatch(r"(.+\.np[yz])\[(\d{1,18})\]", str(name), re.DOTALL | re.IGNORECASE)
    if named is None or os.path.lexists(name):
        return None
    return Path(named[1]), int(named[2])


def is_image_name(path: Path) -> bool:
    """Whether the file has one of `IMAGE_ENDINGS` and is not hidden."""
    return path.name.lower().endswith(IMAGE_ENDINGS) and not path.name.startswith(".")


def list_images(folder: Path, *, recursive: bool = True) -> list[Path]:
    """The image files in a folder, sorted, without hidden files and folders."""
    found = folder.rglob("*") if recursive else folder.iterdir()
    return sorted(path for path in found if is_image_name(path) and _visible(path, folder))


def find_images(inputs: Sequence[str | Path] | str | Path) -> list[Path]:
    """Find the image files given by files, folders and globs.

    Folders are searched recursively for the endings in `IMAGE_ENDINGS`. A file given by name is
    kept whatever its ending, as are one image of a stack (`stack.npz[17]`) and one extension of a
    FITS file (`lens.fits[SCI]`). If other inputs match, a name that matches nothing is kept too,
    and `read_image` then reports what is wrong with it.

    Args:
        inputs: One or more files, folders and globs (`**` matches nested folders).

    Returns:
        Distinct paths in the order of the inputs, sorted within each input.

    Raises:
        BadInput: If no file is found.
    """
    names = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    found = {path: None for name in names for path in _expand(Path(name))}
    if not any(_file_in(path).is_file() for path in found):
        shown = ", ".join(str(name) for name in names[:3]) + (", ..." if len(names) > 3 else "")
        store = any((Path(name) / "zarr.json").is_file() for name in names)
        hint = "; stores are for train and evaluate, not for predict" if store else ""
        raise BadInput(f"no images found in {shown or 'an empty list'}{hint}")
    return list(found)


def _expand(path: Path) -> list[Path]:
    if path.is_dir():
        return list_images(path) or [path]
    if path.exists() or not glob.has_magic(str(path)) or _file_in(path).is_file():
        return [path]
    matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
    files = [match for match in matches if match.is_file()]
    inside = [image for match in matches if match.is_dir() for image in list_images(match)]
    if "**" in path.parts:  # such a glob matches folders as well as the files in them
        inside = []
    return sorted({*files, *inside}) or [path]


def _file_in(path: Path) -> Path:
    """The file of a name that may give an image in a stack or a FITS extension."""
    member = split_member(path)
    return member[0] if member is not None else split_extension(path)[0]


def _visible(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    return not any(part.startswith(".") for part in parts) and not path.is_dir()
