"""Fit smooth lenses to image files: one row for every file, readable or not."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Num

from darklens.cutouts import central_cutout
from darklens.data import Plane, pixel_problem, read_plane
from darklens.errors import BadInput, UnreadableImage, reason_of
from darklens.lensing import PixelGrid
from darklens.lensing.instrument import PSF
from darklens.lensing.noise import DeepLenseSimNoise, NoNoise, PhotonNoise
from darklens.modelling import (
    GaussianLikelihood,
    ImageFitter,
    SmoothFit,
    SmoothFitter,
    SmoothModel,
    adapt_preset,
    fit_estimates,
    sky_noise,
    smooth_model,
)
from darklens.modelling.adaptation import Mass
from darklens.naming import visible
from darklens.simulation import Preset

__all__ = ["FileFit", "FileFitter", "fit_files", "fit_row", "fit_table"]

Image = Float[np.ndarray, "h w"]
Centre = Float[np.ndarray, "i j"]

_SMALLEST = 20


@dataclass(frozen=True)
class FileFit:
    """The result for one file: a fit, or the reason why there is none.

    Attributes:
        path: The file.
        image: The fitted pixels, in the units of the fit.
        fit: The fit, or None if there was an error.
        model: The fitted model.
        counts: Origin of the counts: `stored`, `recovered`, `estimated`, or empty if the image
            has no counts.
        noise: Origin of the noise: `preset`, `map`, `estimated` from the sky, or `nominal` if the
            preset has none.
        note: Mismatches between image and preset, in words, or empty.
        error: The reason, or empty.
    """

    path: Path
    image: Image | None = None
    fit: SmoothFit | None = None
    model: SmoothModel | None = None
    counts: str = ""
    noise: str = ""
    note: str = ""
    error: str = ""

    def __repr__(self) -> str:
        return f"FileFit({visible(self.path)!r}: {visible(self.error) or self.fit!r})"


class FileFitter:
    """Fits the smooth lenses of one preset to files.

    Args:
        preset: The preset.
        noise_map: Standard deviation of each pixel; infinite for masked pixels.
        psf: Point spread function instead of the preset's.
        pixel_scale: Pixel scale [arcsec/pixel], if the files do not give it.
        extension: Name or number of the extension of FITS files.
        size: Side of the central square to fit [pixel]; the whole image if None.
        mass: Isothermal sphere or ellipsoid; as in the preset if None.
        lens_light: Whether to fit the light of the lens galaxy; as in the preset if None.

    Raises:
        BadInput: If the arguments are inconsistent.
        BadPreset: If the preset has no noise.
    """

    def __init__(
        self,
        preset: Preset,
        *,
        noise_map: Num[np.ndarray, "h w"] | None = None,
        psf: PSF | None = None,
        pixel_scale: float | None = None,
        extension: str | None = None,
        size: int | None = None,
        mass: Mass | None = None,
        lens_light: bool | None = None,
    ) -> None:
        self._preset = adapt_preset(preset, psf=psf, mass=mass, lens_light=lens_light)
        counting = isinstance(preset.noise, PhotonNoise | DeepLenseSimNoise)
        if noise_map is not None and counting and not preset.general:
            raise BadInput(
                f"the preset {preset.name} defines its own noise; a noise map needs a general "
                "preset, such as galaxy"
            )
        for name, value in (("pixel-scale", pixel_scale), ("size", size)):
            if value is not None and not preset.general:
                raise BadInput(
                    f"the preset {preset.name} has its own {name.replace('-', ' ')}: omit --{name}"
                )
            if value is not None and not value > 0:
                raise BadInput(f"--{name} must be positive, not {value:g}")
        if noise_map is not None:
            _check_noise(_central(noise_map, size))
        self._noise_map, self._pixel_scale = noise_map, pixel_scale
        self._extension, self._size = extension, size
        self._lock, self._models = Lock(), dict[PixelGrid, SmoothModel]()
        self._fitter: ImageFitter | None = None
        if not preset.general and noise_map is None:
            self._fitter = ImageFitter(self._preset)

    def fit(self, path: Path) -> FileFit:
        """Fit one file; errors are reported in the result."""
        try:
            return self._fit(path)
        except Exception as error:  # noqa: BLE001  one bad file must not stop the others
            return FileFit(path, error=reason_of(error))

    def _fit(self, path: Path) -> FileFit:
        plane = _read(path, self._extension)
        grid = PixelGrid(plane.image.shape, self._scale(plane))
        adapt_preset(self._preset, grid=grid)  # refuses a grid that differs from the preset's
        if self._fitter is not None:
            found = self._fitter.fit(plane.image)
            source = "" if found.counts is None else found.counts.source
            noise = "nominal" if isinstance(self._preset.noise, NoNoise) else "preset"
            return FileFit(path, found.image, found.fit, found.model, source, noise, found.note)
        image, noise_map, source = self._with_noise(plane.image)
        grid = PixelGrid(image.shape, grid.pixel_scale)
        model = replace(self._model(grid), likelihood=GaussianLikelihood(noise_map))
        return FileFit(path, image, SmoothFitter(model).fit(image), model, "", source)

    def _scale(self, plane: Plane) -> float:
        scale = self._pixel_scale or plane.pixel_scale
        if scale is None and self._preset.general:
            raise BadInput("the file does not give its pixel scale: give --pixel-scale, in arcsec")
        return scale or self._preset.grid.pixel_scale

    def _with_noise(self, image: Num[np.ndarray, "h w"]) -> tuple[Centre, Centre, str]:
        """The central square, its noise, and the origin of the noise."""
        values = image.astype(np.float64)
        if self._noise_map is not None and self._noise_map.shape != values.shape:
            raise BadInput(
                f"--noise-map has {self._noise_map.shape} pixels, the image {values.shape}"
            )
        if min(values.shape) < _SMALLEST or (self._size or _SMALLEST) < _SMALLEST:
            raise BadInput(f"fewer than {_SMALLEST} pixels on a side: no lens can be fitted")
        centre = _central(values, self._size)
        if self._noise_map is None:
            _check_known(centre, np.ones(centre.shape, dtype=bool))
            return centre, _central(sky_noise(values), self._size), "estimated"
        noise = _central(self._noise_map.astype(np.float64), self._size)
        _check_known(centre, np.isfinite(noise))
        return centre, noise, "map"

    def _model(self, grid: PixelGrid) -> SmoothModel:
        """The model on this grid; the noise is filled in for each image."""
        with self._lock:
            if grid not in self._models:
                unit = GaussianLikelihood(np.ones(grid.shape))
                preset = adapt_preset(self._preset, grid=grid)
                self._models[grid] = smooth_model(preset, unit)
            return self._models[grid]


def fit_files(fitter: FileFitter, paths: Sequence[Path], *, workers: int = 1) -> Iterator[FileFit]:
    """Fit files in order, several at a time.

    Args:
        fitter: The fitter.
        paths: Image files.
        workers: Threads that fit.
    """
    waiting = deque[Future[FileFit]]()
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for path in paths:
            waiting.append(pool.submit(fitter.fit, path))
            if len(waiting) > 2 * max(1, workers):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def fit_table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Table of the rows from `fit_row`: path, quality of the fit, parameters, and error."""
    names = dict.fromkeys(name for row in rows for name in row)
    last = ("note", "error")
    columns = [*(name for name in names if name not in last), *last]
    table = pd.DataFrame(rows, columns=columns)
    for name in ("path", "counts", "noise", "note", "error"):
        table[name] = table[name].astype("string")
    table["converged"] = table["converged"].astype("boolean")
    return table


def fit_row(row: FileFit) -> dict[str, Any]:
    """One row: path, chi_square, converged, counts, noise, parameters with errors."""
    head: dict[str, Any] = {"path": visible(row.path), "chi_square": np.nan, "converged": None}
    head |= {"counts": row.counts or None, "noise": row.noise or None}
    if row.fit is None:
        return head | {"error": visible(row.error)}
    head |= {"chi_square": row.fit.chi_square, "converged": row.fit.converged}
    for name, estimate in fit_estimates(row.fit).items():
        head |= {name: estimate.value, f"{name}_error": estimate.error}
    return head | {"note": row.note or None, "error": None}


def _read(path: Path, extension: str | None) -> Plane:
    plane = read_plane(path, extension)
    problem = pixel_problem(plane.image[None], allow_nan=True)
    if problem is not None:
        raise UnreadableImage(problem)
    return plane


def _check_noise(noise: Num[np.ndarray, "i j"]) -> None:
    """Refuse an invalid noise map."""
    if not np.all(noise > 0):  # false for NaN too
        raise BadInput("--noise-map has pixels that are NaN, zero or negative")
    if not np.isfinite(noise).any():
        raise BadInput("--noise-map leaves no pixel to fit")


def _check_known(image: Centre, used: Bool[np.ndarray, "i j"]) -> None:
    """Refuse an image with NaN among the pixels to fit."""
    unknown = int(np.isnan(image[used]).sum())
    if unknown:
        raise BadInput(
            f"{unknown} of the pixels to fit are NaN; fit a smaller square with --size, or give a"
            " --noise-map that is infinite there"
        )


def _central(image: Num[np.ndarray, "h w"], size: int | None) -> Num[np.ndarray, "i j"]:
    """The central square, or the whole image if it is not larger."""
    return np.ascontiguousarray(image if size is None else central_cutout(image, size))
