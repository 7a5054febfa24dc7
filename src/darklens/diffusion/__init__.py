"""The generator: networks that make new lenses from noise, their training and sampling.

What needs Lightning is imported on first use: sampling does not.
"""

from typing import TYPE_CHECKING

from darklens.diffusion.base import CodeSpace, GeneratorNetwork
from darklens.diffusion.components import ComponentSpace
from darklens.diffusion.ddpm import (
    DiffusersConfig,
    DiscreteConfig,
    DiscreteDiffusion,
    ReferenceDiffusionConfig,
)
from darklens.diffusion.description_space import DescriptionSpace
from darklens.diffusion.edm import ComponentConfig, ComponentDiffusion
from darklens.diffusion.generator import GeneratedImages, Generator, SamplingOptions
from darklens.diffusion.lens_and_masses import LensAndMasses, LensAndMassesConfig
from darklens.diffusion.network import build_generator, generator_spec, register_generator
from darklens.diffusion.noise import SeededNoise
from darklens.diffusion.perceptron import CodePerceptron
from darklens.diffusion.reference import ReferenceUNet
from darklens.diffusion.solvers import angular, equal_angles, heun, multistep, noise_levels
from darklens.lazy_imports import lazy_names

if TYPE_CHECKING:
    from darklens.diffusion.task import GeneratorTask, Previews

__all__ = [
    "CodePerceptron",
    "CodeSpace",
    "ComponentConfig",
    "ComponentDiffusion",
    "ComponentSpace",
    "DescriptionSpace",
    "DiffusersConfig",
    "DiscreteConfig",
    "DiscreteDiffusion",
    "GeneratedImages",
    "Generator",
    "GeneratorNetwork",
    "GeneratorTask",
    "LensAndMasses",
    "LensAndMassesConfig",
    "Previews",
    "ReferenceDiffusionConfig",
    "ReferenceUNet",
    "SamplingOptions",
    "SeededNoise",
    "angular",
    "build_generator",
    "equal_angles",
    "generator_spec",
    "heun",
    "multistep",
    "noise_levels",
    "register_generator",
]

__getattr__ = lazy_names(
    __name__, dict.fromkeys(("GeneratorTask", "Previews"), "darklens.diffusion.task")
)
