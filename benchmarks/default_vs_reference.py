"""The default network against the reference network, both from scratch for equal time.

    python benchmarks/default_vs_reference.py --minutes 20

Both train at the same time, each on a core of its own, on the same endless stream of
`model-1-legacy` simulations, with the same validation set and for the same wall time (what the
default network learns about smooth lenses beforehand included). Both are then tested on the same
fresh simulations of another seed. The reference network keeps its published preprocessing,
optimiser, highest learning rate and batch size; its learning rate falls once over the time,
because its published restarts every 15 epochs would hardly begin to fall. The table goes to
`benchmarks/results/default_vs_reference.md`. Runs are kept in `--runs`; a stopped benchmark
continues where it was.
"""

import argparse
import datetime
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np

from darklens.cli.train import machine_name
from darklens.hub import ModelCard, load_card, load_classifier
from darklens.lensing import Simulator
from darklens.metrics import Interval, accuracy, bootstrap_interval, macro_auc, paired_difference

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "default_vs_reference.md"
PRESET = "model-1-legacy"
TEST_SEED = 1_000_003
READ_AT_ONCE = 500
RECIPES = {
    "default": ("classifier-model-1-legacy.yaml", []),
    "reference": (
        "classifier-reference.yaml",
        [
            f"--data.preset={PRESET}",
            "--pretrained=false",
            "--budget.epochs=null",
            "--training.schedule=one_cycle",
            "--data.workers=1",
        ],
    ),
}


def train(folder: Path, *, minutes: float, validation: int, epoch: int) -> list[Path]:
    """Train both networks by their recipes at the same time, each on one core with its data.

    Returns:
        The model folders.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < len(RECIPES):
        raise SystemExit(f"{len(RECIPES)} cores are needed, here are {len(cores)}")
    runs = []
    for core, (name, (recipe, words)) in zip(cores, RECIPES.items(), strict=False):
        command = [sys.executable, "-m", "darklens", "train", "classifier"]
        command += [f"--config={ROOT / 'recipes' / recipe}", *words, f"--output={folder / name}"]
        command += [f"--budget.minutes={minutes}", f"--data.validation_images={validation}"]
        command += [f"--data.epoch_images={epoch}", "--resume"]
        run = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
        os.sched_setaffinity(run.pid, {core})
        runs.append(run)
    codes = [run.wait() for run in runs]
    if any(codes):
        raise SystemExit("a training run failed")
    return [folder / name / "model" for name in RECIPES]


def test_probabilities(models: list[Path], count: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Labels of fresh simulations and each model's probabilities for them."""
    classifiers = [load_classifier(model) for model in models]
    simulator = Simulator(PRESET)
    labels: list[np.ndarray] = []
    outputs: list[list[np.ndarray]] = [[] for _ in models]
    for start in range(0, count, READ_AT_ONCE):
        size = min(READ_AT_ONCE, count - start)
        lenses = simulator.simulate(size, seed=TEST_SEED, start=start)
        labels.append(lenses.labels)
        for classifier, output in zip(classifiers, outputs, strict=True):
            output.append(classifier.probabilities(lenses.images))
    return np.concatenate(labels), [np.concatenate(output) for output in outputs]


def row(name: str, card: ModelCard, labels: np.ndarray, probabilities: np.ndarray) -> str:
    """One network's line of the table."""
    scores = [
        bootstrap_interval(partial(function, labels, probabilities), labels)
        for function in (accuracy, macro_auc)
    ]
    cells = [name, str(card.training.images), f"{card.training.seconds:.0f}", *map(words, scores)]
    return f"| {' | '.join(cells)} |"


def words(interval: Interval) -> str:
    """A number with its interval."""
    return f"{interval.value:.4f} ({interval.low:.4f} to {interval.high:.4f})"


def report(models: list[Path], labels: np.ndarray, outputs: list[np.ndarray], call: str) -> str:
    """The whole result as Markdown."""
    cards = [load_card(model) for model in models]
    rows = [
        row(*line, labels, output)
        for *line, output in zip(("default", "reference"), cards, outputs, strict=True)
    ]
    difference = paired_difference(
        *(partial(accuracy, labels, output) for output in outputs), labels
    )
    return "\n".join(
        [
            "# The default network against the reference network",
            "",
            f"Command: `{call}`. Machine: {machine_name()}. "
            f"Date: {datetime.datetime.now(datetime.UTC).date()}.",
            "",
            "Both from scratch at the same time, a core each, on fresh simulations of "
            f"`{PRESET}`; tested on the same {len(labels)} fresh simulations of seed "
            f"{TEST_SEED}. Intervals are 95 % bootstrap.",
            "",
            "| network | images seen | training time [s] | accuracy | macro AUC |",
            "|---|---|---|---|---|",
            *rows,
            "",
            f"Accuracy of the default minus that of the reference, paired: {words(difference)}.",
            "",
        ]
    )


def run() -> None:
    """Train, test, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0, help="training time of each network")
    parser.add_argument("--count", type=int, default=6000, help="test images")
    parser.add_argument("--validation", type=int, default=600, help="validation images")
    parser.add_argument("--epoch", type=int, default=5120, help="images between validations")
    parser.add_argument("--runs", type=Path, default=Path("runs/default_vs_reference"))
    parser.add_argument("--output", type=Path, default=RESULT, help="Markdown file to write")
    chosen = parser.parse_args()
    models = train(
        chosen.runs, minutes=chosen.minutes, validation=chosen.validation, epoch=chosen.epoch
    )
    labels, outputs = test_probabilities(models, chosen.count)
    call = f"python benchmarks/default_vs_reference.py --minutes {chosen.minutes:g}"
    text = report(models, labels, outputs, call)
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    run()
