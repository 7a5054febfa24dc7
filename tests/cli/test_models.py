"""`models` and `export`."""

from dataclasses import replace
from pathlib import Path

import pytest

from darklens.cli.main import main
from darklens.hub import Metric, load_card, load_classifier, shipped_models
from darklens.hub import folders as hub_folders
from darklens.hub.card import write_card
from darklens.hub.export import readme


@pytest.fixture
def shipped(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a model that counts as shipped."""
    monkeypatch.setattr(hub_folders, "SHIPPED", tiny_model.parent)
    return "tiny"


def test_shipped_models_are_listed(shipped: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2, lines
    head, row = lines
    assert head.split()[0] == "name"
    assert row.split()[:3] == ["tiny", "shipped", "no,sphere,vort"]
    assert "model-1-legacy" in row
    assert "accuracy 0.333 (0.300-0.400) on guesses" in row
    assert row.endswith("MB")


def test_a_cached_model_is_listed(
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("darklens.cli.models.cached_models", lambda: {"a/tiny": tiny_model})
    assert main(["models"]) == 0
    assert "a/tiny" in capsys.readouterr().out


def test_cards_without_numbers_and_foreign_cards(
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    card = load_card(tiny_model)
    bare = {"none": (), "bare": (Metric("accuracy", 0.5, None, None, "some images", "none"),)}
    for name, metrics in bare.items():
        (tmp_path / name).mkdir()
        write_card(tmp_path / name, replace(card, name=name, metrics=metrics))
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "card.yaml").write_text("title: something else")
    folders = {name: tmp_path / name for name in ("none", "bare", "foreign")}
    monkeypatch.setattr("darklens.cli.models.cached_models", lambda: folders)
    assert main(["models"]) == 0
    shown, said = capsys.readouterr()
    assert "foreign" not in shown
    assert said.startswith("foreign (cached) cannot be used: ")
    assert said.count("\n") == 1
    assert "accuracy 0.500 on some images" in shown
    assert shown.count("no weights") == 2
    assert "| metric |" not in readme(load_card(tmp_path / "none"))


def test_a_damaged_shipped_card_hides_no_other(
    shipped: str, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = hub_folders.SHIPPED / "damaged"
    damaged.mkdir()
    try:
        (damaged / "card.yaml").write_text("a: *b")
        assert main(["models"]) == 0
    finally:
        (damaged / "card.yaml").unlink()
        damaged.rmdir()
    shown, said = capsys.readouterr()
    assert "tiny" in shown
    assert "damaged (shipped) cannot be used" in said


def test_no_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hub_folders, "SHIPPED", tmp_path)
    monkeypatch.setattr("darklens.cli.models.cached_models", dict)
    assert shipped_models() == []
    assert main(["models"]) == 0
    assert "No model is shipped or cached" in capsys.readouterr().out


def test_export_by_name(shipped: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", shipped, str(tmp_path / "out")]) == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["README.md", "card.yaml", "weights.safetensors"]
    assert (tmp_path / "out.config.yaml").is_file()
    assert load_classifier(tmp_path / "out").classes == ("no", "sphere", "vort")
    assert main(["export", shipped, str(tmp_path / "out")]) == 2
    assert "exists already" in capsys.readouterr().err


def test_export_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "no-such-model", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.startswith("darklens: error: there is no model")
