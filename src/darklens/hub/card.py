"""The card of a model: what it is, what it takes, how it was made, what it scores.

`card.yaml` is read as plain YAML and checked against the dataclasses below.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from darklens.errors import BadModel
from darklens.files.atomic import atomic_file
from darklens.files.plain_yaml import dump_yaml, read_yaml
from darklens.hub.schema import from_plain, to_plain

__all__ = [
    "CARD_FILE",
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
_KINDS = ("classifier", "generator")
_NOISE = ("none", "poisson", "jpeg")
_LONGEST_NAME = 100
_LONGEST_SIDE = 16_384
_MOST_CHANNELS = 512
_RESHAPING_STEPS = ("center_crop", "resize")


@dataclass(frozen=True)
class InputCard:
    """The raw images that the model takes, before its preprocessing.

    Attributes:
        channels: Number of channels.
        height: Rows [pixel].
        width: Columns [pixel].
        pixel_scale: Size of a pixel [arcsec], or None where it is not known.
        values: What the values are, in words, such as `counts`.
    """

    channels: int
    height: int
    width: int
    pixel_scale: float | None
    values: str


@dataclass(frozen=True)
class TrainingCard:
    """How the weights were made.

    Attributes:
        preset: Simulation preset of the training images, or None.
        data: Data set of the training images, or None.
        recipe: Recipe file, or None.
        preparation_seconds: Wall time of simulating and preparing the images beforehand [s].
        command: Full command.
        images: Number of images seen, repeats included.
        seconds: Wall time of the training [s].
        machine: Processor and cores, in words.
        date: Day, such as `2026-11-23`.
        version: Version of darklens.
        init: Model whose weights the training began with, or None for fresh weights.
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


@dataclass(frozen=True)
class Metric:
    """One measured number with its 95 % interval.

    Attributes:
        name: Metric, such as `accuracy`.
        value: The number.
        low: Lower end of the interval, or None.
        high: Upper end of the interval, or None.
        data: What it was measured on.
        command: Command that measures it again.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    data: str
    command: str


@dataclass(frozen=True)
class OutputCard:
    """What becomes of the images of a generator once its preprocessing is undone.

    Attributes:
        values: What the values are, in words, such as `photon counts`.
        unit: Value of a training image that becomes 1: 255 for pictures in [0, 1].
        minimum: Lowest value that is written, or None.
        maximum: Highest value that is written, or None.
        noise: `poisson` where the network makes expected counts and photon noise is added,
            `jpeg` where it makes smooth pictures in [0, 1] that are given grain and compressed as
            the training images were, or `none`.
        grain: Standard deviation of the grain, for `jpeg` [grey levels of 255].
        dark: Brightness up to which there is no grain, for `jpeg` [grey levels of 255].
        quality: Quality of the compression, for `jpeg`, as Pillow and libjpeg count it.
        scaled_files: Whether `.npy` files are scaled from 0 to 1, as the benchmark's are.
    """

    values: str
    unit: float = 1.0
    minimum: float | None = None
    maximum: float | None = None
    noise: str = "none"
    grain: float = 0.0
    dark: float = 0.0
    quality: int = 75
    scaled_files: bool = False

    def __post_init__(self) -> None:
        """Check what types alone do not say."""
        low, high = self.minimum, self.maximum
        if self.unit <= 0 or (low is not None and high is not None and low >= high):
            raise BadModel("model card: output.unit must be positive and minimum below maximum")
        if self.noise not in _NOISE:
            raise BadModel(f"model card: output.noise must be one of {', '.join(_NOISE)}")
        if not (0 <= self.grain <= 255 and 0 <= self.dark <= 255 and 1 <= self.quality <= 100):
            raise BadModel(
                "model card: output.grain and .dark must be 0 to 255 and .quality 1 to 100"
            )


@dataclass(frozen=True)
class WeightsCard:
    """The weights file, by its plain name in the model folder, and the hash of its bytes."""

    file: str
    sha256: str


@dataclass(frozen=True)
class ModelCard:
    """Everything about a model but its weights.

    Attributes:
        name: Short name.
        kind: `classifier` or `generator`.
        description: A sentence or two.
        classes: Class names in the order of the network's outputs or labels.
        input: The images it takes, or those that it learned from.
        preprocessing: Steps, each `{step: {parameters}}`, as `darklens.data` builds them.
        network: `{name: ..., parameters}`, as `darklens.classify.build_network` or
            `darklens.diffusion.build_generator` takes it; the optional `in_channels` is the number
            of channels after preprocessing and `input.channels` by default.
        training: How the weights were made.
        licence: Licence of the weights.
        temperature: A classifier's logits are divided by it before the softmax.
        output: What becomes of a generator's images; None for a classifier.
        metrics: What it scores.
        weights: The weights file; None only before `save_model` has written it.
    """

    name: str
    kind: str
    description: str
    classes: tuple[str, ...]
    input: InputCard
    preprocessing: tuple[dict[str, dict[str, Any]], ...]
    network: dict[str, Any]
    training: TrainingCard
    licence: str
    temperature: float = 1.0
    output: OutputCard | None = None
    metrics: tuple[Metric, ...] = ()
    weights: WeightsCard | None = None

    def __post_init__(self) -> None:
        """Check what types alone do not say."""
        size = self.input
        channels = self.network.get("in_channels", size.channels)
        checks = {
            "name must consist of letters, digits and .-_": _is_plain_name(self.name),
            "kind must be classifier or generator": self.kind in _KINDS,
            "a generator, and nothing else, must have an output": (self.kind == "generator")
            == (self.output is not None),
            "classes must be two or more different names": len(set(self.classes))
            >= (1 if self.kind == "generator" else 2)
            and len(set(self.classes)) == len(self.classes),
            f"classes must be names of up to {_LONGEST_NAME} letters, which can be folders": all(
                _can_be_folder(name) for name in self.classes
            ),
            f"input must have 1 to {_MOST_CHANNELS} channels and 1 to {_LONGEST_SIDE} rows and "
            "columns": 1 <= size.channels <= _MOST_CHANNELS
            and all(1 <= side <= _LONGEST_SIDE for side in (size.height, size.width)),
            "input.pixel_scale must be from 1e-6 to 3600 arcsec": size.pixel_scale is None
            or 1e-6 <= size.pixel_scale <= 3600,
            "temperature must be from 0.01 to 100": 0.01 <= self.temperature <= 100,
            "each preprocessing step must be one {step: {parameters}}": all(
                len(step) == 1 for step in self.preprocessing
            ),
            "network must have a name": isinstance(self.network.get("name"), str),
            f"network.in_channels must be a whole number from 1 to {_MOST_CHANNELS}": type(channels)
            is int
            and 1 <= channels <= _MOST_CHANNELS,
            "weights.file must be the plain name of a .safetensors file": self.weights is None
            or (_is_plain_name(self.weights.file) and self.weights.file.endswith(".safetensors")),
            "weights.sha256 must be 64 hexadecimal digits": self.weights is None
            or re.fullmatch("[0-9a-f]{64}", self.weights.sha256) is not None,
        }
        for rule, holds in checks.items():
            if not holds:
                raise BadModel(f"model card: {rule}")

    def __repr__(self) -> str:
        size = self.input
        scale = f" of {size.pixel_scale:g} arcsec" if size.pixel_scale else ""
        scores = "".join(f"; {item.name} {item.value:.4g}" for item in self.metrics[:1])
        return (
            f"ModelCard({self.name!r}: {self.kind} of {', '.join(self.classes)}; "
            f"{size.channels} x {size.height} x {size.width} pixels{scale}, {size.values}{scores})"
        )

    @property
    def channels(self) -> int:
        """Channels of the preprocessed images, which the network takes."""
        channels: int = self.network.get("in_channels", self.input.channels)
        return channels

    def unsuitable(self, shape: tuple[int, ...]) -> str | None:
        """Why an image of this (C, H, W) shape does not suit the model, or None when it does.

        Larger images are suitable where the declared preprocessing crops or resizes them; nothing
        else changes their size.
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
        BadModel: If there is no card or it does not keep to the schema.
    """
    path = own_file(folder, CARD_FILE)
    plain = read_yaml(path, BadModel)
    try:
        card: ModelCard = from_plain(ModelCard, plain, "card")
    except BadModel as error:
        raise BadModel(f"{path}: {error}") from error
    if card.weights is None:
        raise BadModel(f"{path}: card lacks the key 'weights'")
    return card


def own_file(folder: Path, name: str) -> Path:
    """A file of a model folder, which must not be a link to somewhere else.

    In the cache of the Hugging Face hub files are links into the folder `blobs` of the same model.

    Raises:
        BadModel: If it is a link that leads out of the folder.
    """
    path = folder / name
    try:
        home, target = folder.resolve(), path.resolve()
    except (OSError, RuntimeError, ValueError):  # a circle of links, or no name of a file
        raise BadModel(f"{path} cannot be read: it leads nowhere") from None
    if home.parent.name == "snapshots":
        home = home.parents[1]
    if not target.is_relative_to(home):
        raise BadModel(f"{path} is a link to a place outside the model folder; copy the file there")
    return path


def check_card(card: ModelCard) -> None:
    """Make sure that a card can be read again once it is written.

    Raises:
        BadModel: If it cannot, for example because a number is not finite.
    """
    from_plain(ModelCard, to_plain(card), "card")


def check_name(name: str) -> None:
    """Make sure that a model can have this name.

    Raises:
        BadModel: If it holds anything but letters, digits and .-_, or begins with . or -.
    """
    if not _is_plain_name(name):
        raise BadModel(f"--name must consist of letters, digits and .-_, not {name!r}")


def write_card(folder: Path, card: ModelCard) -> None:
    """Write a card as `card.yaml` into an existing folder.

    Raises:
        BadModel: If it could not be read again.
    """
    check_card(card)
    text = dump_yaml(to_plain(card), width=100)
    with atomic_file(folder / CARD_FILE) as temporary:
        temporary.write_text(text, encoding="utf-8")


def record_metrics(folder: Path, metrics: Sequence[Metric]) -> ModelCard:
    """Put measured numbers into the card of a model folder.

    They replace the numbers of the same name on the same data and come after all others.
    """
    card = load_card(folder)
    new = {(item.name, item.data) for item in metrics}
    kept = [item for item in card.metrics if (item.name, item.data) not in new]
    card = replace(card, metrics=(*kept, *metrics))
    write_card(folder, card)
    return card


def _can_be_folder(name: str) -> bool:
    """Whether a class can be the name of a folder: images of a class are written into one."""
    return (
        0 < len(name) <= _LONGEST_NAME
        and name.isprintable()
        and not name.startswith(".")
        and not set(name) & set("/\\")
    )


def _is_plain_name(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name) is not None
