"""Base class of the writers of labelled images: shards, resuming, the parameter table.

A writer fills `PATH.partial` and renames it to `PATH` when complete. Images are written in shards
of consecutive images; a shard counts as written once its part of the parameter table exists, which
is written last. A run can therefore be interrupted at any point and several processes can write
different shards, and the final bytes are the same. `darklens.files.locks.only_writer` prevents two
programs from writing the same output at once.
"""

import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int64, Shaped

from darklens.data.description import DESCRIPTION, differences, read_description
from darklens.errors import BadInput
from darklens.files.atomic import temporary_folder
from darklens.files.places import check_folder
from darklens.files.plain_yaml import dump_yaml

__all__ = ["DESCRIPTION", "PARAMETERS", "ImageWriter"]

PARAMETERS = "parameters.parquet"
_PARTS = "parts"
_ROWS = 65536  # rows in a row group of the merged table


class ImageWriter(ABC):
    """Writes `count` labelled images with their true parameters, shard by shard.

    If an earlier run left a `PATH.partial`, the writer continues it; if `PATH` with the same
    description is already complete, there is nothing left to do.

    Args:
        path: Final path of the output.
        shape: Shape (C, H, W) of an image.
        dtype: Type of the images given to `write`.
        count: Total number of images.
        classes: Class names; label `k` is `classes[k]`.
        attributes: Origin of the images (preset, seed, version, ...) as plain YAML values.
        shard: Images in a shard.

    Raises:
        BadInput: If `path` or its partial output holds something else.
    """

    format: str
    """Name of the format, stored in the description."""

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
    ) -> None:
        if count < 1 or shard < 1:
            raise BadInput(f"the number of images must be at least 1, not {count}")
        self.path = Path(path)
        self.shape = (int(shape[0]), int(shape[1]), int(shape[2]))
        self.dtype = np.dtype(dtype)
        self.count = int(count)
        self.classes = tuple(classes)
        self.attributes: dict[str, Any] = json.loads(json.dumps(dict(attributes or {})))
        self.shard = int(shard)
        if not self._finished():
            check_folder(self.path)
            self._open_partial()

    @property
    def partial(self) -> Path:
        """Path of the output until it is complete."""
        return self.path.with_name(self.path.name + ".partial")

    def description(self) -> dict[str, Any]:
        """Description of the output, as written to `dataset.yaml`."""
        return {
            "format": self.format,
            "count": self.count,
            "shape": list(self.shape),
            "dtype": self.dtype.name,
            "classes": list(self.classes),
            "shard": self.shard,
            "attributes": self.attributes,
        }

    def pending(self) -> list[tuple[int, int]]:
        """First and one-past-last image of each shard not yet written."""
        if self._finished() or (self.partial / PARAMETERS).is_file():
            return []
        starts = range(0, self.count, self.shard)
        return [(i, self._stop(i)) for i in starts if not self._is_written(i)]

    def write(
        self,
        start: int,
        images: Shaped[np.ndarray, "n c h w"],
        labels: Int64[np.ndarray, " n"],
        parameters: pd.DataFrame,
    ) -> None:
        """Write the whole shard that starts with image `start`.

        Args:
            start: Number of the first image, a multiple of `shard`.
            images: All images of the shard, of the writer's shape and type.
            labels: Their labels as integers.
            parameters: One row per image; columns that a class lacks may be missing or null.

        Raises:
            ValueError: If the arrays are not exactly this shard.
        """
        n = self._stop(start) - start
        if start % self.shard or not 0 <= start < self.count:
            raise ValueError(f"no shard begins with image {start}")
        if images.shape != (n, *self.shape) or images.dtype != self.dtype:
            raise ValueError(f"expected {n} images {self.shape} of {self.dtype}")
        if len(labels) != n or len(parameters) != n:
            raise ValueError(f"expected {n} labels and {n} rows of parameters")
        self._write_images(start, images, labels)
        self._write_part(start, labels, parameters)

    def finish(self) -> Path:
        """Merge the parameter table and move the output to its final path.

        Returns:
            The final path.

        Raises:
            BadInput: If shards are missing.
        """
        missing = self.pending()
        if missing:
            raise BadInput(f"{self.partial} lacks {len(missing)} shards; run it again to continue")
        if self._finished():
            return self.path
        try:
            if not (self.partial / PARAMETERS).is_file():
                self._merge_parts()
            self._complete(self.partial)
            shutil.rmtree(self.partial / _PARTS, ignore_errors=True)
            self.partial.replace(self.path)
        except FileNotFoundError:  # another process has just finished the same output
            if not self._finished():
                raise
        return self.path

    @abstractmethod
    def _create(self, folder: Path) -> None:
        """Create the structure of the output in an empty folder."""

    @abstractmethod
    def _write_images(
        self,
        start: int,
        images: Shaped[np.ndarray, "n c h w"],
        labels: Int64[np.ndarray, " n"],
    ) -> None:
        """Write one shard's images and labels."""

    @abstractmethod
    def _complete(self, folder: Path) -> None:
        """Check that the output is complete, and tidy up; may run twice.

        Raises:
            BadData: If something is missing or damaged.
        """

    def _is_written(self, start: int) -> bool:
        """Whether the shard that starts with this image is complete."""
        return self._part(start).is_file()

    def _stop(self, start: int) -> int:
        return min(start + self.shard, self.count)

    def _part(self, start: int) -> Path:
        return self.partial / _PARTS / f"{start:012d}.parquet"

    def _finished(self) -> bool:
        if self.path.is_symlink() or not self.path.exists():
            return False
        if self.path.is_dir() and not any(self.path.iterdir()):
            return False
        found, wanted = read_description(self.path), self.description()
        if found == wanted:
            return True
        made = f", made with other settings ({differences(found, wanted)})" if found else ""
        raise BadInput(f"{self.path} exists already{made}; choose another name or remove it first")

    def _open_partial(self) -> None:
        if self.partial.is_symlink() or (self.partial.exists() and not self.partial.is_dir()):
            raise BadInput(f"{self.partial} is in the way; remove it or choose another name")
        if not self.partial.is_dir() or not any(self.partial.iterdir()):
            self._begin()
        found, wanted = read_description(self.partial), self.description()
        if found is None:
            raise BadInput(
                f"{self.partial} is in the way: it is not an unfinished output of darklens; "
                "remove it or choose another name"
            )
        if found != wanted:
            raise BadInput(
                f"{self.partial} was started with other settings ({differences(found, wanted)}); "
                "use those to continue it, remove it, or choose another name"
            )

    def _begin(self) -> None:
        """Create the partial output; another process may be doing the same."""
        with temporary_folder(self.partial) as folder:
            self._create(folder)
            (folder / _PARTS).mkdir()
            (folder / DESCRIPTION).write_text(dump_yaml(self.description()), encoding="utf-8")
            try:
                folder.replace(self.partial)
            except OSError:
                if not (self.partial / DESCRIPTION).is_file():
                    raise

    def _write_part(
        self, start: int, labels: Int64[np.ndarray, " n"], parameters: pd.DataFrame
    ) -> None:
        table = parameters.reset_index(drop=True)
        if "label" not in table:
            table.insert(0, "label", [self.classes[k] for k in labels])
        part = self._part(start)
        temporary = part.with_suffix(f".{uuid4().hex}.tmp")
        arrow = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
        pq.write_table(arrow, temporary, compression="zstd")
        temporary.replace(part)

    def _merge_parts(self) -> None:
        parts = [self._part(start) for start in range(0, self.count, self.shard)]
        schema = pa.unify_schemas(list(map(_schema, parts)), promote_options="permissive")
        temporary = self.partial / _PARTS / f"{PARAMETERS}.{uuid4().hex}.tmp"
        step = max(1, _ROWS // self.shard)
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for i in range(0, len(parts), step):
                tables = [_fit_schema(pq.read_table(p), schema) for p in parts[i : i + step]]
                writer.write_table(pa.concat_tables(tables).combine_chunks(), row_group_size=_ROWS)
        temporary.replace(self.partial / PARAMETERS)


def _fit_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        table[field.name].cast(field.type)
        if field.name in table.column_names
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _schema(part: Path) -> pa.Schema:
    try:
        return pq.read_schema(part)
    except (pa.ArrowException, ValueError) as error:
        raise BadInput(
            f"{part} is damaged; remove it and run the same command again to continue"
        ) from error
