"""The README and the pages: their Python runs, their commands are accepted, their tables hold."""

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from darklens import __version__
from darklens.cli.main import VERBS, main
from darklens.hub import ModelCard, shipped_models

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = sorted([README, ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])

Blocks = Callable[[Path], list[tuple[str, str]]]


def _texts(blocks: list[tuple[str, str]], language: str) -> list[str]:
    return [text for name, text in blocks if name == language]


def _commands(blocks: list[tuple[str, str]]) -> list[list[str]]:
    """Words of each command in the console blocks of a page."""
    lines = "".join(_texts(blocks, "console")).splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_are_accepted(path: Path, blocks: Blocks, monkeypatch, capsys) -> None:
    """The arguments are read and checked; nothing is simulated or trained."""
    monkeypatch.chdir(ROOT)
    refused = {}
    for program, *words in _commands(blocks(path)):
        if program == "darklens":
            last = [] if words in (["models"], ["--version"]) else ["--print_config"]
            code = main(words + last)
            error = capsys.readouterr().err
            if code or error:
                refused[" ".join(words)] = code, error
    assert refused == {}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_make_targets_and_stages_exist(path: Path, blocks: Blocks) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    stages = re.findall(r"^ +([a-z]+)\)", (ROOT / "scripts" / "check").read_text(), re.MULTILINE)
    for words in _commands(blocks(path)):
        if words[0] == "make":
            assert words[1] in targets
        if words[0] == "scripts/check":
            assert set(words[1:]) <= set(stages)


@pytest.mark.skipif(not shipped_models(), reason="no model is shipped yet")
def test_example_prints_what_the_readme_shows(
    blocks: Blocks, printed: Callable[[str], str]
) -> None:
    code, *_ = _texts(blocks(README), "python")
    output, *_ = _texts(blocks(README), "text")
    for shown, word in zip(output.split(), printed(code).split(), strict=True):
        if re.fullmatch(r"[\d.]+", shown):  # the last digit depends on the processor
            assert float(word) == pytest.approx(float(shown), abs=0.02)
        else:
            assert word == shown


def test_example_is_short(blocks: Blocks) -> None:
    code, *_ = _texts(blocks(README), "python")
    assert len(code.splitlines()) <= 12


def test_tables_of_models_are_those_of_the_cards() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "models_table"), "--check"]
    run = subprocess.run(command, check=False)
    assert run.returncode == 0, "run scripts/models_table"


@pytest.mark.parametrize("card", shipped_models(), ids=lambda card: card.name)
def test_first_score_of_a_shipped_model_is_its_most_informative(card: ModelCard) -> None:
    """No other set bounds the score more closely, and no set is too small to bound it at all."""
    first = card.metrics[0]
    assert first.low is not None
    assert first.high is not None
    widths = [m.high - m.low for m in card.metrics if m.name == first.name and m.low != m.high]
    assert first.high - first.low == min(widths)


def test_readme_is_mostly_not_a_table() -> None:
    text = README.read_text()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert sum(map(len, rows)) < len(text) / 2


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_linked_files_exist(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text())
    files = [link for link in links if "://" not in link]
    assert [link for link in files if not (path.parent / link).exists()] == []


def test_layers_in_contributing_are_those_of_the_contract() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    text = (ROOT / "CONTRIBUTING.md").read_text()
    shown = re.search(r"<!-- layers: begin.*?```text\n(.*?)```", text, re.DOTALL)
    assert shown is not None
    there = [line for line in layers if not line.startswith("(")]  # the others are optional
    assert shown[1].splitlines() == there


def test_reference_names_all_subpackages() -> None:
    rooms = [path.parent for path in (ROOT / "src" / "darklens").glob("*/__init__.py")]
    described = (ROOT / "docs" / "api.md").read_text()
    wanted = {room.name for room in rooms} - {"cli", "files"}
    assert {name for name in wanted if f"automodule:: darklens.{name}\n" not in described} == set()


def test_reference_names_all_verbs() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    assert sorted(re.findall(r"^```{command-help} (.+)$", page, re.MULTILINE)) == sorted(VERBS)


def _anchors(page: Path) -> set[str]:
    """Anchors of the headings of a page, as GitHub and MyST make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = [re.sub(r"[^\w\s-]", "", heading.lower()).strip() for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_linked_headings_exist(path: Path) -> None:
    """A link to a heading that was renamed leads to the top of its page, and nobody notices."""
    links = re.findall(r"\]\(([^)#\s]*\.md|)#([^)\s]+)\)", path.read_text())
    targets = [(path.parent / name if name else path, anchor) for name, anchor in links]
    assert [(page.name, a) for page, a in targets if a not in _anchors(page)] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_page_is_in_the_contents(path: Path) -> None:
    if path.parent.name == "docs" and path.stem != "index":
        index = (ROOT / "docs" / "index.md").read_text()
        assert re.search(rf"^{path.stem}$", index, re.MULTILINE)


def test_citation_and_changelog_name_the_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    heading = f"## [{__version__}] - {citation['date-released']}"
    assert heading in (ROOT / "CHANGELOG.md").read_text()
