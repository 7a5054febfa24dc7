"""SIGTERM and Ctrl-C on `darklens train`, as a cluster and a user send them."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from inspect import signature
from pathlib import Path

import numpy as np
import pytest

from darklens.classify import ClassifierTask
from darklens.cli.main import main
from darklens.nn import Budget, Stopped
from darklens.train import train_classifier
from darklens.train.classifier import ClassifierSettings
from darklens.train.run import open_run

SIGNALS = [(signal.SIGTERM, 143), (signal.SIGINT, 130)]
TINY = ['--network={"name": "backbone", "backbone": "test_resnet"}', "--data.batch_size=4"]
ENDLESS = ["--budget.epochs=100000", "--run.checkpoint_minutes=0", "--quiet"]


@pytest.fixture(autouse=True)
def _survive() -> Iterator[None]:
    """A signal that nobody handles does not end the tests."""
    before = {number: signal.signal(number, lambda *_: None) for number, _ in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    generator = np.random.default_rng(0)
    for part in ("train", "val"):
        for name in ("no", "sphere", "vort"):
            (root / part / name).mkdir(parents=True)
            for number in range(8):
                np.save(root / part / name / f"{number}.npy", generator.random((1, 32, 32)))
    return root


def send_when(there: Callable[[], bool], number: int) -> None:
    """Send a signal to this process, from another thread, as soon as something is there."""

    def wait() -> None:
        until = time.monotonic() + 120
        while not there() and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    threading.Thread(target=wait, daemon=True).start()


@pytest.mark.parametrize(("number", "code"), SIGNALS)
@pytest.mark.parametrize("workers", [0, 1])
def test_a_stopped_training_exits_as_documented_and_resumes(
    tree: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    number: int,
    code: int,
    workers: int,
) -> None:
    words = ["train", "classifier", *TINY, f"--data.path={tree}", f"--data.workers={workers}"]
    words += [f"--output={tmp_path / 'run'}"]
    previous = tmp_path / "run" / "checkpoints" / "previous.ckpt"
    send_when(previous.is_file, number)
    assert main([*words, *ENDLESS]) == code
    said = capsys.readouterr().err
    assert said.count("darklens: stopped; --resume continues the run") == 1
    assert "Traceback" not in said
    assert not (tmp_path / "run" / "model").exists()
    assert not list(tmp_path.rglob(".*partial*"))
    assert main([*words, "--resume", "--budget.images=1", "--quiet"]) == 0
    assert (tmp_path / "run" / "model" / "card.yaml").is_file()


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_while_the_data_are_made_ends_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: int, code: int
) -> None:
    defaults = {name: item.default for name, item in signature(train_classifier).parameters.items()}
    own = {"output": tmp_path / "run", "budget": Budget(epochs=1), "quiet": True}
    settings = ClassifierSettings(**{**defaults, **own})

    def prepare() -> None:
        with open_run(settings, ClassifierTask.METRICS):
            os.kill(os.getpid(), number)
            time.sleep(5)
            pytest.fail("the work went on")

    with pytest.raises(Stopped) as stopped:
        prepare()
    assert stopped.value.code == code
    assert capsys.readouterr().err == "darklens: stopped\n"


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), SIGNALS)
@pytest.mark.parametrize("delay", [0.0, 0.7, 3.0])
def test_a_signal_to_the_process_group_shows_no_traceback(
    tree: Path, tmp_path: Path, number: int, code: int, delay: float
) -> None:
    words = ["train", "classifier", *TINY, f"--data.path={tree}", "--data.workers=2", *ENDLESS]
    process = subprocess.Popen(
        [sys.executable, "-m", "darklens", *words, f"--output={tmp_path / 'run'}"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not (tmp_path / "run" / "config.yaml").is_file():  # the workers start soon after it
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(delay)
    os.killpg(process.pid, number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == code, said
    assert "Traceback" not in said
    assert "darklens: stopped" in said
