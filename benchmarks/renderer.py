"""Speed and memory of the simulator, compared with lenstronomy for the same physics.

    python benchmarks/renderer.py

Both run on one thread and make the same lenses in turn, twenty in a row: 150 x 150 pixels, ray
tracing, PSF and noise. The time of darklens includes drawing the parameters; the models of
lenstronomy are built beforehand, and only the image and NumPy's noise are timed. The vortex is made
of the same point masses in both.
The table goes to `benchmarks/results/renderer.md`.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import datetime
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import numpy as np
from lenstronomy.Data.imaging_data import ImageData
from lenstronomy.Data.psf import PSF
from lenstronomy.ImSim.image_model import ImageModel
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LightModel.light_model import LightModel
from lenstronomy.Util.param_util import phi_q2_ellipticity

from darklens.lensing import GaussianPSF, PointMass, Scene
from darklens.lensing.noise import DeepLenseSimNoise, PhotonNoise
from darklens.lensing.profiles import sersic_b
from darklens.simulation import Simulator

RESULT = Path(__file__).resolve().parent / "results" / "renderer.md"
CLASSES = ("no", "sphere", "vort")
PRESETS = ("common-test-1", "model-1-legacy")
BLOCK = 20


def lenstronomy_masses(scene: Scene) -> list[tuple[str, dict[str, float]]]:
    """Names and parameters of the lens models: sphere or ellipsoid, shear, points."""
    lens = scene.lens
    place = {"theta_E": lens.einstein_radius, "center_x": lens.x, "center_y": lens.y}
    masses = [("SIS", place)]
    if lens.axis_ratio < 1:
        e1, e2 = phi_q2_ellipticity(lens.position_angle, lens.axis_ratio)
        masses = [("SIE", {**place, "e1": e1, "e2": e2})]
    masses.append(("SHEAR", {"gamma1": scene.shear.gamma1, "gamma2": scene.shear.gamma2}))
    for point in scene.perturbers.profiles():
        assert isinstance(point, PointMass)
        place = {"theta_E": point.einstein_radius, "center_x": point.x, "center_y": point.y}
        masses.append(("POINT_MASS", place))
    return masses


def lenstronomy_image(simulator: Simulator, scene: Scene) -> Callable[[], np.ndarray]:
    """A function that computes the expected image with lenstronomy [counts/s]."""
    grid, psf = simulator.preset.grid, simulator.preset.instrument.psf
    assert isinstance(psf, GaussianPSF)
    names, masses = zip(*lenstronomy_masses(scene), strict=True)
    (source,) = scene.sources
    e1, e2 = phi_q2_ellipticity(source.position_angle, source.axis_ratio)
    # lenstronomy's b_n is fixed; another radius and amplitude give the same profile with it.
    b, n = sersic_b(source.sersic_index, "lenstronomy"), source.sersic_index
    light = {
        "amp": source.amplitude * np.exp(source.b_n - b),
        "R_sersic": source.radius * (b / source.b_n) ** n,
        "n_sersic": n,
        "e1": e1,
        "e2": e2,
        "center_x": source.x,
        "center_y": source.y,
    }
    corner = [-0.5 * (side - 1) * grid.pixel_scale for side in grid.shape]
    data = ImageData(
        image_data=np.zeros(grid.shape),
        ra_at_xy_0=corner[1],
        dec_at_xy_0=corner[0],
        transform_pix2angle=grid.pixel_scale * np.eye(2),
    )
    model = ImageModel(
        data,
        PSF("GAUSSIAN", fwhm=psf.fwhm, truncation=psf.truncation, pixel_size=grid.pixel_scale),
        LensModel(list(names)),
        LightModel(["SERSIC_ELLIPSE"]),
        kwargs_numerics={"supersampling_factor": 1},
    )
    return lambda: np.asarray(model.image(list(masses), [light]))


def observe(
    simulator: Simulator,
    image: Callable[[], np.ndarray],
    exposure: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Call `image` for the expected counts per second, and add the preset's noise with NumPy."""
    noise, counts = simulator.preset.noise, exposure * image()
    if isinstance(noise, DeepLenseSimNoise):
        deviation = np.sqrt(counts + (noise.background_rms * exposure) ** 2)
        counts = np.maximum(counts + deviation * rng.standard_normal(counts.shape), 0)
    else:
        assert isinstance(noise, PhotonNoise)
        counts = counts + noise.background
    return rng.poisson(counts).astype(np.uint16)


@dataclass(frozen=True)
class Times:
    """Median processor and wall time per image [ms]."""

    processor: float
    wall: float


def clock(work: list[Callable[[], object]]) -> tuple[float, float]:
    """Processor and wall time of one call [ms], as the mean over some calls in a row."""
    processor, wall = time.process_time(), time.perf_counter()
    for call in work:
        call()
    scale = 1e3 / len(work)
    return scale * (time.process_time() - processor), scale * (time.perf_counter() - wall)


def compare(preset: str, name: str, count: int) -> tuple[list[Times], float]:
    """Times of both, and their largest difference over the peak.

    The times are those of a noisy lens by darklens and by lenstronomy, then of the expected image
    alone.
    """
    simulator = Simulator(preset, classes=[name])
    rng = np.random.default_rng(0)
    simulator.lens(0)
    taken: list[list[tuple[float, float]]] = [[] for _ in range(4)]
    difference = 0.0
    for start in range(1, count + 1, BLOCK):
        lenses = [simulator.lens(i) for i in range(start, start + BLOCK)]
        observations, images, rates = [], [], []
        for lens in lenses:
            image = lenstronomy_image(simulator, lens.scene)
            truth = image()
            error = abs(simulator.expected_rate(lens.scene) - truth).max() / truth.max()
            difference = max(difference, error)
            exposure = lens.parameters["exposure"]
            observations.append(partial(observe, simulator, image, exposure, rng))
            images.append(image)
            rates.append(partial(simulator.expected_rate, lens.scene))
        whole = [partial(simulator.lens, start + i) for i in range(BLOCK)]
        for times, work in zip(taken, (whole, observations, rates, images), strict=True):
            times.append(clock(work))
    return [Times(*np.median(times, axis=0)) for times in taken], difference


def speed_table(count: int) -> list[str]:
    """Markdown table of the comparison for each preset and class."""
    lines = [
        "| preset | class | darklens | lenstronomy | speed-up | image alone: darklens "
        "| lenstronomy | speed-up | difference |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for preset in PRESETS:
        for name in CLASSES:
            times, difference = compare(preset, name, count)
            cells = []
            for ours, theirs in (times[:2], times[2:]):
                cells += [f"{one.processor:.2f} ms ({one.wall:.2f})" for one in (ours, theirs)]
                cells.append(f"{theirs.processor / ours.processor:.1f}")
            lines.append(
                f"| {preset} | {description(preset, name)} | {' | '.join(cells)} "
                f"| {difference:.0e} |"
            )
            print(lines[-1], flush=True)
    return lines


def description(preset: str, name: str) -> str:
    """The class, and what its substructure is made of."""
    ours = "100 points" if preset.endswith("legacy") else "10 to 100 points"
    return name + {"no": "", "sphere": ", 25 points", "vort": f", {ours}"}[name]


def peak_memory(who: int = resource.RUSAGE_SELF) -> float:
    """Largest resident memory so far [MB]."""
    return resource.getrusage(who).ru_maxrss / 1024


def memory_table(count: int) -> list[str]:
    """Peak memory of one process that simulates images, after 1,000 and after `count`."""
    stream = Simulator(PRESETS[0]).stream(seed=1)
    lines = ["| images made | peak memory |", "|---|---|"]
    made = 0
    for goal in (1000, count):
        for _ in islice(stream, goal - made):
            pass
        made = goal
        lines.append(f"| {goal:,} | {peak_memory():.0f} MB |")
        print(lines[-1], flush=True)
    return lines


def store_table(count: int) -> list[str]:
    """Time and memory of `darklens simulate` with two processes, for 1,000 and `count` images."""
    lines = [
        "| images in the store | time | images per second | peak memory of a process |",
        "|---|---|---|---|",
    ]
    for number in (1000, count):
        with tempfile.TemporaryDirectory() as folder:
            words = f"--preset {PRESETS[0]} --count {number} --seed 0 --workers 2 --quiet".split()
            begin = time.perf_counter()
            command = [sys.executable, "-m", "darklens", "simulate", f"{folder}/lenses.zarr"]
            subprocess.run([*command, *words], check=True)
            seconds = time.perf_counter() - begin
        memory = peak_memory(resource.RUSAGE_CHILDREN)
        lines.append(f"| {number:,} | {seconds:.1f} s | {number / seconds:.0f} | {memory:.0f} MB |")
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="images of each row")
    parser.add_argument("--total", type=int, default=30_000, help="images for memory and store")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    speed = speed_table(arguments.count)
    memory = memory_table(arguments.total)
    store = store_table(arguments.total)
    from darklens.train.cards import machine_name  # torch, which would count as memory above

    versions = ", ".join(f"{name} {version(name)}" for name in ("lenstronomy", "numpy", "numba"))
    lines = [
        "# The renderer compared with lenstronomy",
        "",
        f"{machine_name()}, {datetime.date.today()}, `python benchmarks/renderer.py`, {versions}.",
        f"Load average of the machine at the start: {load:.1f}.",
        "",
        "150 x 150 pixels with PSF and Poisson noise on one thread: median processor time per",
        f"image over {arguments.count} images (in parentheses wall time). darklens also draws the",
        "lens; lenstronomy's models are built beforehand. The isothermal sphere of",
        "`common-test-1` is lenstronomy's `SIS`, which is its fastest. The last column compares",
        "the noiseless images, in units of the peak. The image alone is ray tracing and PSF.",
        "",
        *speed,
        "",
        f"Memory of one process that simulates images of `{PRESETS[0]}`:",
        "",
        *memory,
        "",
        f"`darklens simulate lenses.zarr --preset {PRESETS[0]} --workers 2`, start and compilation",
        "cache included:",
        "",
        *store,
    ]
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
