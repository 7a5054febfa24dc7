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

from darklens.modelling import (
    MarginalFilters,
    MarginalisedFit,
    MarginalisedFitter,
    NuisancePriors,
    parts_of,
    with_source_structure,
)
from darklens.simulation import Simulator, load_preset
from darklens.train.cards import machine_name

RESULT = Path(__file__).resolve().parent / "results" / "marginalisation.md"
PRESETS = ("common-test-1-wide", "common-test-1")
SEED = 6_000_029
FALSE = 5.0
DEFAULT = "all, as `default`"
WAYS = {
    DEFAULT: NuisancePriors(),
    "all, the structure of the source only marginalised": NuisancePriors(),
    "without structure of the source": NuisancePriors(shapelets=0.0),
    "structure of the source, prior three times as wide": NuisancePriors(shapelets=0.3),
    "without light of the lens": NuisancePriors(lens_light=0.0),
    "light of the lens round": NuisancePriors(lens_light_shape=0.0),
    "without multipoles": NuisancePriors(multipole=0.0),
    "without width and shape of the PSF": NuisancePriors(psf_width=0.0, psf_ellipticity=0.0),
}


@cache
def fitter(way: str = DEFAULT) -> MarginalisedFitter:
    """The fit of the step `marginalised_residual` of `default`, with other nuisance."""
    return MarginalisedFitter(load_preset(PRESETS[0]), WAYS[way], size=120, binning=2)


@cache
def filters() -> MarginalFilters:
    """Filters that tell substructure from structure of the source, as those of `default`."""
    scale = load_preset(PRESETS[0]).grid.pixel_scale
    return MarginalFilters((60, 60), 2 * scale, half_lengths=(0.5, 0.85, 1.4), orientations=12)


def signal_of(expected: np.ndarray, way: str = DEFAULT) -> float:
    """What the fit of an image without noise leaves [sigma]."""
    data = fitter(way).binned(expected.astype(np.float64))
    found: MarginalisedFit = fitter(way).fit(data)
    if way == DEFAULT:
        maps = filters()(*parts_of(found))
        found, _ = with_source_structure(fitter(), filters(), data, found, maps)
    return float(np.sqrt(np.square(found.fit.residual).sum() + found.penalty))


def signal(index: int, preset: str, way: str) -> tuple[int, float]:
    """Label of a lens, and what the fit of its image without noise leaves [sigma]."""
    lens = Simulator(preset).expectation().lens(index, seed=SEED)
    return lens.label, signal_of(lens.image[0], way)


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
