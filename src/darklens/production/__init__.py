"""Write images: simulated, generated and converted ones, as a store, a folder or a grid.

Names are loaded on first use: simulating needs no network.
"""

from typing import TYPE_CHECKING

from darklens.lazy_imports import lazy_names

if TYPE_CHECKING:
    from darklens.production.converted import convert
    from darklens.production.generated import generate
    from darklens.production.outputs import WrittenImages
    from darklens.production.simulated import simulate

__all__ = [
    "WrittenImages",
    "convert",
    "generate",
    "simulate",
]

_HOMES = {
    "WrittenImages": "darklens.production.outputs",
    "convert": "darklens.production.converted",
    "generate": "darklens.production.generated",
    "simulate": "darklens.production.simulated",
}

__getattr__ = lazy_names(__name__, _HOMES)
