"""Simulate one lens from the sliders, and draw lenses of a shipped preset."""

import io
import time
from typing import Any

import numpy as np
from jaxtyping import Num

from darklens.evaluate.fit.curves import critical_curves
from darklens.files.plain_yaml import dump_yaml
from darklens.lensing import Perturbers
from darklens.serve.lens_settings import LensSettings, preset_content, python_lines, settings_like
from darklens.serve.messages import Drawn, Perturber, Simulated
from darklens.serve.planes import plane_of
from darklens.simulation import Lens, Preset, Simulator, parse_preset

__all__ = ["FORMATS", "draw_lenses", "lens_file", "npy_bytes", "simulate_lens"]

FORMATS = {
    "fits": "image/fits",
    "npy": "application/octet-stream",
    "yaml": "text/yaml; charset=utf-8",
    "py": "text/x-python; charset=utf-8",
}
"""Media types of the files that a simulated lens can become."""


def simulate_lens(settings: LensSettings, *, overlays: bool = False) -> Simulated:
    """The lens of these settings.

    Args:
        settings: The settings.
        overlays: Whether to add critical curves, caustics and perturbers.

    Raises:
        BadPreset: If the settings make an impossible lens, such as one that saturates.
    """
    start = time.perf_counter()
    preset, lens = _lens(settings)
    critical, caustics = critical_curves(lens.scene, preset.grid) if overlays else ([], [])
    return Simulated(
        image=plane_of(lens.image[0]),
        pixel_scale=settings.pixel_scale,
        peak=float(lens.image.max()),
        critical=[_points(curve) for curve in critical],
        caustics=[_points(curve) for curve in caustics],
        perturbers=_perturbers(lens.scene.perturbers) if overlays else [],
        milliseconds=1000 * (time.perf_counter() - start),
    )


def lens_file(settings: LensSettings, kind: str) -> bytes:
    """The lens of these settings as a file of one of `FORMATS`."""
    if kind == "yaml":
        return dump_yaml(preset_content(settings), width=100).encode("utf-8")
    if kind == "py":
        return python_lines(settings).encode("utf-8")
    _, lens = _lens(settings)
    return npy_bytes(lens.image) if kind == "npy" else _fits_bytes(lens.image[0], settings)


def npy_bytes(image: Num[np.ndarray, "..."]) -> bytes:
    """An array as the bytes of a `.npy` file."""
    memory = io.BytesIO()
    np.save(memory, image)
    return memory.getvalue()


def draw_lenses(preset: str, label: str | None, count: int, seed: int) -> Drawn:
    """Lenses of a shipped preset, and settings that resemble the first.

    Args:
        preset: Name of the preset.
        label: Class of all; all classes in turn if None.
        count: Number of lenses.
        seed: The same seed gives the same lenses.

    Raises:
        BadInput: If there is no such preset or class.
    """
    settings = settings_like(preset, label, seed)
    simulator = Simulator(preset, classes=None if label is None else (label,))
    lenses = simulator.simulate(count, seed=seed)
    return Drawn(
        preset=preset,
        classes=[simulator.classes[number] for number in lenses.labels],
        images=[plane_of(image[0]) for image in lenses.images],
        pixel_scale=simulator.preset.grid.pixel_scale,
        settings=settings,
    )


def _lens(settings: LensSettings) -> tuple[Preset, Lens]:
    preset = parse_preset(preset_content(settings))
    return preset, Simulator(preset).lens(0, seed=settings.seed)


def _points(curve: Num[np.ndarray, "n 2"]) -> list[tuple[float, float]]:
    return [(round(float(x), 4), round(float(y), 4)) for x, y in curve]


def _perturbers(found: Perturbers) -> list[Perturber]:
    """Subhalos and lines, for drawing."""
    made = [Perturber("subhalo", [x], [y], theta) for x, y, theta in found.points.tolist()]
    for x, y, angle, half_length, theta, _ in found.lines.tolist():
        ends = half_length * np.array([-1.0, 1.0])
        across = (x + ends * np.cos(angle)).tolist(), (y + ends * np.sin(angle)).tolist()
        made.append(Perturber("line", *across, theta))
    return made


def _fits_bytes(image: Num[np.ndarray, "h w"], settings: LensSettings) -> bytes:
    """The image as FITS, with its pixel scale and its settings in the header."""
    from astropy.io import fits

    header: Any = fits.Header()
    rows, columns = image.shape
    degrees = settings.pixel_scale / 3600
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CRPIX1"], header["CRPIX2"] = 0.5 * (columns + 1), 0.5 * (rows + 1)
    header["CRVAL1"], header["CRVAL2"] = 0.0, 0.0
    header["CDELT1"], header["CDELT2"] = -degrees, degrees
    header["CUNIT1"], header["CUNIT2"] = "deg", "deg"
    header["PIXSCALE"] = (settings.pixel_scale, "[arcsec]")
    header["COMMENT"] = "simulated by darklens serve; the place on the sky is invented"
    memory = io.BytesIO()
    fits.PrimaryHDU(image, header).writeto(memory)
    return memory.getvalue()
