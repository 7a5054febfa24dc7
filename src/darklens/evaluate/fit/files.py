"""Fit smooth lenses to image files: one row for every file, readable or not."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from jaxtyping import Float

from darklens.data import Plane, pixel_problem, read_plane
from darklens.errors import BadInput, UnreadableImage
from darklens.evaluate.image_files import attempt
from darklens.lensing import GaussianPSF, PixelGrid
from darklens.lensing.instrument import PSF
from darklens.lensing.noise import DeepLenseSimNoise, NoNoise, PhotonNoise
from darklens.modelling import (
    GaussianLikelihood,
    ImageFitter,
    Posterior,
    SmoothFit,
    SmoothFitter,
    SmoothModel,
    adapt_preset,
    conventional_parameters,
    doubt_of_lens,
    fit_estimates,
    sample_posterior,
    smooth_model,
    with_free_slope,
)
from darklens.modelling.adaptation import Mass
from darklens.naming import visible
from darklens.observations import (
    ImageOptions,
    Target,
    prepare_observation,
    read_observation,
    read_psf,
)
from darklens.simulation import Preset

__all__ = ["FileFit", "FileFitter", "fit_row", "fit_table"]

Image = Float[np.ndarray, "h w"]
Made = TypeVar("Made")

_KEPT = 8  # models of different grids and PSFs that are kept
_OF_ALL = ("images", "extension", "noise_map", "noise_kind", "psf", "psf_pixel_scale", "search")
_NO_SATELLITES = (
    "--satellites are modelled by detect, not by fit, unless it fits the flexible lens: add "
    "--flexible, or omit them"
)


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
        prepared: What was done to the image before the fit, in words, or empty.
        note: Mismatches between image and preset, in words, or empty.
        doubt: Why the fit of an observation is no strong lens, in words, or empty.
        error: The reason, or empty.
        posterior: Samples of the posterior, if they were asked for.
    """

    path: Path
    image: Image | None = None
    fit: SmoothFit | None = None
    model: SmoothModel | None = None
    counts: str = ""
    noise: str = ""
    prepared: str = ""
    note: str = ""
    doubt: str = ""
    error: str = ""
    posterior: Posterior | None = None

    def __repr__(self) -> str:
        return f"FileFit({visible(self.path)!r}: {visible(self.error) or self.fit!r})"


class FileFitter:
    """Fits the smooth lenses of one preset to files.

    A general preset fits observations: images with their own noise, mask, PSF and pixel scale, see
    `darklens.observations`. Any other fits images like its own; of what is said about such an
    image, only the extension and the PSF count.

    Args:
        preset: The preset.
        mass: Isothermal sphere or ellipsoid; as in the preset if None.
        lens_light: Whether to fit the light of the lens galaxy; as in the preset if None.
        posterior_steps: Largest number of steps in which the posterior is sampled, or 0.
        seed: Of the samples.

    Raises:
        BadInput: If the arguments are inconsistent.
        BadPreset: If the preset has no noise.
    """

    def __init__(
        self,
        preset: Preset,
        *,
        mass: Mass | None = None,
        lens_light: bool | None = None,
        posterior_steps: int = 0,
        seed: int = 0,
    ) -> None:
        self._steps, self._seed = posterior_steps, seed
        self._preset = adapt_preset(preset, mass=mass, lens_light=lens_light)
        self._lock = Lock()
        self._models = OrderedDict[Any, SmoothModel]()
        self._fitters = OrderedDict[Any, ImageFitter]()

    def fit(self, target: Target) -> FileFit:
        """Fit one file; errors are reported in the result."""
        own = self._preset.general or target.options.noise_map is not None
        work = self._fit_observation if own else self._fit_as_preset

        def checked(target: Target) -> FileFit:
            if target.options.satellites is not None:
                raise BadInput(_NO_SATELLITES)
            return self._sampled(work(target))

        return attempt(
            checked,
            target,
            lambda path, reason: FileFit(path, error=reason),
        )

    def _sampled(self, found: FileFit) -> FileFit:
        """The fit with its posterior, in which the slope of a general lens is free."""
        if not self._steps:
            return found
        assert found.image is not None  # errors are raised
        assert found.model is not None
        assert found.fit is not None
        model = with_free_slope(found.model) if self._preset.general else found.model
        posterior = sample_posterior(
            model, found.image, found.fit, seed=self._seed, steps=self._steps
        )
        if posterior.long_enough:
            return replace(found, posterior=posterior)
        note = (
            f"the chains of the posterior are only "
            f"{posterior.steps / posterior.autocorrelation_time:.0f} autocorrelation times long"
        )
        return replace(found, posterior=posterior, note="; ".join(filter(None, [found.note, note])))

    def _fit_as_preset(self, target: Target) -> FileFit:
        """Fit an image like those of the preset."""
        preset, said = self._preset, target.options
        self._check_own(said)
        plane = _read(target.path, None if said.extension is None else str(said.extension))
        grid = PixelGrid(plane.image.shape, plane.pixel_scale or preset.grid.pixel_scale)
        adapt_preset(preset, grid=grid)  # refuses a grid that differs from the preset's
        psf = read_psf(target.path, said, grid.pixel_scale)
        fitter = self._kept(
            self._fitters, _key(psf), lambda: ImageFitter(adapt_preset(preset, psf=psf))
        )
        found = fitter.fit(plane.image)
        counts = "" if found.counts is None else found.counts.source
        noise = "nominal" if isinstance(preset.noise, NoNoise) else "preset"
        return FileFit(
            target.path, found.image, found.fit, found.model, counts, noise, note=found.note
        )

    def _fit_observation(self, target: Target) -> FileFit:
        """Fit an image with its own noise and PSF."""
        preset, said = self._preset, target.options
        if not preset.general:
            self._check_own(said)
            if isinstance(preset.noise, PhotonNoise | DeepLenseSimNoise):
                raise BadInput(
                    f"the preset {preset.name} defines its own noise; a noise map needs a general "
                    "preset, such as galaxy"
                )
            said = replace(said, pixel_scale=preset.grid.pixel_scale)
        seen = prepare_observation(read_observation(target.path, said), said)
        noise, pixel_scale = seen.noise_and_scale()
        model = self._model(PixelGrid(seen.image.shape, pixel_scale), seen.psf)
        model = replace(model, likelihood=GaussianLikelihood(noise))
        fit = SmoothFitter(model).fit(seen.image)
        return FileFit(
            target.path,
            seen.image,
            fit,
            model,
            noise=seen.noise_origin,
            prepared="; ".join(seen.notes),
            doubt=doubt_of_lens(model, fit) if preset.general else "",
        )

    def _check_own(self, said: ImageOptions) -> None:
        """Refuse what cannot be said about images of a preset that is not general."""
        for name, value in vars(said).items():
            if value is not None and name not in _OF_ALL:
                raise BadInput(
                    f"the preset {self._preset.name} says what its images are like: omit"
                    f" --{name.replace('_', '-')}, or take a general preset, such as galaxy"
                )

    def _model(self, grid: PixelGrid, psf: PSF | None) -> SmoothModel:
        """The model on this grid; the noise is filled in for each image."""

        def make() -> SmoothModel:
            unit = GaussianLikelihood(np.ones(grid.shape))
            return smooth_model(adapt_preset(self._preset, grid=grid, psf=psf), unit)

        return self._kept(self._models, (grid, _key(psf)), make)

    def _kept(self, made: OrderedDict[Any, Made], key: Any, make: Callable[[], Made]) -> Made:
        """What was made for a key, or is made now; the oldest are forgotten."""
        with self._lock:
            if key not in made:
                made[key] = make()
                if len(made) > _KEPT:
                    made.popitem(last=False)
            return made[key]


def fit_table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Table of the rows from `fit_row`: path, quality of the fit, parameters, and error."""
    names = dict.fromkeys(name for row in rows for name in row)
    last = ("prepared", "note", "error")
    columns = [*(name for name in names if name not in last), *last]
    table = pd.DataFrame(rows, columns=columns)
    for name in ("path", "counts", "noise", "prepared", "note", "error"):
        table[name] = table[name].astype("string")
    table["converged"] = table["converged"].astype("boolean")
    return table


def fit_row(row: FileFit) -> dict[str, Any]:
    """One row: path, chi_square, converged, counts, noise, parameters with errors."""
    head: dict[str, Any] = {"path": visible(row.path), "chi_square": np.nan, "converged": None}
    head |= {"counts": row.counts or None, "noise": row.noise or None}
    if row.fit is None:
        return head | {"error": visible(row.error)}
    credible = row.fit.converged and not row.doubt
    head |= {"chi_square": row.fit.chi_square, "converged": credible}
    for name, estimate in fit_estimates(row.fit).items():
        head |= {name: estimate.value, f"{name}_error": estimate.error}
    head |= _percentiles(row.posterior)
    head |= {"prepared": row.prepared or None}
    return head | {"note": "; ".join(filter(None, [row.doubt, row.note])) or None, "error": None}


def _percentiles(posterior: Posterior | None) -> dict[str, float]:
    """The median of each parameter and the ends of its central 68 %."""
    if posterior is None:
        return {}
    named = conventional_parameters(posterior.names, posterior.samples)
    return {
        f"{name}_p{percent}": float(np.percentile(values, percent))
        for name, values in named.items()
        for percent in (16, 50, 84)
    }


def _read(path: Path, extension: str | None) -> Plane:
    plane = read_plane(path, extension)
    problem = pixel_problem(plane.image[None], allow_nan=True)
    if problem is not None:
        raise UnreadableImage(problem)
    return plane


def _key(psf: PSF | None) -> Any:
    """What tells PSFs apart."""
    if psf is None or isinstance(psf, GaussianPSF):
        return psf
    return psf.pixels.shape, psf.pixels.tobytes()
