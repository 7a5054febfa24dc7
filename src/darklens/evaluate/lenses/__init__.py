"""What `fit` and `detect` share: the images of a lens, and what a flexible lens gives.

Images are joined to lenses here, and tables, FITS files and COOLEST files of flexible lenses have
the same columns, extensions and entities in both.
"""

from darklens.evaluate.lenses.coolest import coolest_model, write_coolest
from darklens.evaluate.lenses.fits_maps import LensMap, view_maps, write_maps
from darklens.evaluate.lenses.images import LensImages, counted, lens_images, title_of
from darklens.evaluate.lenses.table import image_cells, lens_cells, lens_table

__all__ = [
    "LensImages",
    "LensMap",
    "coolest_model",
    "counted",
    "image_cells",
    "lens_cells",
    "lens_images",
    "lens_table",
    "title_of",
    "view_maps",
    "write_coolest",
    "write_maps",
]
