"""The settings of every training run, and its starting point."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from darklens.data import Augmentation
from darklens.errors import BadInput
from darklens.files.remote import shown_path, url_of
from darklens.hub import InitialModel, check_name, initial_model
from darklens.nn import Budget, OptimiserConfig, RunConfig, is_first_process
from darklens.progress import say
from darklens.train.data_options import DataOptions

__all__ = ["CardOptions", "RunSettings", "Start", "resolved", "starting_point"]


@dataclass(frozen=True)
class CardOptions:
    """Entries of the model's card that the run itself does not know.

    Attributes:
        description: What the model is, in a sentence or two.
        values: Meaning of the pixel values of the raw images.
        pixel_scale: Pixel scale [arcsec], unless a preset gives it.
        licence: Licence of the weights.
    """

    description: str = "A model of lens images."
    values: str = "counts"
    pixel_scale: float | None = None
    licence: str = "MIT"


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """The arguments that `train_classifier` and `train_generator` share; they describe each.

    Attributes:
        KIND: Kind of model.
    """

    KIND: ClassVar[Literal["classifier", "generator"]]

    name: str
    data: DataOptions
    preprocessing: Sequence[dict[str, Any]] | None
    network: dict[str, Any] | None
    training: OptimiserConfig
    augmentation: Augmentation
    budget: Budget
    run: RunConfig
    card: CardOptions
    init: str | None
    trainer: dict[str, Any] | None
    output: Path | None
    resume: bool
    seed: int
    quiet: bool

    @property
    def verb(self) -> str:
        """Words after `darklens` that start such a run on the command line."""
        return f"train {self.KIND}"

    @property
    def folder(self) -> Path:
        """Folder of the run.

        Raises:
            BadModel: If a model cannot have this name.
            BadInput: If the folder is at a URL, where no run can keep its checkpoints.
        """
        check_name(self.name)
        if self.output is not None and (url := url_of(self.output)) is not None:
            raise BadInput(
                f"--output {url}: a run keeps its checkpoints on this machine; give a folder here,"
                " and copy its folder model when it is done"
            )
        return Path("runs") / self.name if self.output is None else self.output


@dataclass(frozen=True)
class Start:
    """The starting point of a training.

    Attributes:
        network: Name and settings of the network.
        preprocessing: Steps from a raw image to the network's input.
        model: The model whose weights it starts from, if any.
    """

    network: dict[str, Any]
    preprocessing: list[dict[str, Any]]
    model: InitialModel | None = None


def starting_point(
    settings: RunSettings,
    *,
    network: Mapping[str, Any],
    preprocessing: Sequence[dict[str, Any]] = (),
) -> Start:
    """The starting point given by the settings, the model in `init` and these defaults.

    Args:
        settings: The settings of the run.
        network: Default network; settings without a name change it.
        preprocessing: Default preprocessing.

    Raises:
        BadModel: If the model in `init` is missing, damaged or of another kind.
    """
    model = None if settings.init is None else initial_model(settings.init, settings.KIND)
    if model is not None:
        network, preprocessing = model.network, model.card.preprocessing
    if settings.preprocessing is not None:
        preprocessing = settings.preprocessing
    given = settings.network or {}
    return Start(
        dict(given) if "name" in given else {**network, **given}, list(preprocessing), model
    )


Settings = TypeVar("Settings", bound=RunSettings)


def resolved(settings: Settings, start: Start) -> Settings:
    """The settings with the network, the preprocessing and the data that the run actually uses.

    Raises:
        BadConfig: If the options of the data contradict each other.
    """
    data = settings.data.resolved()
    if data.path is not None and settings.data.presets and not data.presets:
        place = shown_path(data.path)
        words = f"training on {place} alone; --data.mix adds the simulations of the recipe"
        say(words, quiet=settings.quiet or not is_first_process())
    network, preprocessing = start.network, start.preprocessing
    return replace(settings, data=data, network=network, preprocessing=preprocessing)
