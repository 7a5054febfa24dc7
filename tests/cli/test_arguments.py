"""Words and configuration files are data: names, types and ranges are checked, no code is named."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from darklens.cli.arguments import read_arguments
from darklens.errors import BadConfig, BadInput


@dataclass(frozen=True)
class Options:
    """A group.

    Attributes:
        path: Where.
        batch_size: How many.
        shuffle: Whether.
    """

    path: Path | None = None
    batch_size: int = 32
    shuffle: bool = False


DEFAULT = Options()


def verb(
    output: Path,
    *,
    data: Options = DEFAULT,
    network: dict[str, Any] = {"name": "plain"},  # noqa: B006, never changed
    steps: list[dict[str, Any]] = [],  # noqa: B006
    pretrained: bool | Path | None = None,
    mode: Literal["max", "min"] | None = None,
    pixel_scale: float | None = None,
    count: int = 3,
    label: str | None = None,
    quiet: bool = False,
) -> None:
    """Do something.

    Args:
        output: Where to.
        data: Data.
        network: Network.
        steps: Steps.
        pretrained: Weights.
        mode: Mode.
        pixel_scale: Side of a pixel.
        count: Number.
        label: Class.
        quiet: Say nothing.
    """


def many(inputs: list[str], *, batch: int = 4, quiet: bool = False) -> None:
    """Do something to files.

    Args:
        inputs: Files.
        batch: At once.
        quiet: Say nothing.
    """


def read(*words: str, function: Any = verb) -> dict[str, Any]:
    return read_arguments("do", "Do something.", function, words)


def test_dashes_and_underscores_are_the_same() -> None:
    for flag in ("--pixel-scale=0.1", "--pixel_scale=0.1"):
        assert read("out", flag)["pixel_scale"] == 0.1
    for flag in ("--data.batch-size", "--data.batch_size"):
        assert read("out", flag, "8")["data"] == Options(batch_size=8)


def test_switches_need_no_value_in_groups_too() -> None:
    assert read("--quiet", "out")["quiet"] is True
    assert read("out", "--quiet", "false")["quiet"] is False
    assert read("out", "--data.shuffle")["data"].shuffle is True
    assert read("out", "--pretrained")["pretrained"] is True
    assert read("out", "--pretrained", "false")["pretrained"] is False
    assert read("out", "--pretrained", "w.pth")["pretrained"] == Path("w.pth")


def test_inputs_and_options_stand_in_any_order() -> None:
    found = read("a", "--batch", "2", "no", "--quiet", "--", "--b", "-c", function=many)
    assert found == {"inputs": ["a", "no", "--b", "-c"], "batch": 2, "quiet": True}


def test_values_are_read_as_they_are_meant(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("output: here\ndata: {path: x, batch_size: 4}\nlabel: '1e5'\n")
    found = read("--config", str(config), "--data.batch_size=5", "--network.width", "1e3")
    assert found["data"] == Options(Path("x"), 5)
    assert found["output"] == Path("here")
    assert found["label"] == "1e5"
    assert found["network"] == {"name": "plain", "width": 1000.0}
    assert read("out", "--network={name: x, size: [1, 2]}")["network"]["size"] == [1, 2]
    assert read("out", '--steps=[{"min_max": {}}]')["steps"] == [{"min_max": {}}]
    assert read("out", '--data={"batch_size": 6}')["data"].batch_size == 6
    assert read("out", "--label=-x")["label"] == "-x"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cuont=3"], "there is no option --cuont; did you mean --count?"),
        (["--data.bath-size=3"], "no option --data.bath-size; did you mean --data.batch-size?"),
        (["-q"], "there is no option -q"),
        (["--conf=x"], "there is no option --conf"),
        (["--count", "many"], "--count must be a whole number, not 'many'"),
        (["--count", "1.5"], "--count must be a whole number"),
        (["--count=true"], "--count must be a whole number"),
        (["--count=0"], "--count must be from 1 to"),
        (["--count=1000000000000"], "--count must be from 1 to"),
        (["--count=1" + "0" * 5000], "--count: not plain YAML: a number of 5001 digits"),
        (["--count", "&a [*a]"], "--count: not plain YAML: anchors"),
        (["--pixel_scale=1e400"], "--pixel-scale: not plain YAML: 1e400 is not a finite number"),
        (["--data.batch_size=x"], "--data.batch-size must be a whole number, not 'x'"),
        (["--data={batch_size: 0}"], "--data.batch-size must be from 1 to"),
        (["--data=folder"], "--data must be a mapping"),
        (["--data={pth: 3}"], "--data.pth is unknown; did you mean data.path?"),
        (["--network", "[" * 5000], "--network: not plain YAML: nested more than 32 deep"),
        (["--mode=best"], "--mode must be one of max, min, not 'best'"),
        (["--quiet=perhaps"], "--quiet must be true or false, not 'perhaps'"),
        (["--count"], "--count needs a value"),
        (["--count", "--quiet"], "--count needs a value"),
        (["--output=x"], "--output is not an option: give its value"),
        (["--pretrained=&a [*a]"], "--pretrained must be true or false or a path"),
        (["too", "many"], "unexpected argument"),
    ],
)
def test_wrong_words_name_the_option_as_help_spells_it(words: list[str], message: str) -> None:
    with pytest.raises((BadInput, BadConfig)) as caught:
        read("out", *words)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "a configuration must map"),
        ("cuont: 3", "there is no argument 'cuont'; did you mean --count?"),
        ("data: {batch_size: many}", "data.batch_size must be a whole number, not 'many'"),
        ("data: {bath_size: 3}", "data.bath_size is unknown; did you mean data.batch_size?"),
        ("count: '[1, 2]'", "count must be a whole number"),
        ("data: null", "data must be a mapping"),
        ("config: other.yaml", "cannot refer to another one"),
        ("a: &a 1\nb: *a", "line 1: not plain YAML: anchors"),
        ("pretrained: '{a: &a [x], b: [*a]}'", "pretrained must be true or false or a path"),
    ],
)
def test_wrong_configurations_name_the_file_and_the_place(
    text: str, message: str, tmp_path: Path
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(text)
    with pytest.raises(BadConfig) as caught:
        read("out", f"--config={config}")
    assert message in str(caught.value)
    assert str(config) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a module that must never be imported."""
    (tmp_path / "evil_trap.py").write_text("class Data:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    return "evil_trap"


@pytest.mark.parametrize(
    "text",
    [
        "data: {class_path: evil_trap.Data}",
        "data: {class_path: evil_trap.Data, init_args: {path: x}}",
        "data: evil_trap.Data",
        "network: {class_path: evil_trap.Data}",
        "network: {x: {class_path: evil_trap.Data, init_args: {}}}",
        "network: {x: [{class_path: evil_trap.Data}]}",
        "network: evil_trap.Data",
        "steps: [{class_path: evil_trap.Data}]",
        "steps: [{a: {class_path: evil_trap.Data}}]",
        "pretrained: {class_path: evil_trap.Data}",
        "label: {class_path: evil_trap.Data}",
        "network: !evil_trap.Data {}",
        "class_path: evil_trap.Data",
    ],
)
def test_no_configuration_imports_anything(text: str, trap: str, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(text)
    with pytest.raises(BadConfig, match=r"c\.yaml"):
        read("out", f"--config={config}")
    assert trap not in sys.modules


@pytest.mark.parametrize(
    "words",
    [
        ["--data", "evil_trap.Data"],
        ["--data.class_path=evil_trap.Data"],
        ["--data.help=evil_trap.Data"],
        ["--data", '{"class_path": "evil_trap.Data"}'],
        ["--network", "evil_trap.Data"],
        ["--network.class_path=evil_trap.Data"],
        ["--network.x.class_path=evil_trap.Data"],
        ["--network.x", '{"class_path": "evil_trap.Data"}'],
        ["--network.x.init_args.path=3"],
        ["--steps+", '{"class_path": "evil_trap.Data"}'],
        ["--steps", '[{"a": {"class_path": "evil_trap.Data"}}]'],
        ["--config", '{"data": {"class_path": "evil_trap.Data"}}'],
        ["--config", "data: evil_trap.Data"],
    ],
)
def test_no_word_imports_anything(words: list[str], trap: str) -> None:
    with pytest.raises((BadInput, BadConfig)):
        read("out", *words)
    assert trap not in sys.modules


def test_text_within_text_is_never_read_as_a_class(trap: str, tmp_path: Path) -> None:
    text = '{"class\\x5fpath": evil_trap.Data}'
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump({"network": {"x": text}}))
    assert read("out", f"--config={config}")["network"] == {"x": text}
    assert trap not in sys.modules


def test_help_spells_options_with_dashes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read("--help")
    shown = capsys.readouterr().out
    for option in ("--pixel-scale", "--data.batch-size", "--print-config", "--config"):
        assert option in shown
    assert "_scale" not in shown.replace("PIXEL_SCALE", "")
    assert "Path to a configuration file" not in shown


def test_print_config_shows_what_config_reads(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for flag in ("--print-config", "--print_config"):
        with pytest.raises(SystemExit):
            read("out", "--count", "5", "--data.batch-size=7", flag)
        config = tmp_path / "c.yaml"
        config.write_text(capsys.readouterr().out)
        found = read(f"--config={config}")
        assert (found["count"], found["data"].batch_size) == (5, 7)


@dataclass
class Box:
    """A group with a default that is made."""

    items: list[int] = field(default_factory=list)


def test_lists_are_checked_item_by_item() -> None:
    def boxed(*, box: Box | None = None, sizes: tuple[int, ...] = (1,)) -> None:
        """Do.

        Args:
            box: A box.
            sizes: Sizes.
        """

    assert read("--sizes=[1, 2]", function=boxed)["sizes"] == (1, 2)
    with pytest.raises(BadInput, match="--sizes must be a list"):
        read("--sizes=[1, x]", function=boxed)
