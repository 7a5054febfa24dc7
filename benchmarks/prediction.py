"""From files to a table: `darklens predict` beside eager EfficientNet-B2, and a cold start.

    python benchmarks/prediction.py [--model default] [--count 300]

Simulated lenses of the model's preset are written as `.npy` files. Each command is a process of
its own, timed as a whole with its start, on one image and on all files with one worker and with
one per processor. The rate is that of the further images. EfficientNet-B2 of timm (random weights,
scaled pixels, batches of 64, all threads) reads the same files in a process of its own, after the
network is built, and the two sides take turns. The table goes to
`benchmarks/results/prediction_MODEL.md`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np

from darklens.hub import find_model, load_card
from darklens.simulation import Simulator
from darklens.train.cards import machine_name
from darklens.workers import processors

RESULTS = Path(__file__).resolve().parent / "results"
ROUNDS = 3

B2 = """
import sys, time
from pathlib import Path
import numpy as np, timm, torch
from darklens.data import build_preprocessing, read_image

paths = sorted(Path(sys.argv[1]).glob("*.npy"))
steps = build_preprocessing([{"min_max": {}}])
network = timm.create_model("efficientnet_b2", in_chans=1, num_classes=3).eval()
with torch.inference_mode():
    network(torch.zeros(64, 1, 150, 150))
    begin = time.perf_counter()
    for start in range(0, len(paths), 64):
        images = np.stack([read_image(path) for path in paths[start : start + 64]])
        network(torch.from_numpy(steps.batch(images))).softmax(1)
    print(time.perf_counter() - begin)
"""


def write_lenses(folder: Path, preset: str, count: int) -> None:
    """Simulated lenses as files, one an image."""
    simulator = Simulator(preset)
    for index in range(count):
        np.save(folder / f"{index:06d}.npy", simulator.lens(index, seed=9_000_001).image)


def predict_seconds(inputs: Path, model: str, workers: int, table: Path) -> float:
    """Wall time of one `darklens predict` [s]."""
    words = [str(inputs), "--model", model, "--workers", str(workers), "--output", str(table)]
    begin = time.perf_counter()
    command = [sys.executable, "-m", "darklens", "predict", *words, "--quiet"]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begin


def b2_seconds(folder: Path) -> float:
    """Wall time of EfficientNet-B2 from the first file to the last answer [s]."""
    command = [sys.executable, "-c", B2, str(folder)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="default")
    parser.add_argument("--count", type=int, default=300)
    given = parser.parse_args()
    preset = load_card(find_model(given.model)).training.preset
    assert preset is not None
    load = os.getloadavg()[0]
    cold, one, several, b2 = [], [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder, table = Path(name) / "lenses", Path(name) / "table.csv"
        folder.mkdir()
        write_lenses(folder, preset, given.count)
        single = folder / "000000.npy"
        predict_seconds(single, given.model, 1, table)  # compiles the kernels, fills the caches
        tables = set()
        for _ in range(ROUNDS):
            cold.append(predict_seconds(single, given.model, 0, table))
            for seconds, workers in ((one, 1), (several, 0)):
                seconds.append(predict_seconds(folder, given.model, workers, table))
                tables.add(table.read_bytes())
            b2.append(b2_seconds(folder))
    start = float(np.median(cold))
    rates = [(given.count - 1) / (float(np.median(seconds)) - start) for seconds in (one, several)]
    reference = given.count / float(np.median(b2))
    lines = [
        f"# Prediction from files to a table: `{given.model}`",
        "",
        f"{machine_name()}, {date.today()}, `python benchmarks/prediction.py --model {given.model} "
        f"--count {given.count}`. Load average of the machine at the start: {load:.1f}.",
        "",
        f"Medians of {ROUNDS} rounds, the sides in turns; {given.count} simulated lenses of "
        f"`{preset}`. The tables of both numbers of workers in all rounds are "
        f"{'the same bytes' if len(tables) == 1 else 'NOT the same bytes'}.",
        "",
        "| what | value | of EfficientNet-B2's rate |",
        "|---|---|---|",
        f"| one image from a cold start, whole command | {start:.2f} s | |",
        f"| one worker | {rates[0]:.1f} images/s | {rates[0] / reference:.2f} |",
        f"| {processors()} workers | {rates[1]:.1f} images/s | {rates[1] / reference:.2f} |",
        f"| eager EfficientNet-B2, same files | {reference:.1f} images/s | 1 |",
    ]
    (RESULTS / f"prediction_{given.model}.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
