"""Lenses with a satellite: the search for subhalos with its mass in the model, and without it.

    python benchmarks/satellites.py [--count 8] [--workers 2]

Smooth mocks by lenstronomy, each with an isothermal satellite of 0.1 to 0.3 arcsec at 1.5 to 2.5
Einstein radii, without a subhalo (`benchmarks/lens_mocks.py`). The table goes to
`benchmarks/results/satellites.md`.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from lens_mocks import PIXEL_SCALE, PSF_WIDTH, Z_LENS, Z_SOURCE, draw_mock

from darklens.detection import Distances, SubhaloDetector
from darklens.lensing import GaussianPSF
from darklens.modelling import Parameter
from darklens.observations import observation_of
from darklens.train.cards import machine_name

RESULT = Path(__file__).resolve().parent / "results" / "satellites.md"


def search(case: tuple[int, bool]) -> dict[str, Any]:
    """One search of one mock."""
    seed, modelled = case
    mock = draw_mock(seed, "smooth", satellite=True)
    truth = mock.truth["satellite"]
    seen = observation_of(mock.image, mock.noise, PIXEL_SCALE, GaussianPSF(PSF_WIDTH))
    if modelled:
        seen = replace(seen, satellites=((truth["center_x"], truth["center_y"]),))
    begin = time.process_time()
    found = SubhaloDetector(Distances(Z_LENS, Z_SOURCE)).detect(seen)
    fit, errors = found.lens, found.lens.errors()
    row: dict[str, Any] = {"modelled": modelled, "verdict": found.verdict}
    row["seconds"] = time.process_time() - begin
    row["significance"], row["chi_square"] = found.significance, found.chi_square
    for name in ("einstein_radius", "lens_slope"):
        k = Parameter[name.upper()]
        off = fit.state.parameters[k] - mock.truth[name]
        row[name] = float(off / mock.truth[name])
        row[f"{name}_pull"] = float(off / errors[fit.lens.free.index(k)])
    if modelled:
        off = float(fit.state.satellites[2]) - truth["theta_E"]
        first = len(fit.lens.free) + len(fit.state.multipoles)
        row["satellite"], row["satellite_pull"] = off, off / float(errors[first + 2])
    return row


def line(rows: list[dict[str, Any]]) -> str:
    """One row of the table."""

    def width(name: str) -> str:
        return f"{np.sqrt(np.mean(np.square([row[name] for row in rows]))):.2f}"

    beside = "-"
    if rows[0]["modelled"]:
        worst = max(abs(row["satellite"]) for row in rows)
        beside = f"{worst:.3f} arcsec at most, pulls {width('satellite_pull')}"
    cells = [
        "with the satellite" if rows[0]["modelled"] else "without it",
        len(rows),
        f"{sum(abs(row['einstein_radius']) < 0.01 for row in rows)} of {len(rows)}",
        f"{width('einstein_radius_pull')}, {width('lens_slope_pull')}",
        beside,
        f"{np.median([row['chi_square'] for row in rows]):.2f}",
        *(sum(row["verdict"] == v for row in rows) for v in ("subhalo", "cannot say")),
        f"{np.nanmedian([row['significance'] for row in rows]):.1f}",
        f"{np.median([row['seconds'] for row in rows]):.0f}",
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=8, help="mocks")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    cases = [(seed, modelled) for seed in range(given.count) for modelled in (True, False)]
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
        rows = []
        for row in pool.map(search, cases):
            rows.append(row)
            print(row, flush=True)
    lines = [
        "# Lenses with a satellite",
        "",
        f"{machine_name()}, {date.today()}, `python benchmarks/satellites.py --count "
        f"{given.count}`, one thread a lens.",
        "",
        "| model | mocks | Einstein radius within 1 % | width of the pulls: radius, slope "
        "| Einstein radius of the satellite, off by | chi-square of the arcs | `subhalo` "
        "| `cannot say` | median significance | processor seconds |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(line([row for row in rows if row["modelled"] == m]) for m in (True, False)),
    ]
    RESULT.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
