"""An exported model loads, and its README has the front matter that the hub reads."""

from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard as HubCard

from darklens.errors import BadInput, BadModel
from darklens.hub import export_model, load_card, load_classifier


def test_an_exported_model_is_the_same_model(tiny_model: Path, tmp_path: Path) -> None:
    card = export_model(tiny_model, tmp_path / "out")
    assert load_card(tmp_path / "out") == card == load_card(tiny_model)
    assert load_classifier(tmp_path / "out").classes == card.classes


def test_the_hub_can_read_the_readme(tiny_model: Path, tmp_path: Path) -> None:
    export_model(tiny_model, tmp_path / "out")
    hub_card = HubCard.load(tmp_path / "out" / "README.md")
    assert hub_card.data.library_name == "darklens"
    assert hub_card.data.license == "mit"
    assert "| accuracy | 0.333 | 0.300 to 0.400 | guesses |" in hub_card.text


def test_a_damaged_model_is_not_exported(tiny_model: Path, tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt"
    spoilt.mkdir()
    card = yaml.safe_load((tiny_model / "card.yaml").read_text())
    card["weights"]["sha256"] = "0" * 64
    (spoilt / "card.yaml").write_text(yaml.safe_dump(card))
    (spoilt / "weights.safetensors").write_bytes((tiny_model / "weights.safetensors").read_bytes())
    with pytest.raises(BadModel, match="sha256"):
        export_model(spoilt, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_existing_folder_is_left_alone(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(BadInput, match="exists already"):
        export_model(tiny_model, tmp_path / "out")
