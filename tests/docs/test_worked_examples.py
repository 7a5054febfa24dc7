"""Pages that the reader follows line by line: their code runs and prints what they show."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXTENDING = sorted(DOCS.glob("add_*.md"))
PAGES = EXTENDING + sorted([*DOCS.glob("coming_from_*.md"), *DOCS.glob("for_*.md")])
SLOW = ("coming_from_deeplensesim", "for_machine_learning", "for_observers", "for_simulators")
MARK = "=== end of block ==="
NUMBER = r"-?\d+\.\d+"


def _program(blocks: list[tuple[str, str]]) -> str:
    """All Python and console blocks of a page in their order, as one program."""
    parts = ["import os, shlex, subprocess, sys"]
    for language, text in blocks:
        if language == "python":
            parts.append(f"{text}\nprint({MARK!r}, flush=True)")
        elif language == "console":
            parts += [
                f"subprocess.run([sys.executable, '-m', *shlex.split({line!r})], "
                "check=True, stdout=subprocess.DEVNULL)"
                for line in text.splitlines()
            ]
    return "\n".join(parts)


def _same(shown: str, output: str) -> bool:
    """Whether two outputs agree; the last digits depend on the processor."""
    if re.sub(NUMBER, "#", shown).split() != re.sub(NUMBER, "#", output).split():
        return False
    pairs = zip(re.findall(NUMBER, shown), re.findall(NUMBER, output), strict=True)
    return all(float(a) == pytest.approx(float(b), rel=0.02, abs=0.02) for a, b in pairs)


def test_there_are_pages() -> None:
    assert [path.stem for path in PAGES] == [
        "add_mass_profile",
        "add_network",
        "add_preset",
        "add_score",
        "coming_from_deeplensesim",
        "coming_from_lenstronomy",
        "coming_from_pyautolens",
        "for_machine_learning",
        "for_observers",
        "for_simulators",
    ]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path.stem in SLOW else [])
        for path in PAGES
    ],
)
def test_page_runs_and_prints_what_it_shows(
    path: Path,
    tmp_path: Path,
    blocks: Callable[[Path], list[tuple[str, str]]],
    printed: Callable[[str], str],
) -> None:
    parts = blocks(path)
    for language, text in parts:
        named = re.match(r"# (\S+\.yaml)\n", text)
        if language == "yaml" and named:
            (tmp_path / named[1]).write_text(text)
    outputs = printed(_program(parts)).split(f"{MARK}\n")
    index = -1
    for language, text in parts:
        if language == "python":
            index += 1
        elif language == "text":
            assert _same(text, outputs[index]), outputs[index]


@pytest.mark.parametrize("path", EXTENDING, ids=lambda path: path.stem)
def test_files_to_edit_exist(path: Path) -> None:
    """The tables of files name what there is, but for the files that the page adds."""
    rows = re.findall(r"^\| `([\w./-]+)`", path.read_text(), re.MULTILINE)
    added = {"src/darklens/classify/radial.py", "recipes/classifier-radial.yaml"}
    assert [row for row in rows if not (DOCS.parent / row).exists() and row not in added] == []
