"""The process that reads damaged files, within limits; it may die, and the driver then knows where.

For each file it prints one line of JSON before reading and one after it. What counts as failure:
any exception that is not a `DarklensError` of one clear line, executed code, a process started.
"""

import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from targets import CANARY, TARGETS

from darklens.errors import DarklensError

_LONGEST_MESSAGE = 600  # characters
_EXECUTING = ("os.system", "os.exec", "os.spawn", "pty.spawn", "webbrowser.open", "socket.connect")


class TooLong(BaseException):
    """Raised by the alarm: no `except Exception` of a reader may catch it."""


def main() -> None:
    """Read the files that the driver names: TARGET SEED FIRST STOP SECONDS MEBIBYTES."""
    name, seed, first, stop = sys.argv[1], *map(int, sys.argv[2:5])
    seconds, mebibytes = float(sys.argv[5]), int(sys.argv[6])
    warnings.simplefilter("ignore")
    target = TARGETS[name]
    root = Path(tempfile.mkdtemp(prefix="fuzz-"))
    executed: list[str] = []
    try:
        os.chdir(root)
        (root / "seeds").mkdir()
        (root / "damaged").mkdir()
        seeds = target.seeds(root / "seeds")
        for path in seeds:  # what reading imports and compiles is there before the limits
            with suppress(DarklensError):  # some seeds are refused even when sound
                target.read(path)
        sys.addaudithook(lambda event, _: executed.append(event) if event in _EXECUTING else None)
        _limit(mebibytes)
        signal.signal(signal.SIGALRM, _alarm)
        for index in range(first, stop):
            random = Random(f"{name} {seed} {index}")
            path = target.write(random.choice(seeds), root / "damaged", random)
            _say(begin=index, path=str(path))
            executed.clear()
            began = time.monotonic()
            signal.setitimer(signal.ITIMER_REAL, seconds)
            outcome = _outcome(target, path)
            signal.setitimer(signal.ITIMER_REAL, 0)
            if executed or (root / CANARY).exists():
                outcome = {"failure": f"code was executed: {executed or CANARY}"}
                (root / CANARY).unlink(missing_ok=True)
            _say(end=index, seconds=time.monotonic() - began, **outcome)
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _outcome(target: Any, path: Path) -> dict[str, str]:
    """How reading ended: `read`, `refused` with the message, or `failure` with what went wrong."""
    try:
        target.read(path)
    except DarklensError as error:
        message = str(error)
        bad = not message or len(message) > _LONGEST_MESSAGE
        if bad or any(ord(c) < 32 or ord(c) == 127 for c in message):
            return {"failure": f"not one clear line: {message[:300]!r}"}
        return {"refused": message}
    except TooLong:
        return {"failure": "too long"}
    except BaseException as error:  # noqa: BLE001  that is what is looked for
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.lineno}"
        return {"failure": f"{type(error).__name__} at {place}: {str(error)[:200]}"}
    return {"read": ""}


def _limit(mebibytes: int) -> None:
    """Let the process take this much memory more than it has now, and write no core."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + mebibytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _alarm(*_: Any) -> None:
    raise TooLong


def _say(**line: Any) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
