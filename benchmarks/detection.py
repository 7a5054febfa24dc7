"""The search for subhalos on mocks by lenstronomy: false alarms, detections, errors, time.

    python benchmarks/detection.py --count 20 --rows runs/detection.jsonl

Mocks are drawn by lenstronomy (`lens_mocks.py`), of three kinds without a subhalo and of the same
with one of 10^9.5 to 10^10 solar masses within 0.2 arcsec of an arc. The tables go to
`benchmarks/results/detection.md`.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import datetime
import json
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from kept_rows import add_rows_option, keep_row, kept_rows
from lens_mocks import KINDS, PIXEL_SCALE, PSF_WIDTH, Z_LENS, Z_SOURCE, draw_mock

from darklens.detection import Distances, SubhaloDetector
from darklens.lensing import GaussianPSF
from darklens.modelling import Parameter
from darklens.observations import observation_of

RESULT = Path(__file__).resolve().parent / "results" / "detection.md"
LOG_MASSES = (9.5, 10.0)
NEAR = 0.3


def search(case: tuple[int, str, bool]) -> dict[str, Any]:
    """Search one mock."""
    seed, kind, with_subhalo = case
    mass = None
    if with_subhalo:
        mass = 10 ** float(np.random.default_rng([seed, 99]).uniform(*LOG_MASSES))
    mock = draw_mock(seed, kind, mass=mass)
    detector = SubhaloDetector(Distances(Z_LENS, Z_SOURCE))
    begin, clock = time.process_time(), time.perf_counter()
    try:
        psf = GaussianPSF(PSF_WIDTH, 4)
        found = detector.detect(observation_of(mock.image, mock.noise, PIXEL_SCALE, psf))
    except Exception as error:  # noqa: BLE001  counted as a failure
        return {"seed": seed, "kind": kind, "subhalo": with_subhalo, "error": repr(error)}
    fit = found.lens
    errors = fit.errors()
    row: dict[str, Any] = {"seed": seed, "kind": kind, "subhalo": with_subhalo}
    row |= {"verdict": found.verdict, "reason": found.reason, "chance": found.p_value}
    row |= {"significance": found.significance, "limit": np.log10(found.limit_mass())}
    row |= {"seconds": time.process_time() - begin, "wall": time.perf_counter() - clock}
    row |= {"signal": mock.signal, "chi_square": found.chi_square, "error": ""}
    for name in ("einstein_radius", "lens_slope", "gamma1", "gamma2"):
        k = Parameter[name.upper()]
        value, error = fit.state.parameters[k], errors[fit.lens.free.index(k)]
        row[name] = float(value / mock.truth[name] - 1)
        row[f"{name}_pull"] = float((value - mock.truth[name]) / error)
    truth = mock.truth["subhalo"]
    if truth is not None and found.subhalo is not None:
        place = found.subhalo.x - truth["x"], found.subhalo.y - truth["y"]
        row |= {"distance": float(np.hypot(*place)), "profile": found.subhalo.family}
        row |= {"mass_off": found.subhalo.log_mass - float(np.log10(truth["mass"]))}
        row |= {"log_mass": float(np.log10(truth["mass"]))}
    return row


def table(rows: list[dict[str, Any]]) -> str:
    """The tables in Markdown."""
    lines = [
        "| mocks | number | not trusted or failed | Einstein radius within 1 % | "
        "width of the pulls: radius, slope, shear | chi-square of the arcs | "
        "`subhalo` | median significance | processor seconds, median (most) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for subhalo in (False, True):
        for kind in KINDS:
            some = [r for r in rows if r["kind"] == kind and r["subhalo"] == subhalo]
            if some:
                lines.append(_line(kind, subhalo, some))
    seen = [r for r in rows if r["subhalo"] and r.get("verdict") == "subhalo"]
    close = [r for r in seen if r["distance"] < NEAR]
    factor = [r for r in close if abs(r["mass_off"]) < np.log10(2)]
    lines += ["", f"Of {len(seen)} subhalos found, {len(close)} are within {NEAR} arcsec of the "]
    lines[-1] += f"truth, {len(factor)} of these within a factor 2 in mass."
    for kinds in (("smooth",), KINDS):
        lines += ["", _rates(rows, kinds)]
    return "\n".join(lines)


def _line(kind: str, subhalo: bool, rows: list[dict[str, Any]]) -> str:
    good = [r for r in rows if not r["error"]]
    unsure = len(rows) - sum(r["verdict"] != "cannot say" for r in good)
    close = sum(abs(r["einstein_radius"]) < 0.01 for r in good)
    pulls = [
        np.sqrt(np.mean(np.square(np.clip([r[f"{n}_pull"] for r in good], -5, 5))))
        for n in ("einstein_radius", "lens_slope", "gamma1")
    ]
    found = sum(r["verdict"] == "subhalo" for r in good)
    seconds = [r["seconds"] for r in good]
    cells = [
        f"{kind}{', with a subhalo' if subhalo else ''}",
        len(rows),
        unsure,
        f"{close} of {len(good)}",
        ", ".join(f"{p:.2f}" for p in pulls),
        f"{np.median([r['chi_square'] for r in good]):.2f}",
        f"{found} of {len(rows)}",
        f"{np.nanmedian([r['significance'] for r in good]):.1f}",
        f"{np.median(seconds):.0f} ({max(seconds):.0f})",
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def _rates(rows: list[dict[str, Any]], kinds: tuple[str, ...]) -> str:
    """The share of subhalos above the significance that a tenth of the others exceed."""
    sets = [
        [
            r["significance"]
            for r in rows
            if r["kind"] in kinds and r["subhalo"] == s and not r["error"]
        ]
        for s in (False, True)
    ]
    if not all(sets):
        return ""
    without, with_subhalo = (np.nan_to_num(np.array(s)) for s in sets)
    level = float(np.quantile(without, 0.9))
    pairs = with_subhalo[:, None] > without
    return (
        f"{', '.join(kinds)}: at a false-positive rate of 10 % (significance {level:.1f}) "
        f"{np.mean(with_subhalo > level):.2f} of the subhalos are found; area under the curve "
        f"{np.mean(pairs):.2f}."
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20, help="mocks of each kind")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--workers", type=int, default=2)
    add_rows_option(parser)
    parser.add_argument(
        "--table", action="store_true", help="only make the table of what --rows holds"
    )
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    cases = [
        (seed, kind, subhalo)
        for seed in range(arguments.first, arguments.first + arguments.count)
        for subhalo in (False, True)
        for kind in arguments.kinds
    ]
    rows = kept_rows(arguments.rows)
    done = {(row["seed"], row["kind"], row["subhalo"]) for row in rows}
    missing = [] if arguments.table else [case for case in cases if case not in done]
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
        for row in pool.map(search, missing):
            rows.append(row)
            keep_row(arguments.rows, row)
            print(json.dumps({k: _short(v) for k, v in row.items()}), flush=True)
    head = [
        "# Search for subhalos on mocks by lenstronomy",
        "",
        f"`{' '.join(['python benchmarks/detection.py', *sys.argv[1:]])}`, "
        f"{datetime.date.today()}, {platform.processor() or platform.machine()}, one thread a "
        f"lens, {len(rows)} mocks.",
        "",
        "",
    ]
    text = "\n".join(head) + table(rows) + "\n"
    arguments.output.parent.mkdir(exist_ok=True)
    arguments.output.write_text(text)
    print(text)


def _short(value: Any) -> Any:
    return round(value, 3) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
