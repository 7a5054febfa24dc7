"""What the server answers: frozen dataclasses that become JSON.

The same classes describe the HTTP API (`darklens.serve.openapi`). Numbers that are not defined are
null.
"""

from dataclasses import dataclass, field
from typing import Any

from darklens.hub import Metric
from darklens.serve.lens_settings import LensSettings
from darklens.serve.planes import Plane

__all__ = [
    "Classification",
    "Classified",
    "Drawn",
    "ErrorMessage",
    "Fitted",
    "FittedParameter",
    "Generated",
    "Health",
    "Model",
    "Models",
    "PanelPlane",
    "Perturber",
    "PresetSummary",
    "Simulated",
    "SourcePlane",
]

Curve = list[tuple[float, float]]


@dataclass(frozen=True)
class ErrorMessage:
    """Why there is no answer.

    Attributes:
        error: One line: what is wrong and what to do.
    """

    error: str


@dataclass(frozen=True)
class Health:
    """The server.

    Attributes:
        version: Version of darklens.
        ready: Whether the first model is loaded.
        upload_limit: Largest request [MB].
    """

    version: str
    ready: bool
    upload_limit: int


@dataclass(frozen=True)
class Model:
    """The card of a model.

    Attributes:
        name: The name by which requests choose it.
        kind: `classifier` or `generator`.
        description: A sentence or two.
        classes: Its classes.
        size: Rows and columns of its images [pixel].
        pixel_scale: Their pixel scale [arcsec/pixel], if known.
        values: Meaning of the pixel values.
        fits: Whether it fits a smooth lens to each image.
        calibrated: Whether it gives sets and familiarity.
        preset: Simulation preset of the training images, if any.
        trained: Training: images, time, machine, date, command.
        scores: Its scores.
        licence: Licence of the weights.
        megabytes: Size of the weights [MB].
    """

    name: str
    kind: str
    description: str
    classes: list[str]
    size: tuple[int, int]
    pixel_scale: float | None
    values: str
    fits: bool
    calibrated: bool
    preset: str | None
    trained: str
    scores: list[Metric]
    licence: str
    megabytes: float


@dataclass(frozen=True)
class PresetSummary:
    """A shipped preset.

    Attributes:
        name: Its name.
        description: What it describes.
        classes: Its classes.
        general: Whether a fit takes grid and noise from the image.
    """

    name: str
    description: str
    classes: list[str]
    general: bool


@dataclass(frozen=True)
class Models:
    """The models and presets that requests can name."""

    models: list[Model]
    presets: list[PresetSummary]


@dataclass(frozen=True)
class PanelPlane:
    """An image that explains an answer.

    Attributes:
        title: Title with the unit.
        plane: The pixels.
        limit: Draw in a diverging colour map from minus to plus this; null for intensities.
    """

    title: str
    plane: Plane
    limit: float | None


@dataclass(frozen=True)
class Classified:
    """The answer for one image, or why there is none.

    Attributes:
        name: Name of the uploaded file, with the number of the image in a stack.
        label: Most probable class, `unknown`, or null if there is an error.
        probabilities: Probability of each class.
        possible: Classes that cannot be excluded.
        familiarity: Share of the calibration images that are as unusual.
        summary: The answer in a few words.
        note: Why there is no label, or a caution.
        error: Why the image cannot be used, or null.
        columns: What the preprocessing reports, such as `chi_square`.
        image: The image.
        panels: Panels that explain it.
    """

    name: str
    label: str | None = None
    probabilities: dict[str, float | None] = field(default_factory=dict)
    possible: list[str] = field(default_factory=list)
    familiarity: float | None = None
    summary: str = ""
    note: str | None = None
    error: str | None = None
    columns: dict[str, Any] = field(default_factory=dict)
    image: Plane | None = None
    panels: list[PanelPlane] = field(default_factory=list)


@dataclass(frozen=True)
class Classification:
    """The answers for one upload.

    Attributes:
        model: Name of the model.
        classes: Its classes.
        coverage: Probability with which a set is to hold the true class.
        pixel_scale: Pixel scale of the model's images [arcsec/pixel], if known.
        rows: One answer for each image.
        csv: The table of `darklens predict`.
        parquet: The same table as Parquet, as base64.
    """

    model: str
    classes: list[str]
    coverage: float
    pixel_scale: float | None
    rows: list[Classified]
    csv: str
    parquet: str


@dataclass(frozen=True)
class FittedParameter:
    """A fitted parameter with its standard error."""

    name: str
    value: float
    error: float


@dataclass(frozen=True)
class SourcePlane:
    """The source of a fit, unlensed.

    Attributes:
        plane: Square root of its surface brightness.
        x: First and last coordinate of its columns [arcsec].
        y: First and last coordinate of its rows [arcsec].
    """

    plane: Plane
    x: tuple[float, float]
    y: tuple[float, float]


@dataclass(frozen=True)
class Fitted:
    """The smooth lens of one image.

    Attributes:
        name: Name of the uploaded file.
        preset: Kind of lens.
        chi_square: Reduced chi-square.
        converged: Whether the fit converged.
        counts: Origin of the photon counts, or empty.
        noise: Origin of the noise.
        note: Mismatches between image and preset, or empty.
        pixel_scale: Pixel scale [arcsec/pixel].
        parameters: Parameters with errors; angles in degrees, lengths in arcsec.
        panels: Data, model and residual.
        critical: Critical curves [arcsec].
        caustics: Caustics [arcsec].
        source: The source plane.
        csv: The table of `darklens fit`.
    """

    name: str
    preset: str
    chi_square: float
    converged: bool
    counts: str
    noise: str
    note: str
    pixel_scale: float
    parameters: list[FittedParameter]
    panels: list[PanelPlane]
    critical: list[Curve]
    caustics: list[Curve]
    source: SourcePlane
    csv: str


@dataclass(frozen=True)
class Perturber:
    """A subhalo, or a line from one end to the other.

    Attributes:
        kind: `subhalo` or `line`.
        x: Coordinates of the places [arcsec].
        y: Coordinates of the places [arcsec].
        einstein_radius: Its Einstein radius [arcsec].
    """

    kind: str
    x: list[float]
    y: list[float]
    einstein_radius: float


@dataclass(frozen=True)
class Simulated:
    """One simulated lens.

    Attributes:
        image: The image.
        pixel_scale: Pixel scale [arcsec/pixel].
        peak: Brightest pixel.
        critical: Critical curves [arcsec], if wanted.
        caustics: Caustics [arcsec], if wanted.
        perturbers: Substructure, if wanted.
        milliseconds: Time it took.
    """

    image: Plane
    pixel_scale: float
    peak: float
    critical: list[Curve]
    caustics: list[Curve]
    perturbers: list[Perturber]
    milliseconds: float


@dataclass(frozen=True)
class Drawn:
    """Lenses of a shipped preset.

    Attributes:
        preset: Its name.
        classes: Class of each image.
        images: The images.
        pixel_scale: Pixel scale [arcsec/pixel].
        settings: Settings of the simulation tab that resemble the first.
    """

    preset: str
    classes: list[str]
    images: list[Plane]
    pixel_scale: float
    settings: LensSettings


@dataclass(frozen=True)
class Generated:
    """New lenses from a generator.

    Attributes:
        model: Name of the model.
        classes: Class of each image; empty for a model without classes.
        images: The images.
        start: Number of the first.
        steps: Sampling steps.
        pixel_scale: Pixel scale of its training images [arcsec/pixel], if known.
    """

    model: str
    classes: list[str]
    images: list[Plane]
    start: int
    steps: int
    pixel_scale: float | None
