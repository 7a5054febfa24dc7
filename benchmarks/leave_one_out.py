"""Would the priors be others without one source of observed images? Each source against the rest.

    python benchmarks/leave_one_out.py

The priors of `common-test-1` were chosen with all observed images of the benchmark in view. Here
the smooth lens of the wide preset is fitted to each image, and the fitted parameters of the images
of one source are compared with those of all other sources: by a Kolmogorov-Smirnov test of each
parameter, by the share within the central 90 % of the others, and by how much mean and standard
deviation of all, which is what a prior is, change without the source. The accuracy of `default` on
each source is on the page of `benchmarks/observed.py`. Images are read from DARKLENS_SHARED_DATA,
or from `../shared/data` next to the repository. The table goes to
`benchmarks/results/leave_one_out.md`.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import datetime
from pathlib import Path

import numpy as np
from observed import common_test_1
from scipy import stats

from darklens.modelling import (
    PARAMETERS,
    MarginalisedFitter,
    any_counts,
    central_sky,
    marginalised_model,
)
from darklens.simulation import load_preset
from darklens.train.cards import machine_name

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "leave_one_out.md"
PRESET = "common-test-1-wide"
SIZE, BINNING, DRAWS = 120, 2, 500


def fitted(shared: Path) -> tuple[list[str], list[str], np.ndarray]:
    """Source of each image, names of the parameters, and their values (images, parameters)."""
    preset = load_preset(PRESET)
    fitter = MarginalisedFitter(preset, size=SIZE, binning=BINNING)
    free = [
        k
        for k in marginalised_model(preset, draws=DRAWS).free
        if PARAMETERS[k] not in ("background", "source_log_amplitude")
    ]
    sources, rows = [], []
    for part in common_test_1(shared):
        for image, source in zip(part.images, part.sources, strict=True):
            counts = any_counts(image[0].astype(np.float32), central_sky(preset))
            known = counts.source != "estimated"
            found = fitter.fit(fitter.binned(counts.image), known_gain=known)
            rows.append(found.fit.parameters[free])
            sources.append(source)
    return sources, [PARAMETERS[k] for k in free], np.array(rows)


def table(sources: list[str], names: list[str], values: np.ndarray) -> str:
    """The comparison of each source with the others."""
    lines = [
        "| images of | n | smallest p of all parameters, times their number | of | "
        "within the central 90 % of the others [%] | largest change of a mean without them "
        "[standard deviations] | largest change of a standard deviation [%] |",
        "|---|---|---|---|---|---|---|",
    ]
    mean, spread = values.mean(axis=0), values.std(axis=0)
    for source in sorted(set(sources)):
        own = np.array([one == source for one in sources])
        mine, others = values[own], values[~own]
        chances = [stats.ks_2samp(a, b).pvalue for a, b in zip(mine.T, others.T, strict=True)]
        k = int(np.argmin(chances))
        low, high = np.quantile(others, (0.05, 0.95), axis=0)
        inside = float(((mine >= low) & (mine <= high)).mean())
        shift = np.abs(others.mean(axis=0) - mean) / spread
        width = np.abs(others.std(axis=0) / spread - 1)
        cells = [
            source,
            len(mine),
            f"{min(1.0, chances[k] * len(names)):.3f}",
            names[k],
            f"{100 * inside:.0f}",
            f"{shift.max():.2f} ({names[int(shift.argmax())]})",
            f"{100 * width.max():.0f} ({names[int(width.argmax())]})",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark."""
    shared = Path(os.environ.get("DARKLENS_SHARED_DATA", ROOT.parent / "shared" / "data"))
    sources, names, values = fitted(shared)
    text = (
        "# Priors without one source of images\n\n"
        f"{machine_name()}, {datetime.date.today()}, `python benchmarks/leave_one_out.py`: "
        f"{len(sources)} images, {len(names)} parameters.\n\n{table(sources, names, values)}\n"
    )
    RESULT.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
