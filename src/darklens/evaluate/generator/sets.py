"""The sets of images of one evaluation of a generator: real, generated, training."""

from dataclasses import dataclass
from pathlib import Path

from darklens.data import open_images, stratified_folds
from darklens.diffusion import SamplingOptions
from darklens.errors import BadInput
from darklens.evaluate import ImageStream, stream_dataset, stream_generator, stream_simulations
from darklens.hub import ModelCard, card_of, load_generator
from darklens.simulation import Simulator

__all__ = ["EvaluatedSets", "SetOptions"]

_SIMULATIONS = 3000


@dataclass(frozen=True)
class SetOptions:
    """What is compared with what; the arguments of `darklens evaluate generator` of these names."""

    model: str | None = None
    generated: Path | None = None
    data: Path | None = None
    split: str | None = None
    folds: int | None = None
    split_seed: int = 0
    preset: str | None = None
    count: int | None = None
    seed: int = 1_000_003
    expected: bool = False
    training: Path | None = None
    steps: int | None = None
    guidance: float = 1.0
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if (self.model is None) == (self.generated is None):
            raise BadInput("give either --model NAME or --generated PATH")
        if (self.data is None) == (self.preset is None):
            raise BadInput("give either --data PATH or --preset NAME")
        if self.folds is not None and self.data is None:
            raise BadInput("--folds divides --data: give both")


@dataclass(frozen=True)
class EvaluatedSets:
    """The sets of one evaluation.

    Attributes:
        real: Real images.
        generated: Generated images, as many.
        training: Training images, if they are there.
        card: The model's card, if there is a model.
    """

    real: ImageStream
    generated: ImageStream
    training: ImageStream | None
    card: ModelCard | None

    @classmethod
    def open(cls, options: SetOptions) -> "EvaluatedSets":
        """Open what the options name, without reading images.

        Raises:
            DarklensError: If something is missing or does not fit.
        """
        folder = open_images(options.generated) if options.generated is not None else None
        count = options.count
        if folder is not None:
            count = min(count or len(folder), len(folder))
        real, training = _real(options, count)
        if options.training is not None:
            dataset = open_images(options.training)
            training = stream_dataset(dataset, options.training.name, seed=options.seed)
        if folder is None or options.generated is None:
            made, card = _from_model(str(options.model), options, real)
            return cls(real, made, training, card)
        made = stream_dataset(
            folder,
            options.generated.name,
            count=len(real),
            classes=real.classes,
            seed=options.seed,
        )
        return cls(real, made, training, None)

    def parts(self) -> dict[str, ImageStream]:
        """The sets by their names, the real one first."""
        found = {"real": self.real, "generated": self.generated}
        return found if self.training is None else {**found, "training": self.training}


def _real(options: SetOptions, count: int | None) -> tuple[ImageStream, ImageStream | None]:
    """Real images, and the training images where the data are divided."""
    if options.data is not None:
        return _from_data(options.data, options, count)
    preset = str(options.preset)
    simulator = Simulator(preset)
    if options.expected:
        simulator = simulator.expectation()
    kind = "expected counts of" if options.expected else "fresh"
    words = f"{kind} simulations of {Path(preset).name}, seed {options.seed}"
    count = count or _SIMULATIONS
    return stream_simulations(simulator, words, count=count, seed=options.seed), None


def _from_data(
    path: Path, options: SetOptions, count: int | None
) -> tuple[ImageStream, ImageStream | None]:
    """The images of a folder or store, or the fold that its training keeps out and the rest."""
    dataset = open_images(path, options.split)
    words = path.name + (f", {options.split}" if options.split else "")
    if options.folds is None:
        return stream_dataset(dataset, words, count=count, seed=options.seed), None
    rest, kept = stratified_folds(dataset, options.folds, seed=options.split_seed)[0]
    real = f"{words}, one of {options.folds} folds"
    return (
        stream_dataset(kept, real, count=count, seed=options.seed),
        stream_dataset(rest, f"{words}, the other folds", seed=options.seed),
    )


def _from_model(name: str, options: SetOptions, real: ImageStream) -> tuple[ImageStream, ModelCard]:
    """Images that a model will make, of the classes of the real ones."""
    model = load_generator(name, options.device)
    card = card_of(model)
    if options.expected and (card.output is None or card.output.noise == "none"):
        raise BadInput(f"--expected: the model '{card.name}' adds no photon noise")
    seed = (options.seed + 1) % 2**64  # not the photon noise of the simulations
    sampling = SamplingOptions(options.steps, options.guidance, seed, expected=options.expected)
    steps = model.steps(sampling)
    made = stream_generator(
        model,
        f"{card.name}, {steps} steps, guidance {options.guidance:g}, seed {seed}",
        real.labels,
        real.classes,
        sampling,
    )
    return made, card
