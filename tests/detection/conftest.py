"""A small lens with everything in it, drawn by the renderer of simulations."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from darklens.detection import Distances, TruncatedNFW
from darklens.detection.flexible_lens import FlexibleLens
from darklens.detection.lens_state import LensState
from darklens.detection.light_modes import light_modes
from darklens.detection.source_modes import source_modes
from darklens.lensing import (
    EPL,
    GaussianPSF,
    Perturbers,
    PixelGrid,
    Scene,
    Sersic,
    Shear,
    render,
)
from darklens.modelling import (
    GaussianLikelihood,
    Parameter,
    SmoothModel,
    adapt_preset,
    scene_parameters,
    smooth_model,
)
from darklens.simulation import load_preset

SCALE, SIDE = 0.08, 48
DISTANCES = Distances(0.3, 1.0)


@dataclass(frozen=True)
class SmallLens:
    """A lens and its image without noise."""

    scene: Scene
    model: SmoothModel
    flux: Any
    noise: Any

    @property
    def parameters(self) -> Any:
        return scene_parameters(self.scene)

    def observed(self, seed: int = 0) -> Any:
        return self.flux + self.noise * np.random.default_rng(seed).normal(size=self.flux.shape)


def small_lens(log_mass: float | None = None, *, signal: float = 60.0) -> SmallLens:
    """A lens with a subhalo of a mass on its arc, or without."""
    source = Sersic(4.0, 0.2, 1.2, 0.7, 0.6, 0.08, -0.05)
    light = Sersic(3.0, 0.5, 2.5, 0.8, 0.3)
    perturbers = Perturbers()
    if log_mass is not None:
        halo = TruncatedNFW(DISTANCES)(1.0, 0.5, log_mass)
        row = [halo.x, halo.y, halo.scale_radius, halo.truncation, halo.einstein_radius]
        perturbers = Perturbers(halos=np.array([row]))
    lens = EPL(1.1, 2.08, 0.78, 0.4, 0.02, -0.03)
    scene = Scene(lens, Shear(0.03, -0.02), perturbers, (source,), (light,))
    grid, psf = PixelGrid((SIDE, SIDE), SCALE), GaussianPSF(0.12, 4)
    preset = adapt_preset(load_preset("galaxy"), grid=grid, psf=psf)
    flux = psf.convolve(render(scene, grid, 2), SCALE)
    noise = np.sqrt(1.0 + flux / flux.max()) * flux.max() / signal
    model = smooth_model(preset, GaussianLikelihood(noise), draws=50)
    lower, upper = model.lower.copy(), model.upper.copy()
    lower[Parameter.LENS_SLOPE], upper[Parameter.LENS_SLOPE] = 1.2, 2.8
    free = tuple(sorted({*model.free, Parameter.LENS_SLOPE}))
    return SmallLens(scene, replace(model, free=free, lower=lower, upper=upper), flux, noise)


@pytest.fixture(scope="session")
def make_lens() -> Callable[..., SmallLens]:
    """Makes lenses with a subhalo of 10^`log_mass` solar masses at (1, 0.5), or without."""
    return small_lens


@pytest.fixture(scope="session")
def lens() -> SmallLens:
    """The lens without a subhalo."""
    return small_lens()


@pytest.fixture(scope="session")
def flexible(lens: SmallLens) -> FlexibleLens:
    """The model of the lens with all its freedom."""
    source = source_modes(lens.parameters, resolution=0.12)
    light = light_modes(lens.model.grid, 0.0, 0.0)
    return FlexibleLens(lens.model, source, light, TruncatedNFW(DISTANCES))


@pytest.fixture(scope="session")
def state(flexible: FlexibleLens, lens: SmallLens) -> LensState:
    """A state in which nothing is zero."""
    rng = np.random.default_rng(1)
    bare = flexible.state(lens.parameters)
    return LensState(
        bare.parameters,
        rng.normal(0, 0.01, bare.multipoles.size),
        flexible.source.deviations(0.1, 0.1) * rng.normal(size=bare.source.size),
        rng.normal(0, 0.05, bare.light.size),
        np.array([0.005, 0.002, -0.002]),
        np.array([1.0, 0.5, 9.5]),
    )
