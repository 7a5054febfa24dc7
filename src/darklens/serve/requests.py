"""What requests ask for: frozen dataclasses, read from JSON or from the fields of a form."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Annotated, Any, Literal, get_args, get_type_hints

from pydantic import Field

from darklens.errors import BadInput
from darklens.files.schema import read_as
from darklens.serve.lens_settings import LensSettings

__all__ = [
    "ClassifyFields",
    "DrawRequest",
    "FitFields",
    "GenerateRequest",
    "SimulateRequest",
    "read_form",
    "read_json",
]

Seed = Annotated[int, Field(ge=0, lt=2**53)]
Extension = Annotated[str, Field(max_length=80)]


@dataclass(frozen=True)
class ClassifyFields:
    """Fields of a form with images to classify.

    Attributes:
        model: Name of a classifier; the default of the server if omitted.
        coverage: Probability with which a set is to hold the true class.
        extension: Name or number of the extension of FITS files.
        format: `json` with pictures, or the table alone as `csv` or `parquet`.
    """

    model: str | None = None
    coverage: Annotated[float, Field(gt=0, lt=1)] = 0.95
    extension: Extension | None = None
    format: Literal["json", "csv", "parquet"] = "json"


@dataclass(frozen=True)
class FitFields:
    """Fields of a form with an image to fit.

    Attributes:
        preset: Kind of lens, a shipped preset; `galaxy` takes any FITS image.
        pixel_scale: Pixel scale [arcsec/pixel], if the header does not give it.
        size: Side of the central square to fit [pixel].
        psf_fwhm: Full width at half maximum of a Gaussian PSF [arcsec], if not the preset's.
        format: `json` with pictures, or the table alone as `csv`.
    """

    preset: str = "common-test-1"
    pixel_scale: Annotated[float, Field(ge=1e-3, le=60)] | None = None
    size: Annotated[int, Field(ge=20, le=1024)] | None = None
    psf_fwhm: Annotated[float, Field(ge=1e-3, le=60)] | None = None
    format: Literal["json", "csv"] = "json"


@dataclass(frozen=True)
class SimulateRequest:
    """One lens to simulate.

    Attributes:
        settings: Its settings.
        overlays: Whether to add critical curves, caustics and perturbers.
        format: `json` with the image, or a file: `fits`, `npy`, a preset as `yaml`, or the lines of
            Python that make the image as `py`.
    """

    settings: LensSettings = field(default_factory=LensSettings)
    overlays: bool = False
    format: Literal["json", "fits", "npy", "yaml", "py"] = "json"


@dataclass(frozen=True)
class DrawRequest:
    """Lenses of a shipped preset.

    Attributes:
        preset: Its name.
        label: Class of all; all classes in turn if omitted.
        count: Number of lenses.
        seed: The same seed gives the same lenses.
    """

    preset: str = "common-test-1"
    label: str | None = None
    count: Annotated[int, Field(ge=1, le=16)] = 1
    seed: Seed = 0


@dataclass(frozen=True)
class GenerateRequest:
    """New lenses from a generator.

    Attributes:
        model: Its name; the default of the server if omitted.
        label: Class of all; all classes in turn if omitted.
        count: Number of images.
        start: Number of the first; image `i` of a seed is always the same.
        steps: Sampling steps; as the model has them if omitted.
        guidance: Strength of the class condition; 1 as it was learned.
        seed: The same seed gives the same images.
    """

    model: str | None = None
    label: str | None = None
    count: Annotated[int, Field(ge=1, le=64)] = 8
    start: Annotated[int, Field(ge=0, le=100_000)] = 0
    steps: Annotated[int, Field(ge=1, le=1000)] | None = None
    guidance: Annotated[float, Field(ge=-10, le=10)] = 1.0
    seed: Seed = 0


def read_json(kind: Any, content: Any) -> Any:
    """A request from plain JSON.

    Raises:
        BadInput: If a key is unknown or a value is not valid.
    """
    return read_as(kind, {} if content is None else content, BadInput)


def read_form(kind: Any, given: Mapping[str, str]) -> Any:
    """A request from the fields of a form, which are all text; empty ones count as omitted.

    Raises:
        BadInput: If a field is unknown or a value is not valid.
    """
    assert is_dataclass(kind)
    hints = get_type_hints(kind)
    known = {item.name for item in fields(kind)}
    values = {
        name: _number(text, hints[name]) if name in known else text
        for name, text in given.items()
        if text != ""
    }
    return read_as(kind, values, BadInput)


def _number(text: str, kind: Any) -> Any:
    """The text as a number if the field is one and the text can be read as such."""
    for number in (int, float):
        if number in (kind, *get_args(kind)):
            try:
                return number(text)
            except ValueError:
                continue
    return text
