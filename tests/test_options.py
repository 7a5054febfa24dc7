"""Options are spelt alike, and there is every option that a page, a recipe or a message names."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from darklens.cli.kinds import is_free, is_group, options_of, settings_of
from darklens.cli.main import VERBS
from darklens.observations import ImageOptions

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "recipes").glob("*.yaml"),
        *(ROOT / "examples").glob("*.yaml"),
    ]
)
SOURCES = sorted((ROOT / "src" / "darklens").rglob("*.py"))
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z0-9_.-]*[a-z0-9])")
EVERYWHERE = {"config", "help", "print-config", "version"} | {"no-deps"}  # the last of pip
EXEMPT = {"arguments.py"}  # says that underscores are taken, too


def _options() -> Iterator[str]:
    for verb in VERBS.values():
        for name, kind in options_of(verb.load()).items():
            yield name
            if is_group(kind):
                yield from (f"{name}.{part}" for part in settings_of(kind))
            elif is_free(kind):
                yield f"{name}.*"


def test_what_is_said_about_images_is_the_same_for_all_verbs_that_take_it() -> None:
    verbs = [VERBS[name].load() for name in ("inspect", "fit", "detect")]
    said = settings_of(ImageOptions)
    for verb in verbs:
        kinds = options_of(verb)
        assert {name: kinds[name] for name in said} == said
        assert "options" not in kinds


@pytest.fixture(scope="module")
def known() -> set[str]:
    return EVERYWHERE | {name.replace("_", "-") for name in _options()}


def _unknown(text: str, known: set[str]) -> set[str]:
    free = {name.removesuffix(".*") for name in known if name.endswith(".*")}
    found = {name.rstrip(".") for name in OPTION.findall(text)}
    return {
        name
        for name in found - known
        if not ("_" not in name and name.partition(".")[0] in free and "." in name)
    }


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_name_only_options_as_help_spells_them(path: Path, known: set[str]) -> None:
    lines = [
        line
        for line in path.read_text(encoding="utf-8").splitlines()
        if not re.search(
            r"\b(pip|git|hf|ruff|pytest|SBATCH|scripts/\w+|benchmarks/\w+|tests/faults|torchrun)\b",
            line,
        )
    ]
    assert _unknown("\n".join(lines), known) == set()


def test_messages_name_only_options_as_help_spells_them(known: set[str]) -> None:
    wrong = {}
    for path in SOURCES:
        if path.name in EXEMPT:
            continue
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        texts = [
            node.value
            for node in nodes
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        if unknown := _unknown("\n".join(texts), known):
            wrong[str(path.relative_to(ROOT))] = unknown
    assert wrong == {}
