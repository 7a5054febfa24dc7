"""What image files hold, and what will be done with them: tables and figures."""

from darklens.evaluate.inspect.figures import inspection_figure
from darklens.evaluate.inspect.inspection import inspect
from darklens.evaluate.inspect.rows import (
    Inspected,
    inspect_target,
    inspection_row,
    inspection_table,
)

__all__ = [
    "Inspected",
    "inspect",
    "inspect_target",
    "inspection_figure",
    "inspection_row",
    "inspection_table",
]
