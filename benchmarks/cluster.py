"""Throughput of `simulate`, `fit` and `predict`: one process, two, and two under Dask.

    python benchmarks/cluster.py [--lenses 600] [--rounds 3]

Each command is a process of its own, timed as a whole with its start, on few and on all images. The
rate is that of the further images, the start what a run of no image would take. The conditions
take turns in each round, and the table has the medians. Processor time, of all processes of a run,
says what an image costs where the machine is busy with other work and wall time does not. The table
goes to `benchmarks/results/cluster.md`.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from statistics import median

from darklens.train.cards import machine_name

RESULTS = Path(__file__).resolve().parent / "results"
CONDITIONS = {
    "one process": ["--workers", "1"],
    "two processes": ["--workers", "2"],
    "two Dask workers": ["--workers", "2", "--cluster", "local"],
}
MORE = {"simulate": 150, "fit": 12, "predict": 1}
"""Images of each verb for one of the verb that takes longest."""
FEW = 0.25
"""Share of the images in the shorter runs."""


def run(words: list[str]) -> tuple[float, float]:
    """Wall time and processor time of one run of darklens [s]."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "darklens", *words, "--quiet"], check=True)
    wall = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, spent


def commands(folder: Path, lenses: int) -> dict[str, dict[int, list[str]]]:
    """Words of each verb for few and for all images."""
    made: dict[str, dict[int, list[str]]] = {verb: {} for verb in MORE}
    for share in (FEW, 1.0):
        counts = {verb: int(share * lenses * more) for verb, more in MORE.items()}
        made["simulate"][counts["simulate"]] = [
            "simulate",
            "OUTPUT",
            "--count",
            str(counts["simulate"]),
        ]
        for verb in ("fit", "predict"):
            count = counts[verb]
            images, table = folder / f"images-{count}", folder / "table.csv"
            run(["simulate", str(images), "--count", str(count), "--seed", "9000001"])
            made[verb][count] = [verb, str(images), "--output", str(table)]
    return made


def timed(folder: Path, words: list[str], number: int) -> tuple[float, float]:
    """Wall time and processor time of one run, with an output of its own [s]."""
    output = str(folder / f"lenses-{number}.zarr")
    return run([output if word == "OUTPUT" else word for word in words])


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lenses", type=int, default=600, help="images of `predict`")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    found: dict[tuple[str, str, int], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        verbs = commands(folder, given.lenses)
        number = 0
        for _ in range(given.rounds):
            for verb, sizes in verbs.items():
                for count, words in sizes.items():
                    for name, more in CONDITIONS.items():
                        number += 1
                        taken = timed(folder, [*words, *more], number)
                        found.setdefault((verb, name, count), []).append(taken)
        load = os.getloadavg()[1]
    text = report(verbs, found, given.lenses, given.rounds, load)
    print(text)
    (RESULTS / "cluster.md").write_text(text, encoding="utf-8")


def report(
    verbs: dict[str, dict[int, list[str]]],
    found: dict[tuple[str, str, int], list[tuple[float, float]]],
    lenses: int,
    rounds: int,
    load: float,
) -> str:
    """The table in Markdown."""
    lines = [
        "# From a laptop to a cluster",
        "",
        f"`python benchmarks/cluster.py --lenses {lenses} --rounds {rounds}`, {machine_name()},"
        f" mean load {load:.1f}, {date.today().isoformat()}.",
        "",
        "| verb | condition | images | start [s] | further images per second | over one process |"
        " processor time of a further image [ms] |",
        "|---|---|---|---|---|---|---|",
    ]
    for verb, sizes in verbs.items():
        few, many = sorted(sizes)
        base = 0.0
        for name in CONDITIONS:
            short, long = (median(one for one, _ in found[verb, name, n]) for n in (few, many))
            less, more = (median(one for _, one in found[verb, name, n]) for n in (few, many))
            cost = 1000 * (more - less) / (many - few)
            rate = (many - few) / (long - short)
            base = base or rate
            start = short - few / rate
            lines.append(
                f"| {verb} | {name} | {few} and {many} | {start:.1f} | {rate:.1f} |"
                f" {rate / base:.2f} | {cost:.1f} |"
            )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
