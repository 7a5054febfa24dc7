"""Images of lenses as pictures, and the look of pages: one stylesheet for reports and the app."""

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

__all__ = [
    "STYLESHEET",
    "data_uri",
    "grid_picture",
    "lens_picture",
    "picture_uri",
    "report_script",
    "signed_picture",
    "stylesheet",
    "thumbnail_uri",
    "write_picture",
]
