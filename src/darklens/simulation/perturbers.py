"""Draw the substructure of a lens: subhalos and lines of mass.

The order of the draws is part of the contract that image `i` of seed `s` never changes.
"""

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.random import Generator

from darklens.errors import BadPreset
from darklens.lensing.substructure import Perturbers
from darklens.simulation.presets import Preset
from darklens.simulation.priors import HaloPrior, LinePrior, SubhaloPrior
from darklens.simulation.record import Record, check_positive

__all__ = ["draw_perturbers"]

_LARGEST_SPREAD = 5.0
_SMALLEST_SPREAD = 1e-6  # below it the masses are equal


def draw_perturbers(
    preset: Preset, label: str, z_lens: float, z_source: float, record: Record, rng: Generator
) -> Perturbers:
    """Substructure of the class; its lists enter the record only for classes that have it.

    Raises:
        BadPreset: If an impossible value is drawn.
    """
    one_mass = preset.cosmology.einstein_radius(1.0, z_lens, z_source)
    points, lines, halos = [np.zeros((0, 3))], [np.zeros((0, 6))], [np.zeros((0, 5))]
    for prior in preset.classes[label]:
        if isinstance(prior, HaloPrior):
            continue  # these are drawn last, see `halo_populations`
        if isinstance(prior, LinePrior):
            line = _draw_line(prior, one_mass, record, rng)
            if prior.uneven and record["line_points"]:
                points.append(_uneven_points(prior, line, record, rng))
            else:
                lines.append(line)
        elif prior.concentration is None:
            points.append(_draw_points(prior, one_mass, record, rng))
        else:
            halos.append(_draw_halos(preset, prior, z_lens, one_mass, record, rng))
    return Perturbers(np.concatenate(points), np.concatenate(lines), np.concatenate(halos))


def _draw_places(prior: SubhaloPrior, record: Record, rng: Generator) -> tuple[Any, Any, Any]:
    """Positions and masses of subhalos, also put into the record."""
    count = max(0, round(prior.number.draw(rng)))
    masses = prior.mass.sample(rng, count)
    check_positive("subhalos", mass=masses.min(initial=1.0))
    radius, angle = prior.radius.sample(rng, count), np.deg2rad(prior.angle.sample(rng, count))
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    for name, values in (("x", x), ("y", y), ("mass", masses)):
        record[f"subhalo_{name}"] = [*record.get(f"subhalo_{name}", []), *values.tolist()]
    return x, y, masses


def _draw_points(
    prior: SubhaloPrior, one_mass: float, record: Record, rng: Generator
) -> Float[np.ndarray, "n 3"]:
    x, y, masses = _draw_places(prior, record, rng)
    return np.array([x, y, one_mass * np.sqrt(masses)]).T


def _draw_halos(
    preset: Preset,
    prior: SubhaloPrior,
    z_lens: float,
    one_mass: float,
    record: Record,
    rng: Generator,
) -> Float[np.ndarray, "n 5"]:
    """Halos of M200 `m` and concentration `c`: M0 = m / (ln(1 + c) - c / (1 + c))."""
    assert prior.concentration is not None  # checked by SubhaloPrior
    assert prior.truncation is not None
    x, y, masses = _draw_places(prior, record, rng)
    c = prior.concentration.sample(rng, masses.size)
    truncation = prior.truncation.sample(rng, masses.size)
    check_positive(
        "subhalos", concentration=c.min(initial=1.0), truncation=truncation.min(initial=1.0)
    )
    radius = preset.cosmology.scale_radius(masses, c, z_lens)
    for name, values in (("scale_radius", radius), ("truncation", truncation)):
        record[f"subhalo_{name}"] = [*record.get(f"subhalo_{name}", []), *values.tolist()]
    theta = one_mass * np.sqrt(masses / (np.log1p(c) - c / (1 + c)))
    return np.column_stack([x, y, radius, truncation, theta])


def _draw_line(
    prior: LinePrior, one_mass: float, record: Record, rng: Generator
) -> Float[np.ndarray, "1 6"]:
    mass = prior.mass.draw(rng)
    if prior.axion_mass is not None:
        record["axion_mass"] = prior.axion_mass.draw(rng)
        check_positive("line", axion_mass=record["axion_mass"])
        half_length = prior.length_scale * 1e-22 / record["axion_mass"]
    else:
        assert prior.half_length is not None  # checked by LinePrior
        half_length = prior.half_length.draw(rng)
    check_positive("line", mass=mass, half_length=half_length)
    angle = prior.position_angle.draw(rng)
    radius, direction = prior.radius.draw(rng), np.deg2rad(prior.angle.draw(rng))
    x, y = float(radius * np.cos(direction)), float(radius * np.sin(direction))
    count = round(prior.points.draw(rng))
    if count < 0:
        raise BadPreset(f"line: points {count} must not be negative")
    line = {"mass": mass, "half_length": half_length, "position_angle": angle, "x": x, "y": y}
    record |= {f"line_{name}": value for name, value in line.items()} | {"line_points": count}
    theta = one_mass * np.sqrt(mass)
    return np.array([[x, y, np.deg2rad(angle), half_length, theta, count]])


def _uneven_points(
    prior: LinePrior, line: Float[np.ndarray, "1 6"], record: Record, rng: Generator
) -> Float[np.ndarray, "n 3"]:
    """Points of a line at places and with masses that are drawn, see `LinePrior`.

    Args:
        prior: How uneven the line is.
        line: The line as a row of `Perturbers.lines`.
        record: Receives what is drawn.
        rng: Source of the draws.
    """
    spacing, spread = prior.spacing.draw(rng), prior.mass_spread.draw(rng)
    if not 0 <= spacing <= 1:
        raise BadPreset(f"line: spacing {spacing:g} is not in [0, 1]")
    if not 0 <= spread <= _LARGEST_SPREAD:
        raise BadPreset(f"line: mass_spread {spread:g} is not in [0, {_LARGEST_SPREAD:g}]")
    record |= {"line_spacing": spacing, "line_mass_spread": spread}
    x, y, angle, half_length, theta, count = line[0]
    n = int(count)
    even = np.linspace(-half_length, half_length, n) if n > 1 else np.zeros(1)
    places = even + spacing * (np.sort(rng.uniform(-half_length, half_length, n)) - even)
    masses = np.ones(n)
    if spread > _SMALLEST_SPREAD:
        masses = rng.gamma(1 / spread**2, size=n)
    radii = theta * np.sqrt(masses / masses.sum())
    return np.column_stack([x + places * np.cos(angle), y + places * np.sin(angle), radii])
