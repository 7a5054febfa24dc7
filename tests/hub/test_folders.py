"""Finding models: by name, by path, on the hub or in its cache."""

from pathlib import Path

import pytest

from darklens.errors import BadModel
from darklens.hub import (
    ModelCard,
    cached_models,
    find_model,
    load_classifier,
    load_generator,
    shipped_models,
)
from darklens.hub.folders import SHIPPED


def test_a_folder_and_its_card_are_found(tiny_model: Path) -> None:
    assert find_model(tiny_model) == tiny_model
    assert find_model(str(tiny_model / "card.yaml")) == tiny_model


@pytest.mark.parametrize("name", ["nothing", "/no/such/folder", "..", "http://a/b", "a/b/c", ""])
def test_what_is_not_a_model_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(BadModel) as caught:
        load_classifier(name)
    assert "\n" not in str(caught.value)


def test_a_hub_id_without_the_hub_says_so() -> None:
    with pytest.raises(BadModel, match="hub cannot be reached"):
        find_model("nobody/nothing")


def test_a_hub_model_is_read_from_the_cache(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = cache_entry(tmp_path, "someone/lenses")
    for path in tiny_model.iterdir():
        (snapshot / path.name).write_bytes(path.read_bytes())
    empty = cache_entry(tmp_path, "someone/else")
    (empty / "README.md").touch()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert find_model("someone/lenses") == snapshot
    assert cached_models() == {"someone/lenses": snapshot}
    with pytest.raises(BadModel, match=r"no card\.yaml"):
        find_model("someone/else")


def cache_entry(cache: Path, hub_id: str) -> Path:
    """An empty snapshot where the hub's client keeps it."""
    repository = cache / f"models--{hub_id.replace('/', '--')}"
    commit = "0123456789abcdef0123456789abcdef01234567"
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    return snapshot


def test_shipped_models_carry_their_folders_names() -> None:
    for card in shipped_models():
        assert find_model(card.name) == SHIPPED / card.name


@pytest.mark.parametrize("card", shipped_models(), ids=lambda card: card.name)
def test_shipped_models_load_and_are_small(card: ModelCard) -> None:
    load = load_generator if card.kind == "generator" else load_classifier
    assert load(card.name).classes == card.classes
    assert card.training.command.startswith("darklens train ")
    assert card.weights is not None
    size = (SHIPPED / card.name / card.weights.file).stat().st_size
    assert size <= (15e6 if card.kind == "generator" else 25e6)
