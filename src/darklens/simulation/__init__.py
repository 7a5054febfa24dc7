"""Lenses drawn from a preset: distributions, presets, populations, and the simulator.

Arrows inside point one way: simulator -> population -> perturbers, light -> presets ->
priors, conditions -> distributions.
No torch. The simulator is imported on first use: its tables need pandas, which fits do not.
"""

from typing import TYPE_CHECKING

from darklens.lazy_imports import lazy_names
from darklens.simulation.presets import Preset, load_preset, parse_preset, preset_names

if TYPE_CHECKING:
    from darklens.simulation.simulator import Lens, Lenses, Simulator

__all__ = [
    "Lens",
    "Lenses",
    "Preset",
    "Simulator",
    "load_preset",
    "parse_preset",
    "preset_names",
]

_SIMULATOR = ("Lens", "Lenses", "Simulator")

__getattr__ = lazy_names(__name__, dict.fromkeys(_SIMULATOR, "darklens.simulation.simulator"))
