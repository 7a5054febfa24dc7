"""Whether generated lenses without substructure are as smooth as simulated ones.

    python benchmarks/empty_lenses.py [--count 1000] [--workers 2]

Images of the class `no` by the generator `common-test-1` and by the simulator are fitted as
`default` fits them, and the chi-squares compared. The table goes to
`benchmarks/results/generator_empty_lenses.md`.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
from scipy.stats import ks_2samp

from darklens.diffusion import SamplingOptions
from darklens.hub import load_generator
from darklens.modelling import MarginalisedFitter
from darklens.simulation import Simulator, load_preset
from darklens.train.cards import machine_name

RESULT = Path(__file__).resolve().parent / "results" / "generator_empty_lenses.md"
MODEL, PRESET, SEED = "common-test-1", "common-test-1", 777_001


@cache
def fitter() -> MarginalisedFitter:
    """The fit of `default`."""
    return MarginalisedFitter(load_preset("common-test-1-wide"))


def chi_square(image: np.ndarray) -> float:
    """Reduced chi-square of one image with everything marginalised that is no substructure."""
    return fitter().fit(image.astype(np.float64)).fit.chi_square


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="images of each kind")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    options = SamplingOptions(seed=SEED)
    made = load_generator(MODEL).batches(given.count, options, labels="no")
    sets = {
        "generated": np.concatenate([part.images[:, 0] for part in made]),
        "simulated": Simulator(PRESET, classes=["no"])
        .simulate(given.count, seed=SEED + 1)
        .images[:, 0],
    }
    with ProcessPoolExecutor(given.workers) as pool:
        found = {
            name: np.array(list(pool.map(chi_square, images, chunksize=20)))
            for name, images in sets.items()
        }
    test = ks_2samp(found["generated"], found["simulated"])
    lines = [
        "# Chi-square of lenses without substructure",
        "",
        f"{machine_name()}, {date.today()}, `python benchmarks/empty_lenses.py --count "
        f"{given.count}`. {given.count:,} images of each kind, seeds of their own. "
        f"Kolmogorov-Smirnov test: distance {test.statistic:.3f}, p = {test.pvalue:.2g}.",
        "",
        "| images | 16 % | median | 84 % |",
        "|---|---|---|---|",
    ]
    for name, values in found.items():
        cells = " | ".join(f"{q:.4f}" for q in np.quantile(values, (0.16, 0.5, 0.84)))
        lines.append(f"| {name} | {cells} |")
    RESULT.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
