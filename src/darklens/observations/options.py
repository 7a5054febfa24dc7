"""What may be said about an image where its file does not say it, and how it is prepared.

The same names are options of the command line, keys of a survey's YAML and columns of a manifest.
What is said nearer to the image counts: a row of the manifest before an option, an option before
the survey's YAML, and all of them before the header.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from darklens.errors import BadConfig, BadInput
from darklens.files.plain_yaml import read_yaml
from darklens.files.schema import read_as

__all__ = ["FILE_OPTIONS", "FOUND", "ImageOptions", "read_options", "read_survey"]

NoiseKind = Literal["rms", "variance", "weight"]
Background = Literal["keep", "subtract"]
Neighbours = Literal["keep", "mask"]

FILE_OPTIONS = ("noise_map", "psf", "mask")
"""Options that name a file."""

_POSITIVE = (
    "psf_pixel_scale",
    "pixel_scale",
    "exposure",
    "gain",
    "size",
    "protected_radius",
    "resample",
)


FOUND = "found"
"""Satellites that are looked for in the image, instead of given."""


@dataclass(frozen=True)
class ImageOptions:
    """What is said about the images, and how they are prepared.

    Args:
        images: Which files of a folder are images, such as `*_sci.fits`: a pattern with one `*`. By
            default those whose names do not say noise map, mask or PSF.
        extension: Name or number of the extension of FITS files.
        band: Band of files with several: a name, such as VIS, or the number of a plane, from 1; of
            colour pictures red, green, blue or luminance.
        noise_map: Noise map: `FILE`, `FILE[EXTENSION]`, `[EXTENSION]` of the same file, or a
            pattern such as `*_rms.fits`, whose `*` stands for what it stands for in `images`, or
            for the name of the image. By default it is looked for by name, in the file and beside
            it, and else estimated. Pixels of infinite noise are masked.
        noise_kind: What the noise map holds: rms (standard deviation), variance, or weight (inverse
            variance). By default the name of the file or extension tells.
        psf: PSF likewise, or the full width at half maximum of a Gaussian [arcsec].
        psf_pixel_scale: Pixel scale of the PSF file, if not that of the image [arcsec/pixel]; the
            PSF is then resampled.
        mask: Mask likewise: nonzero where pixels are bad.
        mask_keeps: Whether the mask is nonzero where pixels are good.
        search: Whether noise map, mask and PSF are looked for by name, in the file and beside it;
            true by default.
        pixel_scale: Pixel scale [arcsec/pixel]. By default that of the header.
        unit: Unit of the pixels, such as electron/s. By default BUNIT of the header.
        exposure: Exposure time [s]. By default that of the header.
        gain: Electrons per count. By default that of the header.
        centre: Where the lens is: `x,y` [pixel, from 0], `RA,Dec`, middle or brightest.
        size: Side of the square around the centre [pixel]. By default the whole image.
        background: Whether to subtract the sky measured at the border; by default it is kept.
        neighbours: Whether to mask galaxies and stars beyond the protected radius; by default they
            are kept.
        protected_radius: Around the centre nothing is masked as a neighbour [arcsec]; 3 by default.
        satellites: Galaxies beside the lens whose mass is to be modelled, by `detect` and
            `fit --flexible`: up to three places as in `centre`, separated by semicolons, such as
            `131,88; 60,97`; or found, for the brightest sources beyond the protected radius.
        lens: Name of the lens: images with the same name are bands of one lens, which `detect` and
            `fit --flexible` take together; the first is the one that places refer to.
        resample: Pixel scale to resample to [arcsec/pixel]; flux is conserved. Not by default.
    """

    images: str | None = None
    extension: str | int | None = None
    band: str | int | None = None
    noise_map: str | None = None
    noise_kind: NoiseKind | None = None
    psf: str | float | None = None
    psf_pixel_scale: float | None = None
    mask: str | None = None
    mask_keeps: bool | None = None
    search: bool | None = None
    pixel_scale: float | None = None
    unit: str | None = None
    exposure: float | None = None
    gain: float | None = None
    centre: str | tuple[float, float] | None = None
    size: int | None = None
    background: Background | None = None
    neighbours: Neighbours | None = None
    protected_radius: float | None = None
    satellites: str | None = None
    lens: str | None = None
    resample: float | None = None

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise BadInput(f"--{name.replace('_', '-')} must be positive, not {value:g}")
        if self.images is not None and self.images.count("*") != 1:
            raise BadInput(f"--images must be a pattern with one *, not {self.images!r}")

    def over(self, other: "ImageOptions") -> "ImageOptions":
        """These options, and those of `other` where these say nothing."""
        given = {item.name: getattr(self, item.name) for item in fields(self)}
        return replace(other, **{name: value for name, value in given.items() if value is not None})

    def relative_to(self, folder: Path) -> "ImageOptions":
        """The same with the files named relative to a folder; patterns stay as they are."""
        moved = {name: _in_folder(getattr(self, name), folder) for name in FILE_OPTIONS}
        return replace(self, **moved)


def read_options(values: Mapping[str, Any], *, source: str, folder: Path) -> ImageOptions:
    """Options from plain values, with files relative to a folder.

    Args:
        values: Plain values by name.
        source: Where they come from, for messages.
        folder: Folder that relative file names start from.

    Raises:
        BadConfig: If a name is unknown or a value is invalid.
    """
    options: ImageOptions = read_as(ImageOptions, dict(values), BadConfig, source=source)
    return options.relative_to(folder)


def read_survey(path: Path) -> ImageOptions:
    """The YAML that tells once what holds for all images of a survey.

    Raises:
        BadConfig: If it cannot be read, a name is unknown, or a value is invalid.
    """
    content = read_yaml(path, BadConfig)
    if not isinstance(content, dict):
        raise BadConfig(f"{path}: a survey file maps names, such as pixel_scale, to values")
    return read_options(content, source=str(path), folder=path.parent)


def _in_folder(value: Any, folder: Path) -> Any:
    """A file name made relative to a folder; numbers, patterns and `[EXTENSION]` are kept."""
    if not isinstance(value, str) or "*" in value or value.startswith("[") or _is_number(value):
        return value
    return str(folder / value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
