"""How a shipped classifier learns from a few labelled images of another kind.

    python benchmarks/few_shot.py [--shift "source with three clumps"] [--workers 2]

Simulates `common-test-1` with one shift of the stress table, as 9, 99 and 999 labelled images and a
test set, and trains `default` on them in the two ways that the page "Train" names for a few
images. All are tested on the same images. The table goes to `benchmarks/results/few_shot.md`, the
files to a folder that is kept (`--folder`), so that another run takes the fits of the first.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from darklens.classify import TrainingConfig
from darklens.data.preparation import PreparedImage, prepare_images
from darklens.evaluate.classifier.stress.changes import read_content
from darklens.evaluate.classifier.stress.shifts import load_shifts, shifted_preset
from darklens.hub import load_classifier
from darklens.nn import Budget
from darklens.simulation import Simulator
from darklens.train import DataOptions, train_classifier
from darklens.train.cards import machine_name

RESULT = Path(__file__).resolve().parent / "results" / "few_shot.md"
PRESET, MODEL = "common-test-1", "default"
SIZES = (9, 99, 999)
SEED, TEST_SEED = 8_100_001, 8_100_002
BATCH = 64
WAYS: dict[str, dict[str, Any]] = {
    "last layer": {"freeze": True, "budget": Budget(epochs=30)},
    "all layers": {
        "training": TrainingConfig(optimiser="adamw", learning_rate=1e-4, weight_decay=0.05),
        "budget": Budget(epochs=20),
    },
}


def write_images(simulator: Simulator, count: int, folder: Path) -> None:
    """The first images of a seed, in a folder for each class."""
    for index in range(count):
        lens = simulator.lens(index, seed=SEED)
        path = folder / "train" / simulator.classes[lens.label] / f"{index}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, lens.image[0])


def right(model: str | Path, test: Sequence[PreparedImage], labels: np.ndarray) -> np.ndarray:
    """Whether the most probable class of each image is the true one."""
    classifier = load_classifier(model)
    found = []
    for start in range(0, len(test), BATCH):
        answers = classifier.answer_prepared(test[start : start + BATCH])
        found += [int(np.argmax(answer.probabilities)) for answer in answers]
    return np.asarray(np.array(found) == labels)


def row(size: int, way: str, good: np.ndarray, labels: np.ndarray) -> str:
    """One row of the table."""
    interval = binomtest(int(good.sum()), good.size).proportion_ci(method="wilson")
    share = f"{100 * good.mean():.1f} ({100 * interval.low:.1f} to {100 * interval.high:.1f})"
    classes = " | ".join(f"{100 * good[labels == k].mean():.0f}" for k in range(3))
    return f"| {size} | {way} | {share} | {classes} |"


def main() -> None:
    """Simulate, train, test, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shift", default="source with three clumps")
    parser.add_argument("--test", type=int, default=600, help="images of the test set")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("runs/few-shot"))
    given = parser.parse_args()
    (shift,) = (shift for shift in load_shifts() if shift.name == given.shift)
    simulator = Simulator(shifted_preset(read_content(PRESET), shift))
    lenses = [simulator.lens(index, seed=TEST_SEED) for index in range(given.test)]
    labels = np.array([lens.label for lens in lenses])
    steps = load_classifier(MODEL).preprocessing
    prepared = prepare_images(steps, (lens.image for lens in lenses), workers=given.workers)
    test = [image for image in prepared if image is not None]
    lines = [
        f"# `{MODEL}` before and after a few labels",
        "",
        f"{machine_name()}, {date.today()}, `python benchmarks/few_shot.py`. `{MODEL}` on "
        f"{given.test} test images of `{PRESET}` with the shift '{shift.name}', before and after "
        "training on labelled images of the same kind.",
        "",
        "| labelled images | trained | right [%] | `no` | `sphere` | `vort` |",
        "|---|---|---|---|---|---|",
        row(0, "no training", right(MODEL, test, labels), labels),
    ]
    print(lines[-1], flush=True)
    for size in SIZES:
        data = given.folder / f"images-{size}"
        if not data.exists():
            write_images(simulator, size, data)
        for way, settings in WAYS.items():
            output = given.folder / f"{way.replace(' ', '-')}-{size}"
            options = DataOptions(
                path=data,
                folds=3 if size == SIZES[0] else 5,
                cache=given.folder / f"fits-{size}",
                workers=given.workers,
            )
            train_classifier(init=MODEL, data=options, output=output, quiet=True, **settings)
            lines.append(row(size, way, right(output / "model", test, labels), labels))
            print(lines[-1], flush=True)
    RESULT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
