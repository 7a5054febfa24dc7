"""Which plane of a file is the image, and which are its noise map, PSF and mask.

Extensions tell by their names what they hold (see `roles`); the words that remain are the band:
`VIS_FLUX` goes with `VIS_RMS` and `VIS_PSF`, and `SCI,2` with `ERR,2`. Where the choice is open,
nothing is chosen: the message lists what there is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darklens.data import FitsExtension, header_value, list_fits
from darklens.data.files import FITS_ENDINGS, split_extension
from darklens.errors import BadInput, UnreadableImage
from darklens.naming import visible
from darklens.observations.roles import NOISE_ROLES, Named, Role, read_name

__all__ = ["Chosen", "band_of", "choose_plane"]

_SHOWN = 12
_FILTERS = ("FILTER", "FILTNAM1", "FILTER1", "FILTER2", "BAND", "FILTERS")
_OPEN_FILTERS = ("", "CLEAR", "NONE")


@dataclass(frozen=True)
class Chosen:
    """The plane of a FITS file that is the image, with its companions in the file.

    Attributes:
        file: The FITS file.
        extension: The extension of the image.
        plane: Number of the plane in it, from 1, or None if it has only one.
        band: Its band, or empty.
        headers: Headers to look up keywords in: that of the extension, and the primary one.
        noise: Extension of the noise map, and what it holds, or None.
        psf: Extension of the PSF, or None.
        mask: Extension of the mask, or None.
        flags: Extension of quality flags, which is never used unasked, or None.
        several: Whether the file holds other images.
    """

    file: Path
    extension: FitsExtension
    plane: int | None
    band: str
    headers: tuple[Any, ...]
    noise: tuple[FitsExtension, Role] | None = None
    psf: FitsExtension | None = None
    mask: FitsExtension | None = None
    flags: FitsExtension | None = None
    several: bool = False

    @property
    def selection(self) -> str:
        """The extension and plane as `read_fits` takes them."""
        number = str(self.extension.number)
        return number if self.plane is None else f"{number}:{self.plane}"

    @property
    def label(self) -> str:
        """The extension and plane in words."""
        item = self.extension
        words = f"extension {item.number} {visible(item.name)}".strip()
        return words if self.plane is None else f"{words}, plane {self.plane}"


def choose_plane(path: Path, extension: str | int | None, band: str | int | None) -> Chosen | None:
    """Choose the image of a FITS file; None for files of other formats.

    Args:
        path: The file, or `FILE[EXTENSION]`.
        extension: Name or number of the extension, where the name of the file gives none.
        band: Name of the band, or number of the plane from 1.

    Raises:
        UnreadableImage: If the file is not a FITS file or holds no image.
        BadInput: If there is no such extension or band, or the choice is open.
    """
    file, named = split_extension(path)
    if not file.name.lower().endswith(FITS_ENDINGS):
        return None
    contents = list_fits(file)
    items = [item for item in contents.extensions if item.planes]
    if not items:
        raise UnreadableImage(contents.problem or "the FITS file has no two-dimensional image")
    wanted = str(extension) if named is None and extension is not None else named
    item, plane = _chosen(items, wanted, band)
    said = read_name(item.name)
    headers = (item.header, contents.extensions[0].header)
    others = [other for other in items if other is not item]
    return Chosen(
        file=file,
        extension=item,
        plane=plane,
        band=band_of(headers) or (_band(said) if said.explicit else ""),
        headers=headers,
        noise=_noise(others, item),
        psf=_companion(others, item, "psf"),
        mask=_companion(others, item, "mask"),
        flags=_companion(others, item, "flags"),
        several=len(_images(items)) > 1,
    )


def band_of(headers: Sequence[Any]) -> str:
    """The filter that the first of these headers names, or empty."""
    for header in headers:
        for keyword in _FILTERS:
            value = header_value(header, keyword)
            text = value.strip() if isinstance(value, str) else ""
            if not text.upper().startswith("CLEAR") and text.upper() not in _OPEN_FILTERS:
                return text[:40]
    return ""


def _chosen(
    items: Sequence[FitsExtension], wanted: str | None, band: str | int | None
) -> tuple[FitsExtension, int | None]:
    """The extension and the plane in it."""
    plane: int | None = None
    if wanted is not None:
        text, colon, number = wanted.strip().upper().rpartition(":")
        if colon and number.isdecimal() and len(number) < 6:
            wanted, plane = text or None, int(number)
    if wanted is not None:
        item = _named(items, wanted.strip().upper())
    else:
        item = _image(items, None if _is_number(band) else band)
    if plane is None and _is_number(band):
        plane = int(band)  # type: ignore[arg-type]
    if item.planes == 1:
        if plane not in (None, 1):
            raise BadInput(f"there is no band {plane}: {_listed([item])} has one plane")
        return item, None
    if plane is None:
        raise BadInput(
            f"{_listed([item])} is a cube of {item.planes} planes: choose one by its number, from"
            f" --band 1 to {item.planes}"
        )
    if not 1 <= plane <= item.planes:
        raise BadInput(f"there is no band {plane}: {_listed([item])} has {item.planes} planes")
    return item, plane


def _named(items: Sequence[FitsExtension], wanted: str) -> FitsExtension:
    """The extension of this name or number."""
    for item in items:
        names = {str(item.number), item.name or "PRIMARY", f"{item.name},{item.version}"}
        if wanted in names - {""}:
            return item
    raise BadInput(f"no image in extension {visible(wanted[:40])}; there is {_listed(items)}")


def _images(items: Sequence[FitsExtension]) -> list[FitsExtension]:
    """The extensions that can be images by their names."""
    return [item for item in items if read_name(item.name).role == "image"]


def _image(items: Sequence[FitsExtension], band: str | int | None) -> FitsExtension:
    """The only image, or that of the band."""
    images = _images(items)
    if not images:
        raise BadInput(f"no extension is an image by its name: choose one of {_listed(items)}")
    if band is not None:
        fitting = [item for item in images if _is_of_band(item, str(band))]
        bands = [_band_of(item) for item in images]
        unknown = len(images) == 1 and not bands[0]
        if not fitting and not unknown:
            there = ", ".join(dict.fromkeys(filter(None, bands))) or _listed(images)
            raise BadInput(f"there is no band {visible(str(band))[:40]} in the file, only {there}")
        images = fitting or images
    if len(images) > 1:
        raise BadInput(
            f"{len(images)} images in the file: choose one with --extension, of {_listed(images)}"
        )
    return images[0]


def _is_of_band(item: FitsExtension, band: str) -> bool:
    """Whether an image is of the band, by the words of its name or its filter."""
    words, own = read_name(band).rest, read_name(item.name).rest
    if band.strip().lower() == band_of((item.header,)).lower():
        return True
    return bool(words) and own[-len(words) :] == words


def _band_of(item: FitsExtension) -> str:
    return band_of((item.header,)) or _band(read_name(item.name))


def _band(said: Named) -> str:
    return "_".join(said.rest).upper()


def _noise(others: Sequence[FitsExtension], item: FitsExtension) -> Any:
    """The noise map of an image, of the kind to prefer, and its kind."""
    for role in NOISE_ROLES:
        found = _companion(others, item, role)
        if found is not None:
            return found, role
    return None


def _companion(
    others: Sequence[FitsExtension], item: FitsExtension, role: Role
) -> FitsExtension | None:
    """The extension of a role that goes with an image: of its band, and of its version."""
    key = read_name(item.name).rest
    found = []
    for other in others:
        said = read_name(other.name)
        if said.role == role and said.explicit and said.rest == key and other.planes == 1:
            found.append(other)
    if len(found) > 1:
        found = [other for other in found if other.version == item.version]
    return found[0] if len(found) == 1 else None


def _listed(items: Sequence[FitsExtension]) -> str:
    """Extensions for a message: number, name, and version where names repeat."""
    names = [item.name for item in items]
    words = []
    for item in items[:_SHOWN]:
        version = f",{item.version}" if item.name and names.count(item.name) > 1 else ""
        words.append(f"{item.number} {visible(item.name[:40])}{version}".strip())
    more = [f"and {len(items) - _SHOWN} more"] * (len(items) > _SHOWN)
    return ", ".join([*words, *more])


def _is_number(band: str | int | None) -> bool:
    return isinstance(band, int) or (isinstance(band, str) and band.strip().isdecimal())
