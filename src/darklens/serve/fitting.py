"""Fit the smooth lens of one uploaded image: what `darklens fit` gives, with pictures."""

import tempfile
from pathlib import Path

import numpy as np

from darklens.errors import BadInput
from darklens.evaluate.fit.curves import critical_curves
from darklens.evaluate.fit.files import FileFit, FileFitter, fit_row, fit_table
from darklens.lensing import Scene
from darklens.modelling import SmoothFit, SmoothModel, fit_estimates, fitted_scene
from darklens.naming import visible
from darklens.observations import ImageOptions, Target
from darklens.serve.classifying import table_bytes
from darklens.serve.messages import Fitted, FittedParameter, PanelPlane, SourcePlane
from darklens.serve.planes import plane_of
from darklens.serve.requests import FitFields
from darklens.serve.uploads import BinaryFile, store_uploads

__all__ = ["fit_file"]

_LIMIT = 5.0
_SOURCE_SIDE = 200


def fit_file(
    fitter: FileFitter, wanted: FitFields, name: str, content: BinaryFile, *, limit: int
) -> Fitted:
    """Fit one uploaded image.

    Args:
        fitter: The fitter.
        wanted: What is said about the image.
        name: Name given by the client.
        content: The file.
        limit: Most bytes.

    Raises:
        BadInput: If it is not one image, or cannot be fitted.
    """
    with tempfile.TemporaryDirectory(prefix="darklens-") as folder:
        uploads = store_uploads([(name, content)], Path(folder), channels=1, limit=limit)
        if len(uploads) > 1:
            raise BadInput(f"{visible(name)} holds {len(uploads)} images: fit one at a time")
        options = ImageOptions(
            psf=wanted.psf_fwhm, pixel_scale=wanted.pixel_scale, size=wanted.size
        )
        found = fitter.fit(Target(uploads[0].path, options))
        row = fit_row(found)
    if found.fit is None or found.model is None or found.image is None:
        raise BadInput(f"{visible(name)} cannot be fitted: {visible(found.error)}")
    table = fit_table([row | {"path": visible(name)}])
    csv = table_bytes(table, ".csv")
    return _fitted(found, found.fit, found.model, wanted.preset, visible(name), csv)


def _fitted(
    found: FileFit, fit: SmoothFit, model: SmoothModel, preset: str, name: str, csv: bytes
) -> Fitted:
    scene = fitted_scene(fit.parameters)
    critical, caustics = critical_curves(scene, model.grid)
    residual = np.where(np.isfinite(fit.noise), fit.residual, np.nan)
    estimates = fit_estimates(fit).items()
    image = fit.model if found.image is None else found.image
    return Fitted(
        name=name,
        preset=preset,
        chi_square=fit.chi_square,
        converged=fit.converged,
        counts=found.counts,
        noise=found.noise,
        note=found.note,
        pixel_scale=model.grid.pixel_scale,
        parameters=[FittedParameter(name, one.value, one.error) for name, one in estimates],
        panels=[
            PanelPlane("data", plane_of(image), None),
            PanelPlane("smooth model", plane_of(fit.model), None),
            PanelPlane("residual [noise]", plane_of(residual), _LIMIT),
        ],
        critical=[[(float(x), float(y)) for x, y in curve] for curve in critical],
        caustics=[[(float(x), float(y)) for x, y in curve] for curve in caustics],
        source=_source(scene, [float(np.abs(curve).max()) for curve in caustics]),
        csv=csv.decode("utf-8"),
    )


def _source(scene: Scene, reaches: list[float]) -> SourcePlane:
    """The source plane around the lens, wide enough for the source and near caustics."""
    source, lens = scene.sources[0], scene.lens
    offset = max(abs(source.x), abs(source.y))
    half = 1.1 * min(max([offset + 3 * source.radius, *reaches]), 5 * lens.einstein_radius)
    axis = half * np.linspace(-1, 1, _SOURCE_SIDE)
    x, y = np.meshgrid(axis, axis)
    light = np.sqrt(source.brightness(x, y) / source.amplitude)
    top = float(np.percentile(light, 99.9))  # the cusp in the centre outshines the rest
    return SourcePlane(plane_of(np.minimum(light, top)), (-half, half), (-half, half))
