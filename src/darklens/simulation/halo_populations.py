"""Populations of dark-matter halos, in the lens and along the line of sight, drawn by pyHalo.

pyHalo (Gilman et al. 2020, arXiv:1908.06983; github.com/dangilman/pyHalo) draws masses, places,
concentrations and truncations for one model of dark matter. It describes each halo by a profile of
lenstronomy. Truncated NFW halos become rows for our own renderer, which lenstronomy's deflections
agree with to 1e-8; all other round profiles become tables of lenstronomy's deflection.

Needs the extra `populations`.
"""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.random import Generator

from darklens.errors import BadPreset
from darklens.lensing.cosmology import Cosmology
from darklens.lensing.line_of_sight import CircularMasses, HaloPlane, LineOfSight
from darklens.random_state import seeded_global_generator
from darklens.simulation.priors import HaloPrior
from darklens.simulation.record import Record, check_positive

__all__ = ["draw_halos", "draw_realization"]

_PRESETS = {
    "cold": "CDM",
    "warm": "WDM",
    "self_interacting": "SIDM_parametric",
    "fuzzy": "ULDM",
}
_OWN_DICTIONARIES = (  # which pyHalo would otherwise share between realizations
    "concentration_model_subhalos",
    "concentration_model_fieldhalos",
    "truncation_model_subhalos",
    "truncation_model_fieldhalos",
)
_SHEET = "CONVERGENCE"
_UNIT_MASS = 1 + np.log(0.5)  # of the NFW profile within its scale radius
_TABLE = (1e-4, 30.0, 400)  # smallest and largest radius [arcsec], number of radii
_DECIMALS = 6  # to which the redshifts of halos in one plane are equal


@dataclass(frozen=True)
class Realization:
    """What pyHalo drew, as lenstronomy's `LensModel` takes it.

    Attributes:
        names: Name of each profile.
        redshifts: Redshift of each.
        parameters: Parameters of each.
        halos: Rows `x, y, redshift, mass, in the lens` of the halos [arcsec, M_sun, 0 or 1]; the
            mass is M200 at infall.
    """

    names: list[str]
    redshifts: list[float]
    parameters: list[dict[str, float]]
    halos: Float[np.ndarray, "n 5"]


def draw_halos(
    prior: HaloPrior,
    cosmology: Cosmology,
    z_lens: float,
    z_source: float,
    record: Record,
    rng: Generator,
) -> LineOfSight:
    """Draw the halos of one lens; their list enters the record.

    Args:
        prior: What the preset says of them.
        cosmology: Distances.
        z_lens: Redshift of the lens.
        z_source: Redshift of the source.
        record: Receives what is drawn.
        rng: Source of the draws.

    Raises:
        BadPreset: If the extra `populations` is not installed, or an impossible value is drawn.
    """
    drawn = draw_realization(prior, cosmology, z_lens, z_source, record, rng)
    for name, column in zip(("x", "y", "redshift", "mass", "in_lens"), drawn.halos.T, strict=True):
        record[f"halo_{name}"] = column.tolist()
    redshifts = np.round(np.array(drawn.redshifts), _DECIMALS)
    planes = []
    for redshift in np.unique(redshifts):
        members = np.flatnonzero(redshifts == redshift)
        distance = cosmology.comoving_distance(float(redshift))
        profiles = [(drawn.names[k], drawn.parameters[k]) for k in members]
        planes.append(_plane(distance, profiles))
    return LineOfSight(
        tuple(planes), cosmology.comoving_distance(z_lens), cosmology.comoving_distance(z_source)
    )


def draw_realization(
    prior: HaloPrior,
    cosmology: Cosmology,
    z_lens: float,
    z_source: float,
    record: Record,
    rng: Generator,
) -> Realization:
    """What pyHalo draws, before it is turned into planes; arguments as in `draw_halos`."""
    preset = _model(_PRESETS[prior.model])
    options = _options(prior, record, rng) | {
        "sigma_sub": prior.sigma_sub.draw(rng),
        "LOS_normalization": prior.line_of_sight.draw(rng),
        "log_mlow": prior.log_lowest_mass,
        "log_mhigh": prior.log_highest_mass,
        "log_m_host": prior.log_host_mass.draw(rng),
        "cone_opening_angle_arcsec": prior.field_of_view,
        **{f"kwargs_{name}": {} for name in _OWN_DICTIONARIES},
        "kwargs_cosmo": {
            **{"H0": cosmology.H0, "Om0": cosmology.Om0, "Ob0": cosmology.Ob0},
            **{"sigma8": 0.81, "ns": 0.965, "power_law": False},
        },
    }
    record["sigma_sub"] = options["sigma_sub"]
    record["line_of_sight"] = options["LOS_normalization"]
    record["log_host_mass"] = options["log_m_host"]
    check_positive("halos", sigma_sub=options["sigma_sub"])
    with _as_pyhalo_expects(rng), redirect_stdout(io.StringIO()):
        found = preset(z_lens, z_source, **options)
        names, redshifts, parameters, _ = found.lensing_quantities()
    rows = [[h.x, h.y, h.z, h.mass, float(h.is_subhalo)] for h in found.halos]
    return Realization(
        list(names),
        [float(z) for z in redshifts],
        [{key: float(value) for key, value in one.items()} for one in parameters],
        np.array(rows, dtype=np.float64).reshape(-1, 5),
    )


def _model(name: str) -> Any:
    """A preset model of pyHalo."""
    try:
        from pyHalo.preset_models import preset_model_from_name
    except ImportError as error:
        raise BadPreset(
            f"halos need the extra populations ({error}): pip install 'darklens[populations]'"
        ) from None
    return preset_model_from_name(name)


def _options(prior: HaloPrior, record: Record, rng: Generator) -> dict[str, Any]:
    """What is special to the model of dark matter."""
    if prior.model == "warm":
        assert prior.log_half_mode_mass is not None  # checked by HaloPrior
        record["log_half_mode_mass"] = prior.log_half_mode_mass.draw(rng)
        return {"log_mc": record["log_half_mode_mass"]}
    if prior.model == "fuzzy":
        assert prior.axion_mass is not None  # checked by HaloPrior
        record["axion_mass"] = prior.axion_mass.draw(rng)
        check_positive("halos", axion_mass=record["axion_mass"])
        return {"log10_m_uldm": float(np.log10(record["axion_mass"])), "flucs": False}
    if prior.model == "self_interacting":
        assert prior.cross_section is not None  # checked by HaloPrior
        record["cross_section"] = prior.cross_section.draw(rng)
        check_positive("halos", cross_section=record["cross_section"])
        return {
            "log10_mass_ranges": [[prior.log_lowest_mass, prior.log_highest_mass]],
            "log10_effective_cross_section_list": [float(np.log10(record["cross_section"]))],
        }
    return {}


@contextmanager
def _as_pyhalo_expects(rng: Generator) -> Iterator[None]:
    """NumPy with a seed, and with `trapezoid` under its name before NumPy 2 as well."""
    renamed = not hasattr(np, "trapz")
    if renamed:
        np.trapz = np.trapezoid  # type: ignore[attr-defined]  # noqa: NPY201
    try:
        with seeded_global_generator(int(rng.integers(2**32))):
            yield
    finally:
        if renamed:
            del np.trapz  # type: ignore[attr-defined]  # noqa: NPY201


def _plane(distance: float, profiles: list[tuple[str, dict[str, float]]]) -> HaloPlane:
    """Profiles of lenstronomy at one distance."""
    halos, others, sheet = [], [], 0.0
    for name, parameters in profiles:
        if name == _SHEET:
            sheet += parameters["kappa"]
        elif name == "TNFW":
            halos.append(_halo(parameters))
        else:
            others.append((name, parameters))
    rows = np.array(halos, dtype=np.float64).reshape(-1, 5)
    return HaloPlane(distance, rows, _circular(others) if others else None, sheet)


def _halo(parameters: Mapping[str, float]) -> list[float]:
    """A row of `Perturbers.halos`."""
    radius = parameters["Rs"]
    theta = np.sqrt(parameters["alpha_Rs"] * radius / _UNIT_MASS)
    place = [parameters["center_x"], parameters["center_y"]]
    return [*place, radius, parameters["r_trunc"] / radius, float(theta)]


def _circular(profiles: list[tuple[str, dict[str, float]]]) -> CircularMasses:
    """Tables of round profiles of lenstronomy."""
    from lenstronomy.LensModel.lens_model import LensModel

    radii = CircularMasses.radii(*_TABLE)
    places, enclosed = [], []
    for name, parameters in profiles:
        place = [parameters["center_x"], parameters["center_y"]]
        along = partial(LensModel([name]).alpha, place[0] + radii, np.full_like(radii, place[1]))
        places.append(place)
        enclosed.append(radii * along([parameters])[0])
    return CircularMasses(np.array(places), *_TABLE[:2], np.array(enclosed))
