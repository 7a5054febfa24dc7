"""From a preset to one lens: draw its numbers and build the scene.

The parameters come back twice: as the `Scene` that is rendered, and as one flat record for the
table of true parameters. Perturbers are lists in that record. The order of the draws is part of
the contract that image `i` of seed `s` never changes.
"""

import numpy as np
from numpy.random import Generator

from darklens.errors import BadPreset
from darklens.lensing.instrument import Instrument
from darklens.lensing.profiles import SIE, Sersic, Shear, sersic_b
from darklens.lensing.render import Scene
from darklens.simulation.perturbers import draw_perturbers
from darklens.simulation.presets import Preset
from darklens.simulation.priors import LensPrior, LightPrior
from darklens.simulation.record import Record, check_positive

__all__ = ["draw_scene"]


def draw_scene(preset: Preset, label: str, rng: Generator) -> tuple[Scene, Record]:
    """Draw one lens of the class `label`.

    Returns:
        The scene, and its true parameters: angles [deg], positions and radii [arcsec],
        masses [M_sun], the exposure [s].
    """
    exposure = preset.exposure.draw(rng)
    check_positive("preset", exposure=exposure)
    record: Record = {"exposure": exposure}
    z_lens = preset.lens.redshift.draw(rng)
    assert preset.source.redshift is not None  # checked by Preset
    z_source = preset.source.redshift.draw(rng)
    lens, shear = _draw_lens(preset, z_lens, z_source, record, rng)
    source = _draw_light(preset.source, preset.instrument, "source", record, rng)
    lens_light: tuple[Sersic, ...] = ()
    if preset.lens_light is not None:
        lens_light = (_draw_light(preset.lens_light, preset.instrument, "lens_light", record, rng),)
    perturbers = draw_perturbers(preset, label, z_lens, z_source, record, rng)
    return Scene(lens, shear, perturbers, (source,), lens_light), record


def _draw_lens(
    preset: Preset, z_lens: float, z_source: float, record: Record, rng: Generator
) -> tuple[SIE, Shear]:
    prior: LensPrior = preset.lens
    if prior.mass is not None:
        mass = prior.mass.draw(rng)
        check_positive("lens", mass=mass)
        theta = preset.cosmology.einstein_radius(mass, z_lens, z_source)
    else:
        assert prior.einstein_radius is not None  # checked by LensPrior
        theta = prior.einstein_radius.draw(rng)
        check_positive("lens", einstein_radius=theta)
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
    check_positive(name, radius=radius, sersic_index=index)
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
    check_positive(name, amplitude=amplitude)
    record[f"{name}_amplitude"] = amplitude
    return Sersic(amplitude, radius, index, axis_ratio, float(np.deg2rad(angle)), x, y, b)
