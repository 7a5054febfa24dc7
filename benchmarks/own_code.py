"""Our own random numbers and optimiser compared with NumPy's and SciPy's, for one image.

    python benchmarks/own_code.py

Median processor time on one thread, both in turn in the same process. Random numbers are for
150 x 150 pixels, and each run includes a new generator keyed by the image, as in a simulation. Fits
have the seven parameters of `common-test-1`, the same start and the same exact Jacobian.
The table goes to `benchmarks/results/own_code.md`.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.random import Generator, Philox
from scipy.optimize import least_squares

from darklens.lensing.poisson import poisson
from darklens.lensing.threefry import normals
from darklens.modelling import SmoothModel, smooth_model
from darklens.modelling.levenberg_marquardt import RoughNoise, optimise
from darklens.modelling.parameters import scene_parameters
from darklens.simulation import Simulator

RESULT = Path(__file__).resolve().parent / "results" / "own_code.md"
PIXELS, RUNS, FITS = 150 * 150, 100, 8
MACHINE, DATE = "AMD EPYC, 2 cores", time.strftime("%Y-%m-%d")

Row = tuple[str, float, float, str]


def generator(image: int) -> Generator:
    """The counter-based generator of one image."""
    return Generator(Philox(key=np.array([1, image], dtype=np.uint64)))


def medians(
    ours: Callable[[int], object], theirs: Callable[[int], object], runs: int
) -> list[float]:
    """Median times of both [ms], measured in turn after one call to warm up."""
    times: list[list[float]] = [[], []]
    for run in range(-1, runs):
        for place, call in enumerate((ours, theirs)):
            begin = time.process_time()
            call(run + 1)
            if run >= 0:
                times[place].append(1e3 * (time.process_time() - begin))
    return [float(np.median(part)) for part in times]


def random_numbers() -> list[Row]:
    """Normal and Poisson numbers of one image."""
    rows: list[Row] = []
    ours, theirs = medians(
        lambda i: normals(PIXELS, generator(i)),
        lambda i: generator(i).standard_normal(PIXELS),
        RUNS,
    )
    rows.append(("normal numbers: Threefry, `Generator(Philox).standard_normal`", ours, theirs, ""))
    simulator = Simulator("common-test-1")
    mean = simulator.expected_rate(simulator.lens(0).scene) + 10.0
    ours, theirs = medians(
        lambda i: poisson(mean, generator(i)), lambda i: generator(i).poisson(mean), RUNS
    )
    rows.append(("Poisson counts of a lens: ours, `Generator(Philox).poisson`", ours, theirs, ""))
    return rows


def fits() -> Row:
    """Fits of smooth lenses with fixed variances, by both optimisers."""
    simulator = Simulator("common-test-1", classes=["no"])
    model = smooth_model(simulator.preset, draws=200)
    free, times, far = list(model.free), [], 0.0
    for index in range(FITS + 1):
        lens = simulator.lens(index, seed=3)
        data = lens.image[0].astype(np.float64)
        truth = scene_parameters(lens.scene, lens.parameters["exposure"])
        expected = model.likelihood.moments(model.image(truth), model.exposure(truth))
        noise = RoughNoise(model.likelihood, 10.0, expected.variance)
        fixed = replace(model, likelihood=noise)
        start = truth.copy()
        shift = 0.02 * np.random.default_rng(index).choice([-1.0, 1.0], len(free))
        start[free] += shift * (model.upper - model.lower)[free]
        begin = time.process_time()
        ours = optimise(fixed, data, start, 50)
        middle = time.process_time()
        theirs = scipy_fit(fixed, data, start)
        end = time.process_time()
        errors = np.sqrt(np.diag(np.linalg.inv(ours.curvature)))
        far = max(far, float(np.abs((ours.parameters[free] - theirs) / errors).max()))
        times.append((1e3 * (middle - begin), 1e3 * (end - middle)))
    median = np.median(times[1:], axis=0)
    label = "fit: ours, `least_squares(method='lm')` with the same Jacobian"
    return label, float(median[0]), float(median[1]), f"differ by at most {far:.1g} standard errors"


def scipy_fit(model: SmoothModel, data: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The free parameters that MINPACK's Levenberg-Marquardt finds."""
    free, p = list(model.free), start.copy()
    cache: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}

    def both(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        key = values.tobytes()
        if key not in cache:
            cache.clear()
            p[free] = values
            flux, jacobian = model.image(p), model.derivatives(p)
            moments = model.likelihood.moments(flux, model.exposure(p))
            sigma = np.sqrt(moments.variance)
            scaled = moments.slope * jacobian / sigma
            cache[key] = (moments.mean - data) / sigma, scaled.reshape(len(free), -1).T
        return cache[key]

    found = least_squares(
        lambda v: both(v)[0].ravel(),
        start[free],
        jac=lambda v: both(v)[1],
        method="lm",
        x_scale="jac",
        xtol=1e-6,
        ftol=1e-6,
        gtol=1e-6,
    )
    return np.asarray(found.x)


def main() -> None:
    """Measure, and write the table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    load = os.getloadavg()[0]
    lines = [
        "# Our own code compared with the libraries",
        "",
        f"{MACHINE}, {DATE}, `python benchmarks/own_code.py`, numpy {version('numpy')}, scipy "
        f"{version('scipy')}, numba {version('numba')}.",
        f"Load average of the machine at the start: {load:.1f}.",
        "",
        "One image of 150 x 150 pixels on one thread, median processor time, in turn. Random",
        "numbers include a new counter-based generator for the image.",
        "",
        "| work | ours [ms] | library [ms] | speed-up | results |",
        "|---|---|---|---|---|",
    ]
    for label, ours, theirs, note in (*random_numbers(), fits()):
        lines.append(f"| {label} | {ours:.3g} | {theirs:.3g} | {theirs / ours:.1f} | {note} |")
    RESULT.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
