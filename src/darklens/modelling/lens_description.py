r"""Lenses of a preset as vectors of numbers, and the expected image of each vector.

A description holds the free coordinates of the smooth lens (`LensCoordinates`), six numbers for the
frame of the substructure, and `masses` point masses in it (`darklens.modelling.point_masses`):

.. math:: \left( c_1 \ldots c_k, \;
    \theta / \theta_E, \; x, \; y, \; \ln \ell, \; \cos 2\phi, \; \sin 2\phi, \;
    u_1 \ldots u_n, \; v_1 \ldots v_n, \; \sqrt{n w_1} \ldots \sqrt{n w_n} \right)

with :math:`\theta` the Einstein radius of the substructure. Its square root of the mass makes small
errors of a weak or absent perturber negligible. Nothing in a description depends on the pixels, so
the image is that of the simulator's own renderer.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Float32

from darklens.errors import BadPreset
from darklens.lensing.noise import PhotonNoise
from darklens.lensing.profiles import EPL, ISOTHERMAL, sersic_b
from darklens.lensing.render import Scene, render
from darklens.modelling.lens_coordinates import LensCoordinates
from darklens.modelling.model_from_preset import smooth_model
from darklens.modelling.parameter_table import fitted_scene
from darklens.modelling.parameters import Parameter, scene_parameters
from darklens.modelling.point_masses import MassFrame, framed_masses, placed_masses, points_of
from darklens.simulation.conditions import Conditions
from darklens.simulation.presets import Preset

__all__ = ["FRAME", "LensDescriber"]

FRAME = 6
"""Numbers that describe the frame of the substructure."""

_DRAWS = 16  # from which nothing is taken but what does not vary
_LARGEST_SIZE = 20.0  # arcsec
_LARGEST_RATIO = 1.0  # of the Einstein radii of substructure and lens


class LensDescriber:
    """Describes the lenses of a preset, and renders descriptions.

    Args:
        preset: The preset; its noise is that of photons.
        masses: Number of point masses in a description.

    Raises:
        BadPreset: If the noise is not that of photons, the telescope is drawn for each image, or
            the sources are pictures.

    Attributes:
        preset: The preset.
        coordinates: The coordinates of the smooth lens.
        masses: Number of point masses.
    """

    def __init__(self, preset: Preset, masses: int) -> None:
        if not isinstance(preset.noise, PhotonNoise):
            raise BadPreset(f"{preset.name}: a description needs the noise of photons")
        if preset.conditions != Conditions():
            raise BadPreset(f"{preset.name}: a description needs one telescope and one sky")
        if preset.source.pictures is not None:
            raise BadPreset(f"{preset.name}: pictures of galaxies have no description")
        self._noise = preset.noise.expectation()
        model = smooth_model(preset, draws=_DRAWS)
        self.preset = preset
        self.masses = masses
        self.coordinates = LensCoordinates(model.free, model.draws[0])
        self._b_n = model.b_n

    def __len__(self) -> int:
        return len(self.coordinates) + FRAME + 3 * self.masses

    def __repr__(self) -> str:
        return f"LensDescriber({self.preset.name!r}: {len(self)} numbers, {self.masses} masses)"

    def describe(self, scene: Scene, exposure: float = 1.0) -> Float[np.ndarray, " d"]:
        """The description of a scene.

        Args:
            scene: Scene of the preset.
            exposure: Exposure time [s].

        Raises:
            BadPreset: If the scene has parts that a description has not.
        """
        if scene.multipoles or len(scene.sources) != 1 or len(scene.lens_light) > 1:
            raise BadPreset(
                f"{self.preset.name}: multipoles and clumps of the source cannot be described"
            )
        smooth = self.coordinates.coordinates(scene_parameters(scene, exposure))
        frame, rows = framed_masses(points_of(scene.perturbers), self.masses)
        numbers = (
            frame.einstein_radius / scene.lens.einstein_radius,
            frame.x,
            frame.y,
            np.log(frame.size),
            np.cos(2 * frame.angle),
            np.sin(2 * frame.angle),
        )
        roots = np.sqrt(self.masses * rows[:, 2])
        return np.concatenate([smooth, numbers, rows[:, 0], rows[:, 1], roots])

    def scene(self, description: Float[np.ndarray, " d"]) -> tuple[Scene, float]:
        """The scene of a description, and its exposure time [s]."""
        count = len(self.coordinates)
        parameters = self.coordinates.parameters(description[:count])
        scene = fitted_scene(parameters)
        ratio, x, y, log_size, c, s = description[count : count + FRAME].tolist()
        frame = MassFrame(
            min(max(ratio, 0.0), _LARGEST_RATIO) * scene.lens.einstein_radius,
            x,
            y,
            float(np.exp(min(log_size, np.log(_LARGEST_SIZE)))),
            float(0.5 * np.arctan2(s, c)),
        )
        u, v, roots = description[count + FRAME :].reshape(3, self.masses)
        rows = np.column_stack([u, v, np.square(np.maximum(roots, 0.0))])
        smooth = self._with_constants(scene, float(parameters[Parameter.LENS_SLOPE]))
        scene = replace(smooth, perturbers=placed_masses(frame, rows))
        return scene, float(np.exp(parameters[Parameter.LOG_EXPOSURE]))

    def image(self, description: Float[np.ndarray, " d"]) -> Float32[np.ndarray, "h w"]:
        """Expected counts of a description."""
        scene, exposure = self.scene(np.asarray(description, dtype=np.float64))
        preset = self.preset
        grid, instrument = preset.grid, preset.instrument
        flux = render(scene, grid, instrument.supersampling)
        rate = instrument.observe(flux, grid.pixel_scale)
        sky = instrument.sky_rate(grid.pixel_area)
        counts = self._noise.observe(rate, exposure, sky, np.random.default_rng(0))
        return np.asarray(counts, dtype=np.float32)

    def _with_constants(self, scene: Scene, slope: float) -> Scene:
        """The scene with the slope of the lens and the Sersic constants of the preset."""
        lens = scene.lens
        if slope != ISOTHERMAL:
            lens = EPL(
                lens.einstein_radius, slope, lens.axis_ratio, lens.position_angle, lens.x, lens.y
            )
        lights = [
            tuple(replace(part, b=sersic_b(part.sersic_index, formula)) for part in parts)
            for parts, formula in zip((scene.sources, scene.lens_light), self._b_n, strict=True)
        ]
        if self.preset.lens_light is None:
            lights[1] = ()
        return replace(scene, lens=lens, sources=lights[0], lens_light=lights[1])
