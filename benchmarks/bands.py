"""One lens in two bands: the search for a subhalo in either band alone, and in both together.

    python benchmarks/bands.py --count 3 --rows runs/bands.jsonl

Mocks by lenstronomy (`draw_bands` of `lens_mocks.py`) with a subhalo of 10^9.5 to 10^10 solar
masses within 0.2 arcsec of an arc: pixels of 0.06 arcsec in F814W, of 0.08 arcsec with a wider PSF
in F160W, and a source of another size, profile and centre in each. The table goes to
`benchmarks/results/bands.md`.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from kept_rows import add_rows_option, keep_row, kept_rows
from lens_mocks import BANDS, Z_LENS, Z_SOURCE, draw_bands

from darklens.detection import Distances, SubhaloDetector
from darklens.lensing import GaussianPSF
from darklens.modelling import Parameter
from darklens.observations import observation_of

RESULT = Path(__file__).resolve().parent / "results" / "bands.md"
LOG_MASSES = (9.5, 10.0)
NEAR = 0.3
KINDS = ("smooth", "clumpy")
BOTH = "both"

Case = tuple[str, int, str]


def search(case: Case) -> dict[str, Any]:
    """One search of one mock, in one band or in both."""
    kind, seed, which = case
    mass = float(np.random.default_rng([seed, 99]).uniform(*LOG_MASSES))
    mocks = draw_bands(seed, kind, mass=10**mass)
    seen = [
        observation_of(
            mocks[band].image,
            mocks[band].noise,
            camera.pixel_scale,
            GaussianPSF(camera.psf_width, 4),
            name=band,
        )
        for band, camera in BANDS.items()
        if which in (band, BOTH)
    ]
    begin = time.process_time()
    found = SubhaloDetector(Distances(Z_LENS, Z_SOURCE)).detect(seen)
    row: dict[str, Any] = {"kind": kind, "seed": seed, "which": which, "log_mass": mass}
    row |= {"verdict": found.verdict, "reason": found.reason, "chi_square": found.chi_square}
    row |= {"significance": found.significance, "p_value": found.p_value}
    row |= {"limit": float(np.log10(found.limit_mass())), "seconds": time.process_time() - begin}
    truth = mocks["F814W"].truth
    if found.subhalo is not None and found.subhalo.refined:
        place = found.subhalo.x - truth["subhalo"]["x"], found.subhalo.y - truth["subhalo"]["y"]
        row |= {"distance": float(np.hypot(*place)), "mass_off": found.subhalo.log_mass - mass}
    fit, errors = found.lens, found.lens.errors()
    for name in ("einstein_radius", "lens_slope"):
        k = Parameter[name.upper()]
        row[f"{name}_error"] = float(errors[fit.lens.free.index(k)])
    return row


def table(rows: list[dict[str, Any]]) -> str:
    """The tables in Markdown."""
    names = (*BANDS, BOTH)
    lines = [
        f"| mock | subhalo, log mass | significance in {', in '.join(BANDS)} | in both "
        "| root of the sum of squares | `subhalo` seen in | both off by [arcsec], log mass |",
        "|---|---|---|---|---|---|---|",
    ]
    whole = [
        {row["which"]: row for row in rows if (row["kind"], row["seed"]) == case}
        for case in dict.fromkeys((row["kind"], row["seed"]) for row in rows)
    ]
    whole = [each for each in whole if set(each) == set(names)]
    for each in whole:
        sigmas = [each[name]["significance"] for name in names]
        seen = [_seen(name, each[name]) for name in names if each[name]["verdict"] == "subhalo"]
        unsure = [name for name in names if each[name]["verdict"] == "cannot say"]
        seen += [f"({name}: cannot say)" for name in unsure]
        cells = [
            f"{each[BOTH]['kind']} {each[BOTH]['seed']}",
            f"{each[BOTH]['log_mass']:.2f}",
            ", ".join(f"{sigma:.1f}" for sigma in sigmas[:-1]),
            f"{sigmas[-1]:.1f}",
            f"{np.sqrt(np.square(sigmas[:-1]).sum()):.1f}",
            ", ".join(seen) or "-",
            _off(each[BOTH]),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "| search in | mocks | `subhalo`, near the truth | median significance "
        "| median limit, log mass | median error of radius [arcsec], slope | processor seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(_line(name, [each[name] for each in whole]) for name in names)])


def _seen(name: str, row: dict[str, Any]) -> str:
    return name if row.get("distance", np.inf) < NEAR else f"{name}, elsewhere"


def _off(row: dict[str, Any]) -> str:
    """How far the best subhalo is from the truth."""
    if "distance" not in row:
        return "-"
    return f"{row['distance']:.2f}, {row['mass_off']:+.2f}"


def _line(name: str, rows: list[dict[str, Any]]) -> str:
    """One row of the second table."""
    found = [row for row in rows if row["verdict"] == "subhalo"]
    near = sum(row.get("distance", np.inf) < NEAR for row in found)
    masses = ("einstein_radius", "lens_slope")
    errors = [f"{np.median([row[f'{m}_error'] for row in rows]):.4f}" for m in masses]
    cells = [
        name,
        len(rows),
        f"{len(found)}, {near}",
        f"{np.nanmedian([row['significance'] for row in rows]):.1f}",
        f"{np.nanmedian([row['limit'] for row in rows]):.2f}",
        ", ".join(errors),
        f"{np.median([row['seconds'] for row in rows]):.0f}",
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Measure, and write the tables."""
    from darklens.train.cards import machine_name  # heavy: not in the workers

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=3, help="mocks of each kind")
    parser.add_argument("--workers", type=int, default=2)
    add_rows_option(parser)
    given = parser.parse_args()
    rows = kept_rows(given.rows)
    done = {(row["kind"], row["seed"], row["which"]) for row in rows}
    cases = [
        case
        for seed in range(given.count)
        for kind in KINDS
        for which in (*BANDS, BOTH)
        if (case := (kind, seed, which)) not in done
    ]
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
        for row in pool.map(search, cases):
            rows.append(row)
            keep_row(given.rows, row)
            print(row, flush=True)
    head = [
        "# One lens in two bands",
        "",
        f"{machine_name()}, {date.today()}, `python benchmarks/bands.py --count {given.count}`, "
        "one thread a lens.",
        "",
    ]
    text = "\n".join(head) + "\n" + table(rows) + "\n"
    RESULT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
