"""The resolved configuration: plain YAML that the same verb reads back."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from darklens.files.configuration import configuration_path, write_configuration


@dataclass(frozen=True)
class Recipe:
    """Settings with what YAML does not have."""

    rates: tuple[float, ...] = (0.1, 0.2)
    folder: Path = Path("runs")


def test_everything_becomes_plain_yaml(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.yaml"
    write_configuration(path, "train classifier", {"recipe": Recipe(), "seed": 3, "data": None})
    text = path.read_text()
    assert text.startswith("# darklens ")
    assert "darklens train classifier --config config.yaml" in text.splitlines()[0]
    assert yaml.safe_load(text) == {
        "recipe": {"rates": [0.1, 0.2], "folder": "runs"},
        "seed": 3,
        "data": None,
    }


def test_settings_of_the_group_options_stand_by_themselves(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    write_configuration(path, "fit", {"seed": 3, "options": Recipe()})
    assert yaml.safe_load(path.read_text()) == {"seed": 3, "rates": [0.1, 0.2], "folder": "runs"}


def test_it_lies_in_a_folder_or_beside_a_file_or_store(tmp_path: Path) -> None:
    (tmp_path / "lenses.zarr").mkdir()
    assert configuration_path(tmp_path) == tmp_path / "config.yaml"
    assert configuration_path(tmp_path / "lenses.zarr") == tmp_path / "lenses.zarr.config.yaml"
    assert configuration_path(tmp_path / "table.csv") == tmp_path / "table.csv.config.yaml"
