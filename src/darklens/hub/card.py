"""The card of a model: its description, input, training and scores.

`card.yaml` is plain YAML. The dataclasses below are its schema: `darklens.files.schema` reads it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from darklens.errors import BadModel
from darklens.files.atomic import atomic_file
from darklens.files.plain_yaml import dump_yaml, read_yaml
from darklens.files.schema import read_as, text_of

__all__ = [
    "CARD_FILE",
    "CalibrationCard",
    "InputCard",
    "Metric",
    "ModelCard",
    "OutputCard",
    "TrainingCard",
    "WeightsCard",
    "check_card",
    "check_name",
    "load_card",
    "own_file",
    "record_metrics",
    "write_card",
]

CARD_FILE = "card.yaml"
_LONGEST_NAME = 100
_MOST_CHANNELS = 512
_RESHAPING_STEPS = ("center_crop", "resize")
_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]*"

Channels = Annotated[int, Field(ge=1, le=_MOST_CHANNELS)]
Side = Annotated[int, Field(ge=1, le=16_384)]
GreyLevel = Annotated[float, Field(ge=0, le=255)]
ModelName = Annotated[str, text_of(_NAME, "consist of letters, digits and .-_")]


def _folder_name(name: str) -> str:
    """Check a class name: images of a class are written into a folder of this name."""
    plain = name.isprintable() and not name.startswith(".") and not set(name) & set("/\\")
    if not (plain and 0 < len(name) <= _LONGEST_NAME):
        raise ValueError(f"must be up to {_LONGEST_NAME} letters, which can name a folder")
    return name


FileName = Annotated[
    str, text_of(rf"{_NAME}\.safetensors", "be the plain name of a .safetensors file")
]
Sha256 = Annotated[str, text_of("[0-9a-f]{64}", "be 64 hexadecimal digits")]
ClassName = Annotated[str, AfterValidator(_folder_name)]


@dataclass(frozen=True)
class InputCard:
    """The raw images that the model takes, before its preprocessing.

    Attributes:
        channels: Number of channels.
        height: Number of rows [pixel].
        width: Number of columns [pixel].
        pixel_scale: Pixel scale [arcsec/pixel], or None if unknown.
        values: Meaning of the pixel values, such as `counts`.
    """

    channels: Channels
    height: Side
    width: Side
    pixel_scale: Annotated[float, Field(ge=1e-6, le=3600)] | None
    values: str


@dataclass(frozen=True)
class TrainingCard:
    """How the weights were trained.

    Attributes:
        preset: Simulation preset of the training images, or None.
        data: Data set of the training images, or None.
        recipe: Recipe file, or None.
        preparation_seconds: Wall time spent on simulating and preprocessing images before training
            [s].
        command: Full command.
        images: Number of images seen, including repeats.
        seconds: Wall time of training [s].
        machine: Processor and number of cores.
        date: Day, such as `2026-11-23`.
        version: Version of darklens.
        init: Model whose weights the training started from, or None for random weights.
        simulations: Number of different simulations of a shipped preset learned from, so that they
            can be simulated again; None if the training images are others or without end.
        simulations_seed: Seed of these simulations, whose numbers begin with 0.
    """

    command: str
    images: int
    seconds: float
    machine: str
    date: str
    version: str
    preset: str | None = None
    data: str | None = None
    recipe: str | None = None
    preparation_seconds: float | None = None
    init: str | None = None
    simulations: Annotated[int, Field(ge=1)] | None = None
    simulations_seed: Annotated[int, Field(ge=0, lt=2**64)] | None = None


@dataclass(frozen=True)
class Metric:
    """One score with its 95 % confidence interval.

    Attributes:
        name: Name of the score, such as `accuracy`.
        value: Its value.
        low: Lower end of the interval, or None.
        high: Upper end of the interval, or None.
        data: Data it was measured on.
        command: Command that reproduces it.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    data: str
    command: str


@dataclass(frozen=True)
class OutputCard:
    """Final processing of a generator's images, once its preprocessing is undone.

    Attributes:
        values: Meaning of the pixel values, such as `photon counts`.
        unit: Pixel value of the training images that becomes 1: 255 for pictures in [0, 1].
        minimum: Lowest pixel value, or None.
        maximum: Highest pixel value, or None.
        noise: `poisson` if the network gives expected counts, to which photon noise is added;
            `jpeg` if it gives smooth pictures in [0, 1], which are given grain and compressed like
            the training images; or `none`.
        grain: Standard deviation of the grain, for `jpeg` [grey levels of 255].
        dark: Brightness up to which there is no grain, for `jpeg` [grey levels of 255].
        quality: Compression quality, for `jpeg`, on the scale of Pillow and libjpeg.
        scaled_files: Whether `.npy` files are scaled to [0, 1], as in the benchmark.
    """

    values: str
    unit: Annotated[float, Field(gt=0)] = 1.0
    minimum: float | None = None
    maximum: float | None = None
    noise: Literal["none", "poisson", "jpeg"] = "none"
    grain: GreyLevel = 0.0
    dark: GreyLevel = 0.0
    quality: Annotated[int, Field(ge=1, le=100)] = 75
    scaled_files: bool = False

    def __post_init__(self) -> None:
        """Check what the fields' types cannot say."""
        low, high = self.minimum, self.maximum
        if low is not None and high is not None and low >= high:
            raise BadModel("output: minimum must be below maximum")


@dataclass(frozen=True)
class WeightsCard:
    """The name of the weights file in the model folder, and its hash."""

    file: FileName
    sha256: Sha256


@dataclass(frozen=True)
class CalibrationCard:
    """The calibration of a classifier, which gives its sets and familiarity.

    Attributes:
        file: Plain name of the file in the model folder.
        sha256: Hash of its bytes.
        images: Number of calibration images.
        data: What they are, in a few words.
        diagnostics: Columns of the fit that are compared in addition to the network's features.
    """

    file: FileName
    sha256: Sha256
    images: Annotated[int, Field(ge=1)]
    data: str
    diagnostics: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelCard:
    """Everything about a model except its weights.

    Attributes:
        name: Short name.
        kind: `classifier` or `generator`.
        description: A sentence or two.
        classes: Class names in the order of the network's outputs or labels.
        input: The images it takes, or those it was trained on.
        preprocessing: Steps, each `{step: {parameters}}`, for `darklens.data.build_preprocessing`.
        network: `{name: ..., parameters}`, for `darklens.classify.build_network` or
            `darklens.diffusion.build_generator`; the optional `in_channels` is the number of
            channels after preprocessing, by default `input.channels`.
        training: How the weights were trained.
        licence: Licence of the weights.
        temperature: Temperature by which a classifier's logits are divided before the softmax.
        output: Final processing of a generator's images; None for a classifier.
        metrics: Its scores.
        weights: The weights file; None only before `save_model` has written it.
        calibration: The calibration file of a classifier, if it has one.
    """

    name: ModelName
    kind: Literal["classifier", "generator"]
    description: str
    classes: tuple[ClassName, ...]
    input: InputCard
    preprocessing: tuple[dict[str, dict[str, Any]], ...]
    network: dict[str, Any]
    training: TrainingCard
    licence: str
    temperature: Annotated[float, Field(ge=0.01, le=100)] = 1.0
    output: OutputCard | None = None
    metrics: tuple[Metric, ...] = ()
    weights: WeightsCard | None = None
    calibration: CalibrationCard | None = None

    def __post_init__(self) -> None:
        """Check what the fields' types cannot say."""
        channels = self.network.get("in_channels", self.input.channels)
        different = len(set(self.classes))
        checks = {
            "a generator must have an output, and a classifier must not": (
                (self.kind == "generator") == (self.output is not None)
            ),
            "classes must be two or more different names": (
                different >= (1 if self.kind == "generator" else 2)
                and different == len(self.classes)
            ),
            "each preprocessing step must be one {step: {parameters}}": all(
                len(step) == 1 for step in self.preprocessing
            ),
            "network must have a name": isinstance(self.network.get("name"), str),
            f"network.in_channels must be a whole number from 1 to {_MOST_CHANNELS}": (
                type(channels) is int and 1 <= channels <= _MOST_CHANNELS
            ),
        }
        for rule, holds in checks.items():
            if not holds:
                raise BadModel(rule)

    def __repr__(self) -> str:
        size = self.input
        scale = f" of {size.pixel_scale:g} arcsec" if size.pixel_scale else ""
        scores = "".join(f"; {item.name} {item.value:.4g}" for item in self.metrics[:1])
        return (
            f"ModelCard({self.name!r}: {self.kind} of {', '.join(self.classes)}; "
            f"{size.channels} x {size.height} x {size.width} pixels{scale}, {size.values}{scores})"
        )

    def _repr_html_(self) -> str:
        from darklens.hub.card_html import card_html

        return card_html(self)

    @property
    def channels(self) -> int:
        """Number of channels of the preprocessed images."""
        channels: int = self.network.get("in_channels", self.input.channels)
        return channels

    def unsuitable(self, shape: tuple[int, ...]) -> str | None:
        """Why an image of shape (C, H, W) is unsuitable for the model, or None if it is suitable.

        Images of other sizes are suitable only if the declared preprocessing crops or resizes them.
        """
        size = self.input
        channels, height, width = shape
        if channels != size.channels:
            return f"has {channels} channels; the model '{self.name}' takes {size.channels}"
        reshaped = any(step in _RESHAPING_STEPS for item in self.preprocessing for step in item)
        if not reshaped and (height, width) != (size.height, size.width):
            return (
                f"is {height} x {width} pixels; "
                f"the model '{self.name}' takes {size.height} x {size.width}"
            )
        return None


def load_card(folder: Path) -> ModelCard:
    """Read and check the card of a model folder.

    Raises:
        BadModel: If there is no card, or it does not follow the schema.
    """
    path = own_file(folder, CARD_FILE)
    plain = read_yaml(path, BadModel)
    card = _read(plain, str(path))
    if card.weights is None:
        raise BadModel(f"{path}: weights is missing")
    return card


def own_file(folder: Path, name: str) -> Path:
    """Path of a file in a model folder, which must not be a link out of the folder.

    In the Hugging Face cache, files are links into the folder `blobs` of the same model.

    Raises:
        BadModel: If it is a link out of the folder.
    """
    path = folder / name
    try:
        home, target = folder.resolve(), path.resolve()
    except (OSError, RuntimeError, ValueError):  # circular links, or an invalid file name
        raise BadModel(f"{path} cannot be read: it is a broken link") from None
    if home.parent.name == "snapshots":
        home = home.parents[1]
    if not target.is_relative_to(home):
        raise BadModel(f"{path} is a link out of the model folder; copy the file there instead")
    return path


def check_card(card: ModelCard) -> None:
    """Check that a card can be read again after it is written.

    Raises:
        BadModel: If it cannot, for example because a number is not finite.
    """
    _read(asdict(card), "model card")


def check_name(name: str) -> None:
    """Check that a model name is valid.

    Raises:
        BadModel: If it contains anything but letters, digits and .-_, or begins with . or -.
    """
    read_as(ModelName, name, BadModel, place="--name")


def write_card(folder: Path, card: ModelCard) -> None:
    """Write a card as `card.yaml` into an existing folder.

    Raises:
        BadModel: If it could not be read again.
    """
    check_card(card)
    text = dump_yaml(asdict(card), width=100)
    with atomic_file(folder / CARD_FILE) as temporary:
        temporary.write_text(text, encoding="utf-8")


def record_metrics(folder: Path, metrics: Sequence[Metric]) -> ModelCard:
    """Add scores to the card of a model folder.

    They replace scores of the same name on the same data and are listed after the others.
    """
    card = load_card(folder)
    new = {(item.name, item.data) for item in metrics}
    kept = [item for item in card.metrics if (item.name, item.data) not in new]
    card = replace(card, metrics=(*kept, *metrics))
    write_card(folder, card)
    return card


def _read(plain: Any, source: str) -> ModelCard:
    origin = ", possibly written by a newer version of darklens"
    card: ModelCard = read_as(ModelCard, plain, BadModel, source=source, origin=origin)
    return card
