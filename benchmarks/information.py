"""How much of its substructure a lens shows: the limit of every classifier of such images.

    python benchmarks/information.py [--count 600] [--workers 2]

Each lens is simulated with noise, for the classifier, and without it. The image without noise is
fitted with everything marginalised that is no substructure. What the fit cannot take up, in units
of the noise, is the signal S of the substructure: the significance with which an observer who knew
its shape exactly would see it on average. Of a substructure of signal S and an empty lens, both
equally probable, no observer can tell more than a share Phi(S / 2). An observer who does not know
the shape sees less. The tables go to `benchmarks/results/information_MODEL.md`.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import cache, partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from darklens.classify import Classifier
from darklens.hub import load_classifier
from darklens.simulation import Simulator
from darklens.train.cards import machine_name

RESULTS = Path(__file__).resolve().parent / "results"
PRESETS = ("common-test-1", "common-test-1-wide")
SEED = 5_000_011
EDGES = (0, 2, 4, 6, 10, np.inf)
NONE = "no"


@cache
def classifier(name: str) -> Classifier:
    """The classifier of this process."""
    return load_classifier(name)


def one_lens(index: int, preset: str, model: str) -> dict[str, object]:
    """Truth, answer and signal of one lens."""
    simulator = Simulator(preset)
    lens = simulator.lens(index, seed=SEED)
    (answer,) = classifier(model).answer(lens.image[None])
    expected = simulator.expectation().lens(index, seed=SEED).image[0]
    probabilities = np.asarray(answer.probabilities)
    return {
        "truth": simulator.classes[lens.label],
        "called": classifier(model).classes[int(probabilities.argmax())],
        "signal": signal_of(np.asarray(expected)),
    }


def lines_of(table: pd.DataFrame, preset: str) -> list[str]:
    """Markdown of one preset."""
    empty, full = table[table["truth"] == NONE], table[table["truth"] != NONE]
    best = norm.cdf(full["signal"] / 2)
    right = table["truth"] == table["called"]
    lines = [
        f"`{preset}`, {len(table)} lenses: {right.mean():.1%} right. Of the empty ones "
        f"{(empty['called'] == NONE).mean():.1%} are called `{NONE}`; their median signal is "
        f"{empty['signal'].median():.2f}. Of lenses with substructure and empty ones, equally "
        f"many, an observer who knew every shape could tell {best.mean():.1%} apart, and the "
        f"classifier tells {_told(full, empty):.1%}.",
        "",
        "| signal S | class | lenses | right [%] | called `no` [%] | called the other [%] |",
        "|---|---|---|---|---|---|",
    ]
    for low, high in pairwise(EDGES):
        for name, part in full.groupby("truth"):
            inside = part[(part["signal"] >= low) & (part["signal"] < high)]
            if inside.empty:
                continue
            shares = [
                100 * (inside["called"] == name).mean(),
                100 * (inside["called"] == NONE).mean(),
                100 * (~inside["called"].isin([name, NONE])).mean(),
            ]
            span = f"{low} to {high}" if np.isfinite(high) else f"above {low}"
            cells = " | ".join(f"{share:.0f}" for share in shares)
            lines.append(f"| {span} | {name} | {len(inside)} | {cells} |")
    return lines


def _told(full: pd.DataFrame, empty: pd.DataFrame) -> float:
    """Share told apart of empty lenses and those with substructure, equally many of both."""
    return float((full["called"] != NONE).mean() + (empty["called"] == NONE).mean()) / 2


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="default")
    parser.add_argument("--count", type=int, default=600, help="lenses of each preset")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    lines = [
        f"# What the images show: `{given.model}`",
        "",
        f"{machine_name()}, {date.today()}, `python benchmarks/information.py --model "
        f"{given.model} --count {given.count}`.",
    ]
    with ProcessPoolExecutor(given.workers) as pool:
        for preset in PRESETS:
            work = partial(one_lens, preset=preset, model=given.model)
            table = pd.DataFrame(pool.map(work, range(given.count), chunksize=10))
            lines += ["", *lines_of(table, preset)]
            print("\n".join(lines), flush=True)
    (RESULTS / f"information_{given.model}.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
