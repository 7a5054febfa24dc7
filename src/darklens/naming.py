r"""Safe display of external names in terminals, spreadsheets and figures.

A file name can be any bytes and a class name any text. `visible` writes unprintable characters as
in a Python string: bytes that are not UTF-8 as `\xff`, control characters as `\x1b` or `\r`, and
characters that change the direction of writing as `\u202e`. All other text is unchanged.
"""

import unicodedata
from collections.abc import Sequence
from pathlib import Path

__all__ = ["from_home", "in_figure", "in_spreadsheet", "sides", "visible"]

_JOINERS = "\u200c\u200d"  # only affect the shape of letters, for example in Persian and Hindi
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def visible(name: object) -> str:
    r"""The name as text that can be printed safely and written as UTF-8.

    >>> print(visible("lens-\udcff.npy"), visible("a\x1b[31m\r.npy"), visible("Lentille é.npy"))
    lens-\xff.npy a\x1b[31m\r.npy Lentille é.npy
    """
    text = str(name)
    return text if text.isascii() and text.isprintable() else "".join(map(_visible, text))


def in_spreadsheet(name: object) -> str:
    """The name as a table cell that spreadsheets do not read as a formula.

    >>> in_spreadsheet("=1+1"), in_spreadsheet("no/1.npy")
    ("'=1+1", 'no/1.npy')
    """
    text = visible(name)
    return f"'{text}" if text.startswith(_FORMULA) else text


def in_figure(name: object) -> str:
    r"""The name as text for Matplotlib, where dollar signs would start mathematics.

    >>> print(in_figure("$x^2_$.npy"))
    \$x^2_\$.npy
    """
    return visible(name).replace("$", r"\$")


def from_home(path: Path) -> str:
    """A path with `~` for the user's home, which reports are not to show.

    >>> from_home(Path.home() / "weights.pth"), from_home(Path("weights.pth"))
    ('~/weights.pth', 'weights.pth')
    """
    try:
        return f"~/{path.relative_to(Path.home()).as_posix()}"
    except (ValueError, RuntimeError):  # it is elsewhere, or there is no home
        return str(path)


def sides(shape: Sequence[int]) -> str:
    """The shape of an image for display.

    >>> sides((1, 150, 150))
    '1 x 150 x 150'
    """
    return " x ".join(map(str, shape))


def _visible(letter: str) -> str:
    if letter in _JOINERS or unicodedata.category(letter) not in _UNSEEN:
        return letter
    if "\udc80" <= letter <= "\udcff":  # a byte of a file name that is not UTF-8
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode("ascii")
