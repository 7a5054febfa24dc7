"""From the command-line arguments of a verb to the parameters of its function.

Arguments and configuration files are data. They are read here as plain YAML, and their names, types
and ranges are checked against the function's signature before jsonargparse turns them into
parameters; on its own it would import whatever a `class_path` or a dotted name refers to.

The settings of a parameter called `options` are options without a prefix, declared once for the
verbs that share them.

`--pixel-scale` is `--pixel_scale`, and `--data.batch-size` is `--data.batch_size`. A switch needs
no value (`--quiet` means `--quiet true`), options and inputs can be in any order, and everything
after `--` is an input.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from difflib import get_close_matches
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, get_type_hints

from darklens.cli.kinds import (
    accepts_text,
    is_free,
    is_group,
    is_switch,
    options_of,
    problem,
    settings_of,
)
from darklens.errors import BadConfig, BadInput
from darklens.files.configuration import FLAT_GROUP
from darklens.files.plain_yaml import parse_yaml, read_yaml

__all__ = ["read_arguments"]

_MODE = "plain"
_WHOLE_GROUPS = re.compile(r"^ +--\S+ CONFIG\s+Path to a configuration file\.\n", re.MULTILINE)
_OURS = ("config", "print_config")
_TYPES = frozenset({"class_path", "init_args", "dict_kwargs", "__path__"})


def read_arguments(
    verb: str, summary: str, function: Callable[..., Any], words: Sequence[str]
) -> dict[str, Any]:
    """Parse the arguments of a verb into parameters of its function.

    Args:
        verb: Name of the verb, such as `train classifier`.
        summary: One line about it.
        function: The function.
        words: Arguments on the command line after the verb.

    Raises:
        BadInput: If an argument is unknown or a value is invalid.
        BadConfig: If a configuration file is invalid.
        SystemExit: After `--help` and `--print-config`, which print.
    """
    from jsonargparse import ArgumentError

    parameters = signature(function).parameters
    kinds = options_of(function)
    alone = [name for name, item in parameters.items() if item.default is Parameter.empty]
    options, inputs = _sorted_words(words, kinds, alone)
    for name, value in options:
        if name == "config" and value is not None:
            _check_file(Path(value), kinds)
    ready = [f"--{name}" if value is None else f"--{name}={value}" for name, value in options]
    parser = _parser(verb, summary, function, parameters)
    try:
        found = parser.instantiate(
            parser.parse_args([*ready, *(["--", *inputs] if inputs else [])])
        )
    except (ArgumentError, TypeError, ValueError) as error:
        raise BadInput(f"{_words_of(str(error))}; see darklens {verb} --help") from None
    found.pop("config", None)
    values: dict[str, Any] = found.as_dict()
    if FLAT_GROUP in parameters:
        group = get_type_hints(function)[FLAT_GROUP]
        values[FLAT_GROUP] = group(**{name: values.pop(name) for name in settings_of(group)})
    return values


def _parser(verb: str, summary: str, function: Callable[..., Any], parameters: Any) -> Any:
    """The parser of a function, restricted to plain data."""
    from jsonargparse import ArgumentParser, set_loader, set_parsing_settings

    class Parser(ArgumentParser):
        """Spells options with dashes, as in the documentation."""

        def format_help(self, *arguments: Any, **options: Any) -> str:
            shown = super().format_help(*arguments, **options)
            shown = shown.replace(" \b", "")  # of --print-config; a file would keep the backspace
            return _spelt(_WHOLE_GROUPS.sub("", shown))

    set_loader(_MODE, _load, exceptions=(BadConfig,))
    set_parsing_settings(import_path_denylist=["*"], instantiate_subclass_spec_in_any=False)
    parser = Parser(
        prog=f"darklens {verb}",
        description=summary,
        exit_on_error=False,
        default_env=False,
        allow_abbrev=False,
        parser_mode=_MODE,
    )
    parser.add_argument("--config", action="config", help="Read arguments from a YAML file.")
    many = "inputs" in parameters
    if many:
        parser.add_argument(
            "inputs",
            nargs="+",
            type=str,
            help="Image files, folders (searched recursively), globs.",
        )
    skip: set[str | int] = {name for name in ("inputs", FLAT_GROUP) if name in parameters}
    parser.add_function_arguments(function, as_positional=True, skip=skip or None)
    if FLAT_GROUP in parameters:
        parser.add_class_arguments(get_type_hints(function)[FLAT_GROUP], as_group=True)
    return parser


def _load(text: str) -> Any:
    """Parse a text as plain YAML, for jsonargparse."""
    value = parse_yaml(text, "value", BadConfig)
    _refuse_types(value, "value")
    return value


def _sorted_words(
    words: Sequence[str], kinds: dict[str, Any], alone: Sequence[str]
) -> tuple[list[tuple[str, str | None]], list[str]]:
    """Separate checked options with their values from all other words.

    Args:
        words: Arguments on the command line after the verb.
        kinds: Types of all parameters by name.
        alone: Names of positional parameters.
    """
    options: list[tuple[str, str | None]] = []
    inputs: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            inputs += left
            break
        if word in ("-h", "--help"):
            options.append(("help", None))
        elif word.startswith("--") or re.match("-[A-Za-z]", word):
            if (name := word.lstrip("-").partition("=")[0]) in alone:
                raise BadInput(f"--{name} is not an option: give its value without it")
            options.append(_option(word, left, kinds))
        else:
            inputs.append(word)
    return options, inputs


def _option(word: str, left: list[str], kinds: dict[str, Any]) -> tuple[str, str | None]:
    """Name and value of an option; takes its value from the remaining words."""
    flag, equals, value = word.partition("=")
    name = flag.lstrip("-").replace("-", "_")
    if name == "print_config":
        return name, value if equals else None
    kind = str if name == "config" else _kind(name, kinds)
    if kind is None or not flag.startswith("--"):
        raise BadInput(f"there is no option {flag}{_nearest(name, kinds)}")
    if not equals:
        following = left[0] if left else "--"
        bare = (
            following.startswith("--") if accepts_text(kind) else following not in ("true", "false")
        )
        if is_switch(kind) and bare:
            return name, "true"
        if following.startswith("--") or not left:
            raise BadInput(f"{_spelt(flag)} needs a value")
        value = left.pop(0)
    if name != "config":
        _check_word(name, kind, value)
    return name, value


def _kind(name: str, kinds: dict[str, Any]) -> Any:
    """Type of an option, such as `data.batch_size`; None if there is no such option."""
    first, *rest = name.removesuffix("+").split(".")
    kind = kinds.get(first)
    for part in rest:
        if kind is not None and is_group(kind):
            kind = settings_of(kind).get(part)
        elif kind is None or not is_free(kind) or part in _TYPES:
            return None
        else:
            kind = Any
    return kind


def _check_word(name: str, kind: Any, text: str) -> None:
    """Refuse an invalid value of an option."""
    option = _spelt(f"--{name}")
    if kind is Any:
        with suppress(BadInput):  # in that case it is text
            _refuse_types(parse_yaml(text, option, BadInput), option)
        return
    value = text if accepts_text(kind) else parse_yaml(text, option, BadInput)
    _refuse_types(value, option)
    if name.endswith("+") and not isinstance(value, list):
        value = [value]
    for place, wrong in _problems(name, kind, value):
        raise BadInput(f"{_spelt(f'--{place}')} {wrong}")


def _check_file(path: Path, kinds: dict[str, Any]) -> None:
    """Refuse a configuration file with an unknown name or an invalid value."""
    content = read_yaml(path, BadConfig)
    if not isinstance(content, dict):
        raise BadConfig(f"{path}: a configuration must map arguments to values")
    _refuse_types(content, str(path))
    for name, value in content.items():
        if name == "config":
            raise BadConfig(f"{path}: a configuration cannot refer to another one")
        if name not in kinds:
            raise BadConfig(f"{path}: there is no argument '{name}'{_nearest(name, kinds)}")
        for place, wrong in _problems(name, kinds[name], value):
            raise BadConfig(f"{path}: {place} {wrong}")


def _problems(name: str, kind: Any, value: Any) -> Iterator[tuple[str, str]]:
    """Yield each invalid part of a value and what is expected there."""
    if not is_group(kind):
        if (wrong := problem(name.rpartition(".")[2], kind, value)) is not None:
            yield name, wrong
        return
    if not isinstance(value, dict):
        yield name, f"must be a mapping, such as {{{next(iter(settings_of(kind)))}: ...}}"
        return
    known = settings_of(kind)
    for key, item in value.items():
        if key not in known:
            near = get_close_matches(key, known, 1)
            yield (
                f"{name}.{key}",
                "is unknown" + (f"; did you mean {name}.{near[0]}?" if near else ""),
            )
        else:
            yield from _problems(f"{name}.{key}", known[key], item)


def _refuse_types(value: Any, where: str) -> None:
    """Refuse keys that name a class to import, at any depth.

    Raises:
        BadConfig: If there is such a key.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            if key in _TYPES:
                raise BadConfig(
                    f"{where}: the key '{key}' names code; recipes and configurations are data"
                )
            _refuse_types(item, where)
    elif isinstance(value, list):
        for item in value:
            _refuse_types(item, where)


def _nearest(name: str, kinds: dict[str, Any]) -> str:
    """A suggestion of the option that was probably meant, to end a message."""
    known = list(_OURS)
    for first, kind in kinds.items():
        known += [
            first,
            *(f"{first}.{part}" for part in (settings_of(kind) if is_group(kind) else ())),
        ]
    near = get_close_matches(name, known, 1, cutoff=0.7)
    return f"; did you mean {_spelt(f'--{near[0]}')}?" if near else ""


def _spelt(text: str) -> str:
    """The text with all options spelt with dashes."""
    return re.sub(r"--[A-Za-z][\w.]*", lambda found: found[0].replace("_", "-"), text)


def _words_of(message: str) -> str:
    """A message of jsonargparse in the terms of the command line."""
    message = re.sub("unrecognized arguments:( --)?", "unexpected argument", message)
    message = re.sub(r'(?:Parser key|Key) "([\w.]+)"', r"--\1", " ".join(message.split()))
    return _spelt(message)
