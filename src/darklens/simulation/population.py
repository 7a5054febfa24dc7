"""From a preset to one lens: draw its numbers and build the scene.

The parameters come back twice: as the `Scene` that is rendered, and as one flat record for the
table of true parameters. Perturbers are lists in that record. The order of the draws is part of
the contract that image `i` of seed `s` never changes.
"""

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from darklens.errors import BadPreset
from darklens.lensing.line_of_sight import LineOfSight
from darklens.lensing.profiles import EPL, SIE, Multipole, Sersic, Shear
from darklens.lensing.render import Scene
from darklens.simulation.halo_populations import draw_halos
from darklens.simulation.light import draw_light, draw_picture, with_clumps
from darklens.simulation.perturbers import draw_perturbers
from darklens.simulation.presets import Preset
from darklens.simulation.priors import ISOTHERMAL, MULTIPOLES, ZERO, HaloPrior, LensPrior
from darklens.simulation.record import Record, check_positive

__all__ = ["draw_scene"]


def draw_scene(preset: Preset, label: str, rng: Generator) -> tuple[Scene, Record]:
    """Draw one lens of the class `label`.

    Returns:
        The scene, and its true parameters: angles [deg], positions and radii [arcsec],
        masses [M_sun], the exposure [s].

    Raises:
        BadPreset: If an impossible value is drawn.
    """
    exposure = preset.exposure.draw(rng)
    check_positive("preset", exposure=exposure)
    record: Record = {"exposure": exposure}
    z_lens = preset.lens.redshift.draw(rng)
    assert preset.source.redshift is not None  # checked by Preset
    z_source = preset.source.redshift.draw(rng)
    ellipsoid, shear = _draw_lens(preset, z_lens, z_source, record, rng)
    source = draw_light(preset.source, preset.instrument, "source", record, rng)
    lens_light: tuple[Sersic, ...] = ()
    if preset.lens_light is not None:
        flux = source.total_flux
        light = draw_light(preset.lens_light, preset.instrument, "lens_light", record, rng, flux)
        lens_light = (light,) if light.amplitude > 0 else ()
    perturbers = draw_perturbers(preset, label, z_lens, z_source, record, rng)
    lens = _with_slope(ellipsoid, preset.lens, record, rng)
    multipoles = _draw_multipoles(lens, preset.lens, record, rng)
    sources = with_clumps(source, preset.source, record, rng)
    halos = _draw_line_of_sight(preset, label, z_lens, z_source, record, rng)
    scene = Scene(lens, shear, perturbers, sources, lens_light, multipoles, halos)
    if preset.source.pictures is not None:
        picture = draw_picture(source, preset.source.pictures, record, rng)
        scene = replace(scene, sources=(), pictures=(picture,))
    return scene, record


def _draw_line_of_sight(
    preset: Preset, label: str, z_lens: float, z_source: float, record: Record, rng: Generator
) -> LineOfSight | None:
    """The population of halos of the class, if it has one."""
    priors = [part for part in preset.classes[label] if isinstance(part, HaloPrior)]
    if not priors:
        return None
    return draw_halos(priors[0], preset.cosmology, z_lens, z_source, record, rng)


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


def _with_slope(lens: SIE, prior: LensPrior, record: Record, rng: Generator) -> SIE | EPL:
    """The lens with the slope of its density."""
    slope = prior.slope.draw(rng)
    if prior.slope != ISOTHERMAL:
        record["lens_slope"] = slope
    if slope == lens.slope:
        return lens
    return EPL(lens.einstein_radius, slope, lens.axis_ratio, lens.position_angle, lens.x, lens.y)


def _draw_multipoles(
    lens: SIE | EPL, prior: LensPrior, record: Record, rng: Generator
) -> tuple[Multipole, ...]:
    multipoles = []
    for order in MULTIPOLES:
        relative, angle = (value.draw(rng) for value in prior.multipole(order))
        name = f"multipole_{order}"
        if not -1 < relative < 1:
            raise BadPreset(f"lens: {name} {relative:g} is not between -1 and 1")
        if prior.multipole(order)[0] != ZERO:
            record |= {name: relative, f"{name}_angle": angle}
        if relative:
            theta, turn = lens.einstein_radius, float(np.deg2rad(angle))
            multipoles.append(Multipole(order, relative * theta, turn, theta, lens.x, lens.y))
    return tuple(multipoles)
