"""Kills verbs at random points and checks that nothing that was written is lost, double or half.

    python tests/faults/driver.py                      a few kills of each verb
    python tests/faults/driver.py --kills 50 --seed 2  a long run
    python tests/faults/driver.py --verb fit           one verb

Each verb is first run undisturbed: its output is the truth, and its time is the longest delay. It
is then run again and again on one output and stopped after a random delay by SIGKILL, SIGTERM or
SIGINT, sent to all its processes as a terminal or a queue does. After each stop:

- the final output is absent, or it is the truth to the last byte;
- shards that were complete are still there (`simulate`);
- a stop by SIGTERM or Ctrl-C is one line and its own exit code, with no traceback.

A run that is left to end, the last one above all, must give the truth and leave nothing else.
A stop that comes before the verb has installed its handlers ends Python itself; it is counted.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

PRESET = """
name: small
grid: {shape: [32, 32], pixel_scale: 0.2}
lens: {redshift: 0.5, einstein_radius: {uniform: [1.0, 1.4]}}
source: {redshift: 1.0, radius: 0.25, sersic_index: 1, amplitude: 20000}
classes: {"no": [], "vort": [line: {mass: 3.0e+10, half_length: 0.5}]}
instrument: {psf: {gaussian: {fwhm: 0.2}}}
noise: {photon: {background: 10}}
"""
SIGNALS = {
    signal.SIGKILL: (-signal.SIGKILL, None),
    signal.SIGTERM: (143, "darklens: stopped by SIGTERM\n"),
    signal.SIGINT: (130, "darklens: stopped\n"),
}
EARLY = {-signal.SIGTERM, -signal.SIGINT}  # Python was still starting


@dataclass
class Verb:
    """A verb under test.

    Attributes:
        name: Its name.
        words: Its arguments, given the path of the output.
        output: Name of the output.
    """

    name: str
    words: Callable[[Path], list[str]]
    output: str


@dataclass
class Record:
    """What happened to one verb.

    Attributes:
        stops: Number of stops by each signal.
        early: Stops before the verb had begun.
        finished: Runs that ended before the stop.
        faults: What was wrong, one line each.
        seconds: Time of an undisturbed run.
    """

    stops: Counter[str] = field(default_factory=Counter)
    early: int = 0
    finished: int = 0
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0


def contents(path: Path) -> dict[str, bytes]:
    """All bytes of a file or a folder, by their names; nothing if there is none."""
    if path.is_file():
        return {path.name: path.read_bytes()}
    files = sorted(item for item in path.rglob("*") if item.is_file())
    return {str(item.relative_to(path)): item.read_bytes() for item in files}


def shards(output: Path) -> set[str]:
    """Names of the shards that are complete."""
    partial = output.with_name(f"{output.name}.partial")
    return {item.name for item in partial.glob("parts/*.parquet")}


def start(words: Sequence[str]) -> "subprocess.Popen[str]":
    """Start a verb in a process group of its own."""
    command = [sys.executable, "-m", "darklens", *words]
    return subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_heed_interrupts,
    )


def _heed_interrupts() -> None:
    """Ctrl-C counts even if the driver itself runs in the background, where shells ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def stop(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    """Send a signal to all processes of a verb, unless it has ended."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return


def torment(verb: Verb, folder: Path, kills: int, random: Random) -> Record:
    """Stop a verb until it has been stopped often enough, then let it end."""
    record = Record()
    truth = _undisturbed(verb, folder / "truth", record)
    place = folder / "killed"
    place.mkdir()
    output = place / verb.output
    while record.stops.total() < kills:
        before = shards(output)
        process = start(verb.words(output))
        delay = random.uniform(0.0, 1.1 * record.seconds)
        number = random.choice(list(SIGNALS))
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            stop(process, number)
        said = process.communicate(timeout=120)[1]
        where = f"{number.name} after {delay:.2f} s"
        _judge(process.returncode, number, said, where, record)
        found = contents(output)
        if found and found != truth:
            record.faults.append(f"{where}: the output is not the truth")
        if not output.exists() and not before <= shards(output):
            record.faults.append(f"{where}: shards are lost")
        if process.returncode == 0:
            _check_end(output, truth, f"{where}, too late", record)
            shutil.rmtree(place)
            place.mkdir()
    last = start(verb.words(output))
    said = last.communicate()[1]
    if last.returncode != 0:
        record.faults.append(f"the last run ended with {last.returncode}: {said}")
    _check_end(output, truth, "the last run", record)
    return record


def _undisturbed(verb: Verb, folder: Path, record: Record) -> dict[str, bytes]:
    """The truth, and the time of the run that made it."""
    folder.mkdir()
    begun = time.monotonic()
    process = start(verb.words(folder / verb.output))
    said = process.communicate()[1]
    if process.returncode != 0:
        raise SystemExit(f"{verb.name} ended with {process.returncode}: {said}")
    record.seconds = time.monotonic() - begun
    return contents(folder / verb.output)


def _judge(code: int, number: signal.Signals, said: str, where: str, record: Record) -> None:
    """Count a stop, and note what it should not have said or ended with."""
    wanted, line = SIGNALS[number]
    if code == 0:
        record.finished += 1
        return
    record.stops[number.name] += 1
    if code in EARLY:
        record.early += 1
    elif code != wanted:
        record.faults.append(f"{where}: ended with {code}, not {wanted}: {said[-300:]}")
    elif line is not None and said != line:
        record.faults.append(f"{where}: said {said[-300:]!r}")


def _check_end(output: Path, truth: dict[str, bytes], where: str, record: Record) -> None:
    """Check a complete output, and that nothing else is left beside it."""
    if contents(output) != truth:
        record.faults.append(f"{where}: the complete output is not the truth")
    allowed = {output.name, f"{output.name}.config.yaml"}
    left = {item.name for item in output.parent.iterdir()} - allowed
    if left:
        record.faults.append(f"{where}: left behind {sorted(left)}")


def verbs(folder: Path, lenses: int) -> list[Verb]:
    """The verbs: small simulations, and fits of images that `make_images` makes."""
    preset = folder / "small.yaml"
    preset.write_text(PRESET)
    images = str(folder / "images")
    simulated = ["--preset", str(preset), "--count", str(100 * lenses), "--quiet"]

    def simulate(output: Path) -> list[str]:
        return ["simulate", str(output), *simulated, "--workers", "2"]

    return [
        Verb("simulate", simulate, "lenses.zarr"),
        Verb("simulate-files", simulate, "lenses"),
        Verb(
            "fit",
            lambda output: ["fit", images, "--output", str(output), "--quiet"],
            "fits.csv",
        ),
        Verb(
            "predict",
            lambda output: ["predict", images, "--output", str(output), "--quiet"],
            "table.csv",
        ),
    ]


def make_images(folder: Path, lenses: int) -> None:
    """Images to fit."""
    given = ["--count", str(lenses), "--seed", "1", "--workers", "1", "--quiet"]
    if start(["simulate", str(folder / "images"), *given]).wait() != 0:
        raise SystemExit("no images to fit")


def main(words: Sequence[str] | None = None) -> int:
    """Run the driver; the exit code is 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=4, help="stops of each verb")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--verb", help="one of simulate, simulate-files, fit, predict; all by default"
    )
    parser.add_argument("--lenses", type=int, default=24, help="images to fit")
    given = parser.parse_args(words)
    failed = False
    with tempfile.TemporaryDirectory() as temporary:
        chosen = [
            verb for verb in verbs(Path(temporary), given.lenses) if given.verb in (None, verb.name)
        ]
        if any(not verb.name.startswith("simulate") for verb in chosen):
            make_images(Path(temporary), given.lenses)
        for verb in chosen:
            folder = Path(temporary) / verb.name
            folder.mkdir()
            record = torment(verb, folder, given.kills, Random(f"{given.seed} {verb.name}"))
            each = ", ".join(f"{n} {name}" for name, n in sorted(record.stops.items()))
            print(
                f"{verb.name}: {record.stops.total()} stops ({each}), {record.early} before the"
                f" verb had begun; {record.finished} runs ended first; {len(record.faults)} faults;"
                f" {record.seconds:.1f} s undisturbed",
                flush=True,
            )
            for fault in record.faults:
                print(f"  {fault}", flush=True)
            failed |= bool(record.faults)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
