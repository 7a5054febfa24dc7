"""Where the time of a short command goes: Python, imports, weights, and the work itself.

    python benchmarks/startup.py [--rounds 5]

`predict` of one lens with `default` and `generate --count 16` with `common-test-1`, each stage in
processes of its own that go one step further than the one before. The stages of both commands take
turns; medians of all rounds. The first run of all has empty caches: the kernels are compiled and
the lenses from which a fit starts are drawn. The table goes to `benchmarks/results/startup.md`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import date
from pathlib import Path
from statistics import median

import numpy as np

from darklens.simulation import Simulator
from darklens.train.cards import machine_name

RESULTS = Path(__file__).resolve().parent / "results"

_PYTHON = "an empty Python process"
_TORCH = "import of PyTorch"
_REST = "further imports"
_MODEL = "card, weights and preset"
_WORK = "the work: numba's kernels loaded, images made, files written"
_FIRST = "whole command, first run on a machine"
_WHOLE = "whole command"


def stages(folder: Path, turn: int) -> dict[str, dict[str, list[str]]]:
    """Words of the process of each stage, for each command; each does all of the one before."""
    lens, table, made = folder / "lens.npy", folder / "table.csv", folder / f"made-{turn}"
    predict = ["predict", str(lens), "--model", "default", "--output", str(table), "--quiet"]
    generate = ["generate", "--model", "common-test-1", "--count", "16", "--quiet"]
    commands = {
        "predict": (predict, "evaluate.classifier", "load_classifier('default')"),
        "generate": ([*generate, "--output", str(made)], "production", None),
    }
    found = {}
    for verb, (words, room, load) in commands.items():
        imports = f"import torch; from darklens.{room} import {verb}; import darklens.hub as hub"
        load = load or "load_generator('common-test-1')"
        found[verb] = {
            _PYTHON: ["-c", ""],
            _TORCH: ["-c", "import torch"],
            _REST: ["-c", imports],
            _MODEL: ["-c", f"{imports}; hub.{load}"],
            _WORK: ["-m", "darklens", *words],
        }
    return found


def seconds(words: list[str], caches: dict[str, str] | None = None) -> float:
    """Wall time of a process [s]."""
    environment = {**os.environ, **(caches or {})}
    begin = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, capture_output=True, env=environment)
    return time.perf_counter() - begin


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    load = os.getloadavg()[0]
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "lens.npy", Simulator("common-test-1").lens(0, seed=9_000_001).image)
        for verb, processes in stages(folder, -1).items():
            empty = {key: str(folder / verb / key) for key in ("NUMBA_CACHE_DIR", "DARKLENS_CACHE")}
            taken[verb, _FIRST].append(seconds(processes[_WORK], empty))
        for turn in range(given.rounds):
            for verb, processes in stages(folder, turn).items():
                for stage, words in processes.items():
                    taken[verb, stage].append(seconds(words))
    rows = table(["predict", "generate"], {key: median(times) for key, times in taken.items()})
    lines = [
        "# Start of a short command",
        "",
        f"{machine_name()}, {date.today()}, `python benchmarks/startup.py --rounds "
        f"{given.rounds}`. Load average of the machine at the start: {load:.1f}.",
        "",
        "Wall time in seconds, medians; each row is the time beyond that of the rows above.",
        "",
        *rows,
    ]
    (RESULTS / "startup.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def table(verbs: list[str], times: dict[tuple[str, str], float]) -> list[str]:
    """Rows of the table: what each stage adds, then the whole."""
    rows = [f"| | {' | '.join(f'`{verb}`' for verb in verbs)} |", "|---|" + "---|" * len(verbs)]
    before = dict.fromkeys(verbs, 0.0)
    for stage in (_PYTHON, _TORCH, _REST, _MODEL, _WORK):
        added = [times[verb, stage] - before[verb] for verb in verbs]
        before = {verb: times[verb, stage] for verb in verbs}
        rows.append(f"| {stage} | {' | '.join(f'{value:.2f}' for value in added)} |")
    for stage, key in ((_WHOLE, _WORK), (_FIRST, _FIRST)):
        values = " | ".join(f"{times[verb, key]:.2f}" for verb in verbs)
        rows.append(f"| {stage} | {values} |")
    return rows


if __name__ == "__main__":
    main()
