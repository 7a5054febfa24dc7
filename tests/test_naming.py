"""Names from outside act on no terminal, no spreadsheet and no figure."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darklens.naming import in_figure, in_spreadsheet, visible


@given(st.binary(max_size=40))
def test_any_bytes_become_text_of_one_line(name: bytes) -> None:
    shown = visible(os.fsdecode(name))
    assert shown.encode("utf-8").decode() == shown
    assert len(shown.splitlines()) <= 1
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in shown)


def test_different_bytes_stay_different() -> None:
    assert len({visible(os.fsdecode(bytes([k, 65]))) for k in range(256)}) == 256


@pytest.mark.parametrize("name", ["lens 1.npy", "Lentille é.npy", "レンズ.fits", "a\\b", "نمونه‌ها"])
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    assert visible(name) == name


def test_the_direction_of_writing_is_not_turned() -> None:
    assert visible("gnp.\u202eyn") == "gnp.\\u202eyn"


@pytest.mark.parametrize("sign", "=+-@＝")
def test_formulas_are_text_in_a_spreadsheet(sign: str) -> None:
    assert in_spreadsheet(f"{sign}1+1") == f"'{sign}1+1"


def test_mathematics_is_text_in_a_figure() -> None:
    from matplotlib.cbook import is_math_text

    assert not is_math_text(in_figure("$x^2_$ \x1b.npy"))
