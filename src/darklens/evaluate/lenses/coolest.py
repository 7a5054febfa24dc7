"""The smooth lens as a COOLEST file, the standard of the lensing community for lens models.

Galan et al. 2023, doi:10.21105/joss.05567. Radii are those of the intermediate axis, as ours;
angles are degrees from the y axis towards the negative x axis, which is East of North where North
is up. The departures from the parametric lens are left out; what else is known is in `meta`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from darklens.detection import Distances, LensFit
from darklens.detection.satellites import SATELLITE_SIZE
from darklens.modelling.parameters import PARAMETERS
from darklens.observations import Observation

__all__ = ["coolest_model", "write_coolest"]


def write_coolest(
    path: Path,
    seen: Observation,
    fit: LensFit,
    distances: Distances,
    meta: Mapping[str, Any],
) -> None:
    """Write a lens as COOLEST JSON.

    Args:
        path: The file.
        seen: The first image of the lens.
        fit: The fit of the lens.
        distances: Redshifts and cosmology.
        meta: What else is known of the lens, in our own words.
    """
    text = json.dumps(coolest_model(seen, fit, distances, meta), indent=2, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def coolest_model(
    seen: Observation, fit: LensFit, distances: Distances, meta: Mapping[str, Any]
) -> dict[str, Any]:
    """The lens as the dictionary that COOLEST stores; see `write_coolest`."""
    p = dict(zip(PARAMETERS, map(float, fit.state.parameters), strict=True))
    z_lens, z_source = distances.redshifts
    size, angle = np.hypot(p["gamma1"], p["gamma2"]), _angle(p["gamma1"], p["gamma2"])
    shear = _profile("ExternalShear", gamma_ext=float(size), phi_ext=angle)
    place = {"center_x": p["lens_x"], "center_y": p["lens_y"]}
    mass = _profile(
        "PEMD",
        theta_E=p["einstein_radius"],
        gamma=p["lens_slope"],
        **_ellipse(p, "lens"),
        **place,
    )
    light = [_sersic(p, "lens_light")] if fit.lens.model.lens_light else []
    rows, columns = seen.image.shape
    _, pixel_scale = seen.noise_and_scale()
    half = [0.5 * side * pixel_scale for side in (columns, rows)]
    return {
        "standard": "COOLEST",
        "mode": "MAP",
        "meta": {
            "software": "darklens",
            "redshifts": "given" if distances.known else "assumed",
            **meta,
        },
        "coordinates_origin": _origin(seen),
        "cosmology": {
            "astropy_name": "FlatLambdaCDM",
            "H0": distances.cosmology.H0,
            "Om0": distances.cosmology.Om0,
        },
        "instrument": {"name": "", "pixel_size": pixel_scale},
        "observation": {
            "pixels": {
                "field_of_view_x": [-half[0], half[0]],
                "field_of_view_y": [-half[1], half[1]],
                "num_pix_x": columns,
                "num_pix_y": rows,
            }
        },
        "lensing_entities": [
            {"type": "MassField", "name": "shear", "redshift": z_lens, "mass_model": [shear]},
            {
                "type": "Galaxy",
                "name": "lens",
                "redshift": z_lens,
                "mass_model": [mass],
                "light_model": light,
            },
            *_satellites(fit, z_lens),
            {
                "type": "Galaxy",
                "name": "source",
                "redshift": z_source,
                "mass_model": [],
                "light_model": [_sersic(p, "source")],
            },
        ],
    }


def _satellites(fit: LensFit, redshift: float) -> list[dict[str, Any]]:
    """The satellites of the lens, each a galaxy with its mass."""
    values = fit.state.satellites.reshape(-1, SATELLITE_SIZE)
    return [
        {
            "type": "Galaxy",
            "name": f"satellite {number}",
            "redshift": redshift,
            "mass_model": [_profile("SIS", theta_E=theta, center_x=x, center_y=y)],
            "light_model": [],
        }
        for number, (x, y, theta) in enumerate(values.tolist(), 1)
    ]


def _origin(seen: Observation) -> dict[str, str]:
    """Sky position of the centre of the image, empty where it is not known."""
    from astropy import units
    from astropy.coordinates import Angle

    if seen.position is None:
        return {"ra": "", "dec": ""}
    ra, dec = seen.position
    right = Angle(ra, units.deg).to_string(unit=units.hourangle, precision=4, pad=True)
    up = Angle(dec, units.deg).to_string(unit=units.deg, precision=3, pad=True, alwayssign=True)
    return {"ra": str(right), "dec": str(up)}


def _sersic(p: dict[str, float], part: str) -> dict[str, Any]:
    return _profile(
        "Sersic",
        I_eff=float(np.exp(p[f"{part}_log_amplitude"])),
        theta_eff=float(np.exp(p[f"{part}_log_radius"])),
        n=p[f"{part}_sersic_index"],
        **_ellipse(p, part),
        center_x=p[f"{part}_x"],
        center_y=p[f"{part}_y"],
    )


def _ellipse(p: dict[str, float], part: str) -> dict[str, float]:
    e1, e2 = p[f"{part}_e1"], p[f"{part}_e2"]
    size = float(np.hypot(e1, e2))
    return {"q": (1 - size) / (1 + size), "phi": _angle(e1, e2)}


def _angle(a: float, b: float) -> float:
    """Direction from the y axis [deg], above -90 and up to 90."""
    degrees = float(np.rad2deg(0.5 * np.arctan2(b, a))) - 90.0
    return 90.0 - (90.0 - degrees) % 180.0


def _profile(kind: str, **values: float) -> dict[str, Any]:
    parameters = {name: {"point_estimate": {"value": value}} for name, value in values.items()}
    return {"type": kind, "parameters": parameters}
