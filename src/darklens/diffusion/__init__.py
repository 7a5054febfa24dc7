"""The generator: networks that make new lenses from noise, their training and sampling."""

from darklens.diffusion.base import GeneratorNetwork
from darklens.diffusion.ddpm import (
    DiffusersConfig,
    DiscreteConfig,
    DiscreteDiffusion,
    ReferenceConfig,
)
from darklens.diffusion.edm import PatchConfig, PatchDiffusion
from darklens.diffusion.generator import GeneratedImages, Generator
from darklens.diffusion.network import build_generator, generator_spec
from darklens.diffusion.noise import SeededNoise
from darklens.diffusion.patches import PatchUNet
from darklens.diffusion.reference import ReferenceUNet
from darklens.diffusion.solvers import heun, multistep, noise_levels
from darklens.diffusion.task import GeneratorTask, Previews

__all__ = [
    "DiffusersConfig",
    "DiscreteConfig",
    "DiscreteDiffusion",
    "GeneratedImages",
    "Generator",
    "GeneratorNetwork",
    "GeneratorTask",
    "PatchConfig",
    "PatchDiffusion",
    "PatchUNet",
    "Previews",
    "ReferenceConfig",
    "ReferenceUNet",
    "SeededNoise",
    "build_generator",
    "generator_spec",
    "heun",
    "multistep",
    "noise_levels",
]
