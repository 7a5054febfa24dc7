"""Reader and writer of YAML for cards, presets, recipes and configurations.

These contain plain data: mappings, lists, text, numbers, true, false and null. Other features of
YAML, and anything that no real file needs, are refused with the line number: anchors and aliases
(which can expand exponentially), tags (which name types), duplicate or non-text keys, deep nesting,
very many or very long values, and numbers that are not finite or have dozens of digits. The
document is built from the parser's events, so that these limits apply before anything is created.

Differences from YAML 1.1, all closer to what users mean: `1e12` is a number, a date is text, the
word `no` as a key is the text `no`, and a leading zero does not mean octal.
"""

import math
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import yaml

from darklens.errors import DarklensError

__all__ = ["LONGEST_TEXT", "dump_yaml", "parse_yaml", "read_text", "read_yaml"]

LONGEST_TEXT = 1_000_000
"""Largest file [byte]; cards, presets and recipes are a few kilobytes."""

_DEEPEST = 32
_MOST_VALUES = 20_000
_MOST_DIGITS = 40
_LARGEST_INTEGER = 2**64

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"yes|Yes|YES|true|True|TRUE|on|On|ON")
_FALSE = re.compile(r"no|No|NO|false|False|FALSE|off|Off|OFF")
_INTEGER = re.compile(r"[-+]?[0-9][0-9_]*")
_BASED = re.compile(r"[-+]?0[xob][0-9a-fA-F_]+")
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def read_yaml(path: Path, error: type[DarklensError]) -> Any:
    """Read the plain value in a YAML file.

    Args:
        path: The file.
        error: Class of the error that is raised.

    Raises:
        DarklensError: As `error`, if the file cannot be read or is not plain YAML; the message
            starts with the path and gives the line.
    """
    return parse_yaml(read_text(path, error), str(path), error)


def read_text(path: Path, error: type[DarklensError]) -> str:
    """Read a small text file; devices, pipes, folders and large files are refused unread.

    Raises:
        DarklensError: As `error`, if it cannot be read or is not UTF-8.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise error(f"{path} cannot be read: it is not a file")
        with path.open("rb") as file:
            data = file.read(LONGEST_TEXT + 1)
    except OSError as problem:
        raise error(f"{path} cannot be read: {problem.strerror}") from None
    except ValueError:  # a null byte in the name
        raise error(f"{str(path)!r} is not a valid file name") from None
    if len(data) > LONGEST_TEXT:
        raise error(f"{path} is too large: more than {LONGEST_TEXT // 1_000_000} MB of text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise error(f"{path} is not UTF-8 text (byte {problem.start})") from None


def parse_yaml(text: str, where: str, error: type[DarklensError]) -> Any:
    """Parse the plain value of a YAML text.

    Args:
        text: One document; None if empty.
        where: What the text is, for messages: a path or an option.
        error: Class of the error that is raised.

    Raises:
        DarklensError: As `error`, if the text is not plain YAML.
    """
    if len(text) > LONGEST_TEXT:
        raise error(f"{where} is too large: more than {LONGEST_TEXT // 1_000_000} MB of text")
    try:
        return _Document(text).value()
    except _NotPlainError as problem:
        reason, line = str(problem), problem.line
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        reason, line = str(problem.problem or problem.context), mark.line + 1 if mark else 1
    except (yaml.YAMLError, UnicodeError) as problem:  # characters not allowed in text files
        reason, line = str(getattr(problem, "reason", "unreadable characters")), 0
    place = f", line {line}" if line and not (where.startswith("--") and line == 1) else ""
    raise error(f"{where}{place}: not plain YAML: {' '.join(reason.split())[:200]}") from None


def dump_yaml(value: Any, **options: Any) -> str:
    """Write a value as YAML text that `read_yaml` reads back unchanged.

    Args:
        value: Mappings, lists, text, finite numbers, booleans and None.
        **options: Options of `yaml.dump`, such as `width`.
    """
    settings = {"sort_keys": False, "allow_unicode": True} | options
    return str(yaml.dump(value, Dumper=_Dumper, **settings))


class _NotPlainError(Exception):
    """The error and its line."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


class _Document:
    """One document, built from the events of the YAML parser.

    Args:
        text: The document.
    """

    def __init__(self, text: str) -> None:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=loader)
        self._count = 0

    def value(self) -> Any:
        """The whole document; None for an empty one."""
        made: Any = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    _refuse("a second document starts", event)
                made = self._node(next(self._events), 0)
        return made

    def _node(self, event: yaml.Event, depth: int) -> Any:
        self._count += 1
        if self._count > _MOST_VALUES:
            _refuse(f"more than {_MOST_VALUES} values", event)
        if depth > _DEEPEST:
            _refuse(f"nested more than {_DEEPEST} deep", event)
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:  # type: ignore[attr-defined]
            _refuse("anchors (&) and aliases (*) are not supported; write out the value", event)
        if event.tag not in (None, "!"):  # type: ignore[attr-defined]
            _refuse(f"tags such as {event.tag} are not supported", event)  # type: ignore[attr-defined]
        if isinstance(event, yaml.SequenceStartEvent):
            return list(self._items(depth))
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(depth)
        return _scalar(event)

    def _items(self, depth: int) -> Iterator[Any]:
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._node(event, depth + 1)

    def _mapping(self, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event)
            if key in made:
                _refuse(f"duplicate key '{key}'", event)
            made[key] = self._node(next(self._events), depth + 1)
        return made

    def _key(self, event: yaml.Event) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            _refuse("a key must be a name, not a list or a mapping", event)
        value = self._node(event, 0)
        if isinstance(value, bool):  # a bare no, which is a class name
            value = str(event.value)
        if not isinstance(value, str):
            _refuse(f"a key must be a name, not {str(value)[:40]}", event)
        return str(value)


def _refuse(reason: str, event: yaml.Event) -> NoReturn:
    raise _NotPlainError(reason, event.start_mark.line + 1 if event.start_mark else 0)


def _scalar(event: Any) -> Any:
    """Text, or the value of an unquoted word."""
    text: str = event.value
    if not event.implicit[0] or event.style:  # quoted, or a block of text
        return text
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return _TRUE.fullmatch(text) is not None
    if _NOT_FINITE.fullmatch(text):
        _refuse(f"{text} is not a finite number", event)
    if _INTEGER.fullmatch(text) or _BASED.fullmatch(text):
        return _integer(text.replace("_", ""), event)
    if _FLOAT.fullmatch(text):
        number = float(text.replace("_", ""))
        if not math.isfinite(number):
            _refuse(f"{text[:20]} is not a finite number", event)
        return number
    return text


def _integer(text: str, event: yaml.Event) -> int:
    if len(text) > _MOST_DIGITS:
        _refuse(f"a number of {len(text)} digits", event)
    try:
        number = int(text, 0) if _BASED.fullmatch(text) else int(text)
    except ValueError:  # 0b2
        _refuse(f"{text} is not a number", event)
    if abs(number) >= _LARGEST_INTEGER:
        _refuse(f"the number {text} is too large", event)
    return number


class _Dumper(yaml.SafeDumper):
    """Quotes text that the reader would read as a number."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write repeated values out in full."""
        return True


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(f"^(?:{_FLOAT.pattern})$"), list("-+.0123456789")
)
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(f"^(?:{_INTEGER.pattern}|{_BASED.pattern})$"),
    list("-+0123456789"),
)
