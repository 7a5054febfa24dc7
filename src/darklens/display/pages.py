"""The look of pages: the stylesheet of the browser app and of all reports, and their script.

Both are plain files beside this one. The app serves the stylesheet; a report holds a copy of each,
so that it is one file that asks for nothing.
"""

from pathlib import Path

__all__ = ["STYLESHEET", "report_script", "stylesheet"]

STYLESHEET = Path(__file__).with_name("style.css")
"""The stylesheet, light and dark."""
_SCRIPT = Path(__file__).with_name("report.js")


def stylesheet() -> str:
    """The text of the stylesheet."""
    return STYLESHEET.read_text(encoding="utf-8")


def report_script() -> str:
    """The text of the script of reports: tables that sort and filter, pictures that enlarge."""
    return _SCRIPT.read_text(encoding="utf-8")
