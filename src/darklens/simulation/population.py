"""From a preset to one lens: draw its numbers and build the scene.

The parameters come back twice: as the `Scene` that is rendered, and as one flat record for the
table of true parameters. Perturbers are lists in that record. The order of the draws is part of
the contract that image `i` of seed `s` never changes.
"""

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.random import Generator

from darklens.errors import BadPreset
from darklens.lensing.instrument import Instrument
from darklens.lensing.profiles import SIE, Sersic, Shear, sersic_b
from darklens.lensing.render import Scene
from darklens.lensing.substructure import Perturbers
from darklens.simulation.presets import LensPrior, LightPrior, LinePrior, Preset, SubhaloPrior

__all__ = ["Record", "draw_scene"]

Record = dict[str, Any]
"""One row of the parameter table: numbers, and lists for the perturbers."""


def draw_scene(preset: Preset, label: str, rng: Generator) -> tuple[Scene, Record]:
    """Draw one lens of the class `label`.

    Returns:
        The scene, and its true parameters: angles [deg], positions and radii [arcsec],
        masses [M_sun], the exposure [s].
    """
    exposure = preset.exposure.draw(rng)
    _check_positive("preset", exposure=exposure)
    record: Record = {"exposure": exposure}
    z_lens = preset.lens.redshift.draw(rng)
    assert preset.source.redshift is not None  # checked by Preset
    z_source = preset.source.redshift.draw(rng)
    lens, shear = _draw_lens(preset, z_lens, z_source, record, rng)
    source = _draw_light(preset.source, preset.instrument, "source", record, rng)
    lens_light: tuple[Sersic, ...] = ()
    if preset.lens_light is not None:
        lens_light = (_draw_light(preset.lens_light, preset.instrument, "lens_light", record, rng),)
    perturbers = _draw_perturbers(preset, label, z_lens, z_source, record, rng)
    return Scene(lens, shear, perturbers, (source,), lens_light), record


def _draw_lens(
    preset: Preset, z_lens: float, z_source: float, record: Record, rng: Generator
) -> tuple[SIE, Shear]:
    prior: LensPrior = preset.lens
    if prior.mass is not None:
        mass = prior.mass.draw(rng)
        _check_positive("lens", mass=mass)
        theta = preset.cosmology.einstein_radius(mass, z_lens, z_source)
    else:
        assert prior.einstein_radius is not None  # checked by LensPrior
        theta = prior.einstein_radius.draw(rng)
        _check_positive("lens", einstein_radius=theta)
    axis_ratio, angle = prior.axis_ratio.draw(rng), prior.position_angle.draw(rng)
    x, y = prior.x.draw(rng), prior.y.draw(rng)
    gamma, gamma_angle = prior.shear.draw(rng), prior.shear_angle.draw(rng)
    if not 0 < axis_ratio <= 1:
        raise BadPreset(f"lens: axis_ratio {axis_ratio:g} is not in (0, 1]")
    record |= {
        "z_lens": z_lens,
        "z_source": z_source,
        "einstein_radius": theta,
        "lens_axis_ratio": axis_ratio,
        "lens_position_angle": angle,
        "lens_x": x,
        "lens_y": y,
        "shear": gamma,
        "shear_angle": gamma_angle,
    }
    twice = 2 * np.deg2rad(gamma_angle)
    shear = Shear(float(gamma * np.cos(twice)), float(gamma * np.sin(twice)))
    return SIE(theta, axis_ratio, float(np.deg2rad(angle)), x, y), shear


def _draw_light(
    prior: LightPrior, instrument: Instrument, name: str, record: Record, rng: Generator
) -> Sersic:
    radius, index = prior.radius.draw(rng), prior.sersic_index.draw(rng)
    axis_ratio, angle = prior.axis_ratio.draw(rng), prior.position_angle.draw(rng)
    offset, offset_angle = prior.offset.draw(rng), np.deg2rad(prior.offset_angle.draw(rng))
    x = float(prior.x.draw(rng) + offset * np.cos(offset_angle))
    y = float(prior.y.draw(rng) + offset * np.sin(offset_angle))
    _check_positive(name, radius=radius, sersic_index=index)
    if not 0 < axis_ratio <= 1:
        raise BadPreset(f"{name}: axis_ratio {axis_ratio:g} is not in (0, 1]")
    b = sersic_b(index, prior.b_n)
    record |= {
        f"{name}_x": x,
        f"{name}_y": y,
        f"{name}_radius": radius,
        f"{name}_sersic_index": index,
        f"{name}_axis_ratio": axis_ratio,
        f"{name}_position_angle": angle,
    }
    if prior.amplitude is not None:
        amplitude = prior.amplitude.draw(rng)
    else:
        assert prior.magnitude is not None  # checked by LightPrior
        magnitude = prior.magnitude.draw(rng)
        record[f"{name}_magnitude"] = magnitude
        unit = Sersic(1.0, radius, index, axis_ratio, b=b)
        amplitude = instrument.count_rate(magnitude) / unit.total_flux
    _check_positive(name, amplitude=amplitude)
    record[f"{name}_amplitude"] = amplitude
    return Sersic(amplitude, radius, index, axis_ratio, float(np.deg2rad(angle)), x, y, b)


def _draw_perturbers(
    preset: Preset, label: str, z_lens: float, z_source: float, record: Record, rng: Generator
) -> Perturbers:
    """Substructure of the class; its lists enter the record only for classes that have it."""
    one_mass = preset.cosmology.einstein_radius(1.0, z_lens, z_source)
    points, lines, halos = [np.zeros((0, 3))], [np.zeros((0, 6))], [np.zeros((0, 5))]
    for prior in preset.classes[label]:
        if isinstance(prior, LinePrior):
            lines.append(_draw_line(prior, one_mass, record, rng))
        elif prior.concentration is None:
            points.append(_draw_points(prior, one_mass, record, rng))
        else:
            halos.append(_draw_halos(preset, prior, z_lens, one_mass, record, rng))
    return Perturbers(np.concatenate(points), np.concatenate(lines), np.concatenate(halos))


def _draw_places(prior: SubhaloPrior, record: Record, rng: Generator) -> tuple[Any, Any, Any]:
    """Positions and masses of subhalos, also put into the record."""
    count = max(0, round(prior.number.draw(rng)))
    masses = prior.mass.sample(rng, count)
    _check_positive("subhalos", mass=masses.min(initial=1.0))
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
    _check_positive(
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
        _check_positive("line", axion_mass=record["axion_mass"])
        half_length = prior.length_scale * 1e-22 / record["axion_mass"]
    else:
        assert prior.half_length is not None  # checked by LinePrior
        half_length = prior.half_length.draw(rng)
    _check_positive("line", mass=mass, half_length=half_length)
    angle = prior.position_angle.draw(rng)
    radius, direction = prior.radius.draw(rng), np.deg2rad(prior.angle.draw(rng))
    x, y = float(radius * np.cos(direction)), float(radius * np.sin(direction))
    line = {"mass": mass, "half_length": half_length, "position_angle": angle, "x": x, "y": y}
    record |= {f"line_{name}": value for name, value in line.items()}
    theta = one_mass * np.sqrt(mass)
    return np.array([[x, y, np.deg2rad(angle), half_length, theta, prior.points]])


def _check_positive(where: str, **values: float) -> None:
    for name, value in values.items():
        if not 0 < value < np.inf:
            raise BadPreset(f"{where}: {name} {value:g} must be positive")
