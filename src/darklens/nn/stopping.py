"""How a run ends on Ctrl-C or on SIGTERM from a batch system.

The process ends with 128 plus the number of the signal: 130 after SIGINT, 143 after SIGTERM. While
the weights are being changed the signal waits for the end of the step, so that the state of the
run can be saved; anywhere else it ends the work at once.
"""

import os
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

__all__ = ["StopSignals", "Stopped"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LONGEST_STEP = 5.0  # seconds that a signal waits for the end of a step
_SAME_REQUEST = 2.0  # seconds in which further signals ask for the same: `timeout` sends two


class Stopped(SystemExit):
    """The process was told to stop; the exit code is 128 plus the number of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


class StopSignals:
    """Turns SIGTERM and SIGINT into `Stopped`, within a `with` block in the main thread.

    Signals that were ignored before, as SIGINT is in a background job of a shell, stay ignored.
    A further signal some seconds after the first ends the process without any cleaning up.

    Attributes:
        received: Number of the signal that was received, or None.
        patient: Whether a signal waits for `check`, a few seconds at most.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.patient = False
        self._process = os.getpid()
        self._time = 0.0
        self._waited = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                before = signal.getsignal(number)
                if before not in (None, signal.SIG_IGN):
                    self._before[number] = before
                    signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.patient = False  # from here on nothing reminds of the signal
        for number, before in self._before.items():
            signal.signal(number, before)
        if error is None:
            self.check()  # the exception may have been lost in a finaliser

    def check(self) -> None:
        """Stop now if a signal has been received.

        Raises:
            Stopped: If there was one.
        """
        if self.received is not None:
            raise Stopped(self.received)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            _end_worker(number)
            return
        if self.received is None:
            self.received, self._time = number, time.monotonic()
            if self.patient:
                threading.Thread(target=self._remind, daemon=True).start()
                return
        elif self._waited:
            self._waited = False
        elif time.monotonic() - self._time < _SAME_REQUEST:
            return
        else:
            _end(number)
        self.check()

    def _remind(self) -> None:
        """Send the signal again after the longest time that it waits."""
        time.sleep(_LONGEST_STEP)
        if self.patient and self.received is not None:
            self._waited = True
            os.kill(self._process, self.received)


def _end_worker(number: int) -> None:
    """In a forked worker: the process that started it decides what Ctrl-C means."""
    if number != signal.SIGINT:
        _end(number)


def _end(number: int) -> None:
    """End this process as if nobody had asked for the signal."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
