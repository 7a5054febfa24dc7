"""How the cost of a simulation grows: with perturbers, pixels and images; and what limits it.

    python benchmarks/growth.py [--most 100000]

One thread but for the store, which `darklens simulate` fills with two processes. The direct sum
over point masses is set against what the processor can do at most, measured by multiplications and
additions on numbers that stay in its registers, and against deflections from a grid by Fourier
transforms, which cost the same for any number of points but are wrong near each of them. The tables
go to `benchmarks/results/growth.md`.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
from numba import njit
from scipy.signal import fftconvolve

from darklens.lensing import SIE, Scene, Sersic, render
from darklens.lensing.grid import PixelGrid
from darklens.lensing.kernels import add_point_masses
from darklens.lensing.substructure import Perturbers

RESULT = Path(__file__).resolve().parent / "results" / "growth.md"
GRID = PixelGrid((150, 150), 0.05)
COUNTS = (1, 10, 100, 1000, 10_000)
SIDES = (50, 100, 150, 300, 600)
PAIR = 13.5
"""Operations of one ray and one point in `add_point_masses`: 54 for four, and one division."""
TOTAL = 0.3
"""Einstein radius of all points together [arcsec]."""


@njit(fastmath=True)
def multiply_add(values, factor, term, turns):  # type: ignore[no-untyped-def]
    """Eight multiplications and additions for each load and store of a number."""
    for _ in range(turns):
        for j in range(values.size):
            v = values[j]
            for _ in range(8):
                v = v * factor + term
            values[j] = v


def milliseconds(work: Callable[[], object], repeats: int) -> float:
    """Median processor time of one call [ms]; the first call is not counted."""
    work()
    taken = []
    for _ in range(repeats):
        begin = time.process_time_ns()
        work()
        taken.append((time.process_time_ns() - begin) / 1e6)
    return float(np.median(taken))


def peak_rate() -> float:
    """Most operations that one core does [1/ns]."""
    values, turns = np.ones(512), 2000
    work = partial(multiply_add, values, 0.999, 1e-3, turns)
    return 16 * values.size * turns / milliseconds(work, 20) / 1e6


def points(count: int, seed: int = 1) -> np.ndarray:
    """Rows x, y, Einstein radius of point masses of the same total mass."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(-3, 3, (count, 2))
    return np.column_stack([places, np.full(count, TOTAL / count**0.5)])


def scene(count: int) -> Scene:
    """A lens with point masses."""
    source = Sersic(1.0, 0.25, 1.0, 0.8, 0.3, 0.05, 0.02)
    masses = Perturbers(points=points(count)) if count else Perturbers()
    return Scene(SIE(1.3, 0.8), perturbers=masses, sources=(source,))


def by_transform(masses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Deflection from a grid: masses shared out to the four nearest pixels, then convolved."""
    n, scale = GRID.shape[0], GRID.pixel_scale
    column, row = (masses[:, k] / scale + 0.5 * (n - 1) for k in (0, 1))
    i, j = np.floor(row).astype(int), np.floor(column).astype(int)
    u, v = row - i, column - j
    density = np.zeros((n, n))
    for down, right, share in (
        (0, 0, (1 - u) * (1 - v)),
        (0, 1, (1 - u) * v),
        (1, 0, u * (1 - v)),
        (1, 1, u * v),
    ):
        np.add.at(density, (i + down, j + right), share * masses[:, 2] ** 2)
    offset = scale * np.arange(1 - n, n)
    dx, dy = np.meshgrid(offset, offset)
    squared = dx**2 + dy**2
    squared[n - 1, n - 1] = np.inf
    middle = slice(n - 1, 2 * n - 1)
    along, across = (fftconvolve(density, d / squared)[middle, middle] for d in (dx, dy))
    return along, across


def perturber_rows(peak: float) -> list[str]:
    """Direct sum and grid, for growing numbers of points."""
    lines = [
        "| point masses | image [ms] | of it for each ray and point [ns] | share of the "
        "processor's limit | deflection from a grid [ms] | its error: median, 99 % [1e-3 arcsec] |",
        "|---|---|---|---|---|---|",
    ]
    x, y = (c.ravel() for c in GRID.coordinates())
    for count in COUNTS:
        masses = points(count)
        lens, repeats = scene(count), 200 if count <= 1000 else 20
        whole = milliseconds(partial(render, lens, GRID), repeats)
        ax, ay = np.zeros(x.size), np.zeros(x.size)
        add_point_masses(x, y, ax, ay, masses)
        grid = by_transform(masses)
        error = np.hypot(grid[0].ravel() - ax, grid[1].ravel() - ay)
        work = milliseconds(partial(by_transform, masses), 10)
        nothing = milliseconds(lambda: render(scene(0), GRID), 50)
        pair = 1e6 * (whole - nothing) / (count * x.size)
        each = f"{pair:.3f} | {100 * PAIR / pair / peak:.0f} %" if count >= COUNTS[1] else "- | -"
        lines.append(
            f"| {count:,} | {whole:.2f} | {each} | {work:.1f} "
            f"| {1e3 * np.median(error):.2f}, {1e3 * np.quantile(error, 0.99):.1f} |"
        )
        print(lines[-1], flush=True)
    return lines


def pixel_rows() -> list[str]:
    """Time for growing images."""
    lines = ["| pixels | 25 points [ms] | for each pixel [ns] |", "|---|---|---|"]
    for side in SIDES:
        grid, lens = PixelGrid((side, side), 7.5 / side), scene(25)
        taken = milliseconds(partial(render, lens, grid), 100)
        lines.append(f"| {side} x {side} | {taken:.3f} | {1e6 * taken / side**2:.1f} |")
        print(lines[-1], flush=True)
    return lines


def store_rows(most: int) -> list[str]:
    """Time and memory of `darklens simulate` for growing stores."""
    lines = ["| images | seconds | images/s | largest process [MB] |", "|---|---|---|---|"]
    count = 100
    while count <= most:
        with tempfile.TemporaryDirectory() as folder:
            words = f"--preset common-test-1 --count {count} --workers 2 --quiet".split()
            command = [sys.executable, "-m", "darklens", "simulate", f"{folder}/lenses.zarr"]
            begin = time.perf_counter()
            subprocess.run([*command, *words], check=True)
            seconds = time.perf_counter() - begin
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        lines.append(f"| {count:,} | {seconds:.1f} | {count / seconds:.0f} | {memory:.0f} |")
        print(lines[-1], flush=True)
        count *= 10
    return lines


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=100_000, help="images in the largest store")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    peak = peak_rate()
    perturbers, pixels, stores = perturber_rows(peak), pixel_rows(), store_rows(given.most)
    from darklens.train.cards import machine_name  # torch

    lines = [
        "# How the cost of a simulation grows",
        "",
        f"{machine_name()}, {date.today()}, `python benchmarks/growth.py --most {given.most}`. "
        f"Load average at the start: {load:.1f}. Medians of processor time, one thread.",
        "",
        f"Perturbers, {GRID.shape[0]} x {GRID.shape[1]} pixels, without PSF and noise. One ray and "
        f"one point cost {PAIR} operations; coordinates and sums of a block stay in the nearest "
        f"cache, so memory does not count. The processor does {peak:.0f} operations in a "
        "nanosecond at most, if all are multiplications and additions in pairs.",
        "",
        *perturbers,
        "",
        "Pixels:",
        "",
        *pixels,
        "",
        "Images, by `darklens simulate` with two processes, start included:",
        "",
        *stores,
    ]
    RESULT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
