"""Images of lenses as pictures, what objects show in a notebook, and the look of pages.

What needs Matplotlib is imported on first use.
"""

from typing import TYPE_CHECKING

from darklens.display.notebook import facts_html, pictures_html, table_html
from darklens.display.pages import STYLESHEET, report_script, stylesheet
from darklens.display.pictures import (
    data_uri,
    grid_picture,
    lens_picture,
    picture_uri,
    signed_picture,
    thumbnail_uri,
    write_picture,
)
from darklens.lazy_imports import lazy_names

if TYPE_CHECKING:
    from darklens.display.notebook_figures import lenses_figure, panels_figure

__all__ = [
    "STYLESHEET",
    "data_uri",
    "facts_html",
    "grid_picture",
    "lens_picture",
    "lenses_figure",
    "panels_figure",
    "picture_uri",
    "pictures_html",
    "report_script",
    "signed_picture",
    "stylesheet",
    "table_html",
    "thumbnail_uri",
    "write_picture",
]

__getattr__ = lazy_names(
    __name__,
    dict.fromkeys(("lenses_figure", "panels_figure"), "darklens.display.notebook_figures"),
)
