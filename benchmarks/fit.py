"""The smooth fit: its speed, its errors, its starting points, and a comparison with lenstronomy.

    python benchmarks/fit.py

Four questions, one table each: How long does a fit take, compared with SciPy's least squares with
finite differences? Are its errors right for simulations without substructure? Does the search find
the same optimum as a fit that starts from the truth? Does lenstronomy find the same parameters?
The tables go to `benchmarks/results/fit.md`.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import contextlib
import datetime
import io
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import version
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from lenstronomy.Workflow.fitting_sequence import FittingSequence
from scipy.optimize import least_squares

from darklens.lensing import GaussianPSF
from darklens.lensing.noise import PhotonNoise
from darklens.lensing.profiles import sersic_b
from darklens.modelling import PARAMETERS, SmoothFitter, SmoothModel, scene_parameters
from darklens.modelling.levenberg_marquardt import optimise
from darklens.modelling.likelihood import GaussianLikelihood
from darklens.simulation import Lens, Simulator, load_preset

RESULT = Path(__file__).resolve().parent / "results" / "fit.md"
TIMED = ("common-test-1", "model-1-legacy")
FITTED = ("common-test-1", "model-1", "model-1-legacy", "model-2", "model-3")
BAR, GOAL = 25, 8
STEPS = 30
CHUNK = 100
SEEDS = {"speed": 1, "pulls": 2, "search": 3, "lenstronomy": 4}


@cache
def fitter_of(preset: str) -> SmoothFitter:
    """The fitter of a preset, created once in each process and ready to start."""
    fitter = SmoothFitter(load_preset(preset))
    fitter.fit(np.asarray(next(lenses_of(preset, seed=0)).image[0], dtype=np.float64))
    return fitter


def lenses_of(preset: str, *, seed: int, smooth: bool = False, start: int = 0) -> Iterator[Lens]:
    """An endless stream of lenses of a preset, of all classes or without substructure only."""
    simulator = Simulator(preset, classes=["no"] if smooth else None)
    index = start
    while True:
        yield simulator.lens(index, seed=seed)
        index += 1


def truth_of(lens: Lens) -> np.ndarray:
    """True parameters of the smooth lens."""
    return scene_parameters(lens.scene, lens.parameters["exposure"])


def milliseconds(call: Callable[[], Any]) -> tuple[float, Any]:
    """Processor time of a call [ms], and its result."""
    begin = time.process_time()
    result = call()
    return 1e3 * (time.process_time() - begin), result


# --- speed ---------------------------------------------------------------------------------------


def scipy_fit(
    model: SmoothModel, data: np.ndarray, start: np.ndarray, noise: np.ndarray
) -> np.ndarray:
    """Least squares with finite differences, in units of a given noise."""
    free = list(model.free)

    def moments(values: np.ndarray) -> Any:
        parameters = start.copy()
        parameters[free] = values
        return model.likelihood.moments(model.image(parameters), model.exposure(parameters))

    found = least_squares(lambda v: ((data - moments(v).mean) / noise).ravel(), start[free])
    return np.asarray(found.x)


def speed_table(count: int) -> list[str]:
    """Median processor time of a fit, and of SciPy's from the same start."""
    lines = [
        "| preset | free parameters | search and fit (bar, goal) | mean | 95 % of images | search "
        "| fit from the start | SciPy from the start | speed-up | largest difference |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for preset in TIMED:
        fitter, rows = fitter_of(preset), []
        for lens in islice(lenses_of(preset, seed=SEEDS["speed"]), count):
            data = lens.image[0].astype(np.float64)
            whole, fit = milliseconds(partial(fitter.fit, data))
            search, start = milliseconds(partial(fitter.start, data))
            alone, _ = milliseconds(partial(fitter.fit, data, start))
            scipy, found = milliseconds(partial(scipy_fit, fitter.model, data, start, fit.noise))
            errors = np.sqrt(np.diag(fit.covariance))
            difference = abs(found - fit.parameters[list(fitter.model.free)]) / errors
            rows.append((whole, search, alone, scipy, difference.max()))
        whole, search, alone, scipy, _ = np.median(rows, axis=0)
        times = np.array(rows)[:, 0]
        asked = f" ({BAR}, {GOAL})" if preset == TIMED[0] else ""
        lines.append(
            f"| {preset} | {len(fitter.model.free)} | {whole:.1f} ms{asked} "
            f"| {times.mean():.1f} ms | {np.quantile(times, 0.95):.1f} ms | {search:.1f} ms "
            f"| {alone:.1f} ms | {scipy:.0f} ms | {scipy / alone:.0f} "
            f"| {max(row[-1] for row in rows):.3f} sigma |"
        )
        print(lines[-1], flush=True)
    return lines


# --- errors --------------------------------------------------------------------------------------


def pulls_of(preset: str, start: int) -> np.ndarray:
    """Pulls of the free parameters, chi-square and convergence, one row a lens."""
    fitter = fitter_of(preset)
    free, rows = list(fitter.model.free), []
    for lens in islice(lenses_of(preset, seed=SEEDS["pulls"], smooth=True, start=start), CHUNK):
        fit = fitter.fit(lens.image[0])
        errors = np.sqrt(np.diag(fit.covariance))
        pulls = (fit.parameters - truth_of(lens))[free] / errors
        rows.append([*pulls, fit.chi_square, float(fit.converged)])
    return np.array(rows)


def in_chunks(function: Callable[..., Any], preset: str, count: int) -> np.ndarray:
    """Rows of a function of chunks, computed in two processes."""
    fitter_of(preset)  # made here, it need not be made there
    starts = range(0, count, CHUNK)
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        return np.concatenate(list(pool.map(partial(function, preset), starts)))


def pull_table(count: int) -> list[str]:
    """Mean and width of the pulls, mean chi-square, and the share of fits that converged."""
    lines = ["| preset | parameter | mean | width |", "|---|---|---|---|"]
    notes = []
    for preset, images in zip(TIMED, (count, count // 2), strict=True):
        rows = in_chunks(pulls_of, preset, images)
        for name, pulls in zip(fitter_of(preset).model.names, rows.T, strict=False):
            lines.append(f"| {preset} | {name} | {pulls.mean():+.3f} | {pulls.std(ddof=1):.3f} |")
            print(lines[-1], flush=True)
        notes.append(
            f"`{preset}`, {len(rows):,} images: reduced chi-square {rows[:, -2].mean():.4f} on "
            f"average with a scatter of {rows[:, -2].std():.4f}; "
            f"{rows[:, -1].mean():.2%} converged."
        )
        print(notes[-1], flush=True)
    return [*lines, "", *notes]


# --- starts --------------------------------------------------------------------------------------


def search_of(preset: str, start: int) -> np.ndarray:
    """Chi-squares of fits from the search and from the truth, and whether the former converged."""
    fitter, rows = fitter_of(preset), []
    for lens in islice(lenses_of(preset, seed=SEEDS["search"], start=start), CHUNK):
        searched = fitter.fit(lens.image[0])
        ideal = fitter.fit(lens.image[0], truth_of(lens))
        rows.append([searched.chi_square, ideal.chi_square, float(searched.converged)])
    return np.array(rows)


def search_table(count: int) -> list[str]:
    """How often the search reaches the optimum of the fit from the truth."""
    lines = [
        "| preset | images | reached or improved (bar 99 %) | improved | converged |",
        "|---|---|---|---|---|",
    ]
    for preset in FITTED:
        searched, ideal, converged = in_chunks(search_of, preset, count).T
        reached = np.mean(searched <= ideal * (1 + 1e-4))
        better = np.mean(searched < ideal * (1 - 1e-4))
        lines.append(
            f"| {preset} | {len(ideal):,} | {reached:.1%} | {better:.1%} | {converged.mean():.1%} |"
        )
        print(lines[-1], flush=True)
    return lines


# --- lenstronomy ---------------------------------------------------------------------------------

LENSTRONOMY = (
    ("lens_model", 0, "theta_E", "einstein_radius"),
    ("lens_model", 1, "gamma1", "gamma1"),
    ("lens_model", 1, "gamma2", "gamma2"),
    ("source_model", 0, "center_x", "source_x"),
    ("source_model", 0, "center_y", "source_y"),
    ("source_model", 0, "e1", "source_e1"),
    ("source_model", 0, "e2", "source_e2"),
)
"""Part, component and name of each free parameter in lenstronomy, and its name here."""


@dataclass(frozen=True)
class Comparison:
    """Both fits of one image: largest difference in standard errors, and processor times [ms]."""

    difference: float
    ours: float
    theirs: float
    chi_square_difference: float


def fixed_parts(lens: Lens) -> dict[str, list[dict[str, float]]]:
    """Fixed parameters of lenstronomy's model: centre of the lens and profile of the source.

    Its b_n is defined differently; another radius and amplitude give the same profile.
    """
    (source,) = lens.scene.sources
    n = source.sersic_index
    b = sersic_b(n, "lenstronomy")
    profile = {
        "amp": source.amplitude * np.exp(source.b_n - b),
        "R_sersic": source.radius * (b / source.b_n) ** n,
        "n_sersic": n,
    }
    centre = {"center_x": 0.0, "center_y": 0.0}
    return {"lens_model": [centre, {"ra_0": 0.0, "dec_0": 0.0}], "source_model": [profile]}


def kwargs_params(model: SmoothModel, lens: Lens, start: np.ndarray) -> dict[str, list[Any]]:
    """Starting point, widths, fixed parameters and bounds in lenstronomy's form."""
    fixed = fixed_parts(lens)
    parts = {}
    for part, components in fixed.items():
        tables = []
        for values in (start, 0.05 * (model.upper - model.lower), model.lower, model.upper):
            table: list[dict[str, float]] = [{} for _ in components]
            for where, k, theirs, ours in LENSTRONOMY:
                if where == part:
                    table[k][theirs] = float(values[PARAMETERS.index(ours)])
            tables.append(table)
        begin, width, lower, upper = tables
        parts[part] = [begin, width, components, lower, upper]
    return parts


def fitting_sequence(
    model: SmoothModel, lens: Lens, data: np.ndarray, noise: np.ndarray, start: np.ndarray
) -> FittingSequence:
    """Lenstronomy's own fit of the same model with the same likelihood."""
    grid, psf = model.grid, model.instrument.psf
    assert isinstance(psf, GaussianPSF)
    corner = [-0.5 * (side - 1) * grid.pixel_scale for side in grid.shape]
    kwargs_data = {
        "image_data": data,
        "noise_map": noise,
        "ra_at_xy_0": corner[1],
        "dec_at_xy_0": corner[0],
        "transform_pix2angle": grid.pixel_scale * np.eye(2),
    }
    kwargs_psf = {
        "psf_type": "GAUSSIAN",
        "fwhm": psf.fwhm,
        "truncation": psf.truncation,
        "pixel_size": grid.pixel_scale,
    }
    band = [kwargs_data, kwargs_psf, {"supersampling_factor": 1}]
    return FittingSequence(
        {"multi_band_list": [band], "multi_band_type": "single-band"},
        {"lens_model_list": ["SIS", "SHEAR"], "source_light_model_list": ["SERSIC_ELLIPSE"]},
        {"linear_solver": False},
        {"check_bounds": True},
        kwargs_params(model, lens, start),
        verbose=False,
    )


def lenstronomy_parameters(sequence: FittingSequence, start: np.ndarray) -> np.ndarray:
    """Run the fit: downhill simplex, restarted once from where it ended."""
    with contextlib.redirect_stdout(io.StringIO()):
        sequence.fit_sequence([["SIMPLEX", {"n_iterations": 4000}] for _ in range(2)])
        result = sequence.best_fit()
    found = {"lens_model": result["kwargs_lens"], "source_model": result["kwargs_source"]}
    parameters = start.copy()
    for part, k, theirs, ours in LENSTRONOMY:
        parameters[PARAMETERS.index(ours)] = found[part][k][theirs]
    return parameters


def compare(lens: Lens) -> Comparison:
    """Fit one image with both codes, from the same start, with Gaussian noise of a given map."""
    preset = load_preset("common-test-1")
    assert isinstance(preset.noise, PhotonNoise)
    background = preset.noise.background
    fitter = fitter_of(preset.name)
    data = lens.image[0] - background
    noise = np.sqrt(fitter.model.image(truth_of(lens)) + background)
    model = replace(fitter.model, likelihood=GaussianLikelihood(noise))
    start = fitter.start(lens.image[0].astype(np.float64))
    ours, end = milliseconds(partial(optimise, model, data, start, STEPS))
    sequence = fitting_sequence(model, lens, data, noise, start)
    theirs, parameters = milliseconds(partial(lenstronomy_parameters, sequence, start))
    errors = np.sqrt(np.diag(np.linalg.inv(end.curvature)))
    difference = abs(parameters - end.parameters)[list(model.free)] / errors
    chi_square = float(np.sum(((data - model.image(parameters)) / noise) ** 2))
    return Comparison(float(difference.max()), ours, theirs, chi_square - end.chi_square)


def lenstronomy_table(count: int) -> list[str]:
    """Largest difference and both times."""
    lenses = lenses_of("common-test-1", seed=SEEDS["lenstronomy"], smooth=True)
    rows = []
    for lens in islice(lenses, count):
        rows.append(compare(lens))
        print(rows[-1], flush=True)
    ours, theirs = (np.median([getattr(r, name) for r in rows]) for name in ("ours", "theirs"))
    differences = [row.difference for row in rows]
    excess = [row.chi_square_difference for row in rows]
    return [
        "| images | largest difference (bar 0.3 sigma) | median difference | chi-square above ours "
        "| darklens from the start | lenstronomy from the start | speed-up |",
        "|---|---|---|---|---|---|---|",
        f"| {len(rows)} | {max(differences):.3f} sigma | {np.median(differences):.3f} sigma "
        f"| {min(excess):+.4f} to {max(excess):+.4f} | {ours:.1f} ms | {theirs / 1e3:.2f} s "
        f"| {theirs / ours:.0f} |",
    ]


def main() -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--timed", type=int, default=200, help="images that are timed")
    parser.add_argument("--smooth", type=int, default=10_000, help="images for the pulls")
    parser.add_argument("--searched", type=int, default=500, help="images for each search")
    parser.add_argument("--lenstronomy", type=int, default=20, help="images fitted by lenstronomy")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    speed = speed_table(arguments.timed)
    pulls = pull_table(arguments.smooth)
    search = search_table(arguments.searched)
    comparison = lenstronomy_table(arguments.lenstronomy)
    from darklens.train.cards import machine_name

    versions = ", ".join(f"{n} {version(n)}" for n in ("lenstronomy", "scipy", "numpy", "numba"))
    lines = [
        "# The smooth fit",
        "",
        f"{machine_name()}, {datetime.date.today()}, `python benchmarks/fit.py`, {versions}.",
        f"Load average of the machine at the start: {load:.1f}.",
        "",
        "## Time",
        "",
        f"Median processor time on one thread for {arguments.timed} images of 150 x 150 pixels of",
        "all classes, with the bar and the goal in parentheses. Search and fit together are",
        "`SmoothFitter.fit`. SciPy is `least_squares` with its default settings and finite",
        "differences, with the same rendering kernel and the noise of the best fit.",
        "",
        *speed,
        "",
        "## Errors",
        "",
        "Pulls, (fitted - true) / standard error, for images without substructure, starting from",
        "the search. The bar is a mean of 0 and a width of 1, each within 0.05.",
        "",
        *pulls,
        "",
        "## Starting points",
        "",
        "All classes. The optimum counts as reached if chi-square exceeds that of the fit from the",
        "true smooth lens by a fraction of at most 1e-4.",
        "",
        *search,
        "",
        "## Comparison with lenstronomy",
        "",
        "Smooth lenses of `common-test-1` with Gaussian noise from the true noise map. Both codes",
        "fit the same seven parameters from the same start, lenstronomy with `FittingSequence` and",
        "`SIMPLEX` run twice. Each difference is the largest of the seven, in standard errors.",
        "",
        *comparison,
    ]
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
