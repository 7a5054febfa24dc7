"""Draw the light of a lens: Sersic profiles of source and lens, clumps and pictures of galaxies.

The order of the draws is part of the contract that image `i` of seed `s` never changes.
"""

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from darklens.errors import BadPreset
from darklens.lensing.instrument import Instrument
from darklens.lensing.picture_light import PictureLight
from darklens.lensing.profiles import Sersic, sersic_b
from darklens.simulation.priors import LightPrior, PicturePrior
from darklens.simulation.record import Record, check_positive

__all__ = ["draw_light", "draw_picture", "with_clumps"]

_OF_SERSIC = ("sersic_index", "axis_ratio", "position_angle", "amplitude")  # not of a picture


def draw_light(
    prior: LightPrior,
    instrument: Instrument,
    name: str,
    record: Record,
    rng: Generator,
    source_flux: float = 0.0,
) -> Sersic:
    """Sersic light without its clumps.

    Args:
        prior: What the preset says of it.
        instrument: Turns magnitudes into counts.
        name: Of the light, for the record and messages.
        record: Receives what is drawn.
        rng: Source of the draws.
        source_flux: Total flux of the source, for light that is a fraction of it [counts/s].

    Raises:
        BadPreset: If an impossible value is drawn.
    """
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
    unit = Sersic(1.0, radius, index, axis_ratio, float(np.deg2rad(angle)), x, y, b)
    amplitude = _draw_amplitude(prior, unit, instrument, name, record, rng, source_flux)
    record[f"{name}_amplitude"] = amplitude
    return replace(unit, amplitude=amplitude)


def _draw_amplitude(
    prior: LightPrior,
    unit: Sersic,
    instrument: Instrument,
    name: str,
    record: Record,
    rng: Generator,
    source_flux: float,
) -> float:
    """Brightness of a profile at its radius, from that of amplitude one."""
    if prior.fraction is not None:
        fraction = record[f"{name}_fraction"] = prior.fraction.draw(rng)
        if not 0 <= fraction < np.inf:
            raise BadPreset(f"{name}: fraction {fraction:g} must not be negative")
        return fraction * source_flux / unit.total_flux
    if prior.magnitude is not None:
        magnitude = record[f"{name}_magnitude"] = prior.magnitude.draw(rng)
        amplitude = instrument.count_rate(magnitude) / unit.total_flux
    else:
        assert prior.amplitude is not None  # checked by LightPrior
        amplitude = prior.amplitude.draw(rng)
    check_positive(name, amplitude=amplitude)
    return amplitude


def with_clumps(
    source: Sersic, prior: LightPrior, record: Record, rng: Generator
) -> tuple[Sersic, ...]:
    """The source and its clumps, which share its flux.

    Raises:
        BadPreset: If an impossible value is drawn.
    """
    clumps = prior.clumps
    if clumps is None:
        return (source,)
    count = max(0, round(clumps.number.draw(rng)))
    drawn = (clumps.fraction, clumps.radius, clumps.sersic_index, clumps.offset, clumps.angle)
    fraction, radius, index, offset, angle = (value.sample(rng, count) for value in drawn)
    rest = 1 - float(fraction.sum())
    if fraction.min(initial=0.0) < 0:
        raise BadPreset(f"clumps: fraction {fraction.min():g} must not be negative")
    if not rest > 0:
        raise BadPreset(
            f"clumps: fractions that add up to {1 - rest:g} leave nothing of the source"
        )
    for name, values in (("radius", radius), ("sersic_index", index)):
        check_positive("clumps", **{name: values.min(initial=1.0)})
    x = source.x + offset * np.cos(np.deg2rad(angle))
    y = source.y + offset * np.sin(np.deg2rad(angle))
    columns = {"x": x, "y": y, "radius": radius, "sersic_index": index, "fraction": fraction}
    record |= {f"clump_{name}": values.tolist() for name, values in columns.items()}
    record["source_amplitude"] = rest * source.amplitude
    found = [replace(source, amplitude=rest * source.amplitude)]
    for k in range(count):
        size, n, place = float(radius[k]), float(index[k]), (float(x[k]), float(y[k]))
        unit = Sersic(1.0, size, n, 1.0, 0.0, *place, sersic_b(n, prior.b_n))
        amplitude = float(fraction[k]) * source.total_flux / unit.total_flux
        found.append(replace(unit, amplitude=amplitude))
    return tuple(found)


def draw_picture(
    source: Sersic, prior: PicturePrior, record: Record, rng: Generator
) -> PictureLight:
    """A picture of a real galaxy with the flux, the radius and the centre of the Sersic source.

    Args:
        source: The profile in whose place it comes.
        prior: The pictures.
        record: Receives what is drawn, and loses what holds for the profile alone.
        rng: Source of the draws.
    """
    galaxy = prior.galaxies[int(rng.integers(len(prior.galaxies)))]
    rotation = prior.rotation.draw(rng)
    own_radius = galaxy.radius * prior.pixel_scale
    scale = 1.0 if prior.keep_size else source.radius / own_radius
    for name in _OF_SERSIC:
        del record[f"source_{name}"]
    record |= {
        "source_radius": scale * own_radius,
        "source_flux": source.total_flux,
        "source_picture": galaxy.name,
        "source_rotation": rotation,
        "source_scale": scale,
    }
    return PictureLight(
        galaxy.spline,
        source.total_flux,
        scale * prior.pixel_scale,
        galaxy.column,
        galaxy.row,
        float(np.deg2rad(rotation)),
        source.x,
        source.y,
    )
