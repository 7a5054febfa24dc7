"""How a run ends on Ctrl-C or on SIGTERM from a batch system.

The process exits with 128 plus the signal number: 130 after SIGINT, 143 after SIGTERM. During a
training step the signal is deferred to the end of the step, so that the state of the run can be
saved; anywhere else it ends the process at once.
"""

import os
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

__all__ = ["StopSignals", "Stopped"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LONGEST_STEP = 5.0  # longest time a signal is deferred [s]
_SAME_REQUEST = 2.0  # signals within this time [s] are one request: `timeout` sends two


class Stopped(SystemExit):
    """The process received a signal to stop; the exit code is 128 plus the signal number."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


class StopSignals:
    """Turns SIGTERM and SIGINT into `Stopped`, within a `with` block in the main thread.

    Signals that were ignored before, such as SIGINT in a background job of a shell, stay ignored.
    A second signal some seconds after the first ends the process without cleanup.

    Attributes:
        received: Number of the signal received, or None.
        patient: Whether a signal is deferred to `check`, for at most a few seconds.
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
        self.patient = False  # no reminder from here on
        for number, before in self._before.items():
            signal.signal(number, before)
        if error is None:
            self.check()  # the exception may have been lost in a finaliser

    def check(self) -> None:
        """Stop now if a signal has been received.

        Raises:
            Stopped: If a signal was received.
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
        """Send the signal again once it has been deferred for the longest time."""
        time.sleep(_LONGEST_STEP)
        if self.patient and self.received is not None:
            self._waited = True
            os.kill(self._process, self.received)


def _end_worker(number: int) -> None:
    """In a forked worker: the process that started it decides what Ctrl-C means."""
    if number != signal.SIGINT:
        _end(number)


def _end(number: int) -> None:
    """End this process with the default action of the signal."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
