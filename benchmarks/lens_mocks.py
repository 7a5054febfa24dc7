"""Mock observations of strong lenses by lenstronomy, independent of our own renderer.

Elliptical power laws of slope 1.8 to 2.2 with shear, lens light, and a Sersic source, rendered with
four by four rays a pixel, a Gaussian PSF on the fine grid, and photon noise. Kinds: `smooth`;
`multipoles` of orders 1, 3 and 4 of up to 1 % of the Einstein radius; `clumpy`, with these and four
to ten clumps in the source; each may have an NFW halo truncated at r200 near an arc, or an
isothermal satellite beside the lens. In several bands the lens is the same, and the source has
another size, profile and centre in each.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.cosmology import FlatLambdaCDM
from lenstronomy.Cosmo.lens_cosmo import LensCosmo
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LightModel.light_model import LightModel
from scipy.ndimage import gaussian_filter

__all__ = [
    "BANDS",
    "KINDS",
    "PIXEL_SCALE",
    "PSF_WIDTH",
    "Z_LENS",
    "Z_SOURCE",
    "Camera",
    "Mock",
    "draw_bands",
    "draw_mock",
]

KINDS = ("smooth", "multipoles", "clumpy")
PIXEL_SCALE, PSF_WIDTH, SIDE = 0.05, 0.1, 100
Z_LENS, Z_SOURCE = 0.3, 1.0
COSMOLOGY = FlatLambdaCDM(H0=70, Om0=0.3, Ob0=0.05)
_RAYS = 4
_SKY = 0.02  # of the brightest pixel of the arcs
_NEAR, _BRIGHT = 0.2, 0.3  # arcsec from an arc; share of its brightness


@dataclass(frozen=True)
class Camera:
    """Pixels and PSF of a band.

    Attributes:
        pixel_scale: Pixel scale [arcsec/pixel].
        psf_width: Full width at half maximum of the Gaussian PSF [arcsec].
        side: Pixels on a side.
    """

    pixel_scale: float
    psf_width: float
    side: int


CAMERA = Camera(PIXEL_SCALE, PSF_WIDTH, SIDE)
BANDS = {"F814W": Camera(0.06, 0.1, 84), "F160W": Camera(0.08, 0.16, 63)}


@dataclass(frozen=True)
class Mock:
    """One observation.

    Attributes:
        image: The pixels, in units of the median noise.
        noise: Standard deviation of each.
        truth: Einstein radius, slope, shear, centre, and the subhalo's place and mass or None.
        signal: Signal-to-noise ratio of the arcs, summed over the pixels.
    """

    image: Any
    noise: Any
    truth: dict[str, Any]
    signal: float


def draw_mock(
    seed: int,
    kind: str,
    *,
    mass: float | None = None,
    place: tuple[float, float] | None = None,
    exposure: int | None = None,
    signal: tuple[float, float] = (200, 500),
    satellite: bool = False,
    camera: Camera | None = None,
) -> Mock:
    """Draw one lens.

    Args:
        seed: Of the lens and its noise.
        kind: One of `KINDS`.
        mass: M200 of a subhalo [M_sun], or None.
        place: Where it is [arcsec]; near an arc if None.
        exposure: Number of an exposure with noise of its own.
        signal: Range of the signal-to-noise ratio of the arcs.
        satellite: Whether there is a second lens galaxy, an isothermal sphere of 0.1 to 0.3 arcsec
            at 1.5 to 2.5 Einstein radii, whose light is left out.
        camera: Pixels and PSF.
    """
    camera = camera or CAMERA
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    names, masses, truth = _lens(rng, kind != "smooth")
    source = _source(rng, truth, clumpy=kind == "clumpy")
    light = _lens_light(rng, truth)
    if satellite:
        truth["satellite"] = _satellite(rng, truth)
        names, masses = [*names, "SIS"], [*masses, truth["satellite"]]
    smooth = _arcs(camera, names, masses, source)
    truth["subhalo"] = None
    if mass is not None and place is not None:
        truth["subhalo"] = {"x": place[0], "y": place[1], "mass": mass}
    elif mass is not None:
        truth["subhalo"] = _place(rng, camera, smooth, mass)
    lensed = smooth
    if mass is not None:
        halo, values = _halo(truth["subhalo"])
        lensed = _arcs(camera, [*names, halo], [*masses, values], source)
    drawn = None if exposure is None else np.random.default_rng([seed, exposure])
    return _exposed(rng, camera, smooth, lensed, light, signal, truth, drawn)


def draw_bands(
    seed: int, kind: str, *, mass: float | None = None, signal: tuple[float, float] = (150, 350)
) -> dict[str, Mock]:
    """Draw one lens in each of `BANDS`.

    Args:
        seed: Of the lens and its noise.
        kind: One of `KINDS`.
        mass: M200 of a subhalo near the arcs of the first band [M_sun], or None.
        signal: Range of the signal-to-noise ratio of the arcs in each band.
    """
    rng = np.random.default_rng([seed, KINDS.index(kind), len(BANDS)])
    names, masses, truth = _lens(rng, kind != "smooth")
    source = _source(rng, truth, clumpy=kind == "clumpy")
    light = _lens_light(rng, truth)
    camera = next(iter(BANDS.values()))
    first = _arcs(camera, names, masses, source)
    truth["subhalo"] = None if mass is None else _place(rng, camera, first, mass)
    halo, values = ([], []) if mass is None else ([x] for x in _halo(truth["subhalo"]))
    found = {}
    for band, camera in BANDS.items():
        smooth = _arcs(camera, names, masses, source)
        lensed = _arcs(camera, [*names, *halo], [*masses, *values], source)
        found[band] = _exposed(rng, camera, smooth, lensed, light, signal, truth)
        source = (source[0], [_recoloured(rng, profile) for profile in source[1]])
    return found


def _recoloured(rng: np.random.Generator, profile: dict[str, float]) -> dict[str, float]:
    """A part of the source as another band shows it."""
    changed = {"amp": profile["amp"] * rng.uniform(0.5, 2.0)}
    changed |= {"R_sersic": profile["R_sersic"] * rng.uniform(0.7, 1.4)}
    changed |= {"n_sersic": float(np.clip(profile["n_sersic"] * rng.uniform(0.6, 1.5), 0.5, 4))}
    for axis in ("center_x", "center_y"):
        changed[axis] = profile[axis] + 0.1 * profile["R_sersic"] * rng.normal()
    return profile | changed


def _arcs(
    camera: Camera,
    names: list[str],
    masses: list[dict[str, Any]],
    source: tuple[list[str], list[dict[str, float]]],
) -> Any:
    """The lensed source."""
    beta = LensModel(names).ray_shooting(*_rays(camera), masses)
    return _observed(LightModel(source[0]).surface_brightness(*beta, source[1]), camera)


def _exposed(
    rng: np.random.Generator,
    camera: Camera,
    smooth: Any,
    lensed: Any,
    light: dict[str, float],
    signal: tuple[float, float],
    truth: dict[str, Any],
    noise_rng: np.random.Generator | None = None,
) -> Mock:
    """The observation of arcs and lens light, with noise."""
    profile = LightModel(["SERSIC_ELLIPSE"])
    galaxy = _observed(profile.surface_brightness(*_rays(camera), [light]), camera)
    galaxy *= rng.uniform(1, 4) * smooth.sum() / galaxy.sum()
    wanted = rng.uniform(*signal)
    variance = lensed + galaxy + _SKY * smooth.max()
    gain = (wanted / np.sqrt(np.sum(smooth**2 / variance))) ** 2
    noise = np.sqrt(variance / gain)
    image = lensed + galaxy + noise * (noise_rng or rng).normal(size=noise.shape)
    unit = float(np.median(noise))
    return Mock(image / unit, noise / unit, truth, float(wanted))


def _ellipticity(rng: np.random.Generator, ratios: tuple[float, float]) -> tuple[float, float]:
    q, angle = rng.uniform(*ratios), rng.uniform(0, np.pi)
    size = (1 - q) / (1 + q)
    return size * np.cos(2 * angle), size * np.sin(2 * angle)


def _lens(
    rng: np.random.Generator, multipoles: bool
) -> tuple[list[str], list[dict[str, Any]], dict[str, Any]]:
    """Names and parameters of the masses, and the truth."""
    theta, slope = rng.uniform(0.9, 1.6), rng.uniform(1.8, 2.2)
    e1, e2 = _ellipticity(rng, (0.6, 0.95))
    shear, angle = rng.uniform(0, 0.08), rng.uniform(0, np.pi)
    x, y = rng.uniform(-0.1, 0.1, 2)
    place = {"center_x": x, "center_y": y}
    gamma1, gamma2 = shear * np.cos(2 * angle), shear * np.sin(2 * angle)
    names = ["EPL", "SHEAR"]
    masses: list[dict[str, Any]] = [
        {"theta_E": theta, "gamma": slope, "e1": e1, "e2": e2, **place},
        {"gamma1": gamma1, "gamma2": gamma2},
    ]
    for m in (1, 3, 4) if multipoles else ():
        names.append("MULTIPOLE")
        amplitude, phase = theta * rng.uniform(0, 0.01), rng.uniform(-np.pi, np.pi) / m
        masses.append({"m": m, "a_m": amplitude, "phi_m": phase, "r_E": theta, **place})
    truth = {"einstein_radius": theta, "lens_slope": slope, "gamma1": gamma1, "gamma2": gamma2}
    truth |= {"lens_x": x, "lens_y": y, "e1": e1, "e2": e2}
    return names, masses, truth


def _satellite(rng: np.random.Generator, truth: dict[str, Any]) -> dict[str, float]:
    """A second lens galaxy."""
    distance = truth["einstein_radius"] * rng.uniform(1.5, 2.5)
    angle = rng.uniform(0, 2 * np.pi)
    x = truth["lens_x"] + distance * np.cos(angle)
    y = truth["lens_y"] + distance * np.sin(angle)
    return {"theta_E": rng.uniform(0.1, 0.3), "center_x": float(x), "center_y": float(y)}


def _source(
    rng: np.random.Generator, truth: dict[str, Any], *, clumpy: bool
) -> tuple[list[str], list[dict[str, float]]]:
    radius, index = rng.uniform(0.08, 0.35), rng.uniform(0.5, 4)
    offset, angle = rng.uniform(0.02, 0.25), rng.uniform(0, 2 * np.pi)
    x = truth["lens_x"] + offset * np.cos(angle)
    y = truth["lens_y"] + offset * np.sin(angle)
    e1, e2 = _ellipticity(rng, (0.5, 1.0))
    names = ["SERSIC_ELLIPSE"]
    profile = {"amp": 1.0, "R_sersic": radius, "n_sersic": index, "e1": e1, "e2": e2}
    profiles = [profile | {"center_x": x, "center_y": y}]
    total = LightModel(names).total_flux(profiles)[0]
    for _ in range(int(rng.integers(4, 11)) if clumpy else 0):
        distance, angle = radius * rng.uniform(0.1, 1.8), rng.uniform(0, 2 * np.pi)
        clump = {"amp": 1.0, "R_sersic": rng.uniform(0.02, 0.07), "n_sersic": 1.0}
        clump |= {
            "center_x": x + distance * np.cos(angle),
            "center_y": y + distance * np.sin(angle),
        }
        clump["amp"] = (
            rng.uniform(0.01, 0.06) * total / LightModel(["SERSIC"]).total_flux([clump])[0]
        )
        names.append("SERSIC")
        profiles.append(clump)
    return names, profiles


def _lens_light(rng: np.random.Generator, truth: dict[str, Any]) -> dict[str, float]:
    return {
        "amp": 1.0,
        "R_sersic": rng.uniform(0.5, 1.5),
        "n_sersic": rng.uniform(2, 5),
        "e1": truth["e1"] + rng.normal(0, 0.02),
        "e2": truth["e2"] + rng.normal(0, 0.02),
        "center_x": truth["lens_x"],
        "center_y": truth["lens_y"],
    }


def _rays(camera: Camera) -> tuple[Any, Any]:
    side = camera.side * _RAYS
    row = (np.arange(side) - 0.5 * (side - 1)) * camera.pixel_scale / _RAYS
    x, y = np.meshgrid(row, row)
    return x.ravel(), y.ravel()


def _observed(brightness: Any, camera: Camera) -> Any:
    """Behind the PSF, in pixels."""
    n = camera.side
    side = n * _RAYS
    width = camera.psf_width / 2.3548 / camera.pixel_scale * _RAYS
    fine = gaussian_filter(brightness.reshape(side, side), width, truncate=6, mode="nearest")
    return fine.reshape(n, _RAYS, n, _RAYS).mean(axis=(1, 3)) * camera.pixel_scale**2


def _place(rng: np.random.Generator, camera: Camera, arcs: Any, mass: float) -> dict[str, float]:
    """A place within 0.2 arcsec of a bright pixel."""
    rows, columns = np.nonzero(arcs > _BRIGHT * arcs.max())
    k = int(rng.integers(len(rows)))
    distance, angle = _NEAR * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi)
    middle, scale = 0.5 * (camera.side - 1), camera.pixel_scale
    x = (columns[k] - middle) * scale + distance * np.cos(angle)
    y = (rows[k] - middle) * scale + distance * np.sin(angle)
    return {"x": float(x), "y": float(y), "mass": mass}


def _halo(subhalo: dict[str, float]) -> tuple[str, dict[str, float]]:
    """The NFW halo as lenstronomy takes it, with the concentration of Dutton & Maccio 2014."""
    mass = subhalo["mass"]
    a = 0.520 + 0.385 * np.exp(-0.617 * Z_LENS**1.21)
    b = -0.101 + 0.026 * Z_LENS
    concentration = 10 ** (a + b * np.log10(mass * 0.7 / 1e12))
    lens = LensCosmo(Z_LENS, Z_SOURCE, cosmo=COSMOLOGY)
    radius, alpha = lens.nfw_physical2angle(mass, concentration)
    halo = {"Rs": radius, "alpha_Rs": alpha, "r_trunc": concentration * radius}
    return "TNFW", halo | {"center_x": subhalo["x"], "center_y": subhalo["y"]}
