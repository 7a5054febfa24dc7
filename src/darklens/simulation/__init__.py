"""Lenses drawn from a preset: distributions, presets, populations, and the simulator.

Arrows inside point one way: simulator -> population -> perturbers, light -> presets ->
priors, conditions -> distributions.
No torch.
"""

from darklens.simulation.presets import Preset, load_preset, parse_preset, preset_names
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
