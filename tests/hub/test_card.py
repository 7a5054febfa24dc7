"""Cards: what is written is read again, and what breaks the schema is refused in one line."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from darklens.errors import BadModel
from darklens.hub import load_card
from darklens.hub.card import write_card


@pytest.fixture
def plain(tiny_model: Path) -> dict[str, Any]:
    """A good card as plain YAML values."""
    return yaml.safe_load((tiny_model / "card.yaml").read_text())


def write(folder: Path, text: str) -> Path:
    (folder / "card.yaml").write_text(text)
    return folder


def test_a_card_is_read_as_it_was_written(tiny_model: Path, tmp_path: Path) -> None:
    card = load_card(tiny_model)
    write_card(tmp_path, card)
    assert load_card(tmp_path) == card
    assert card.preprocessing == ({"min_max": {}}, {"center_crop": {"size": 64}})
    assert card.metrics[0].name == "accuracy"


def test_a_bare_date_and_a_whole_temperature_are_fine(
    plain: dict[str, Any], tmp_path: Path
) -> None:
    plain["temperature"] = 2
    text = yaml.safe_dump(plain).replace("'2026-01-01'", "2026-01-01")
    card = load_card(write(tmp_path, text))
    assert card.training.date == "2026-01-01"
    assert card.temperature == 2.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"trojan": 1},
            "unknown key 'trojan', possibly written by a newer version of darklens; known keys:",
        ),
        ({"temperature": "hot"}, "card.yaml: temperature must be a number"),
        ({"temperature": True}, "card.yaml: temperature must be a number"),
        ({"temperature": float("nan")}, "finite"),
        ({"temprature": 1.0}, "did you mean 'temperature'?"),
        ({"temperature": -1.0}, "temperature must be at least 0.01, not -1.0"),
        ({"temperature": 1e-300}, "temperature must be at least 0.01"),
        ({"temperature": 1e30}, "temperature must be at most 100, not 1e+30"),
        ({"classes": ["no", "../../etc"]}, "classes[1] must be up to 100 letters, which can"),
        ({"classes": ["no", ".hidden"]}, "which can name a folder"),
        ({"classes": ["no", "a\x1b[31m"]}, "which can name a folder"),
        ({"classes": ["no", ""]}, "which can name a folder"),
        ({"network": {"name": "backbone", "in_channels": 10**9}}, "from 1 to 512"),
        ({"classes": ["no", "no"]}, "two or more different names"),
        ({"classes": "no"}, "classes must be a list, not 'no'"),
        ({"kind": "oracle"}, "kind must be 'classifier' or 'generator', not 'oracle'"),
        ({"name": "../x"}, "name must consist of"),
        ({"network": {"size": 3}}, "network must have a name"),
        ({"network": {1: 3}}, "a key must be a name, not 1"),
        ({"preprocessing": [{"a": {}, "b": {}}]}, "one {step: {parameters}}"),
        ({"input": {"channels": 1}}, "input.height is missing"),
        ({"input": 3}, "card.yaml: input must be a mapping, not 3"),
        ({"weights": {"file": "../../x.safetensors", "sha256": "0" * 64}}, "plain name"),
        ({"weights": {"file": "x.pt", "sha256": "0" * 64}}, ".safetensors"),
        ({"weights": {"file": "x.safetensors", "sha256": "zz"}}, "64 hexadecimal digits"),
        ({"weights": None}, "weights is missing"),
        ({"metrics": [{"name": 3}]}, "metrics[0].name must be text, not 3"),
        ({"training": {"command": "x"}}, "training.images is missing"),
    ],
)
def test_a_wrong_card_is_refused_in_one_line(
    plain: dict[str, Any], tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    write(tmp_path, yaml.safe_dump(plain | change))
    with pytest.raises(BadModel) as caught:
        load_card(tmp_path)
    assert message in str(caught.value)
    assert str(tmp_path / "card.yaml") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch trojan']",
        "name: !!python/name:os.system",
        "{" * 1500,
        "name: [",
        "\x00",
        "a: 2026-99-99",
        "a: &a [x, x]\nb: [*a, *a]",
        "a: 1\na: 2",
        "temperature: 1" + "0" * 5000,
        "temperature: 1.0e+400",
        "just text",
        "",
    ],
)
def test_what_is_not_plain_yaml_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="card"):
        load_card(write(tmp_path, text))
    assert not Path("trojan").exists()


@pytest.mark.parametrize("side", [0, -1, 10**6])
def test_absurd_sizes_are_refused(plain: dict[str, Any], tmp_path: Path, side: int) -> None:
    plain["input"]["height"] = side
    with pytest.raises(BadModel, match=r"yaml: input\.height must be at (least 1|most 16384)"):
        load_card(write(tmp_path, yaml.safe_dump(plain)))


def test_links_out_of_the_folder_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "card.yaml").symlink_to(tiny_model / "card.yaml")
    with pytest.raises(BadModel, match="a link out of the model folder"):
        load_card(tmp_path / "model")
    (tmp_path / "circle").mkdir()
    (tmp_path / "circle" / "card.yaml").symlink_to("card.yaml")
    with pytest.raises(BadModel, match="cannot be read"):
        load_card(tmp_path / "circle")
    (tmp_path / "alias").symlink_to(tiny_model)
    assert load_card(tmp_path / "alias") == load_card(tiny_model)


def test_a_huge_card_is_not_even_parsed(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="too large"):
        load_card(write(tmp_path, "#" * 2_000_000))


def test_a_folder_without_a_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=r"card\.yaml cannot be read: No such file"):
        load_card(tmp_path)


def test_suitable_shapes(tiny_model: Path) -> None:
    card = load_card(tiny_model)
    assert card.unsuitable((1, 200, 180)) is None
    assert "has 3 channels" in str(card.unsuitable((3, 150, 150)))
    strict = replace(card, preprocessing=())
    assert strict.unsuitable((1, 150, 150)) is None
    assert "takes 150 x 150" in str(strict.unsuitable((1, 200, 180)))
