"""Does the sensitivity map hold? Subhalos are put into mocks, and the rate of detections counted.

    python benchmarks/injections.py --lenses 10 --injections 20 --rows runs/injections.jsonl

Each mock by lenstronomy (`lens_mocks.py`) is searched once without a subhalo. Its scan predicts how
significant a subhalo of each mass at each place will be. Subhalos are then put at random places of
the scan, with masses for which that is 2 to 9 sigma, into new exposures of the same lens, which are
searched. With significances that scatter by one about the predicted one, a subhalo is seen above 5
sigma with the probability that this gives; `darklens detect` sees it if it says `subhalo`, within
0.3 arcsec. The table goes to `benchmarks/results/injections.md`.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import datetime
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from kept_rows import add_rows_option, keep_row, kept_rows
from lens_mocks import KINDS, Z_LENS, Z_SOURCE, Camera, draw_mock
from scipy import stats

from darklens.detection import Detection, Distances, SubhaloDetector
from darklens.detection.scan import LOG_MASSES
from darklens.errors import BadInput
from darklens.lensing import GaussianPSF
from darklens.observations import observation_of
from darklens.train.cards import machine_name

RESULT = Path(__file__).resolve().parent / "results" / "injections.md"
CAMERA = Camera(0.08, 0.12, 60)
SIGMAS, SEEN, NEAR = (2.0, 9.0), 5.0, 0.3
BINS = ((2.0, 4.0), (4.0, 6.0), (6.0, 9.0))


def searched(seed: int, kind: str, **subhalo: Any) -> tuple[Detection, dict[str, Any]]:
    """The answer for one exposure, and the truth."""
    mock = draw_mock(seed, kind, camera=CAMERA, **subhalo)
    psf = GaussianPSF(CAMERA.psf_width, 4)
    seen = observation_of(mock.image, mock.noise, CAMERA.pixel_scale, psf)
    return SubhaloDetector(Distances(Z_LENS, Z_SOURCE)).detect(seen), mock.truth


def planned(case: tuple[int, str, int]) -> list[dict[str, Any]]:
    """Subhalos to put into one lens, with their predicted significance."""
    seed, kind, count = case
    try:
        found, _ = searched(seed, kind)
    except BadInput:
        return []
    if found.scan is None or found.verdict == "cannot say":
        return []
    rng = np.random.default_rng([seed, 7])
    depths = np.maximum.accumulate(found.scan.depths[0], axis=0)
    depths /= np.sqrt(max(found.chi_square, 1.0))
    places = np.flatnonzero(depths[-1] > SIGMAS[0])
    plan: list[dict[str, Any]] = []
    for number in range(count if len(places) else 0):
        k = int(rng.choice(places))
        sigma = float(rng.uniform(SIGMAS[0], min(SIGMAS[1], depths[-1, k])))
        mass = float(np.interp(np.log(sigma), np.log(depths[:, k]), LOG_MASSES))
        place = {"x": float(found.scan.x[k]), "y": float(found.scan.y[k])}
        plan.append({"seed": seed, "kind": kind, "number": number, **place, "log_mass": mass})
        plan[-1]["predicted"] = float(np.interp(mass, LOG_MASSES, depths[:, k]))
    return plan


def injected(row: dict[str, Any]) -> dict[str, Any]:
    """One exposure with its subhalo, searched."""
    place = row["x"], row["y"]
    try:
        found, _ = searched(
            row["seed"],
            row["kind"],
            mass=10 ** row["log_mass"],
            place=place,
            exposure=1 + row["number"],
        )
    except BadInput as error:
        return {**row, "verdict": str(error), "significance": None, "distance": None}
    best = found.subhalo
    distance = None if best is None else float(np.hypot(best.x - place[0], best.y - place[1]))
    return {
        **row,
        "verdict": found.verdict,
        "significance": found.significance,
        "distance": distance,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Predicted and counted rates, all together, by predicted significance and by kind."""
    lines = [
        "| subhalos | number | predicted to be seen | seen | standard error | "
        "median significance, predicted and found | not trusted |",
        "|---|---|---|---|---|---|---|",
        _line("all", rows),
    ]
    for low, high in BINS:
        some = [row for row in rows if low <= row["predicted"] < high]
        lines += [_line(f"predicted {low:g} to {high:g} sigma", some)] if some else []
    for kind in KINDS:
        some = [row for row in rows if row["kind"] == kind]
        lines += [_line(f"in `{kind}` lenses", some)] if some else []
    return "\n".join(lines)


def _line(name: str, rows: list[dict[str, Any]]) -> str:
    chances = stats.norm.cdf([row["predicted"] - SEEN for row in rows])
    seen = [row["verdict"] == "subhalo" and row["distance"] < NEAR for row in rows]
    error = float(np.sqrt(np.sum(chances * (1 - chances)))) / len(rows)
    medians = [
        np.median([row[column] for row in rows if row[column] is not None])
        for column in ("predicted", "significance")
    ]
    unsure = sum(row["verdict"] not in ("subhalo", "no subhalo seen") for row in rows)
    cells = [name, len(rows), f"{np.mean(chances):.3f}", f"{np.mean(seen):.3f}", f"{error:.3f}"]
    cells += [f"{medians[0]:.1f}, {medians[1]:.1f}", unsure]
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lenses", type=int, default=10)
    parser.add_argument("--injections", type=int, default=20, help="into each lens")
    parser.add_argument("--first", type=int, default=500, help="first seed")
    parser.add_argument("--workers", type=int, default=2)
    add_rows_option(parser)
    parser.add_argument(
        "--table", action="store_true", help="only make the table of what --rows holds"
    )
    arguments = parser.parse_args()
    rows = kept_rows(arguments.rows)
    done = {(row["seed"], row["number"]) for row in rows}
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
        seeds = range(arguments.first, arguments.first + arguments.lenses)
        cases = [(seed, KINDS[seed % len(KINDS)], arguments.injections) for seed in seeds]
        plans = pool.map(planned, [] if arguments.table else cases)
        missing = [
            row for plan in plans for row in plan if (row["seed"], row["number"]) not in done
        ]
        for row in pool.map(injected, missing):
            rows.append(row)
            keep_row(arguments.rows, row)
            print(json.dumps(row), flush=True)
    lenses = len({row["seed"] for row in rows})
    text = (
        "# Sensitivity maps against injected subhalos\n\n"
        f"{machine_name()}, {datetime.date.today()}, "
        f"`{' '.join(['python benchmarks/injections.py', *sys.argv[1:]])}`: {len(rows)} subhalos "
        f"in {lenses} lenses, pixels of {CAMERA.pixel_scale} arcsec.\n\n{table(rows)}\n"
    )
    RESULT.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
