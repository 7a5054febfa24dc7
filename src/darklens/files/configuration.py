"""The resolved configuration that every verb writes next to its output.

The file is YAML with exactly the arguments of the verb, so that `darklens VERB --config FILE`
repeats the run. A comment on the first line gives the version and the verb.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from darklens import __version__
from darklens.errors import BadInput
from darklens.files.atomic import atomic_file
from darklens.files.places import OwnFolder, check_file
from darklens.files.plain_yaml import dump_yaml
from darklens.files.remote import sent_file, shown_path, url_of

__all__ = [
    "FLAT_GROUP",
    "check_configuration",
    "configuration_path",
    "own_folder",
    "write_configuration",
]

FLAT_GROUP = "options"
"""Name of the argument whose settings are arguments of a verb themselves, without a prefix."""

_HEAD = "# darklens "


def write_configuration(path: Path, verb: str, settings: Mapping[str, Any]) -> None:
    """Write the settings of one run as YAML that `--config` reads back.

    Args:
        path: File to write, or its URL; an existing one is replaced.
        verb: Words after `darklens` on the command line, such as `predict`.
        settings: The verb's arguments by name; dataclasses, paths and tuples are allowed.
    """
    check_configuration(path)
    head = f"{_HEAD}{__version__}: darklens {verb} --config {path.name}\n"
    plain = {name: _plain(value) for name, value in settings.items()}
    plain |= plain.pop(FLAT_GROUP, {})
    body = dump_yaml(plain)
    with sent_file(path) as place, atomic_file(place) as temporary:
        temporary.write_text(head + body, encoding="utf-8")


def check_configuration(path: Path) -> None:
    """Check before the work that `write_configuration` will be able to write.

    Raises:
        BadInput: If the path cannot be written, or holds a file not written by darklens.
    """
    if url_of(path) is not None:
        return
    check_file(path)
    if path.is_file() and path.stat().st_size:
        with path.open("rb") as file:
            ours = file.read(len(_HEAD)) == _HEAD.encode()
        if not ours:
            raise BadInput(
                f"the configuration of this run goes to {path}, but that file was not written by "
                "darklens; rename it or choose another output"
            )


def own_folder(verb: str, files: Iterable[str]) -> OwnFolder:
    """The kind of folder that a verb writes, including `config.yaml`, and may replace.

    Args:
        verb: First words after `darklens` on the command line, such as `evaluate`.
        files: Names of all files that the verb may write into it, except the configuration.
    """
    name = "config.yaml"
    return OwnFolder(name, rf"{_HEAD}\S+: darklens {verb} ", frozenset({name, *files}))


def configuration_path(output: Path) -> Path:
    """Path of the configuration for an output: inside a folder, or next to a file or a store.

    >>> configuration_path(Path("table.csv"))
    PosixPath('table.csv.config.yaml')
    """
    if output.is_dir() and output.suffix != ".zarr":
        return output / "config.yaml"
    return output.with_name(output.name + ".config.yaml")


def _plain(value: Any) -> Any:
    """The value in YAML's own types: dict, list, str, numbers, booleans and null."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return shown_path(value) if isinstance(value, Path) else str(value)
