"""`demo`: simulated and generated lenses, real ones where they are, one report."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from darklens.cli.main import main


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """Images at the place that the environment variable names."""
    root = tmp_path / "shared" / "common_test_1"
    for number, name in enumerate(("no", "sphere", "vort")):
        (root / name).mkdir(parents=True)
        np.save(root / name / "1.npy", np.random.default_rng(number).random((1, 150, 150)))
    return root


@pytest.mark.parametrize("by", ["argument", "environment", "neither"])
def test_the_demo(
    by: str,
    real: Path,
    tiny_model: Path,
    lens_generator: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("DARKLENS_SHARED_DATA", raising=False)
    words = ["demo", "--model", str(tiny_model), "--count", "3", "--output", str(tmp_path / "demo")]
    words += ["--generator", str(lens_generator), "--generated", "3"]
    if by == "argument":
        words += ["--real", str(real)]
    if by == "environment":
        monkeypatch.setenv("DARKLENS_SHARED_DATA", str(real.parent))
    assert main(words) == 0
    html = (tmp_path / "demo" / "report.html").read_text()
    shown = capsys.readouterr().out
    sections = 2 if by == "neither" else 3
    assert shown.count(" of 3 right") == sections
    assert html.count("data:image/png;base64,") == 3 * sections
    assert not re.search(r'(src|href)="(?!data:)', html), "the report loads nothing"
    assert (tmp_path / "demo" / "config.yaml").is_file()


def test_wrong_arguments_are_one_line(
    tiny_model: Path, tmp_path: Path, error_line: Callable[[], str]
) -> None:
    for words in (["--count", "0"], ["--real", "/no/such/folder"], ["--generator", "no-such"]):
        command = ["demo", "--model", str(tiny_model), "--output", str(tmp_path / "demo")]
        assert main([*command, *words, "--quiet"]) == 2
        error_line()
    assert not (tmp_path / "demo").exists()


def test_a_folder_with_other_files_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "report.html").write_text("a report of mine")
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main(["demo", "--output", str(tmp_path), "--count", "1000000"]) == 2
    assert "was not written by this verb" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "thesis.txt"]
