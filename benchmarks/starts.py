"""How often the parametric fit of a lens starts at a wrong place, on mocks by lenstronomy.

    python benchmarks/starts.py [--count 25] [--first 200] [--workers 2]

Mocks are drawn by lenstronomy (`lens_mocks.py`), of three kinds, none with a subhalo. The fit is
the isothermal one from which `detect` and `fit --flexible` begin, and that of `fit`. The table goes
to `benchmarks/results/starts.md`.
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
from typing import NamedTuple

import numpy as np
from lens_mocks import KINDS, PIXEL_SCALE, PSF_WIDTH, draw_mock

from darklens.detection.starting_fit import starting_fit
from darklens.lensing import GaussianPSF
from darklens.modelling import Parameter
from darklens.observations import observation_of
from darklens.train.cards import machine_name

RESULT = Path(__file__).resolve().parent / "results" / "starts.md"
WRONG = 0.05


class Start(NamedTuple):
    """One fit.

    Attributes:
        kind: Kind of the mock.
        off: Relative error of the Einstein radius.
        seconds: Processor time.
    """

    kind: str
    off: float
    seconds: float


def fitted(case: tuple[int, str]) -> Start:
    """The fit of one mock."""
    seed, kind = case
    mock = draw_mock(seed, kind)
    seen = observation_of(mock.image, mock.noise, PIXEL_SCALE, GaussianPSF(PSF_WIDTH, 4))
    begin = time.process_time()
    fit = starting_fit(seen, lens_light=True)
    radius = float(fit.parameters[Parameter.EINSTEIN_RADIUS])
    off = radius / float(mock.truth["einstein_radius"]) - 1
    return Start(kind, off, time.process_time() - begin)


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=25, help="mocks of each kind")
    parser.add_argument("--first", type=int, default=200, help="first seed")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    cases = [(s, kind) for s in range(given.first, given.first + given.count) for kind in KINDS]
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
        starts = list(pool.map(fitted, cases))
    lines = [
        "# Where the fit of a lens begins",
        "",
        f"{machine_name()}, {date.today()}, `python benchmarks/starts.py --count {given.count} "
        f"--first {given.first}`. An Einstein radius is wrong if it is off by more than "
        f"{100 * WRONG:.0f} %; the true slopes are 1.8 to 2.2, that of the fit is 2.",
        "",
        "| mocks | number | wrong | radius within 1 % | processor seconds, median (most) |",
        "|---|---|---|---|---|",
    ]
    for kind in KINDS:
        off, seconds = np.array([(s.off, s.seconds) for s in starts if s.kind == kind]).T
        wrong, close = (np.abs(off) > WRONG).sum(), (np.abs(off) < 0.01).sum()
        lines.append(
            f"| {kind} | {len(off)} | {wrong} | {close} | "
            f"{np.median(seconds):.1f} ({seconds.max():.1f}) |"
        )
    RESULT.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
