"""From the words behind a verb to the values of its function's parameters.

Words and configuration files are data. They are read here as plain YAML, and their names, types
and ranges are checked against the function's signature, before jsonargparse turns them into
parameters: it would import what `class_path` or a dotted name in them says.

`--pixel-scale` is `--pixel_scale`, and `--data.batch-size` is `--data.batch_size`. A switch needs
no value (`--quiet` means `--quiet true`), options and inputs may stand in any order, and behind
`--` all words are inputs.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from difflib import get_close_matches
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, get_type_hints

from darklens.cli.kinds import accepts_text, is_free, is_group, is_switch, problem, settings_of
from darklens.errors import BadConfig, BadInput
from darklens.files.plain_yaml import parse_yaml, read_yaml

__all__ = ["read_arguments"]

_MODE = "plain"
_WHOLE_GROUPS = re.compile(r"^ +--\S+ CONFIG\s+Path to a configuration file\.\n", re.MULTILINE)
_OURS = ("config", "print_config")
_TYPES = frozenset({"class_path", "init_args", "dict_kwargs", "__path__"})


def read_arguments(
    verb: str, summary: str, function: Callable[..., Any], words: Sequence[str]
) -> dict[str, Any]:
    """Values for the parameters of a verb's function.

    Args:
        verb: Words that name the verb, such as `train classifier`.
        summary: One line about it.
        function: The function.
        words: What stands behind the verb on the command line.

    Raises:
        BadInput: If a word is not understood, or a value does not fit.
        BadConfig: If a configuration file is wrong.
        SystemExit: Behind `--help` and `--print-config`, which print.
    """
    from jsonargparse import ArgumentError

    hints = get_type_hints(function)
    parameters = signature(function).parameters
    kinds = {name: hints[name] for name in parameters}
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
    return values


def _parser(verb: str, summary: str, function: Callable[..., Any], parameters: Any) -> Any:
    """The parser of a function that reads values as plain data only."""
    from jsonargparse import ArgumentParser, set_loader, set_parsing_settings

    class Parser(ArgumentParser):
        """Spells options with dashes, as the documentation does."""

        def format_help(self, *arguments: Any, **options: Any) -> str:
            shown = super().format_help(*arguments, **options)
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
    parser.add_function_arguments(function, as_positional=True, skip={"inputs"} if many else None)
    return parser


def _load(text: str) -> Any:
    """Plain YAML for jsonargparse, wherever it reads a text."""
    value = parse_yaml(text, "value", BadConfig)
    _refuse_types(value, "value")
    return value


def _sorted_words(
    words: Sequence[str], kinds: dict[str, Any], alone: Sequence[str]
) -> tuple[list[tuple[str, str | None]], list[str]]:
    """Options with their values, checked, and all other words.

    Args:
        words: What stands behind the verb.
        kinds: Types of all parameters by name.
        alone: Names of those whose values stand alone, without an option.
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
                raise BadInput(f"--{name} is no option: give the value alone")
            options.append(_option(word, left, kinds))
        else:
            inputs.append(word)
    return options, inputs


def _option(word: str, left: list[str], kinds: dict[str, Any]) -> tuple[str, str | None]:
    """Name and value of an option; the value is taken from the words that are left."""
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
    """Type of an option, such as `data.batch_size`; None where there is no such option."""
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
    """Refuse the value of an option if it does not fit."""
    option = _spelt(f"--{name}")
    if kind is Any:
        with suppress(BadInput):  # then it is text
            _refuse_types(parse_yaml(text, option, BadInput), option)
        return
    value = text if accepts_text(kind) else parse_yaml(text, option, BadInput)
    _refuse_types(value, option)
    if name.endswith("+") and not isinstance(value, list):
        value = [value]
    for place, wrong in _problems(name, kind, value):
        raise BadInput(f"{_spelt(f'--{place}')} {wrong}")


def _check_file(path: Path, kinds: dict[str, Any]) -> None:
    """Refuse a configuration file if a name or value in it does not fit."""
    content = read_yaml(path, BadConfig)
    if not isinstance(content, dict):
        raise BadConfig(f"{path}: a configuration is a mapping of arguments to values")
    _refuse_types(content, str(path))
    for name, value in content.items():
        if name == "config":
            raise BadConfig(f"{path}: a configuration cannot name another one")
        if name not in kinds:
            raise BadConfig(f"{path}: there is no argument '{name}'{_nearest(name, kinds)}")
        for place, wrong in _problems(name, kinds[name], value):
            raise BadConfig(f"{path}: {place} {wrong}")


def _problems(name: str, kind: Any, value: Any) -> Iterator[tuple[str, str]]:
    """Places in a value that do not fit the type, and what is wanted there."""
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
                "is unknown" + (f"; do you mean {name}.{near[0]}?" if near else ""),
            )
        else:
            yield from _problems(f"{name}.{key}", known[key], item)


def _refuse_types(value: Any, where: str) -> None:
    """Refuse what names a class to import, at any depth.

    Raises:
        BadConfig: If a key does.
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
    """The option that was probably meant, as the end of a message."""
    known = list(_OURS)
    for first, kind in kinds.items():
        known += [
            first,
            *(f"{first}.{part}" for part in (settings_of(kind) if is_group(kind) else ())),
        ]
    near = get_close_matches(name, known, 1, cutoff=0.7)
    return f"; do you mean {_spelt(f'--{near[0]}')}?" if near else ""


def _spelt(text: str) -> str:
    """A text with all options in it spelt with dashes."""
    return re.sub(r"--[A-Za-z][\w.]*", lambda found: found[0].replace("_", "-"), text)


def _words_of(message: str) -> str:
    """A message of jsonargparse in the command's words."""
    message = re.sub("unrecognized arguments:( --)?", "there is no place for", message)
    message = re.sub(r'(?:Parser key|Key) "([\w.]+)"', r"--\1", " ".join(message.split()))
    return _spelt(message)
