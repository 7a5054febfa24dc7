r"""What a smooth lens may do that the fitted model does not: linear directions with priors.

A real lens departs from its model in ways that are no substructure: its mass has multipoles, the
source is no Sersic profile, the PSF is not quite known, the lens emits light. Each such departure
changes the image by a small image `d` times an unknown amplitude with a Gaussian prior. With the
residual `z` and all directions in units of the noise and of the prior's standard deviation, as rows
of `D`, the amplitudes are marginalised analytically: the covariance of `z` is :math:`I + D^T D`,
and

.. math:: z' = (I + D^T D)^{-1} z = z - D^T (I + D D^T)^{-1} D \, z

The directions:

- **multipoles** m = 1, 3, 4 of an isothermal density, :math:`\kappa_m = a_m \cos(m \phi) / (2 r)`
  and its sine, whose deflections times the sensitivity of the image are the changes;
- **shapelets** of the source (Refregier 2003, arXiv:astro-ph/0105178), lensed by the fitted lens,
  and **clumps**, Gaussians at given places of the source that are too compact for the shapelets;
- **width and shape of the PSF**: second derivatives of the image;
- **light of the lens**: exponential profiles of several radii, with their dipoles and quadrupoles.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from darklens.modelling.derivatives import trace_smooth
from darklens.modelling.parameters import Parameter
from darklens.modelling.smooth_model import SmoothModel

__all__ = [
    "KINDS",
    "LENS_LIGHT",
    "NO_CLUMPS",
    "SOURCE",
    "NuisancePriors",
    "clump_images",
    "hermite_functions",
    "nuisance_directions",
    "shapelet_orders",
]

Image = Float[np.ndarray, "h w"]
Directions = Float32[np.ndarray, "_ h w"]
Parameters = Float[np.ndarray, " p"]

SOURCE, LENS_LIGHT = "structure of the source", "light of the lens"
Clumps = Float[np.ndarray, "c 3"]
"""Offset x, y from the centre of the source and width of each clump, over the source's radius."""

NO_CLUMPS = np.empty((0, 3))

_FAINT = -25.0  # exponent, below which a clump is dark
_DARK = 1e-15  # products of numbers below it are slow in single precision

KINDS = ("multipoles", SOURCE, "PSF", LENS_LIGHT)
"""Kinds of directions, in order."""


@dataclass(frozen=True)
class NuisancePriors:
    """Standard deviations of the amplitudes; 0 leaves the directions out.

    Args:
        multipole: Amplitude of each multipole over the Einstein radius.
        shapelets: Amplitude of each shapelet, over that of the source at its Sersic radius.
        shapelet_order: Largest order of the shapelets.
        shapelet_scale: Their scale over the Sersic radius.
        clump: Central brightness of a clump, over that of the source at its Sersic radius.
        psf_width: Relative width of the PSF.
        psf_ellipticity: Ellipticity of the PSF.
        lens_light: Flux of each profile over that of the unlensed source.
        lens_light_shape: Dipole and quadrupole of each profile, over its own light.
        lens_light_radii: Scale radii of the profiles [arcsec].
    """

    multipole: float = 0.007
    shapelets: float = 0.1
    shapelet_order: int = 14
    shapelet_scale: float = 0.3
    clump: float = 3.0
    psf_width: float = 0.04
    psf_ellipticity: float = 0.02
    lens_light: float = 0.1
    lens_light_shape: float = 0.3
    lens_light_radii: tuple[float, ...] = (0.1, 0.3, 0.8)


def nuisance_directions(
    model: SmoothModel,
    parameters: Parameters,
    sensitivity: Float[np.ndarray, "2 h w"],
    priors: NuisancePriors,
    clumps: Clumps = NO_CLUMPS,
    *,
    line: bool = False,
) -> dict[str, Directions]:
    """Changes of the image for one standard deviation of each amplitude, by kind.

    Args:
        model: The smooth model.
        parameters: Its fitted parameters.
        sensitivity: Derivative of the flux by an extra deflection along x and y, (2, h, w).
        priors: Standard deviations.
        clumps: Clumps of the source, last among the directions of its structure.
        line: Whether a line of mass bends what comes from the source's structure, too.

    Returns:
        The directions of each of `KINDS`, in units of flux; none of a kind without a prior.
    """
    x, y = model.grid.coordinates()
    x, y = x - parameters[Parameter.LENS_X], y - parameters[Parameter.LENS_Y]
    found = (
        _multipoles(x, y, parameters, sensitivity, priors.multipole),
        np.concatenate(
            [
                _shapelets(model, parameters, priors, line=line),
                clump_images(model, parameters, priors, clumps, line=line),
            ]
        ),
        _psf(model, parameters, priors),
        _lens_light(model, x, y, parameters, priors),
    )
    return {
        kind: np.reshape(np.asarray(images, dtype=np.float32), (-1, *model.grid.shape))
        for kind, images in zip(KINDS, found, strict=True)
    }


def _multipoles(
    x: Image, y: Image, p: Parameters, sensitivity: Float[np.ndarray, "2 h w"], prior: float
) -> list[Image]:
    r"""Cosine and sine of m = 1, 3, 4.

    For :math:`m > 1` the potential is :math:`r g(\phi)` with
    :math:`g = \cos(m \phi) / (1 - m^2)`; for m = 1 it is
    :math:`\frac{x}{2} \ln \frac{r}{\theta_E}`.
    """
    if not prior:
        return []
    theta = p[Parameter.EINSTEIN_RADIUS]
    r2 = x * x + y * y + 1e-12
    logarithm = 0.5 * np.log(r2 / theta**2)
    fields = [
        (0.5 * (logarithm + x * x / r2), 0.5 * x * y / r2),
        (0.5 * x * y / r2, 0.5 * (logarithm + y * y / r2)),
    ]
    angle = np.arctan2(y, x)
    cos, sin = np.cos(angle), np.sin(angle)
    for m in (3, 4):
        for phase in (0.0, 0.5 * np.pi):
            g = np.cos(m * angle - phase) / (1 - m * m)
            slope = -m * np.sin(m * angle - phase) / (1 - m * m)
            fields.append((g * cos - slope * sin, g * sin + slope * cos))
    return [prior * theta * (sensitivity[0] * ax + sensitivity[1] * ay) for ax, ay in fields]


def _shapelets(
    model: SmoothModel, p: Parameters, priors: NuisancePriors, *, line: bool
) -> Directions:
    """Cartesian shapelets about the source, of orders 1 and more, lensed and behind the PSF."""
    if not priors.shapelets:
        return np.empty((0, *model.grid.shape), np.float32)
    radius = np.exp(p[Parameter.SOURCE_LOG_RADIUS])
    scale = priors.shapelet_scale * radius
    beta_x, beta_y = trace_smooth(model.grid.shape, model.grid.pixel_scale, p, line=line)
    u = (beta_x - p[Parameter.SOURCE_X]) / scale
    v = (beta_y - p[Parameter.SOURCE_Y]) / scale
    order = priors.shapelet_order
    rows, columns = hermite_functions(u, order), hermite_functions(v, order)
    flux = np.exp(p[Parameter.SOURCE_LOG_AMPLITUDE]) * model.grid.pixel_scale**2
    rows *= np.float32(priors.shapelets * flux)
    first, second = np.transpose(shapelet_orders(order))
    products = rows[first]
    products *= columns[second]
    return np.asarray(model.instrument.observe(products, model.grid.pixel_scale))


def shapelet_orders(largest: int) -> list[tuple[int, int]]:
    """Orders along x and y of all shapelets, that of the source itself left out."""
    return [(a, n - a) for n in range(1, largest + 1) for a in range(n + 1)]


def clump_images(
    model: SmoothModel,
    p: Parameters,
    priors: NuisancePriors,
    clumps: Clumps,
    *,
    line: bool = False,
) -> Directions:
    """Clumps of the source, lensed and behind the PSF, of one standard deviation of the prior.

    Where the model covers blocks of pixels they are sums over the rays of each.

    Args:
        model: The smooth model.
        p: Its parameters.
        priors: Standard deviations.
        clumps: Offset x, y from the centre of the source and width of each, over its radius.
        line: Whether a line of mass deflects, too.
    """
    if model.exact is not None and len(clumps):
        return model.on_blocks(clump_images(model.exact, p, priors, clumps, line=line))
    radius = np.exp(p[Parameter.SOURCE_LOG_RADIUS])
    rays = trace_smooth(model.grid.shape, model.grid.pixel_scale, p, line=line)
    u, v = (
        ((ray - p[centre]) / radius).astype(np.float32)
        for ray, centre in zip(rays, (Parameter.SOURCE_X, Parameter.SOURCE_Y), strict=True)
    )
    x, y, width = np.asarray(clumps, np.float32).reshape(-1, 3, 1, 1).swapaxes(0, 1)
    images = np.square(u - x) + np.square(v - y)
    images /= -2 * np.square(width)
    images = np.exp(images, where=images > _FAINT, out=np.zeros_like(images))
    flux = np.exp(p[Parameter.SOURCE_LOG_AMPLITUDE]) * model.grid.pixel_scale**2
    images *= np.float32(priors.clump * flux)
    return np.asarray(model.instrument.observe(images, model.grid.pixel_scale))


def hermite_functions(u: Image, order: int) -> Float32[np.ndarray, "n h w"]:
    r"""Hermite functions of orders 0 to `order`, with a root mean square of one over their width.

    By their recurrence, :math:`\sqrt{n + 1} h_{n + 1} = \sqrt 2 u h_n - \sqrt n h_{n - 1}`.
    """
    functions = np.empty((order + 1, *u.shape), np.float32)
    functions[0] = np.exp(-0.5 * u * u)
    functions[0][functions[0] < _DARK] = 0
    argument = u.astype(np.float32)
    for n in range(order):
        functions[n + 1] = np.float32(np.sqrt(2 / (n + 1))) * argument * functions[n]
        if n:
            functions[n + 1] -= np.float32(np.sqrt(n / (n + 1))) * functions[n - 1]
    return functions


def _psf(model: SmoothModel, p: Parameters, priors: NuisancePriors) -> list[Image]:
    """Second derivatives of the image, times the variance of the PSF."""
    if not (priors.psf_width or priors.psf_ellipticity) or model.instrument.psf is None:
        return []
    image = model.image(p)
    padded = np.pad(image, 1, mode="edge")
    middle = 2 * image
    xx = padded[1:-1, 2:] + padded[1:-1, :-2] - middle
    yy = padded[2:, 1:-1] + padded[:-2, 1:-1] - middle
    xy = 0.25 * (padded[2:, 2:] + padded[:-2, :-2] - padded[2:, :-2] - padded[:-2, 2:])
    variance = (model.psf_width / model.grid.pixel_scale) ** 2
    return [
        priors.psf_width * variance * (xx + yy),
        priors.psf_ellipticity * variance * (xx - yy),
        priors.psf_ellipticity * variance * 2 * xy,
    ]


def _lens_light(
    model: SmoothModel, x: Image, y: Image, p: Parameters, priors: NuisancePriors
) -> list[Image]:
    """Exponential profiles behind the PSF, of the flux of one standard deviation.

    Each is followed by its cosine and sine of m = 1, as of a profile off the centre, and of m = 2,
    as of an elliptical one.
    """
    if not priors.lens_light:
        return []
    source = np.exp(p[Parameter.SOURCE_LOG_AMPLITUDE] + 2 * p[Parameter.SOURCE_LOG_RADIUS])
    flux = priors.lens_light * 2 * np.pi * source  # to a factor of order one
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    waves = [priors.lens_light_shape * wave(angle) for wave in (np.cos, np.sin)]
    second = [priors.lens_light_shape * wave(2 * angle) for wave in (np.cos, np.sin)]
    profiles: list[Image] = []
    for scale in priors.lens_light_radii:
        distance = radius / scale
        light = np.exp(-distance) * flux / (2 * np.pi * scale**2) * model.grid.pixel_area
        profiles.append(light)
        if priors.lens_light_shape:
            profiles += [light * wave for wave in waves]
            profiles += [light * distance * wave for wave in second]
    return list(model.instrument.observe(np.stack(profiles), model.grid.pixel_scale))
