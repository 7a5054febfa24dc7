"""What tests of commands share: images, and a training run that is killed and resumed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from darklens.cli.main import main


@pytest.fixture
def lenses(tmp_path: Path) -> Path:
    """Folder with four good images of different kinds and none bad."""
    generator = np.random.default_rng(0)
    root = tmp_path / "lenses"
    (root / "no").mkdir(parents=True)
    (root / "vort").mkdir()
    counts = generator.poisson(30, (4, 150, 150))
    np.save(root / "no" / "1.npy", counts[0].astype(np.uint16))
    np.save(root / "vort" / "1.npy", (counts[1] / counts[1].max())[None])
    np.save(root / "vort" / "2.npy", generator.poisson(30, (1, 200, 180)).astype(np.float32))
    Image.fromarray(counts[3].astype(np.uint8)).save(root / "vort" / "3.png")
    return root


def _kill(process: subprocess.Popen[bytes], checkpoint: Path, delay: float) -> None:
    """Kill a run some time [s] after its first checkpoint."""
    while not checkpoint.is_file() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


@pytest.fixture
def same_after_a_kill(tmp_path: Path) -> Callable[..., None]:
    """A function that trains twice, killing and resuming one run, and compares the weights.

    It takes the kind of model, the options of the run, and how long to wait between the first
    checkpoint and the kill [s].
    """

    def compare(kind: str, words: list[str], *, delay: float = 0.0) -> None:
        command = ["train", kind, *words, "--output"]
        whole, killed = tmp_path / "whole", tmp_path / "killed"
        last = Path("checkpoints") / "last.ckpt"
        assert main([*command, str(whole)]) == 0
        process = subprocess.Popen([sys.executable, "-m", "darklens", *command, str(killed)])
        _kill(process, killed / last, delay)
        assert not (killed / "model").exists()
        assert main([*command, str(killed)]) == 2  # nothing is overwritten without --resume
        assert main([*command, str(killed), "--resume"]) == 0
        states = [
            torch.load(folder / last, weights_only=True)["state_dict"] for folder in (whole, killed)
        ]
        assert states[0].keys() == states[1].keys()
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
        weights = [folder / "model" / "weights.safetensors" for folder in (whole, killed)]
        assert weights[0].read_bytes() == weights[1].read_bytes()

    return compare
