"""What a description of the substructure loses: point masses against maps of the deflection.

    python benchmarks/descriptions.py

A generator of lens parameters and substructure needs the substructure in a fixed number of numbers.
For simulations of `common-test-1` this compares the expected image with that of a description, by
chi-square: the sum of squared differences over the photon noise. The effect of the substructure is
the same between the image and that of the smooth lens.

Maps hold both components of the deflection on a square grid around the centre of mass, turned along
the longest axis; each mass is a Gaussian as wide as the distance of the nodes, and cubic splines
interpolate. The far field of the total mass is added exactly.
"""

import argparse
import datetime
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.ndimage import map_coordinates

from darklens.lensing import Scene
from darklens.lensing.profiles import sersic_b
from darklens.modelling import LensDescriber, scene_parameters
from darklens.modelling.derivatives import sersic_rays, trace_smooth
from darklens.modelling.parameters import Parameter
from darklens.modelling.point_masses import points_of
from darklens.simulation import Simulator
from darklens.train.cards import machine_name

RESULTS = Path(__file__).parent / "results"
HALF = 3.2  # half the side of a map [arcsec]
CORE = 0.5  # core of the far field [arcsec]
BACKGROUND = 10

Image = Float[np.ndarray, "h w"]
Draw = Callable[[Scene], Image]


def far_field(u: Image, v: Image) -> tuple[Image, Image]:
    """Deflection of a unit mass with a core."""
    square = u * u + v * v + CORE**2
    return u / square, v / square


def mapped(simulator: Simulator, nodes: int, scene: Scene) -> Image:
    """Expected counts with the substructure as a map of the deflection."""
    points = points_of(scene.perturbers)
    mass = points[:, 2] ** 2
    fraction = mass / mass.sum()
    centre = fraction @ points[:, :2]
    offset = points[:, :2] - centre
    moments = (fraction[:, None] * offset).T @ offset
    angle = 0.5 * np.arctan2(2 * moments[0, 1], moments[0, 0] - moments[1, 1])
    c, s = np.cos(angle), np.sin(angle)
    axis = np.linspace(-HALF, HALF, nodes)
    u, v = np.meshgrid(axis, axis)
    width = axis[1] - axis[0]
    far = far_field(u, v)
    along, across = -far[0], -far[1]
    for (x, y), weight in zip(offset, fraction, strict=True):
        du, dv = u - (c * x + s * y), v - (c * y - s * x)
        square = du * du + dv * dv + 1e-12
        strength = weight * -np.expm1(-square / (2 * width**2)) / square
        along, across = along + strength * du, across + strength * dv
    x, y = simulator.preset.grid.coordinates()
    u, v = c * (x - centre[0]) + s * (y - centre[1]), c * (y - centre[1]) - s * (x - centre[0])
    places = [(v + HALF) / width, (u + HALF) / width]
    far = far_field(u, v)
    a, b = (
        mass.sum() * (map_coordinates(part, places, order=3) + rest)
        for part, rest in zip((along, across), far, strict=True)
    )
    return image(simulator, scene, c * a - s * b, s * a + c * b)


def image(simulator: Simulator, scene: Scene, ax: Image, ay: Image) -> Image:
    """Expected counts of the smooth lens with a further deflection."""
    preset, p = simulator.preset, scene_parameters(scene)
    x, y = trace_smooth(preset.grid.shape, preset.grid.pixel_scale, p)
    b = sersic_b(p[Parameter.SOURCE_SERSIC_INDEX], preset.source.b_n)
    rays = (x - ax).ravel(), (y - ay).ravel()
    light = sersic_rays(*rays, p, int(Parameter.SOURCE_X), b, 0.0)[0].reshape(x.shape)
    flux = preset.instrument.observe(light * preset.grid.pixel_area, preset.grid.pixel_scale)
    return np.asarray(flux + BACKGROUND)


def described(describer: LensDescriber, scene: Scene) -> Image:
    """Expected counts with the substructure as some point masses."""
    return describer.image(describer.describe(scene)).astype(np.float64)


def chi_squares(simulator: Simulator, draw: Draw, label: int, count: int) -> list[float]:
    """Chi-square between the simulator's image and a description's."""
    found = []
    for number in range(count):
        scene, _ = simulator.scene(3 * number + label, seed=5)
        truth = simulator.expected_rate(scene) + BACKGROUND
        found.append(float((np.square(draw(scene) - truth) / truth).sum()))
    return found


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=200, help="lenses of each class")
    count = parser.parse_args().count
    simulator = Simulator("common-test-1")
    zero = np.zeros(simulator.preset.grid.shape)
    ways: dict[str, Draw] = {
        "effect of the substructure": lambda s: image(simulator, s, zero, zero)
    }
    for nodes in (32, 48, 64):
        ways[f"map of {nodes} x {nodes} nodes"] = partial(mapped, simulator, nodes)
    for masses in (15, 25, 40):
        describer = LensDescriber(simulator.preset, masses)
        ways[f"{masses} point masses"] = partial(described, describer)
    rows = []
    for name, draw in ways.items():
        cells = [
            f"{middle:.3g} ({high:.3g})"
            for label in (1, 2)
            for middle, high in [
                np.percentile(chi_squares(simulator, draw, label, count), (50, 95))
            ]
        ]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    today = datetime.datetime.now(datetime.UTC).date()
    lines = [
        "# Generator: what a description loses",
        "",
        f"{machine_name()}, {today}, `python benchmarks/descriptions.py --count {count}`.",
        "",
        f"Chi-square of {count} images of `common-test-1` with each kind of substructure against"
        " their descriptions, without noise: median, and 95 % in brackets.",
        "",
        "| description | subhalos | line of mass |",
        "|---|---|---|",
        *rows,
        "",
    ]
    (RESULTS / "generator_descriptions.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
