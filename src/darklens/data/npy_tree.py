"""Writer of the DeepLense tree: `ROOT/{class}/{number:08d}.npy`, parameters and description.

Row `i` of `parameters.parquet` belongs to the file with number `i`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from darklens.data.writer import ImageWriter

__all__ = ["NpyTreeWriter"]


class NpyTreeWriter(ImageWriter):
    """Writes a tree of `.npy` files, each (C, H, W).

    Args:
        path: Root of the tree.
        shape: Shape (C, H, W) of an image.
        dtype: Type of the images given to `write`.
        count: Total number of images.
        classes: Class names, used as folder names.
        attributes: Origin of the images (preset, seed, version, ...) as plain YAML values.
        shard: Images written between two points from which an interrupted run can resume.
        scaled: Write each image as float64 scaled to [0, 1], as in the DeepLense benchmark,
            instead of its natural type.
    """

    format = "npy-tree"

    def __init__(
        self,
        path: str | Path,
        *,
        shape: tuple[int, int, int],
        dtype: np.dtype[Any] | type | str,
        count: int,
        classes: Sequence[str],
        attributes: Mapping[str, Any] | None = None,
        shard: int = 512,
        scaled: bool = False,
    ) -> None:
        self.scaled = scaled
        super().__init__(
            path,
            shape=shape,
            dtype=dtype,
            count=count,
            classes=classes,
            attributes=attributes,
            shard=shard,
        )

    def description(self) -> dict[str, Any]:
        """Description of the output, as written to `dataset.yaml`."""
        return super().description() | {"scaled": self.scaled}

    def _create(self, folder: Path) -> None:
        for name in self.classes:
            (folder / name).mkdir()

    def _write_images(
        self,
        start: int,
        images: Shaped[np.ndarray, "n c h w"],
        labels: Int64[np.ndarray, " n"],
    ) -> None:
        for i, (image, label) in enumerate(zip(images, labels, strict=True), start):
            path = self.partial / self.classes[label] / f"{i:08d}.npy"
            np.save(path, _scale(image) if self.scaled else image)

    def _complete(self, folder: Path) -> None:
        pass


def _scale(image: Shaped[np.ndarray, "c h w"]) -> Float64[np.ndarray, "c h w"]:
    """Scale the image to [0, 1]; a constant image becomes 0."""
    values = image.astype(np.float64)
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)
