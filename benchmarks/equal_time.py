"""Our networks and the reference network, all trained from scratch for the same time.

    python benchmarks/equal_time.py --preset model-1-legacy --networks pixels,reference
    python benchmarks/equal_time.py --preset common-test-1 --networks residual,pixels,reference

`residual` is the network on the residual of the smooth fit, `pixels` the network on pixels,
`reference` the published network. Each trains on one core, as many at once as there are cores, on
simulations of the preset, with the same validation images and for the same wall time, including
what the pixel network learns about smooth lenses beforehand. The images of `residual` are simulated
and fitted before the training; the table gives that time as well. All networks are then tested on
the same new simulations of another seed. The reference network keeps its published preprocessing,
optimiser, highest learning rate and batch size. Its learning rate decays once over the run, because
with the published restarts every 15 epochs it would hardly begin to decay. The table goes to
`benchmarks/results/equal_time_PRESET.md`. Runs are kept in `--runs`, and an interrupted benchmark
continues where it stopped.
"""

import argparse
import datetime
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import Queue

import numpy as np

from darklens.hub import ModelCard, load_card, load_classifier
from darklens.metrics import Interval, accuracy, bootstrap_interval, macro_auc, paired_difference
from darklens.simulation import Simulator
from darklens.train.cards import machine_name

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
TEST_SEED = 1_000_003
READ_AT_ONCE = 500
MODELS = {"common-test-1": "default", "model-1-legacy": "model-1-legacy"}
"""The model that is trained on each preset, in the names of the recipes."""
PUBLISHED = [
    "--pretrained=false",
    "--budget.epochs=null",
    "--training.schedule=one_cycle",
    "--data.workers=1",
]


def command(network: str, preset: str, prepared: int) -> list[str]:
    """The training command of a network: its recipe, and the options that differ from it."""
    recipe = {
        "residual": f"classifier-{MODELS[preset]}.yaml",
        "pixels": f"classifier-{MODELS[preset]}-pixels.yaml",
        "reference": "classifier-reference.yaml",
    }[network]
    words = {
        "residual": [f"--data.prepared_images={prepared}"],
        "pixels": [],
        "reference": [f"--data.preset={preset}", *PUBLISHED],
    }[network]
    start = [sys.executable, "-m", "darklens", "train", "classifier"]
    return [*start, f"--config={ROOT / 'recipes' / recipe}", *words]


def train(networks: list[str], chosen: argparse.Namespace) -> dict[str, float]:
    """Train all networks, each on one core with its data.

    Returns:
        Total wall time of each [s].
    """
    cores: Queue[int] = Queue()
    for core in sorted(os.sched_getaffinity(0)):
        cores.put(core)

    def run(network: str) -> float:
        core = cores.get()
        words = command(network, chosen.preset, chosen.prepared)
        words += [f"--output={chosen.runs / network}", f"--budget.minutes={chosen.minutes}"]
        words += [f"--data.validation_images={chosen.validation}", "--resume"]
        words += [f"--data.epoch_images={chosen.epoch}"]
        begin = time.monotonic()
        process = subprocess.Popen(words, env={**os.environ, "OMP_NUM_THREADS": "1"})
        os.sched_setaffinity(process.pid, {core})
        code = process.wait()
        cores.put(core)
        if code:
            raise SystemExit(f"the training of '{network}' failed")
        return time.monotonic() - begin

    with ThreadPoolExecutor(cores.qsize()) as pool:
        return dict(zip(networks, pool.map(run, networks), strict=True))


def test_probabilities(
    models: list[Path], preset: str, count: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Labels of new simulations, and each model's probabilities for them."""
    classifiers = [load_classifier(model) for model in models]
    simulator = Simulator(preset)
    labels: list[np.ndarray] = []
    outputs: list[list[np.ndarray]] = [[] for _ in models]
    for start in range(0, count, READ_AT_ONCE):
        size = min(READ_AT_ONCE, count - start)
        lenses = simulator.simulate(size, seed=TEST_SEED, start=start)
        labels.append(lenses.labels)
        for classifier, output in zip(classifiers, outputs, strict=True):
            output.append(classifier.probabilities(lenses.images))
    return np.concatenate(labels), [np.concatenate(output) for output in outputs]


def row(
    name: str, card: ModelCard, seconds: float, labels: np.ndarray, probabilities: np.ndarray
) -> str:
    """The row of one network."""
    scores = [
        bootstrap_interval(partial(function, labels, probabilities), labels)
        for function in (accuracy, macro_auc)
    ]
    cells = [name, str(card.training.images), f"{card.training.seconds:.0f}", f"{seconds:.0f}"]
    return f"| {' | '.join([*cells, *map(words, scores)])} |"


def words(interval: Interval) -> str:
    """A value with its interval."""
    return f"{interval.value:.4f} ({interval.low:.4f} to {interval.high:.4f})"


def report(networks: list[str], seconds: dict[str, float], chosen: argparse.Namespace) -> str:
    """The whole result as Markdown."""
    models = [chosen.runs / network / "model" for network in networks]
    labels, outputs = test_probabilities(models, chosen.preset, chosen.count)
    rows = [
        row(network, load_card(model), seconds[network], labels, output)
        for network, model, output in zip(networks, models, outputs, strict=True)
    ]
    differences = [
        f"Accuracy of `{networks[0]}` minus that of `{other}`, paired: "
        + words(paired_difference(partial(accuracy, labels, outputs[0]), worse, labels))
        + "."
        for other, worse in (
            (other, partial(accuracy, labels, output))
            for other, output in zip(networks[1:], outputs[1:], strict=True)
        )
    ]
    call = (
        f"python benchmarks/equal_time.py --preset {chosen.preset} "
        f"--networks {','.join(networks)} --minutes {chosen.minutes:g} "
        f"--prepared {chosen.prepared} --count {chosen.count}"
    )
    return "\n".join(
        [
            f"# Networks trained from scratch for the same time: `{chosen.preset}`",
            "",
            f"Command: `{call}`. Machine: {machine_name()}. "
            f"Date: {datetime.datetime.now(datetime.UTC).date()}.",
            "",
            f"Each network trained on one core and was tested on the same {len(labels)} new "
            f"simulations of seed {TEST_SEED}. Intervals are 95 % bootstrap intervals. The total "
            "time includes start-up and, for `residual`, simulating and fitting its images.",
            "",
            "| network | images seen | training time [s] | total time [s] | accuracy | macro AUC |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            *differences,
            "",
        ]
    )


def run() -> None:
    """Train, test, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=list(MODELS), default="common-test-1")
    parser.add_argument("--networks", default="residual,pixels,reference")
    parser.add_argument("--minutes", type=float, default=20.0, help="training time of each network")
    parser.add_argument("--prepared", type=int, default=12_000, help="images of `residual`")
    parser.add_argument("--count", type=int, default=6000, help="test images")
    parser.add_argument("--validation", type=int, default=600, help="validation images")
    parser.add_argument("--epoch", type=int, default=5120, help="images between validations")
    parser.add_argument("--runs", type=Path, default=None)
    chosen = parser.parse_args()
    chosen.runs = chosen.runs or Path("runs") / f"equal_time_{chosen.preset}"
    networks = chosen.networks.split(",")
    text = report(networks, train(networks, chosen), chosen)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"equal_time_{chosen.preset}.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    run()
