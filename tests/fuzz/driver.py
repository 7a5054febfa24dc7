"""Reads thousands of damaged files and reports every one that was not refused in one clear line.

    python tests/fuzz/driver.py                      about 1,000 files over all targets
    python tests/fuzz/driver.py --files 20000        a long run
    python tests/fuzz/driver.py --target npy --first 417 --files 1 --keep damaged    one again

File `i` of a target and a seed is always the same bytes. Each target is read in a process of its
own, within limits on time and memory; when it dies or hangs, that is a failure of the file it was
reading, and another process goes on with the next.
"""

import argparse
import json
import queue
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from targets import TARGETS

_WORKER = Path(__file__).with_name("worker.py")
_START = 180.0  # seconds a process may take to import everything and write its seeds


@dataclass(frozen=True)
class Failure:
    """A damaged file that was not read as promised."""

    target: str
    index: int
    what: str


@dataclass(frozen=True)
class Limits:
    """What reading one file may take."""

    seconds: float
    mebibytes: int


def run_target(
    name: str, seed: int, indices: range, limits: Limits
) -> tuple[Counter, list[Failure]]:
    """Read the damaged files with these numbers.

    Returns:
        How many were read, refused and failed; and the failures.
    """
    counts: Counter[str] = Counter()
    failures = []
    first = indices.start
    while first < indices.stop:
        last = first - 1
        for line in _lines(name, seed, range(first, indices.stop), limits):
            if "begin" in line:
                last = line["begin"]
                continue
            first = line["end"] + 1
            kind = next(key for key in ("read", "refused", "failure") if key in line)
            counts[kind] += 1
            if kind == "failure":
                failures.append(Failure(name, line["end"], line["failure"]))
        if first < indices.stop:  # the process ended before its work did
            if last < first:
                raise SystemExit(f"the process that reads {name} did not start; it says why above")
            failures.append(Failure(name, last, "the process died or hung"))
            counts["failure"] += 1
            first = last + 1
    return counts, failures


def _lines(name: str, seed: int, indices: range, limits: Limits):
    """What a worker says, until it ends or is silent for too long."""
    numbers = (seed, indices.start, indices.stop, limits.seconds, limits.mebibytes)
    command = [sys.executable, str(_WORKER), name, *map(str, numbers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        said: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_listen, args=(process.stdout, said), daemon=True).start()
        patience = _START
        while True:
            try:
                line = said.get(timeout=patience)
            except queue.Empty:
                process.kill()
                return
            if not line:
                return
            if line.startswith("{"):
                yield json.loads(line)
                patience = limits.seconds + 20


def _listen(stream, said) -> None:
    for line in stream:
        said.put(line.decode("utf-8", "replace"))
    said.put("")


def main(words: Sequence[str] | None = None) -> int:
    """Run the driver; the exit code is 1 when a file failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=1000, help="damaged files in all")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="only these")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first file of a target")
    parser.add_argument("--seconds", type=float, default=10.0, help="limit for one file")
    parser.add_argument("--mebibytes", type=int, default=1536, help="limit of memory for one file")
    parser.add_argument("--keep", type=Path, help="folder for the files that failed")
    options = parser.parse_args(words)
    names = options.target or list(TARGETS)
    whole = sum(TARGETS[name].share for name in names)
    limits = Limits(options.seconds, options.mebibytes)
    total: Counter[str] = Counter()
    failures = []
    for name in names:
        count = max(1, round(options.files * TARGETS[name].share / whole))
        indices = range(options.first, options.first + count)
        counts, failed = run_target(name, options.seed, indices, limits)
        total += counts
        failures += failed
        words_ = ", ".join(f"{counts[kind]} {kind}" for kind in ("read", "refused", "failure"))
        print(f"{name:<16}{words_}", flush=True)
        for failure in failed:
            print(f"  {failure.target} {failure.index}: {failure.what}", flush=True)
            if options.keep is not None:
                _keep(failure, options.seed, options.keep)
    print(f"{sum(total.values())} files: {total['failure']} failed")
    return 1 if failures else 0


def _keep(failure: Failure, seed: int, folder: Path) -> None:
    """Write the damaged file again, into a folder of its own."""
    place = folder / f"{failure.target}-{seed}-{failure.index}"
    place.mkdir(parents=True, exist_ok=True)
    target = TARGETS[failure.target]
    random = Random(f"{failure.target} {seed} {failure.index}")
    with tempfile.TemporaryDirectory() as seeds:
        target.write(random.choice(target.seeds(Path(seeds))), place, random)


if __name__ == "__main__":
    sys.exit(main())
