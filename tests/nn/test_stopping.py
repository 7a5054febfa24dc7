"""Signals as the end of the work: at once, between steps, in workers, with the right exit code."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from darklens.nn import Stopped, StopSignals, stopping


@pytest.fixture(autouse=True)
def _survive() -> Iterator[None]:
    """A signal that nobody handles fails the test instead of ending the tests."""
    before = {
        number: signal.signal(number, lambda *_: pytest.fail("nobody handled the signal"))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def stopped_while(work: Callable[[StopSignals], None]) -> int | str | None:
    """Exit code of work that a signal stops."""
    with pytest.raises(Stopped) as stopped, StopSignals() as stop:
        work(stop)
    return stopped.value.code


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_work_with_the_documented_code(number: int, code: int) -> None:
    def work(stop: StopSignals) -> None:
        send(number)
        time.sleep(5)
        pytest.fail("the work went on")

    before = signal.getsignal(number)
    assert stopped_while(work) == code
    assert signal.getsignal(number) is before


def test_a_patient_signal_waits_for_the_check() -> None:
    done = []

    def work(stop: StopSignals) -> None:
        stop.patient = True
        send(signal.SIGTERM)
        send(signal.SIGTERM)  # `timeout` sends it twice
        done.append("the step")
        stop.check()
        done.append("too much")

    assert stopped_while(work) == 143
    assert done == ["the step"]


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(stop: StopSignals) -> None:
        stop.patient = True
        send(signal.SIGINT)
        for _ in range(500):
            time.sleep(0.01)
        pytest.fail("a step that never ends holds the run for ever")

    monkeypatch.setattr(stopping, "_LONGEST_STEP", 0.05)
    assert stopped_while(work) == 130


def test_nothing_reminds_of_a_signal_after_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(stop: StopSignals) -> None:
        stop.patient = True
        send(signal.SIGTERM)
        stop.check()

    monkeypatch.setattr(stopping, "_LONGEST_STEP", 0.05)
    assert stopped_while(work) == 143
    time.sleep(0.2)  # a signal now would fail the test


def test_a_lost_exception_is_raised_at_the_end() -> None:
    def work(stop: StopSignals) -> None:
        with suppress(Stopped):  # as in a finaliser
            send(signal.SIGTERM)
            time.sleep(0.1)

    assert stopped_while(work) == 143


def test_an_ignored_signal_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in a background job of a shell
    with StopSignals() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.received is None


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, -15), (signal.SIGINT, 7)])
def test_a_forked_worker_dies_of_sigterm_and_leaves_ctrl_c_to_its_parent(
    number: int, code: int
) -> None:
    with StopSignals() as stop:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write, b"1")
            for _ in range(100):
                time.sleep(0.005)
            os._exit(7)
        os.read(read, 1)
        os.kill(child, number)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code
        assert stop.received is None
