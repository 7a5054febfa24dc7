"""Cross-validation on the command line, and an evaluation on exactly what a run held out."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from darklens.cli.main import main
from darklens.data.parts_list import PARTS_FILE, read_parts
from darklens.hub import load_card

TINY = ['--network={"name": "backbone", "backbone": "test_resnet"}', "--budget.epochs=1"]
NAMES = ("$x^2_$ lens", "plain")


def write(root: Path) -> Path:
    generator = np.random.default_rng(0)
    for label, name in enumerate(NAMES):
        (root / name).mkdir(parents=True)
        for i in range(8):
            image = generator.random((1, 32, 32))
            image[0, 16 * label : 16 * label + 16] += 1
            np.save(root / name / f"{i}.npy", image)
    return root


def test_folds_are_trained_summarised_and_evaluated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree, run = write(tmp_path / "t"), tmp_path / "run"
    words = ["train", "classifier", *TINY, f"--data.path={tree}", f"--output={run}"]
    words += ["--data.batch_size=4", "--data.folds=2"]
    assert main([*words, "--data.fold=all"]) == 0
    summary = json.loads((run / "folds.json").read_text())
    assert summary["models"] == ["fold-1/model", "fold-2/model"]
    accuracies = [
        next(m.value for m in load_card(run / place).metrics if m.name == "accuracy")
        for place in summary["models"]
    ]
    assert summary["scores"]["accuracy"]["values"] == accuracies
    assert summary["scores"]["accuracy"]["mean"] == pytest.approx(np.mean(accuracies))
    assert summary["scores"]["accuracy"]["spread"] == pytest.approx(np.std(accuracies, ddof=1))
    assert "mean and spread of 2 folds" in capsys.readouterr().err
    tested = [
        row.name
        for k in (1, 2)
        for row in read_parts(run / f"fold-{k}" / PARTS_FILE)
        if row.part == "test"
    ]
    assert len(tested) == len(set(tested)) == 16

    # What a run held out is evaluated exactly, and scores as it did at its end.
    evaluation = ["evaluate", "classifier", f"--run={run / 'fold-2'}", "--resamples=20"]
    assert main([*evaluation, f"--output={tmp_path / 'e'}", "--quiet"]) == 0
    metrics = json.loads((tmp_path / "e" / "metrics.json").read_text())
    assert metrics["count"] == 8
    assert metrics["data"] == "the part test of the run fold-2"
    assert metrics["metrics"]["accuracy"]["value"] == pytest.approx(accuracies[1])
    capsys.readouterr()

    # A fold that is trained is not trained again, and nothing is overwritten without --resume.
    made = (run / "fold-1" / "model" / "card.yaml").stat().st_mtime_ns
    assert main([*words, "--data.fold=all"]) == 2
    assert "holds a cross-validation; continue it with --resume" in capsys.readouterr().err
    assert main([*words, "--data.fold=all", "--resume"]) == 0
    assert (run / "fold-1" / "model" / "card.yaml").stat().st_mtime_ns == made

    # An image that has changed since is not evaluated silently.
    name = next(row.name for row in read_parts(run / "fold-2" / PARTS_FILE) if row.part == "test")
    np.save(tree / name, np.load(tree / name)[:, ::-1])
    capsys.readouterr()
    assert main([*evaluation, f"--output={tmp_path / 'f'}", "--quiet"]) == 2
    assert f"{name} has changed since the run started" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "classifier", "--run=nowhere"], "has no parts.csv"),
        (["evaluate", "classifier", "--run=nowhere", "--preset=model-1"], "neither --preset"),
        (["evaluate", "classifier"], "--run FOLDER"),
        (["train", "classifier", "--data.preset=model-1", "--data.fold=all"], "data.path"),
    ],
)
def test_wrong_words(
    words: list[str], message: str, tmp_path: Path, error_line: Callable[[], str]
) -> None:
    assert main([*words, f"--output={tmp_path / 'out'}"]) == 2
    error = error_line()
    assert message in error
