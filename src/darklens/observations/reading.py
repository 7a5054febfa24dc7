"""Read one observed lens with all that belongs to it, whole and unchanged.

What is said about an image (`ImageOptions`) counts before what its file says. Noise map, mask and
PSF that are not named are looked for by name: in the file, then beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Num, Shaped

from darklens.data import pixel_problem, pixel_scale_of, read_plane, world_coordinates
from darklens.data.decoding import recorded_warnings
from darklens.data.readers import read_pixels
from darklens.errors import BadInput, BadPreset, UnreadableImage
from darklens.lensing.instrument import PSF, GaussianPSF
from darklens.naming import sides, visible
from darklens.observations.companions import Beside, files_beside, resolve_name
from darklens.observations.contents import Chosen, choose_plane
from darklens.observations.neighbours import measure_sky
from darklens.observations.noise_maps import (
    NoiseKind,
    is_boolean,
    noise_problem,
    standard_deviation,
)
from darklens.observations.observation import Observation
from darklens.observations.options import ImageOptions
from darklens.observations.photometry import read_photometry
from darklens.observations.pictures import picture_plane
from darklens.observations.point_spread import gaussian_psf, pixel_psf
from darklens.observations.roles import NOISE_ROLES, read_name

__all__ = ["read_observation", "read_psf"]

Found = TypeVar("Found")
_SMALLEST = 20  # pixels on a side
_SAME_SCALE = 0.01  # relative difference of pixel scales that does not matter
_SQUARE = 0.02  # relative difference of the sides of a pixel that does not matter
_KINDS = {"rms": "standard deviation", "variance": "variance", "weight": "inverse variance"}


@dataclass(frozen=True)
class _Source:
    """Where a companion is read from: a file, and how that was found."""

    name: str
    how: str
    option: str

    def read(self) -> Num[np.ndarray, "h w"]:
        try:
            return read_plane(self.name).image
        except UnreadableImage as error:
            raise BadInput(f"{self.label}: {error}") from None

    @property
    def label(self) -> str:
        """For messages: the option that named the file, or how it was found."""
        if not self.how:
            return f"--{self.option.replace('_', '-')} {visible(self.name)}"
        return f"{visible(self.name)}, the {self.option.replace('_', ' ')} {self.how}"


def read_observation(path: Path, options: ImageOptions | None = None) -> Observation:
    """Read an image, its noise map, mask and PSF, its place on the sky and its photometry.

    Args:
        path: The file, one image of a stack, or `FILE[EXTENSION]`.
        options: What is said about it.

    Raises:
        UnreadableImage: If the file cannot be read.
        BadInput: If it is no image to use, a choice is open, or a companion does not fit it.
    """
    with recorded_warnings():  # of headers that bend the rules
        return _read(path, options or ImageOptions())


def _read(path: Path, said: ImageOptions) -> Observation:
    chosen = choose_plane(path, said.extension, said.band)
    pixels, header, notes = _pixels(path, chosen, said)
    image = pixels.astype(np.float64)
    if (problem := pixel_problem(pixels[None], allow_nan=True)) is not None:
        raise UnreadableImage(problem)
    headers = () if chosen is None else chosen.headers
    photometry = read_photometry(headers, unit=said.unit, exposure=said.exposure, gain=said.gain)
    wcs = None if header is None else world_coordinates(header)
    scale = None if header is None else pixel_scale_of(header)
    beside = _beside(path, said)
    where = [] if chosen is None else [chosen.label]
    observation = Observation(
        name=str(path) if chosen is None or not chosen.several else _named(path, chosen),
        image=image,
        mask=np.isnan(image),
        pixel_scale=said.pixel_scale or scale,
        wcs=wcs,
        band=(chosen.band if chosen else "") or _band_said(said),
        unit=photometry.unit,
        electrons=photometry.electrons,
        centre=(0.5 * (image.shape[1] - 1), 0.5 * (image.shape[0] - 1)),
        sources={
            "image": ", ".join([f"{sides(image.shape)} {pixels.dtype}", *where]),
            "pixel_scale": "given" if said.pixel_scale else "header" if scale else "",
        },
        notes=(*notes, *_other_scale(said.pixel_scale, scale)),
    )
    observation = _with_mask(observation, _mask_source(path, said, chosen, beside), said)
    observation = _with_noise(observation, *_noise_source(path, said, chosen, beside))
    observation = _with_psf(observation, path, said, chosen, beside)
    return _checked(observation, chosen)


def _pixels(
    path: Path, chosen: Chosen | None, said: ImageOptions
) -> tuple[Shaped[np.ndarray, "h w"], Any, tuple[str, ...]]:
    """One plane, the header it came with, and notes on how it was chosen."""
    if chosen is not None:
        planes, header = read_pixels(chosen.file, chosen.selection)
    else:
        extension = None if said.extension is None else str(said.extension)
        planes, header = read_pixels(path, extension)
    plane, note = picture_plane(path, planes, said.band)
    return plane, header, (note,) * bool(note)


def _other_scale(given: float | None, header: float | None) -> tuple[str, ...]:
    """A note where the pixel scale that is given is not that of the header."""
    if given is None or header is None or abs(given / header - 1) < _SAME_SCALE:
        return ()
    return (f"the pixel scale given is {given:.4g} arcsec, that of the header {header:.4g}",)


def _named(path: Path, chosen: Chosen) -> str:
    """The file with the extension that was chosen in it."""
    item = chosen.extension
    part = item.name or str(item.number)
    return str(path) if str(path).endswith("]") else f"{path}[{part}]"


def _band_said(said: ImageOptions) -> str:
    return said.band if isinstance(said.band, str) and not said.band.isdecimal() else ""


def _beside(path: Path, said: ImageOptions) -> Beside:
    return Beside() if said.search is False else files_beside(path)


def _mask_source(
    path: Path, said: ImageOptions, chosen: Chosen | None, beside: Beside
) -> _Source | None:
    if said.mask is not None:
        return _Source(resolve_name(said.mask, path, said.images), "", "mask")
    if said.search is not False and chosen is not None and chosen.mask is not None:
        return _Source(f"{chosen.file}[{chosen.mask.number}]", "in the file", "mask")
    if beside.mask is not None:
        return _Source(str(beside.mask), "found by its name", "mask")
    return None


def _noise_source(
    path: Path, said: ImageOptions, chosen: Chosen | None, beside: Beside
) -> tuple[_Source | None, NoiseKind]:
    """Where the noise map is read from, and what it holds."""
    found: _Source | None = None
    kind: Any = "rms"
    if said.noise_map is not None:
        name = resolve_name(said.noise_map, path, said.images)
        found, kind = _Source(name, "", "noise_map"), _kind_of(name)
    elif said.search is not False and chosen is not None and chosen.noise is not None:
        item, kind = chosen.noise
        found = _Source(f"{chosen.file}[{item.number}]", f"{item.name} in the file", "noise_map")
    elif beside.noise is not None:
        file, kind = beside.noise
        found = _Source(str(file), "found by its name", "noise_map")
    return found, said.noise_kind or kind


def _kind_of(name: str) -> str:
    """What a noise map holds by the name of its extension or file."""
    file, bracket, extension = name.partition("[")
    for words in (extension.rstrip("]") if bracket else "", Path(file).name.split(".")[0]):
        role = read_name(words).role
        if role in NOISE_ROLES:
            return role
    return "rms"


def _with_mask(observation: Observation, source: _Source | None, said: ImageOptions) -> Observation:
    """The observation without the pixels of the mask's file."""
    if source is None:
        return observation
    values = source.read()
    _same_shape(source, values, observation)
    bad = _unknown(values) | ((values == 0) if said.mask_keeps else (values != 0))
    if bad.all():
        raise BadInput(f"{source.label} masks every pixel: is it 1 where pixels are good?")
    sources = dict(observation.sources) | {"mask": _described(source)}
    return replace(observation, mask=observation.mask | bad, sources=sources)


def _with_noise(observation: Observation, source: _Source | None, kind: NoiseKind) -> Observation:
    """The observation with its noise map; where that is infinite, pixels are masked."""
    sky = measure_sky(observation.image, ~observation.mask)
    observation = replace(observation, sky=sky)
    if source is None:
        return observation
    values = source.read()
    _same_shape(source, values, observation)
    if kind == "weight" and is_boolean(values):
        note = "the weight map holds only 0 and 1: it is used as a mask"
        mask = observation.mask | (values == 0)
        sources = dict(observation.sources) | {"mask": _described(source)}
        notes = (*observation.notes, note)
        return replace(observation, mask=mask, sources=sources, notes=notes)
    noise = _of(source, lambda: standard_deviation(values, kind))
    mask = observation.mask | np.isinf(noise)
    if mask.all():
        raise BadInput(f"{source.label} leaves no pixel to use")
    sky = measure_sky(observation.image, ~mask)
    problem = noise_problem(noise, ~mask, sky.rms if sky else 0.0)
    sources = dict(observation.sources) | {"noise": f"{_described(source)}, {_KINDS[kind]}"}
    notes = (*observation.notes, *[problem] * bool(problem))
    noise = np.where(mask, np.inf, noise)
    return replace(observation, noise=noise, mask=mask, sky=sky, sources=sources, notes=notes)


def _with_psf(
    observation: Observation,
    path: Path,
    said: ImageOptions,
    chosen: Chosen | None,
    beside: Beside,
) -> Observation:
    """The observation with its PSF."""
    source: _Source | None = None
    if said.psf is not None:
        source = _Source(resolve_name(str(said.psf), path, said.images), "", "psf")
    elif said.search is not False and chosen is not None and chosen.psf is not None:
        name = f"{chosen.file}[{chosen.psf.number}]"
        source = _Source(name, f"{chosen.psf.name} in the file", "psf")
    elif beside.psf is not None:
        source = _Source(str(beside.psf), "found by its name", "psf")
    if source is None:
        return observation
    psf, done = _psf(source, said, observation.pixel_scale)
    how = "given" if isinstance(psf, GaussianPSF) else _described(source)
    sources = dict(observation.sources) | {"psf": how}
    notes = (*observation.notes, *[f"the PSF was {done}"] * bool(done))
    return replace(observation, psf=psf, sources=sources, notes=notes)


def read_psf(path: Path, options: ImageOptions, pixel_scale: float) -> PSF | None:
    """The PSF that is named for an image, or None; it is not looked for.

    Args:
        path: The image.
        options: What is said about it.
        pixel_scale: Pixel scale of the image [arcsec/pixel].

    Raises:
        BadInput: If it cannot be read or is no PSF.
    """
    if options.psf is None:
        return None
    source = _Source(resolve_name(str(options.psf), path, options.images), "", "psf")
    return _psf(source, options, pixel_scale)[0]


def _psf(source: _Source, said: ImageOptions, scale: float | None) -> tuple[PSF, str]:
    """A PSF from a width or a file, and what was done to it."""
    if (width := _number(source.name)) is not None:
        return _of(source, lambda: gaussian_psf(width)), ""
    own = said.psf_pixel_scale or _scale_of(source)
    pixels = source.read()
    return _of(source, lambda: pixel_psf(pixels, scale=own, image_scale=scale))


def _scale_of(source: _Source) -> float | None:
    try:
        return read_plane(source.name).pixel_scale
    except UnreadableImage as error:
        raise BadInput(f"{source.label}: {error}") from None


def _checked(observation: Observation, chosen: Chosen | None) -> Observation:
    """The observation with notes on what to look at.

    Raises:
        BadInput: If it is too small, or nothing is left of it.
    """
    if min(observation.image.shape) < _SMALLEST:
        raise BadInput(f"fewer than {_SMALLEST} pixels on a side: no lens can be fitted")
    if observation.mask.all():
        raise BadInput("every pixel is masked")
    notes = list(observation.notes)
    orientation = observation.orientation
    if orientation is not None and orientation.elongation > 1 + _SQUARE:
        notes.append(
            f"pixels are longer on one side by {100 * (orientation.elongation - 1):.0f} %: they are"
            " taken as squares of the same area"
        )
    if chosen is not None and chosen.flags is not None and "mask" not in observation.sources:
        flags = chosen.flags
        notes.append(
            f"quality flags are not used unasked: --mask '[{flags.name or flags.number}]' masks all"
            " that are set"
        )
    return replace(observation, notes=tuple(notes))


def _same_shape(source: _Source, values: Num[np.ndarray, "i j"], observation: Observation) -> None:
    if values.shape != observation.image.shape:
        raise BadInput(
            f"{source.label} has {values.shape} pixels, the image {observation.image.shape}"
        )


def _of(source: _Source, make: Callable[[], Found]) -> Found:
    """What `make` makes of a companion; its errors name the companion."""
    try:
        return make()
    except (BadInput, BadPreset) as error:
        raise BadInput(f"{source.label}: {error}") from None


def _unknown(values: Num[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, dtype=bool)


def _described(source: _Source) -> str:
    name = visible(Path(source.name).name)
    return f"{name} ({source.how})" if source.how else name


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
