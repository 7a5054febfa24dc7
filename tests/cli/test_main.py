"""The command as people run it: verbs, help, errors in one line, exit codes."""

import subprocess
import sys
import time
from collections.abc import Callable
from inspect import signature
from pathlib import Path

import pytest

import darklens
from darklens.cli import main as command
from darklens.cli.main import VERBS, main


def darklens_process(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "darklens", *words], capture_output=True, text=True, check=False
    )


def test_version() -> None:
    result = darklens_process("--version")
    assert (result.returncode, result.stdout) == (0, f"darklens {darklens.__version__}\n")


def test_help_lists_every_verb_with_one_line() -> None:
    result = darklens_process("--help")
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    for name, verb in VERBS.items():
        assert [line for line in lines if line.split()[: len(name.split())] == name.split()]
        assert verb.summary in result.stdout
    assert max(map(len, lines)) <= 100


def test_no_verb_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "verbs:" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["train"], ["train", "--help"], ["evaluate", "-h"]])
def test_a_group_lists_its_verbs(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert f"{words[0]} classifier" in shown
    assert "simulate" not in shown


@pytest.mark.parametrize(
    "words",
    [
        ["no-such-verb"],
        ["train", "no-such-thing"],
        ["predict"],
        ["predict", "x.npy", "--no-such-flag"],
        ["predict", "x.npy", "--batch", "many"],
        ["predict", "x.npy", "--config", "/no/such/file.yaml"],
        ["export", "default"],
        ["models", "surplus"],
    ],
)
def test_wrong_words_are_one_line_and_exit_code_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("darklens: error: ")
    assert shown.err.count("\n") == 1


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_help_with_a_text_for_each_argument(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*name.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"usage: darklens {name}" in shown
    for parameter in signature(VERBS[name].load()).parameters:
        assert parameter.replace("_", "-") in shown


def test_an_interrupted_verb_says_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_dispatch", interrupted)
    assert main(["demo"]) == 130
    assert capsys.readouterr().err == "darklens: stopped\n"


def test_trouble_with_files_is_one_line(
    tiny_model: Path, tmp_path: Path, error_line: Callable[[], str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["export", str(tiny_model), str(tmp_path / "file" / "out")]) == 2
    error_line()


def test_a_closed_pipe_is_no_error() -> None:
    script = f"{sys.executable} -m darklens --help | head -n 1; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert result.stderr == ""
    assert result.stdout.splitlines()[-1] == "0"


def test_the_command_starts_fast_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from darklens.cli.main import main; main(['--help']);"
        "print([m for m in ('torch', 'numpy', 'lightning', 'matplotlib') if m in sys.modules])"
    )
    start = time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    "code",
    [
        "from darklens.hub import load_generator; model = load_generator('common-test-1');"
        "model.generate(1)",
        "from darklens.hub import load_classifier; load_classifier('default')",
    ],
    ids=["generate", "predict"],
)
def test_shipped_models_start_without_what_only_training_needs(code: str) -> None:
    heavy = ("lightning", "torch._dynamo", "sympy", "timm", "matplotlib.figure")
    code += f"; import sys; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"
