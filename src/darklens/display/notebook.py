"""What objects show of themselves in a notebook: small pieces of HTML.

The pieces hold their own style, in the colours of the notebook, and their pictures; they load
nothing, and all text in them is escaped.
"""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from jaxtyping import Num

from darklens.display.pictures import thumbnail_uri
from darklens.naming import visible

__all__ = [
    "facts_html",
    "pictures_html",
    "table_html",
]

_SOFT = "opacity:.7"
_CELL = "text-align:left;padding:.15em .8em .15em 0"
_RIGHT = "text-align:right;white-space:nowrap;padding:.15em .8em .15em 0"


def facts_html(title: str, facts: Mapping[str, object], *more: str) -> str:
    """A title, a table of names and values, and further pieces of HTML below it.

    >>> facts_html("<i>", {})
    '<div><b>&lt;i&gt;</b></div>'
    """
    rows = "".join(
        f'<tr><th style="{_CELL};{_SOFT}">{_text(name)}</th>'
        f'<td style="{_CELL}">{_text(value)}</td></tr>'
        for name, value in facts.items()
    )
    table = f"<table>{rows}</table>" if rows else ""
    return f"<div><b>{_text(title)}</b>{table}{''.join(more)}</div>"


def table_html(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table; columns that begin with a number in every row are aligned to the right."""
    columns = list(zip(*rows, strict=True)) or [()] * len(head)
    numbers = [bool(column) and all(map(_is_number, column)) for column in columns]
    styles = [_RIGHT if number else _CELL for number in numbers]

    def line(cells: Sequence[object], tag: str) -> str:
        words = zip(cells, styles, strict=True)
        inner = "".join(f'<{tag} style="{style}">{_text(cell)}</{tag}>' for cell, style in words)
        return f"<tr>{inner}</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<table><thead>{line(head, 'th')}</thead><tbody>{body}</tbody></table>"


def pictures_html(pictures: Sequence[tuple[Num[np.ndarray, "h w 3"], str]]) -> str:
    """Pictures (bytes) in a row, each with its words below."""
    figures = "".join(
        f'<figure style="margin:0 .6em .6em 0"><img src="{thumbnail_uri(picture)}" '
        f'alt="{_text(words)}" style="width:110px;image-rendering:pixelated">'
        f'<figcaption style="font-size:.85em">{_text(words)}</figcaption></figure>'
        for picture, words in pictures
    )
    return f'<div style="display:flex;flex-wrap:wrap;margin-top:.5em">{figures}</div>'


def _is_number(value: object) -> bool:
    """Whether a cell begins with a number, or is empty."""
    try:
        return not (words := str(value).split()) or isinstance(float(words[0]), float)
    except ValueError:
        return False


def _text(value: object) -> str:
    """Printable text that is not HTML."""
    return escape(visible(value))
