"""What each direction of nuisance takes off an empty lens, and what it costs substructure.

    python benchmarks/marginalisation.py [--count 150] [--workers 2]

Lenses of `common-test-1-wide` and `common-test-1` without noise are fitted as `default` fits them,
and with one kind of nuisance left out or changed. What the fit cannot take up, in units of the
noise, is the signal: of an empty lens a false one, of the others that of the substructure. The area
under the curve tells how well the signal alone tells empty lenses from those with substructure. The
table goes to `benchmarks/results/marginalisation.md`.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import cache, partial
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from darklens.modelling import MarginalisedFitter, NuisancePriors
from darklens.simulation import Simulator, load_preset
from darklens.train.cards import machine_name

RESULT = Path(__file__).resolve().parent / "results" / "marginalisation.md"
PRESETS = ("common-test-1-wide", "common-test-1")
SEED = 6_000_029
FALSE = 5.0
WAYS = {
    "all, as `default`": NuisancePriors(),
    "without structure of the source": NuisancePriors(shapelets=0.0),
    "structure of the source, prior three times as wide": NuisancePriors(shapelets=0.3),
    "without light of the lens": NuisancePriors(lens_light=0.0),
    "light of the lens round": NuisancePriors(lens_light_shape=0.0),
    "without multipoles": NuisancePriors(multipole=0.0),
    "without width and shape of the PSF": NuisancePriors(psf_width=0.0, psf_ellipticity=0.0),
}


@cache
def fitter(way: str) -> MarginalisedFitter:
    """The fit of the step `marginalised_residual` of `default`, with other nuisance."""
    return MarginalisedFitter(load_preset(PRESETS[0]), WAYS[way], size=120, binning=2)


def signal(index: int, preset: str, way: str) -> tuple[int, float]:
    """Label of a lens, and what the fit of its image without noise leaves [sigma]."""
    lens = Simulator(preset).expectation().lens(index, seed=SEED)
    found = fitter(way).fit(fitter(way).binned(lens.image[0].astype(np.float64)))
    return lens.label, float(np.sqrt(np.square(found.fit.residual).sum() + found.penalty))


def row(way: str, preset: str, count: int, pool: ProcessPoolExecutor) -> str:
    """One row of the table."""
    work = partial(signal, preset=preset, way=way)
    labels, signals = map(np.array, zip(*pool.map(work, range(count), chunksize=10), strict=True))
    empty = signals[labels == 0]
    medians = " | ".join(f"{np.median(signals[labels == k]):.1f}" for k in range(3))
    area = roc_auc_score(labels > 0, signals)
    return f"| {way} | {medians} | {100 * np.mean(empty > FALSE):.0f} | {area:.3f} |"


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=150, help="lenses of each preset")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    lines = [
        "# What is marginalised, and what it costs",
        "",
        f"{machine_name()}, {date.today()}, `python benchmarks/marginalisation.py --count "
        f"{given.count}`.",
    ]
    with ProcessPoolExecutor(given.workers) as pool:
        for preset in PRESETS:
            lines += [
                "",
                f"`{preset}`:",
                "",
                "| marginalised | median signal, `no` | `sphere` | `vort` | `no` above 5 sigma [%] "
                "| area under the curve |",
                "|---|---|---|---|---|---|",
            ]
            for way in WAYS:
                lines.append(row(way, preset, given.count, pool))
                print(lines[-1], flush=True)
    RESULT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
