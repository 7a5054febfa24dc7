"""From a preset to the model that is fitted: what is free, its bounds, and draws from the prior.

A parameter with a distribution in the preset is free, a constant is fixed. Bounds lie half a range
beyond what the preset draws. Where the sources are pictures of galaxies, the model has the Sersic
profile that the preset gives with them.
"""

import numpy as np
from jaxtyping import Float
from numpy.random import Generator, Philox

from darklens.errors import BadInput, BadPreset
from darklens.modelling.likelihood import Likelihood, likelihood_of
from darklens.modelling.parameters import PARAMETERS, Parameter, prior_bounds, scene_parameters
from darklens.modelling.precomputed import precomputed
from darklens.modelling.smooth_model import SmoothModel
from darklens.simulation.distributions import Constant, Distribution
from darklens.simulation.population import draw_scene
from darklens.simulation.presets import Preset
from darklens.simulation.priors import LightPrior, LinePrior

__all__ = ["PRIOR_DRAWS", "smooth_model"]

PRIOR_DRAWS = 4000
"""Default number of lenses drawn from the prior."""

_SEED = 20_260_101


def smooth_model(
    preset: Preset,
    likelihood: Likelihood | None = None,
    *,
    background: bool = False,
    line: bool = False,
    draws: int = PRIOR_DRAWS,
) -> SmoothModel:
    """The smooth lens model that a preset declares.

    Args:
        preset: Decides what is free and what is fixed; substructure is left out.
        likelihood: Noise model; the preset's own if None.
        background: Whether a flat background is also free; always so for a general preset.
        line: Whether to include the line of mass of the first class that has one.
        draws: Number of lenses drawn from the prior; they set the bounds, and fits start from them.

    Raises:
        BadPreset: If there is neither noise nor a likelihood, or no class with a line.
        BadInput: If the preset leaves nothing to fit.
    """
    preset = preset.with_sersic_source()
    free = _free(preset)
    if not free:
        raise BadInput(
            f"the preset {preset.name} has no free parameter of the smooth lens: nothing to fit"
        )
    label = next((name for name, parts in preset.classes.items() if not parts), None)
    label = label or next(iter(preset.classes))
    if background or preset.general:
        free = (*free, Parameter.BACKGROUND)
    if line:
        preset = preset.with_continuous_lines()
        label, prior = _line_class(preset)
        free = (*free, *_line_free(prior))
    table = _draws(preset, label, line, draws)
    lower, upper = prior_bounds(table, any_amplitude=preset.general)
    if likelihood is None:
        sky = preset.instrument.sky_rate(preset.grid.pixel_area)
        likelihood = likelihood_of(preset.noise, sky)
    light = preset.lens_light
    return SmoothModel(
        grid=preset.grid,
        instrument=preset.instrument,
        likelihood=likelihood,
        free=tuple(sorted(free)),
        lower=lower,
        upper=upper,
        draws=table,
        b_n=(preset.source.b_n, preset.source.b_n if light is None else light.b_n),
        lens_light=light is not None,
    )


def _draws(preset: Preset, label: str, line: bool, count: int) -> Float[np.ndarray, "d p"]:
    """Parameter vectors of lenses from the prior, the same on every call."""
    key = (preset, label, line, count)
    return precomputed("draws", key, lambda: _drawn(preset, label, line, count))


def _drawn(preset: Preset, label: str, line: bool, count: int) -> Float[np.ndarray, "d p"]:
    rows = []
    for index in range(count):
        rng = Generator(Philox(key=np.array([_SEED, index], dtype=np.uint64)))
        scene, record = draw_scene(preset, label, rng)
        rows.append(scene_parameters(scene, record["exposure"], line=line))
    return np.array(rows)


def _line_class(preset: Preset) -> tuple[str, LinePrior]:
    """The first class with a line of mass."""
    for label, parts in preset.classes.items():
        for part in parts:
            if isinstance(part, LinePrior):
                return label, part
    raise BadPreset(f"the preset {preset.name} has no class with a line of mass")


def _line_free(prior: LinePrior) -> list[int]:
    """Free parameters of the line of mass."""
    moved = prior.radius != Constant(0.0)
    drawn = {
        "line_x": moved and _varies(prior.radius, prior.angle),
        "line_y": moved and _varies(prior.radius, prior.angle),
        "line_angle": _varies(prior.position_angle),
        "line_log_half_length": _varies(prior.half_length, prior.axion_mass),
        "line_strength": _varies(prior.mass),
    }
    return [Parameter[name.upper()] for name, varies in drawn.items() if varies]


def _free(preset: Preset) -> tuple[int, ...]:
    """Free parameters of the smooth lens."""
    lens, source = preset.lens, preset.source
    theta = [lens.einstein_radius]
    if lens.mass is not None:
        theta = [lens.mass, lens.redshift, source.redshift]
    drawn = {
        "einstein_radius": _varies(*theta),
        "lens_e": _varies(lens.axis_ratio)
        or (_varies(lens.position_angle) and lens.axis_ratio != Constant(1.0)),
        "lens_x": _varies(lens.x),
        "lens_y": _varies(lens.y),
        "lens_slope": _varies(lens.slope),
        "gamma": _varies(lens.shear) or (_varies(lens.shear_angle) and lens.shear != Constant(0.0)),
        **_light_freedom("source", source),
        "log_exposure": _varies(preset.exposure),
    }
    if preset.lens_light is not None:
        drawn |= _light_freedom("lens_light", preset.lens_light)
    names = {name for name, varies in drawn.items() if varies}
    return tuple(k for k, name in enumerate(PARAMETERS) if name in names or name[:-1] in names)


def _light_freedom(part: str, prior: LightPrior) -> dict[str, bool]:
    offset = prior.offset != Constant(0.0) and _varies(prior.offset, prior.offset_angle)
    brightness: tuple[Distribution | None, ...] = (prior.amplitude,)
    if prior.magnitude is not None:
        brightness = (prior.magnitude, prior.radius, prior.sersic_index)
    if prior.fraction is not None:
        brightness = (prior.fraction,)
    return {
        f"{part}_x": _varies(prior.x) or offset,
        f"{part}_y": _varies(prior.y) or offset,
        f"{part}_e": _varies(prior.axis_ratio)
        or (_varies(prior.position_angle) and prior.axis_ratio != Constant(1.0)),
        f"{part}_log_radius": _varies(prior.radius),
        f"{part}_sersic_index": _varies(prior.sersic_index),
        f"{part}_log_amplitude": _varies(*brightness),
    }


def _varies(*values: Distribution | None) -> bool:
    return any(value is not None and not isinstance(value, Constant) for value in values)
