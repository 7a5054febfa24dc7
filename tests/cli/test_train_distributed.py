"""Training over two processes, and the commands of the page on clusters."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from darklens.cli.arguments import read_arguments
from darklens.data import ImageDataset, build_preprocessing
from darklens.data.batches import FixedBatches, PreparedImages, ShareOfBatches
from darklens.train import train_classifier

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cluster.md"
# No batch normalisation, whose means are those of one process, and no random augmentation.
WORDS = [
    '--network={"name": "backbone", "backbone": "test_convnext", "dropout": 0.0}',
    '--augmentation={"flips": false, "rotations": false, "shifts": false}',
    '--preprocessing=[{"min_max": {}}]',
    "--training.schedule=constant",  # others depend on the budget, which the resumed run changes
    "--data.folds=2",
    "--quiet",
]
TWO = ["--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.strategy=ddp"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of two classes, told apart by a bright patch."""
    root = tmp_path_factory.mktemp("tree")
    generator = np.random.default_rng(0)
    for part in ("train", "val"):
        for label, name in enumerate(("no", "vort")):
            (root / part / name).mkdir(parents=True)
            for number in range(16):
                image = generator.random((1, 32, 32))
                image[0, 16 * label : 16 * label + 8] += 1
                np.save(root / part / name / f"{number}.npy", image)
    return root


def train(program: list[str], *words: str) -> pd.DataFrame:
    """Run a training in processes of its own; its metrics after each epoch."""
    command = [*program, "-m", "darklens", "train", "classifier", *WORDS, *words]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    output = next(Path(word.partition("=")[2]) for word in words if word.startswith("--output"))
    return epochs(output)


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one_and_resume(tree: Path, tmp_path: Path) -> None:
    data = f"--data.path={tree}"
    one = train(
        [sys.executable],
        data,
        "--data.batch_size=8",
        "--budget.epochs=4",
        f"--output={tmp_path / 'one'}",
    )
    half, output = "--data.batch_size=4", f"--output={tmp_path / 'two'}"
    train(TORCHRUN, *TWO, data, half, "--budget.epochs=2", output)
    two = train(TORCHRUN, *TWO, data, half, "--budget.epochs=4", output, "--resume")
    assert len(one) == 4
    assert len(set(one["val_loss"].round(4))) == 4, "the losses change"
    np.testing.assert_allclose(two["val_loss"], one["val_loss"], rtol=1e-3)


@pytest.mark.slow
def test_a_run_that_lost_a_process_is_resumed(tree: Path, tmp_path: Path) -> None:
    words = [*TWO, f"--data.path={tree}", "--data.batch_size=4", "--budget.epochs=12"]
    whole = train(TORCHRUN, *words, f"--output={tmp_path / 'whole'}")
    output = tmp_path / "killed"
    command = [*TORCHRUN, "-m", "darklens", "train", "classifier", *WORDS, *words]
    with subprocess.Popen([*command, f"--output={output}"], stderr=subprocess.DEVNULL) as run:
        wait_for(lambda: len(epochs(output)) >= 3)
        ranks = subprocess.run(
            ["pgrep", "-P", str(run.pid)], capture_output=True, text=True, check=True
        )
        os.kill(int(ranks.stdout.split()[-1]), signal.SIGKILL)
        assert run.wait(120) != 0, "the other process ends, too"
    before = len(epochs(output))
    assert before < 12
    resumed = train(TORCHRUN, *words, f"--output={output}", "--resume")
    assert resumed["epoch"].is_unique
    np.testing.assert_allclose(resumed["val_loss"], whole["val_loss"], rtol=1e-3)


def epochs(output: Path) -> pd.DataFrame:
    """The metrics of the epochs that a run has finished."""
    file = output / "metrics.csv"
    if not file.is_file() or not file.read_text():
        return pd.DataFrame()
    table = pd.read_csv(file)
    return table[table["val_loss"].notna()]


def wait_for(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(("images", "processes"), [(28, 2), (28, 3), (32, 2), (4, 3)])
def test_each_batch_is_evaluated_by_one_process(images: int, processes: int) -> None:
    raw = np.zeros((images, 1, 8, 8), dtype=np.float32)
    dataset = ImageDataset.from_arrays(raw, np.zeros(images, dtype=np.int64), classes=("no",))
    prepared = PreparedImages(dataset, build_preprocessing([]), memory=1e9)
    batches = FixedBatches(prepared, batch_size=4)
    shares = [
        list(ShareOfBatches(batches, num_replicas=processes, rank=rank))
        for rank in range(processes)
    ]
    taken = [number for share in shares for number in share]
    if len(batches) >= processes:
        assert sorted(taken) == list(range(len(batches)))
    else:
        assert set(taken) == {0}, "no process is without a batch"


def blocks(language: str) -> list[str]:
    """The code blocks of a language on the page."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)


def test_the_scripts_of_the_page_are_sound() -> None:
    scripts = blocks("bash")
    assert any("#SBATCH" in script for script in scripts)
    for script in scripts:
        check = subprocess.run(["bash", "-n"], input=script, text=True, check=False)
        assert check.returncode == 0, script


def test_the_training_commands_of_the_page_are_valid() -> None:
    text = "\n".join(blocks("bash")).replace("\\\n", " ")
    commands = re.findall(r"darklens train classifier (.*)", text)
    assert len(commands) >= 2
    for command in commands:
        values = read_arguments("train classifier", "", train_classifier, command.split())
        assert values["trainer"]["strategy"] == "ddp"
