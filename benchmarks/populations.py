"""Populations of halos: rays and time beside lenstronomy, on the same realizations of pyHalo.

    python benchmarks/populations.py

Both trace the same 100 x 100 rays through all planes, on one thread, in turn. Drawing the halos is
pyHalo's work and is timed apart. The table goes to `benchmarks/results/populations.md`.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import datetime
import platform
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from lenstronomy.LensModel.lens_model import LensModel
from numpy.random import Generator, Philox

from darklens.lensing import SIE, PixelGrid, Scene, source_plane
from darklens.simulation import load_preset
from darklens.simulation.halo_populations import draw_halos, draw_realization

RESULT = Path(__file__).resolve().parent / "results" / "populations.md"
GRID = PixelGrid((100, 100), 0.05)
Z_LENS, Z_SOURCE, RADIUS = 0.5, 1.5, 1.2


def compare(label: str, index: int) -> dict[str, float]:
    """One realization: seconds of each step and the largest difference of a ray [arcsec]."""
    preset = load_preset("populations-hst")
    (prior,) = preset.classes[label]
    cosmology = preset.cosmology

    def rng() -> Generator:
        return Generator(Philox(key=np.array([7, index], dtype=np.uint64)))

    clock = time.process_time
    begin = clock()
    drawn = draw_realization(prior, cosmology, Z_LENS, Z_SOURCE, {}, rng())
    drawing = clock() - begin
    planes = draw_halos(prior, cosmology, Z_LENS, Z_SOURCE, {}, rng())
    scene = Scene(SIE(RADIUS, 1.0), line_of_sight=planes)
    source_plane(scene, PixelGrid((4, 4), 0.5))  # compiles
    begin = clock()
    ours = np.reshape(source_plane(scene, GRID), (2, -1))
    tracing = clock() - begin
    model = LensModel(
        ["SIS", *drawn.names],
        z_source=Z_SOURCE,
        lens_redshift_list=[Z_LENS, *drawn.redshifts],
        multi_plane=True,
        cosmo=cosmology._astropy,
    )
    x, y = (c.ravel() for c in GRID.coordinates())
    parameters = [{"theta_E": RADIUS}, *drawn.parameters]
    begin = clock()
    theirs = np.array(model.ray_shooting(x, y, parameters))
    reference = clock() - begin
    return {
        "halos": len(drawn.halos),
        "planes": len(planes.planes),
        "drawing": drawing,
        "tracing": tracing,
        "lenstronomy": reference,
        "ratio": reference / tracing,
        "difference": float(np.abs(ours - theirs).max()),
    }


def line(label: str, rows: list[dict[str, Any]]) -> str:
    """One row of the table: medians, and the largest difference."""
    middle = {name: float(np.median([row[name] for row in rows])) for name in rows[0]}
    worst = max(row["difference"] for row in rows)
    return (
        f"| {label} | {middle['halos']:.0f} | {middle['planes']:.0f} | {middle['drawing']:.2f} | "
        f"{middle['tracing']:.3f} | {middle['lenstronomy']:.2f} | {middle['ratio']:.1f} | "
        f"{worst:.1e} |"
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=5, help="realizations of each model")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    labels = ("cold", "warm", "self_interacting", "fuzzy")
    lines = [line(label, [compare(label, k) for k in range(arguments.count)]) for label in labels]
    text = "\n".join(
        [
            "# Populations of halos",
            "",
            f"{platform.processor() or platform.machine()}, one thread, {datetime.date.today()}, "
            f"lenstronomy {version('lenstronomy')}, pyHalo {version('pyhalo')}, "
            f"`{' '.join(['python benchmarks/populations.py', *sys.argv[1:]])}`. Processor seconds "
            "of 100 x 100 rays; medians, and the largest difference of any ray.",
            "",
            "| dark matter | halos | planes | drawing (pyHalo) | rays | rays by lenstronomy | "
            "ratio | largest difference [arcsec] |",
            "|---|---|---|---|---|---|---|---|",
            *lines,
        ]
    )
    RESULT.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
