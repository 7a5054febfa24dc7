"""What holds for the package as a whole: names, layers, sizes, dependencies, import time."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FILES = sorted((ROOT / "src" / "darklens").rglob("*.py"))
PARTS = [path.relative_to(ROOT / "src").with_suffix("").parts for path in FILES]
PACKAGES = [".".join(names[:-1]) for names in PARTS if names[-1] == "__init__"]
MODULES = [".".join(names) for names in PARTS if not names[-1].startswith("__")]
# Imported by another package's wish and not by an import statement of ours.
USED_WITHOUT_IMPORT = {"pyarrow", "tensorboard"}
USED_EXTRAS = ("features", "onnx", "populations", "posterior", "scale", "web")
HEAVY = {"astropy", "lightning", "matplotlib", "numba", "numpy", "pandas", "scipy", "timm", "torch"}


def _distribution_name(requirement: str) -> str:
    """`huggingface-hub` for `huggingface_hub>=0.23`."""
    return re.split(r"[^\w.-]", requirement)[0].lower().replace("_", "-")


def _imported_names(path: Path) -> set[str]:
    """First parts of the names of all modules that a file imports, inside functions too."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {item.name for node in nodes if isinstance(node, ast.Import) for item in node.names}
    parts = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[0] for name in plain | parts}


def _loaded_after(code: str) -> set[str]:
    """Names of the top-level modules that are loaded after a piece of code in a new process."""
    command = [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {name.split(".")[0] for name in output.splitlines()[-1].split()}


def _own_public_names(package: ModuleType) -> set[str]:
    """Names that a package holds for its users and that come from one of its own files."""

    def is_own(value: object) -> bool:
        origin = getattr(value, "__module__", None) or ""
        return not isinstance(value, ModuleType) and origin.startswith(package.__name__)

    return {name for name, value in vars(package).items() if name[0] != "_" and is_own(value)}


@pytest.mark.parametrize("name", PACKAGES)
def test_all_is_the_public_names(name: str) -> None:
    package = importlib.import_module(name)
    listed = package.__all__  # ruff keeps it sorted
    assert len(set(listed)) == len(listed)
    assert _own_public_names(package) - set(listed) == set()
    assert [item for item in listed if not hasattr(package, item)] == []  # lazy ones, too


@pytest.mark.parametrize("name", MODULES)
def test_all_names_what_there_is(name: str) -> None:
    module = importlib.import_module(name)
    assert [item for item in module.__all__ if not hasattr(module, item)] == []


@pytest.mark.parametrize("name", PACKAGES)
def test_package_says_what_it_is_for(name: str) -> None:
    assert importlib.import_module(name).__doc__


def test_importing_darklens_loads_nothing_heavy() -> None:
    assert _loaded_after("import darklens") & HEAVY == set()


def test_help_loads_nothing_heavy() -> None:
    code = "from darklens.cli.main import main\nmain(['--help'])"
    assert _loaded_after(code) & HEAVY == set()


def test_a_prediction_loads_no_more_than_it_needs() -> None:
    code = (
        "from darklens.evaluate.classifier import predict\nfrom darklens.hub import load_classifier"
    )
    code += "\nload_classifier('default')"
    loaded = _loaded_after(code)
    assert "torch" in loaded
    assert loaded & {"astropy", "lightning", "matplotlib", "timm", "torchvision", "zarr"} == set()


def test_a_fit_in_a_worker_process_loads_no_torch() -> None:
    code = "import darklens.hub.preprocessing, darklens.residual, darklens.data.preparation"
    assert _loaded_after(code) & (HEAVY - {"numba", "numpy", "scipy"}) == set()


def test_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_files_stay_short_enough_to_read(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_dependencies_are_those_that_are_imported() -> None:
    declared = {_distribution_name(item) for item in PROJECT["dependencies"]}
    extras = PROJECT["optional-dependencies"]
    optional = {_distribution_name(item) for name in USED_EXTRAS for item in extras[name]}
    imported = set.union(*map(_imported_names, FILES)) - sys.stdlib_module_names - {"darklens"}
    owners = packages_distributions()
    used = {owners[name][0].lower().replace("_", "-") for name in imported}
    assert used - declared - optional == set(), "imported but not in pyproject.toml"
    assert declared - used - USED_WITHOUT_IMPORT == set(), "in pyproject.toml but never imported"


def test_constraints_pin_every_direct_dependency() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {_distribution_name(line) for line in lines if "==" in line}
    extras = [item for items in PROJECT["optional-dependencies"].values() for item in items]
    wanted = {_distribution_name(item) for item in PROJECT["dependencies"] + extras}
    assert wanted - {"darklens"} - pinned == set()  # an extra takes in another one
