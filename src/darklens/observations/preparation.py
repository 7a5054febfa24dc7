"""From an observation as read to one that can be fitted: each step is asked for, and said.

The steps, in this order: the noise is estimated where there is no map; the sky is subtracted; a
square is cut out around the lens; it is resampled; neighbours are masked. Nothing is done that was
not asked for, but for the noise, without which nothing can be fitted.
"""

import re
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from darklens.errors import BadInput
from darklens.lensing.instrument import PSF, GaussianPSF
from darklens.observations.centre import locate, parse_centre
from darklens.observations.neighbours import (
    Neighbours,
    brightest_galaxy,
    find_neighbours,
    measure_sky,
)
from darklens.observations.observation import Observation
from darklens.observations.options import FOUND, ImageOptions
from darklens.observations.photometry import photon_noise
from darklens.observations.point_spread import resampled_psf
from darklens.observations.resampling import resample, resample_mask, resample_noise

__all__ = ["PROTECTED_RADIUS", "prepare_observation"]

Image = Float[np.ndarray, "h w"]

PROTECTED_RADIUS = 3.0
"""Default radius around the centre within which nothing is masked as a neighbour [arcsec]."""

_SMALLEST = 20  # pixels on a side
_OFF_CENTRE = 0.2  # arcsec between the middle and the brightest galaxy that are worth a note
_NEAR = 0.25  # of the shorter side: a brighter galaxy farther off is a neighbour
_ROUNDING = 1e-6  # of a pixel, lest a scale in a header cost a whole one
_LARGEST = 4_000_000  # pixels of an image whose neighbours are counted unasked
_MARGIN = 2.0  # pixels around a neighbour
_MOST_SATELLITES = 3
_PER_AREA = re.compile(r"/\s*\(?(sr|arcsec)|(sr|arcsec)\s*(\*\*|\^)?-[12]", re.IGNORECASE)


def prepare_observation(
    observation: Observation, options: ImageOptions | None = None
) -> Observation:
    """Prepare an observation for a fit.

    Args:
        observation: The observation as read.
        options: How to prepare it.

    Raises:
        BadInput: If something is missing that only its owner knows, such as the pixel scale, or a
            step is impossible.
    """
    said = options or ImageOptions()
    if observation.pixel_scale is None:
        raise BadInput("the file does not give its pixel scale: give --pixel-scale, in arcsec")
    made = _with_noise(observation)
    if said.background == "subtract":
        made = _without_sky(made)
    made = _cut(made, said)
    if said.resample is not None:
        made = _resampled(made, said.resample)
    beside = _beside(made, said)
    made = _without_neighbours(made, said, beside)
    if said.satellites == FOUND:
        made = _with_found_satellites(made, beside)
    else:
        made = replace(made, satellites=_satellites(observation, made, said.satellites))
    if min(made.image.shape) < _SMALLEST:
        raise BadInput(f"fewer than {_SMALLEST} pixels on a side: no lens can be fitted")
    if made.mask.all():
        raise BadInput("every pixel is masked")
    return made


def _satellites(
    observation: Observation, made: Observation, said: str | None
) -> tuple[tuple[float, float], ...]:
    """Offsets of the satellites from the centre of the prepared image [arcsec]."""
    places = [part for part in (said or "").split(";") if part.strip()]
    if len(places) > _MOST_SATELLITES:
        raise BadInput(f"--satellites: at most {_MOST_SATELLITES}, not {len(places)}")
    scale = observation.pixel_scale
    assert scale is not None
    found = []
    for part in places:
        given = parse_centre(part, "--satellites")
        if given.kind not in ("numbers", "sky"):
            raise BadInput(
                f"--satellites {part.strip()!r} must be x,y [pixel, from 0] or RA,Dec, or {FOUND}"
                " alone"
            )
        x, y, _ = locate(given, observation.image.shape, observation.wcs, "--satellites")
        found.append((scale * (x - made.centre[0]), scale * (y - made.centre[1])))
    return tuple(found)


def _with_found_satellites(made: Observation, beside: Neighbours | None) -> Observation:
    """The brightest sources beyond the protected radius as satellites."""
    if beside is None or not beside.count:
        note = "no source beside the lens is found: no satellites"
        return replace(made, notes=(*made.notes, note))
    chosen, scale = beside.places[:_MOST_SATELLITES], made.pixel_scale
    assert scale is not None
    rows, columns = made.image.shape
    offsets = tuple(
        (scale * (x - 0.5 * (columns - 1)), scale * (y - 0.5 * (rows - 1))) for x, y in chosen
    )
    where = "; ".join(f"{x:.2f}, {y:.2f}" for x, y in offsets)
    note = f"took the brightest sources beside the lens for satellites, at {where} arcsec from it"
    return replace(made, satellites=offsets, notes=(*made.notes, note))


def _with_noise(observation: Observation) -> Observation:
    """The observation with its noise: that of the map, or estimated from sky and photons."""
    if observation.noise is not None:
        return observation
    sky = observation.sky
    if sky is None:
        raise BadInput("the noise cannot be estimated: the border is constant; give a noise map")
    noise = np.full(observation.image.shape, sky.rms)
    how = "estimated from the sky"
    if observation.electrons is not None:
        filled = np.where(observation.mask, sky.level, observation.image)
        noise = np.hypot(noise, photon_noise(filled, observation.electrons, sky.level))
        how += f" and the photons, {observation.electrons:.6g} electrons in a unit"
    noise = np.where(observation.mask, np.inf, noise)
    sources = dict(observation.sources) | {"noise": how}
    return replace(observation, noise=noise, noise_is_estimated=True, sources=sources)


def _without_sky(observation: Observation) -> Observation:
    """The observation with the sky at its border subtracted."""
    sky = observation.sky
    if sky is None:
        raise BadInput("the sky cannot be measured: the border of the image is constant")
    note = f"subtracted the sky at the border, {sky.level:.4g}"
    return replace(
        observation,
        image=observation.image - sky.level,
        sky=replace(sky, level=0.0),
        notes=(*observation.notes, note),
    )


@dataclass(frozen=True)
class _Place:
    """Where the cutout is to lie, and how that was said."""

    x: float
    y: float
    words: str
    middle: bool


def _cut(observation: Observation, said: ImageOptions) -> Observation:
    """The square around the centre."""
    place, notes = _placed(observation, said)
    rows, columns = _sides(observation, place, said)
    if (rows, columns) == observation.image.shape:
        return replace(observation, notes=(*observation.notes, *notes))
    if min(rows, columns) < _SMALLEST:
        raise BadInput(f"fewer than {_SMALLEST} pixels on a side: no lens can be fitted")
    from astropy.nddata import Cutout2D

    def cut(image: Image, wcs: object = None) -> Cutout2D:
        where, size = (place.x, place.y), (rows, columns)
        return Cutout2D(image, where, size, wcs=wcs, mode="partial", fill_value=np.nan, copy=True)

    found = cut(observation.image, observation.wcs)
    outside = np.isnan(cut(np.zeros(observation.image.shape)).data)
    mask = outside | (cut(observation.mask.astype(np.float64)).data == 1)
    noise = None
    if observation.noise is not None:
        noise = np.where(mask, np.inf, cut(observation.noise).data)
    corner = np.subtract(found.origin_original, found.origin_cutout)
    notes.append(f"cut out {rows} x {columns} pixels around {place.words}")
    if outside.any():
        notes.append(f"{int(outside.sum())} pixels of the cutout lie outside of the image")
    return replace(
        observation,
        image=np.asarray(found.data),
        mask=mask,
        noise=noise,
        wcs=found.wcs if observation.wcs is not None else None,
        centre=(
            float(corner[0]) + 0.5 * (columns - 1),
            float(corner[1]) + 0.5 * (rows - 1),
        ),
        notes=(*observation.notes, *notes),
    )


def _placed(observation: Observation, said: ImageOptions) -> tuple[_Place, list[str]]:
    """Where the lens is, with a note if the brightest galaxy is somewhat off the middle."""
    centre = parse_centre(said.centre)
    usable, scale = ~observation.mask, observation.pixel_scale or 1.0
    width = _psf_width(observation.psf, scale)
    if centre.kind == "brightest":
        x, y = brightest_galaxy(observation.image, usable, psf_width=width)
        words = f"the brightest galaxy, at pixel {x:.0f}, {y:.0f}"
        return _Place(x, y, words, middle=False), []
    x, y, words = locate(centre, observation.image.shape, observation.wcs)
    place = _Place(x, y, words, middle=centre.kind == "middle")
    unasked = said.centre is None and observation.image.size <= _LARGEST
    if not unasked or observation.sky is None:
        return place, []
    try:
        other = brightest_galaxy(observation.image, usable, psf_width=width)
    except BadInput:
        return place, ["no source is found in the image"]
    offset = float(np.hypot(other[0] - x, other[1] - y))
    if not _OFF_CENTRE / scale < offset < _NEAR * min(observation.image.shape):
        return place, []
    note = (
        f"the brightest galaxy lies {offset * scale:.2f} arcsec from the middle: --centre brightest"
        " or a position centres it"
    )
    return place, [note]


def _sides(observation: Observation, place: _Place, said: ImageOptions) -> tuple[int, int]:
    """Rows and columns of the cutout.

    Without a size, it is the largest around the place that lies in the image.
    """
    rows, columns = observation.image.shape
    if said.size is None:
        if place.middle:
            return rows, columns
        half_rows = min(round(place.y), rows - 1 - round(place.y))
        half_columns = min(round(place.x), columns - 1 - round(place.x))
        return 2 * half_rows + 1, 2 * half_columns + 1
    size = said.size
    if said.resample is not None:
        size = int(np.ceil(size * said.resample / (observation.pixel_scale or 1.0) - _ROUNDING))
    return (min(size, rows), min(size, columns)) if place.middle else (size, size)


def _resampled(observation: Observation, scale: float) -> Observation:
    """The observation on pixels of another scale."""
    old = observation.pixel_scale or scale
    ratio = scale / old
    rows, columns = (int(side / ratio + _ROUNDING) for side in observation.image.shape)
    shape = (max(rows, 1), max(columns, 1))
    level = observation.sky.level if observation.sky else 0.0
    image = resample(np.where(observation.mask, level, observation.image), ratio, shape)
    per_area = _PER_AREA.search(observation.unit) is not None
    factor = 1 / ratio**2 if per_area else 1.0
    mask = resample_mask(observation.mask, ratio, shape)
    noise = observation.noise
    if noise is not None:
        noise = np.where(mask, np.inf, factor * resample_noise(noise, ratio, shape))
    kept = "surface brightness" if per_area else "flux"
    note = f"resampled from {old:.4g} to {scale:.4g} arcsec/pixel, {kept} conserved"
    if ratio % 1:
        note += "; neighbouring pixels share noise"
    psf = observation.psf
    return replace(
        observation,
        image=factor * image,
        mask=mask,
        noise=noise,
        pixel_scale=scale,
        psf=None if psf is None else resampled_psf(psf, ratio),
        wcs=_scaled_wcs(observation, ratio, shape),
        sky=measure_sky(factor * image, ~mask),
        notes=(*observation.notes, note),
    )


def _scaled_wcs(observation: Observation, ratio: float, shape: tuple[int, int]) -> object:
    """The WCS of pixels that are longer by `ratio` about the same middle."""
    if observation.wcs is None:
        return None
    wcs = observation.wcs.deepcopy()
    old = np.array(observation.image.shape[::-1])
    new = np.array(shape[::-1])
    wcs.wcs.crpix = (wcs.wcs.crpix - 0.5 * (old + 1)) / ratio + 0.5 * (new + 1)
    if wcs.wcs.has_cd():
        wcs.wcs.cd = wcs.wcs.cd * ratio
    else:
        wcs.wcs.cdelt = wcs.wcs.cdelt * ratio
    wcs.wcs.set()
    return wcs


def _beside(observation: Observation, said: ImageOptions) -> Neighbours | None:
    """The sources beyond the protected radius, unless they are of no interest."""
    scale = observation.pixel_scale or 1.0
    usable: Bool[np.ndarray, "h w"] = ~observation.mask
    asked = said.neighbours == "mask" or said.satellites == FOUND
    if not asked and (observation.sky is None or usable.size > _LARGEST):
        return None
    return find_neighbours(
        observation.image,
        usable,
        protected=_protected(said) / scale,
        margin=max(_MARGIN, _psf_width(observation.psf, scale)),
    )


def _protected(said: ImageOptions) -> float:
    return said.protected_radius or PROTECTED_RADIUS


def _without_neighbours(
    observation: Observation, said: ImageOptions, found: Neighbours | None
) -> Observation:
    """The observation with neighbours masked, or a note that there are some."""
    if found is None or not found.count:
        return observation
    sources = f"{found.count} source{'s' * (found.count > 1)} beyond {_protected(said):g} arcsec"
    if said.neighbours != "mask":
        note = f"{sources}: --neighbours mask leaves them out"
        return replace(observation, notes=(*observation.notes, note))
    mask = observation.mask | found.mask
    note = f"masked {sources}, {int(found.mask.sum())} pixels"
    noise = observation.noise
    return replace(
        observation,
        mask=mask,
        noise=None if noise is None else np.where(mask, np.inf, noise),
        notes=(*observation.notes, note),
    )


def _psf_width(psf: PSF | None, scale: float) -> float:
    """Full width at half maximum of a PSF [pixel], or 0 if it is unknown."""
    if psf is None:
        return 0.0
    if isinstance(psf, GaussianPSF):
        return psf.fwhm / scale
    above = int((psf.pixels > 0.5 * psf.pixels.max()).sum())
    return 2 * float(np.sqrt(above / np.pi))
