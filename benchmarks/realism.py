"""Are simulated images like the real ones? Statistical tests in one table each.

    python benchmarks/realism.py

`model-1-legacy` is compared with the 450 public images of DeepLenseSim, `common-test-1` with the 15
public images of the benchmark. The real images are read from DARKLENS_SHARED_DATA, or from
`../shared/data` next to the repository. The table goes to `benchmarks/results/realism.md`.
"""

import argparse
import datetime
import os
import sys
from pathlib import Path

import common_test_statistics as common_test
import numpy as np
import two_sample

from darklens.simulation import Simulator

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "realism.md"
CLASSES = ("no", "sphere", "vort")


def legacy_features(simulator: Simulator, count: int, seed: int) -> np.ndarray:
    """Features of simulated images (classes, count, features)."""
    images = simulator.simulate(3 * count, seed=seed).images[:, 0]
    return two_sample.features(images).reshape(count, 3, -1).swapaxes(0, 1)


def legacy_tables(shared: Path, count: int) -> list[str]:
    """Twelve statistics class by class, and a classifier with its positive control."""
    files = [shared / "deeplensesim_model1" / f"{name}.npz" for name in CLASSES]
    public = np.array([two_sample.features(np.load(file)["images"]) for file in files])
    simulated = legacy_features(Simulator("model-1-legacy"), count, 7)
    p_values = [two_sample.compare(*pair) for pair in zip(public, simulated, strict=True)]
    holm = [two_sample.holm(p) for p in p_values]
    lines = ["| statistic | no | sphere | vort |", "|---|---|---|---|"]
    for i, name in enumerate(two_sample.STATISTICS):
        cells = [f"{p[i]:.3f} ({h[i]:.2f})" for p, h in zip(p_values, holm, strict=True)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += [
        "",
        "| classifier that separates the public images from | AUC | 95 % interval |",
        "|---|---|---|",
    ]
    control = legacy_features(two_sample.single_noise_simulator(), 150, 8)
    rows = [
        (f"`model-1-legacy`, seed {s}", legacy_features(Simulator("model-1-legacy"), 150, s))
        for s in (7, 17, 27)
    ]
    for what, table in [*rows, ("the same with the photon noise once (control)", control)]:
        pair = np.concatenate(public), np.concatenate(table)
        auc, low, high = two_sample.classifier_auc(*pair)
        lines.append(f"| {what} | {auc:.3f} | {low:.3f} to {high:.3f} |")
    return lines


def common_test_table(shared: Path, count: int) -> list[str]:
    """How many summaries of the real images lie outside the central range of simulated samples."""
    real = np.array(
        [
            [
                common_test.image_statistics(np.load(file)[0])
                for file in sorted((shared / "common_test_1" / name).glob("*.npy"))
            ]
            for name in CLASSES
        ]
    )
    samples = common_test.simulate_samples(Simulator("common-test-1"), count, seed=99)
    total = sum(len(s) for s in common_test.summarise_groups(real, CLASSES).values())
    lines = [
        "| central share | summaries | outside | outside, simulated samples (mean, 95 %) | which |",
        "|---|---|---|---|---|",
    ]
    for share in (0.998, 0.99, 0.95):
        names, usual = common_test.outside(real, samples, CLASSES, share=share)
        which = ", ".join(names) if len(names) <= 10 else ""
        chance = f"{usual.mean():.1f}, {np.quantile(usual, 0.95):.0f}"
        lines.append(f"| {100 * share:.1f} % | {total} | {len(names)} | {chance} | {which} |")
    return [*lines, "", *median_table(real, samples)]


def median_table(real: np.ndarray, samples: np.ndarray) -> list[str]:
    """Medians over all 15 images of the statistics listed by name."""
    ours = common_test.summarise_groups(samples, CLASSES)["all"]
    lines = ["| median over 15 images | real | central 99.8 % | percentile |", "|---|---|---|---|"]
    for key, value in common_test.summarise_groups(real, CLASSES)["all"].items():
        if key.endswith("/median") and not key.startswith("quantile"):
            low, high = np.quantile(ours[key], [0.001, 0.999])
            place = f"{100 * (ours[key] < value).mean():.1f} %"
            name = key.removesuffix("/median")
            lines.append(f"| {name} | {value:.4g} | {low:.4g} to {high:.4g} | {place} |")
    return lines


def main() -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=600, help="legacy images of each class")
    parser.add_argument("--samples", type=int, default=1000, help="samples of five per class")
    arguments = parser.parse_args()
    shared = Path(os.environ.get("DARKLENS_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not shared.is_dir():
        sys.exit(f"no real images at {shared}; set DARKLENS_SHARED_DATA")
    legacy = legacy_tables(shared, arguments.count)
    common = common_test_table(shared, arguments.samples)
    lines = [
        "# Simulated and real images",
        "",
        f"{datetime.date.today()}, `python benchmarks/realism.py`.",
        "",
        "## `model-1-legacy` and 150 public images of each class",
        "",
        f"Kolmogorov-Smirnov p values against {arguments.count} simulated images of each class, in",
        "parentheses Holm-corrected for the twelve tests of a class; the bar is 0.01.",
        "The classifier is a logistic regression on 31 fixed features in five folds, 450 images a",
        "side; its AUC should be 0.5 within the interval, and at least 0.8 for the control.",
        "",
        *legacy,
        "",
        "## `common-test-1` and the 15 public images of the benchmark",
        "",
        "Summaries (quantiles, means, deviations) of 77 image statistics over five images of a",
        f"class and over all 15, compared with those of {arguments.samples} simulated samples.",
        "Among so many a few lie outside any central range by chance; the fourth column",
        "gives their number in the simulated samples themselves. The second table lists medians of",
        "statistics over all 15 images, each with its percentile among the simulated samples.",
        "",
        *common,
    ]
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
