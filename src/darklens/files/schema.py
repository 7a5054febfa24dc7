"""From plain YAML to frozen dataclasses: the annotations of a dataclass are its schema.

Pydantic validates strictly: text is never read as a number or a boolean as an integer, numbers are
finite, and unknown keys are errors. This module adds two things: `OneKey`, for values such as
`{uniform: [0, 1]}` whose only key names their kind, and one-line messages that give the path of the
key, the expected value and, for an unknown key, the closest known one.

    >>> from dataclasses import dataclass
    >>> from darklens.errors import BadConfig
    >>> @dataclass(frozen=True)
    ... class Telescope:
    ...     aperture: float
    ...     exposures: int = 1
    >>> read_as(Telescope, {"aperture": 2}, BadConfig)
    Telescope(aperture=2.0, exposures=1)
    >>> read_as(Telescope, {"apertur": 2}, BadConfig)
    Traceback (most recent call last):
    darklens.errors.BadConfig: unknown key 'apertur'; did you mean 'aperture'? Known keys: ...
    >>> read_as(tuple[Telescope, ...], [{"aperture": "2 m"}], BadConfig, place="site")
    Traceback (most recent call last):
    darklens.errors.BadConfig: site[0].aperture must be a number, not '2 m'
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import lru_cache, partial
from inspect import isfunction
from typing import Any

from pydantic import AfterValidator, ConfigDict, GetCoreSchemaHandler, TypeAdapter, ValidationError
from pydantic_core import ArgsKwargs, PydanticCustomError, SchemaValidator, core_schema

from darklens.errors import DarklensError

__all__ = ["OneKey", "call_with", "read_as", "text_of"]

_CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)
_SCALARS = ("bool", "float", "int", "str")
_WITHOUT_KEY = ""  # tag of values such as a bare number, omitted from paths
_LONGEST_SHOWN = 60
_UNKNOWN = ("unknown", "unexpected_keyword_argument", "extra_forbidden")
_VERBS = ("must ", "is ", "cannot ")

_WORDS = {
    "bool_type": "must be true or false, not {shown}",
    "dataclass_type": "must be a mapping, not {shown}",
    "dict_type": "must be a mapping, not {shown}",
    "extra_forbidden": "is unknown",
    "finite_number": "must be a finite number, not {shown}",
    "float_type": "must be a number, not {shown}",
    "greater_than": "must be above {gt:g}, not {shown}",
    "greater_than_equal": "must be at least {ge:g}, not {shown}",
    "int_from_float": "must be a whole number, not {shown}",
    "int_type": "must be a whole number, not {shown}",
    "is_instance_of": "cannot be given here",
    "less_than": "must be below {lt:g}, not {shown}",
    "less_than_equal": "must be at most {le:g}, not {shown}",
    "list_type": "must be a list, not {shown}",
    "literal_error": "must be {expected}, not {shown}",
    "mapping_type": "must be a mapping, not {shown}",
    "missing": "is missing",
    "missing_argument": "is missing",
    "string_type": "must be text, not {shown}",
    "too_long": "must have {max_length} entries or fewer, not {actual_length}",
    "too_short": "must have {min_length} entries or more, not {actual_length}",
    "tuple_type": "must be a list, not {shown}",
    "unexpected_keyword_argument": "is unknown",
}


@dataclass(frozen=True, eq=False)
class OneKey:
    """Annotation for a mapping whose only key names the kind of the value.

    A kind may also be given alone (`none` for `{none: {}}`), and a key without a value stands for
    an empty mapping.

    Attributes:
        kinds: Types by key.
        number: Type whose first field is given by a bare number, if there is one.
    """

    kinds: Mapping[str, Any]
    number: Any = None

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> Any:
        """The hook for custom annotations in pydantic."""
        choices: dict[Any, Any] = {
            name: _after(partial(_behind, name), handler.generate_schema(kind))
            for name, kind in self.kinds.items()
        }
        if self.number is not None:
            first = fields(self.number)[0].name
            choices[_WITHOUT_KEY] = _after(
                lambda value: {first: value}, handler.generate_schema(self.number)
            )
        return core_schema.tagged_union_schema(
            choices,
            self._key,
            custom_error_type="one_key",
            custom_error_message="one key",
            custom_error_context={
                "names": ", ".join(self.kinds),
                "wanted": "" if self.number is None else "a number or ",
            },
        )

    def _key(self, value: Any) -> str | None:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return None if self.number is None else _WITHOUT_KEY
        if isinstance(value, str):
            return value or None
        return str(next(iter(value))) or None if _is_single(value) else None


def _after(change: Any, schema: Any) -> Any:
    """A schema for values that are transformed before validation."""
    return core_schema.no_info_before_validator_function(change, schema)


def text_of(pattern: str, wanted: str) -> AfterValidator:
    """Annotation for text that matches a regular expression.

    Args:
        pattern: Regular expression for the whole text.
        wanted: The same in words, following "must".
    """

    def check(value: str) -> str:
        if re.fullmatch(pattern, value) is None:
            raise ValueError(f"must {wanted}, not {_shown(value)}")
        return value

    return AfterValidator(check)


def read_as(
    kind: Any,
    value: Any,
    error: type[DarklensError],
    *,
    source: str = "",
    place: str = "",
    largest: float | None = None,
    origin: str = "",
) -> Any:
    """Validate a plain value as an annotated type.

    Args:
        kind: A frozen dataclass, or any other type known to pydantic.
        value: Plain value, as read by `darklens.files.plain_yaml`.
        error: Exception class to raise.
        source: Origin of the value, such as the path of its file.
        place: Path of the value in its source, such as `instrument.psf`.
        largest: Largest absolute value of any floating-point number, or None.
        origin: Explanation to add to a message about an unknown key.

    Raises:
        DarklensError: As `error`, if the value is invalid: one line with source and key.
    """
    try:
        return _validator(kind, largest).validate_python((value,))[0]
    except ValidationError as problem:
        found = problem.errors(include_url=False)
    unknown = [item for item in found if item["type"] in _UNKNOWN]
    message = _message([*unknown, *found][0], place, origin)
    raise error(f"{source}: {message}" if source else message) from None


def call_with(
    function: Any, arguments: Mapping[str, Any], error: type[DarklensError], *, source: str = ""
) -> Any:
    """Call a function or a class with arguments from a file, validated by its annotations.

    Raises:
        DarklensError: As `error`, if an argument is unknown, missing or of the wrong type.
    """
    given = {str(name): value for name, value in arguments.items()}
    value = given if isinstance(function, type) else ArgsKwargs((), given)
    return read_as(function, value, error, source=source)


@lru_cache(maxsize=256)
def _validator(kind: Any, largest: float | None) -> Any:
    """Pydantic's validator for a one-element tuple, the only way to apply our settings to it."""
    core: Any
    if isfunction(kind):
        core = core_schema.tuple_schema([TypeAdapter(kind, config=_CONFIG).core_schema])
    else:
        core = TypeAdapter(tuple[kind], config=_CONFIG).core_schema
    return SchemaValidator(_strict(core, largest))


def _strict(schema: Any, largest: float | None) -> Any:
    """A core schema with strict scalars, bounded floats, and dataclasses with located errors."""
    if isinstance(schema, list | tuple):
        return [_strict(item, largest) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _strict(item, largest) for key, item in schema.items()}
    if made.get("type") in _SCALARS:
        made["strict"] = True
    if made.get("type") == "float" and largest is not None:
        made = {"ge": -largest, "le": largest} | made
    if made.get("type") == "dataclass":
        check = {"type": "no-info", "function": partial(_located, tuple(made["fields"]))}
        outer = {"type": "function-wrap", "function": check, "schema": made}
        return outer | ({"ref": made.pop("ref")} if "ref" in made else {})
    return made


def _located(known: tuple[str, ...], value: Any, handler: Any) -> Any:
    """Validate a dataclass; errors from its own checks are located like those of pydantic."""
    if isinstance(value, Mapping):
        value = {str(key): item for key, item in value.items()}
        for key in value:
            if key not in known:
                raise PydanticCustomError("unknown", "unknown", {"key": key, "known": list(known)})
    try:
        return handler(value)
    except DarklensError as problem:
        raise PydanticCustomError("rule", "rule", {"text": str(problem)}) from None


def _behind(name: str, value: Any) -> Any:
    """The value of the only key."""
    return {} if isinstance(value, str) or value[name] is None else value[name]


def _is_single(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) == 1


def _message(problem: Any, place: str, origin: str) -> str:
    """One line: the path of the key, and what is wrong with it."""
    path, details = _path(place, problem["loc"][1:]), problem.get("ctx", {})
    kind, value = problem["type"], problem["input"]
    if kind == "unknown":
        reason = f"unknown key {_shown(details['key'])}{origin}{_nearest(**details)}"
    elif kind == "one_key":
        reason = _not_one_of(details["names"].split(", "), details["wanted"], value)
    elif kind == "float_type" and type(value) is int:
        reason = f"is out of range: {_shown(value)}"
    elif kind in _WORDS:
        reason = _WORDS[kind].format(**{"shown": _shown(value)} | details)
    elif kind in ("rule", "value_error"):
        reason = _without_place(str(details.get("text") or details["error"]), path)
    else:
        reason = str(problem["msg"])
    between = " " if reason.startswith(_VERBS) else ": "
    return f"{path}{between}{reason}" if path else reason


def _without_place(text: str, path: str) -> str:
    """The message of a dataclass, without the path at its start if it has one."""
    first, colon, rest = text.partition(": ")
    return rest if colon and first in re.split(r"[.\[\]]+", path) else text


def _nearest(key: str, known: list[str]) -> str:
    near = get_close_matches(key, known, 1)
    meant = f"; did you mean {near[0]!r}? Known keys:" if near else "; known keys:"
    return f"{meant} {', '.join(known)}"


def _not_one_of(names: list[str], number: str, value: Any) -> str:
    given = str(next(iter(value))) if _is_single(value) else value
    near = get_close_matches(given, names, 1) if isinstance(given, str) else []
    meant = f"; did you mean {near[0]!r}?" if near else ""
    return f"must be {number}exactly one of {', '.join(names)}, not {_shown(value)}{meant}"


def _path(place: str, parts: tuple[str | int, ...]) -> str:
    """`lens.mass.uniform.high` and `steps[0].size`."""
    path = place
    if _WITHOUT_KEY in parts:  # a bare number has the path of the whole value
        parts = parts[: parts.index(_WITHOUT_KEY)]
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part != "[key]":
            word = part if re.fullmatch(r"[\w -]+", part) else _shown(part)
            path += f".{word}" if path else word
    return path


def _shown(value: Any) -> str:
    """An invalid value on one line, truncated if long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # thousands of digits, or infinitely nested
        return "a value too long to show"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."
