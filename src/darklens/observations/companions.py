"""The noise map, mask and PSF of an image: named, by a pattern, in its file, or beside it.

`*_sci.fits` for the images and `*_rms.fits` for the noise maps pair `J0946_sci.fits` with
`J0946_rms.fits`. Without any pattern, files in the folder of the image are paired by name: the
words that say what a file holds are left out, and the rest must agree (see `roles`). A PSF whose
name holds nothing else, such as `psf.fits`, is that of all images of its folder.
"""

import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from darklens.data.files import FITS_ENDINGS, IMAGE_ENDINGS, split_extension, split_member
from darklens.errors import BadInput
from darklens.observations.roles import NOISE_ROLES, Role, read_name

__all__ = ["Beside", "files_beside", "resolve_name", "stem_of"]

_MOST_FILES = 20_000


@dataclass(frozen=True)
class Beside:
    """Companions of an image among the files of its folder.

    Attributes:
        noise: File of the noise map and what it holds, or None.
        psf: File of the PSF, or None.
        mask: File of the mask, or None.
    """

    noise: tuple[Path, Role] | None = None
    psf: Path | None = None
    mask: Path | None = None


def stem_of(path: Path) -> str:
    """The name of a file without extension in brackets and without its ending.

    >>> stem_of(Path("a/lens.fits.gz[SCI]")), stem_of(Path("lens.npz[3]"))
    ('lens', 'lens')
    """
    name = _file_of(path).name
    endings = sorted((*IMAGE_ENDINGS, *FITS_ENDINGS), key=len, reverse=True)
    ending = next((end for end in endings if name.lower().endswith(end)), "")
    return name[: len(name) - len(ending)]


def resolve_name(given: str, image: Path, images: str | None) -> str:
    """The file that an option names for an image.

    Args:
        given: A file, `FILE[EXTENSION]`, `[EXTENSION]` of the image's own file, or a pattern.
        image: The image.
        images: Pattern of the images, whose `*` gives the text for that of `given`.

    Raises:
        BadInput: If the image does not match the pattern of the images.
    """
    if given.startswith("["):
        return f"{_file_of(image)}{given}"
    if "*" not in given or os.path.lexists(given):
        return given
    text = stem_of(image)
    if images is not None:
        before, after = images.split("*")
        name = _file_of(image).name
        found = re.fullmatch(f"{re.escape(before)}(.*){re.escape(after)}", name)
        if found is None:
            raise BadInput(f"the name of the image does not match the pattern {images}")
        text = found[1]
    return str(image.parent / given.replace("*", text))


def files_beside(image: Path) -> Beside:
    """The companions of an image among the files of its folder, by name."""
    own = _file_of(image)
    key = read_name(stem_of(image)).rest
    table = _listed(own.parent, _stamp(own.parent))
    noise = None
    for role in NOISE_ROLES:
        if noise is None and (path := _only(table, role, key, own)) is not None:
            noise = (path, role)
    psf = _only(table, "psf", key, own) or _only(table, "psf", (), own)
    return Beside(noise, psf, _only(table, "mask", key, own))


def _only(
    table: dict[tuple[Role, tuple[str, ...]], list[Path]],
    role: Role,
    key: tuple[str, ...],
    own: Path,
) -> Path | None:
    """The only file of a role with these words in its name, or None."""
    found = [path for path in table.get((role, key), []) if path != own]
    return found[0] if len(found) == 1 else None


@lru_cache(maxsize=64)
def _listed(folder: Path, stamp: int) -> dict[tuple[Role, tuple[str, ...]], list[Path]]:  # noqa: ARG001  the stamp changes with the folder
    """Files of a folder by role and by the other words of their names."""
    found: dict[tuple[Role, tuple[str, ...]], list[Path]] = {}
    names = sorted(os.listdir(folder)) if folder.is_dir() else []  # noqa: PTH208  no need for paths
    for name in names[:_MOST_FILES]:
        path = folder / name
        if name.lower().endswith(IMAGE_ENDINGS) and not name.startswith("."):
            said = read_name(stem_of(path))
            found.setdefault((said.role, said.rest), []).append(path)
    return found


def _stamp(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


def _file_of(path: Path) -> Path:
    member = split_member(path)
    return member[0] if member is not None else split_extension(path)[0]
