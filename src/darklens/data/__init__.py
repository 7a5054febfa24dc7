"""Reading and writing images: files, stores, data sets, splits, preprocessing, the data module.

Names that need torch, Lightning or Zarr are imported on first use, so that reading images and
listing files start quickly.
"""

from typing import TYPE_CHECKING

from darklens.data.datasets import ImageDataset, open_dataset
from darklens.data.division import Division, divide
from darklens.data.files import find_images
from darklens.data.fit_inputs import Plane, read_plane
from darklens.data.fits_files import FitsContents, FitsExtension, list_fits
from darklens.data.image_sets import open_images
from darklens.data.inverse_preprocessing import undo_preprocessing
from darklens.data.preprocessing import Preprocessing, build_preprocessing
from darklens.data.readers import pixel_problem, read_image
from darklens.data.splits import (
    check_disjoint,
    reference_split,
    stratified_folds,
)
from darklens.data.stacks import expand_stacks
from darklens.data.steps import Panel
from darklens.data.world_coordinates import (
    Orientation,
    header_value,
    orientation_of,
    pixel_scale_of,
    world_coordinates,
)
from darklens.lazy_imports import lazy_names

if TYPE_CHECKING:
    from darklens.data.augmentation import Augmentation
    from darklens.data.datamodule import FreshImages, LensDataModule
    from darklens.data.npy_tree import NpyTreeWriter
    from darklens.data.store import Store, StoreWriter, open_store
    from darklens.data.writer import ImageWriter

__all__ = [
    "Augmentation",
    "Division",
    "FitsContents",
    "FitsExtension",
    "FreshImages",
    "ImageDataset",
    "ImageWriter",
    "LensDataModule",
    "NpyTreeWriter",
    "Orientation",
    "Panel",
    "Plane",
    "Preprocessing",
    "Store",
    "StoreWriter",
    "build_preprocessing",
    "check_disjoint",
    "divide",
    "expand_stacks",
    "find_images",
    "header_value",
    "list_fits",
    "open_dataset",
    "open_images",
    "open_store",
    "orientation_of",
    "pixel_problem",
    "pixel_scale_of",
    "read_image",
    "read_plane",
    "reference_split",
    "stratified_folds",
    "undo_preprocessing",
    "world_coordinates",
]

_HEAVY = {
    "Augmentation": "darklens.data.augmentation",
    "FreshImages": "darklens.data.datamodule",
    "ImageWriter": "darklens.data.writer",
    "LensDataModule": "darklens.data.datamodule",
    "NpyTreeWriter": "darklens.data.npy_tree",
    "Store": "darklens.data.store",
    "StoreWriter": "darklens.data.store",
    "open_store": "darklens.data.store",
}

__getattr__ = lazy_names(__name__, _HEAVY)
