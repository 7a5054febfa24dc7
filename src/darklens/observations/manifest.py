"""A manifest: a table with one row for each image, in CSV or YAML.

    image,noise,psf,scale,mask,centre
    J0946.fits,J0946_rms.fits,psf.fits,0.05,,140,140

The columns are the names in `darklens.observations.options`, in any case; `noise`, `scale`,
`center`, `path` and `file` are understood too, and `ra` with `dec` or `x` with `y` are a centre.
File names are relative to the manifest. A row that is wrong has its reason and stops no other.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_type_hints

from darklens.data.files import split_extension
from darklens.errors import BadConfig, BadInput, DarklensError
from darklens.files.plain_yaml import read_text, read_yaml
from darklens.observations.options import ImageOptions, read_options

__all__ = ["MANIFEST_ENDINGS", "ManifestRow", "read_manifest"]

MANIFEST_ENDINGS = (".csv", ".yaml", ".yml")
_OTHER_NAMES = {
    "noise": "noise_map",
    "scale": "pixel_scale",
    "center": "centre",
    "path": "image",
    "file": "image",
}
_PLACES = ("ra", "dec", "x", "y")
_KNOWN = ("image", *(item.name for item in fields(ImageOptions) if item.name != "images"))
_MISSPELT = tuple(name for name in _KNOWN if name != "lens")  # z_lens is a column of its own
_ALIKE = 0.8


@dataclass(frozen=True)
class ManifestRow:
    """One row: an image with its options, or the reason why it cannot be used.

    Attributes:
        image: The image, or where in the manifest its name should be.
        options: What the row says about it.
        error: The reason, or empty.
    """

    image: Path
    options: ImageOptions
    error: str = ""


def read_manifest(path: Path) -> tuple[list[ManifestRow], tuple[str, ...]]:
    """The rows of a manifest, and the names of its columns that mean nothing here.

    Raises:
        BadInput: If it is not a table with a column `image`, has no rows, or a column looks like a
            misspelt one.
    """
    rows = _csv(path) if path.suffix.lower() == ".csv" else _yaml(path)
    if not rows:
        raise BadInput(f"{path}: the manifest has no rows")
    columns = list(dict.fromkeys(name for _, row in rows for name in row))
    if "image" not in columns:
        raise BadInput(f"{path}: a manifest needs a column image; it has {', '.join(columns)}")
    unknown = [name for name in columns if name not in (*_KNOWN, *_PLACES)]
    for name in unknown:
        near = get_close_matches(name, _MISSPELT, 1, cutoff=_ALIKE)
        if near:
            raise BadInput(f"{path}: unknown column '{name}'; did you mean {near[0]}?")
    return [_row(path, place, row) for place, row in rows], tuple(unknown)


def _row(path: Path, place: str, values: Mapping[str, Any]) -> ManifestRow:
    """One row; what is wrong with it is its error."""
    given = {name: value for name, value in values.items() if value not in (None, "")}
    image = given.pop("image", None)
    if not isinstance(image, str):
        what = "no image is named" if image is None else f"image must be text, not {image!r}"
        return ManifestRow(Path(f"{path.name}, {place}"), ImageOptions(), what)
    file = path.parent / image
    try:
        plain = {name: value for name, value in given.items() if name in _KNOWN}
        centre = _place_of(given)
        if centre is not None and "centre" in plain:
            raise BadConfig("give either centre or columns of coordinates, not both")
        plain |= {} if centre is None else {"centre": centre}
        options = read_options(plain, source=f"{path.name}, {place}", folder=path.parent)
    except DarklensError as error:
        return ManifestRow(file, ImageOptions(), str(error))
    if options.extension is not None and split_extension(file)[1] is not None:
        return ManifestRow(file, options, "the extension is given twice")
    return ManifestRow(file, options)


def _place_of(given: Mapping[str, Any]) -> str | None:
    """The centre given by two columns of coordinates."""
    for first, second, unit in (("ra", "dec", "d"), ("x", "y", "")):
        if (first in given) != (second in given):
            raise BadConfig(f"{first} and {second} must be given together")
        if first in given:
            pair = (given[first], given[second])
            return ",".join(f"{one}{unit if _is_plain(one) else ''}" for one in pair)
    return None


def _is_plain(value: Any) -> bool:
    """Whether a coordinate is a number without a unit."""
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _csv(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Rows of a CSV file with their places; numbers and switches are converted."""
    reader = csv.reader(io.StringIO(read_text(path, BadInput), newline=""))
    try:
        lines = [(reader.line_num, line) for line in reader if any(map(str.strip, line))]
    except csv.Error as error:
        raise BadInput(f"{path}: not a CSV table: {error}") from None
    if not lines:
        return []
    names = [_name(cell) for cell in lines[0][1]]
    rows = []
    for number, line in lines[1:]:
        cells = _cells(line, names)
        rows.append((f"line {number}", {name: _value(name, text) for name, text in cells.items()}))
    return rows


def _cells(line: list[str], names: list[str]) -> dict[str, str]:
    """Cells by column. A centre `x,y` that is not quoted and stands last is put together."""
    if len(line) == len(names) + 1 and names[-1] == "centre":
        line = [*line[:-2], ",".join(line[-2:])]
    return {name: cell.strip() for name, cell in zip(names, line, strict=False) if name}


def _value(name: str, text: str) -> Any:
    """A cell as the type of its option; text if it is none, so that its error says so."""
    kind = str(get_type_hints(ImageOptions).get(name, str))
    words = {"true": True, "yes": True, "false": False, "no": False}
    if "bool" in kind and text.lower() in words:
        return words[text.lower()]
    for number, known in ((int, "int" in kind), (float, "float" in kind and "tuple" not in kind)):
        try:
            if known:
                return number(text)
        except ValueError:
            continue
    return text


def _yaml(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Entries of a YAML list with their places."""
    content = read_yaml(path, BadInput)
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise BadInput(
            f"{path}: a manifest is a list with one mapping an image; what holds for a whole"
            " survey is given with --survey"
        )
    return [
        (f"entry {number}", {_name(name): value for name, value in item.items()})
        for number, item in enumerate(content, 1)
    ]


def _name(heading: str) -> str:
    """The name of a column in our spelling."""
    name = heading.strip().lower().replace("-", "_").replace(" ", "_")
    return _OTHER_NAMES.get(name, name)
