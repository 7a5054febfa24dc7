"""Plain YAML: what is read and written, and what is refused before anything is made of it."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darklens.errors import BadConfig, BadModel
from darklens.files.plain_yaml import dump_yaml, parse_yaml, read_yaml

BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
)


def parse(text: str) -> Any:
    return parse_yaml(text, "my.yaml", BadConfig)


def test_words_mean_what_people_mean() -> None:
    text = """
no: [yes, "yes", ~, null, on]
date: 2026-11-26
mass: 1e12
seed: 010
ratio: .5
hex: 0x1F
time: 1:30
thousand: 1_000
name: |
  two
  lines
"""
    assert parse(text) == {
        "no": [True, "yes", None, None, True],
        "date": "2026-11-26",
        "mass": 1e12,
        "seed": 10,
        "ratio": 0.5,
        "hex": 31,
        "time": "1:30",
        "thousand": 1000,
        "name": "two\nlines\n",
    }
    assert parse("") is None
    assert parse("\ufeff".encode().decode("utf-8-sig") + "a: 1") == {"a": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "line 1: .*anchors"),
        ("a: 1\nb: *a", "line 2: .*aliases"),
        ("<<: *a", "aliases"),
        ("a:\n- !!python/name:os.system", "line 2: .*tags such as"),
        ("!!binary aGk=", "tags"),
        ("a: 1\nb: 2\na: 3", "line 3: .*duplicate key 'a'"),
        ("1: a", "a key must be a name, not 1"),
        ("? [a, b]\n: c", "not a list or a mapping"),
        ("? " * 4000, "not a list or a mapping"),
        ("[" * 100_000, "nested more than 32 deep"),
        ("- " * 4000 + "a", "nested more than 32 deep"),
        ("[" + "1," * 21_000 + "]", "more than 20000 values"),
        ("a: 1" + "0" * 5000, "a number of 5001 digits"),
        ("a: 1" + "0" * 30, "too large"),
        ("a: 1e400", "not a finite number"),
        ("a: -.inf", "not a finite number"),
        ("a: .nan", "not a finite number"),
        ("a: 0b2", "not a number"),
        ("--- 1\n--- 2", "a second document"),
        ("a: [1", r"my\.yaml, line \d: not plain YAML"),
        ("a: b: c", "line 1"),
        ("a: \x00", "not plain YAML"),
        ("a: \x1b[31m", "not plain YAML"),
        ("\udc80: 1", "not plain YAML"),
        ("x" * 1_000_001, "more than 1 MB"),
    ],
)
def test_what_is_not_plain_is_refused_at_once_in_one_line(text: str, message: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(BadConfig, match=message) as caught:
        parse(text)
    assert str(caught.value).startswith("my.yaml")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    assert time.perf_counter() - begun < 20


def test_the_error_is_of_the_class_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_text("a: *b")
    with pytest.raises(BadModel, match=r"card\.yaml, line 1"):
        read_yaml(tmp_path / "card.yaml", BadModel)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("a: é".encode("latin-1"), "not UTF-8"),
        ("a: 1".encode("utf-16"), "not UTF-8"),
        (b"#" * 1_000_001, "more than 1 MB"),
    ],
)
def test_files_that_are_no_text(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(data)
    with pytest.raises(BadConfig, match=message):
        read_yaml(path, BadConfig)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\n")
    assert read_yaml(path, BadConfig) == {"a": 1}


def test_devices_pipes_and_folders_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(BadConfig, match="it is not a file"):
            read_yaml(place, BadConfig)
    for name in ("none.yaml", "a\0b.yaml", "x" * 300):
        with pytest.raises(BadConfig):
            read_yaml(tmp_path / name, BadConfig)


_TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.from_regex(
    r"[-+]?[0-9.eExob_:]{1,8}", fullmatch=True
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64) + 1, 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT
)


@given(
    st.recursive(
        _SCALARS, lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner), max_leaves=8
    )
)
def test_what_is_written_is_read_again(value: Any) -> None:
    assert parse(dump_yaml(value)) == value


def test_a_value_that_stands_twice_is_written_twice() -> None:
    sizes = [8, 8]
    text = dump_yaml({"a": sizes, "b": sizes})
    assert "&" not in text
    assert parse(text) == {"a": [8, 8], "b": [8, 8]}
