"""The stylesheet and the script of pages: they ask for nothing, and a page can hold them."""

import re

from darklens.display import STYLESHEET, report_script, stylesheet


def test_nothing_is_loaded_from_anywhere() -> None:
    for text in (stylesheet(), report_script()):
        assert not re.search(r"url\(|@import|https?:|fetch\(|XMLHttpRequest|import\(", text)


def test_a_page_can_hold_them() -> None:
    assert "</style" not in stylesheet()
    assert "</script" not in report_script()
    assert STYLESHEET.read_text(encoding="utf-8") == stylesheet()


def test_every_colour_has_a_light_and_a_dark_form() -> None:
    colours = re.findall(r"--([a-z-]+): *([^;]+);", stylesheet())
    assert len(colours) > 10
    assert [name for name, value in colours if not value.startswith("light-dark(")] == []
