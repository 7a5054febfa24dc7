"""The image sets in the evaluation of a generator: real, generated, training."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from darklens.data import open_images, stratified_folds
from darklens.diffusion import SamplingOptions
from darklens.errors import BadInput
from darklens.evaluate import ImageSet, generated_image_set, read_image_set, simulated_image_set
from darklens.files.remote import fetched
from darklens.hub import ModelCard, TrainingCard, card_of, load_generator
from darklens.simulation import Simulator, preset_names

__all__ = ["EvaluatedSets", "SetOptions", "sets_here"]

_SIMULATIONS = 3000
_NEUTRAL = (
    3000  # simulated training images whose neutral features are computed, which takes longest
)


@dataclass(frozen=True)
class SetOptions:
    """The sets to compare; see the arguments of `darklens evaluate generator`."""

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
    training_count: int | None = None
    steps: int | None = None
    guidance: float = 1.0
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Refuse contradictory options."""
        if (self.model is None) == (self.generated is None):
            raise BadInput("give either --model NAME or --generated PATH")
        if (self.data is None) == (self.preset is None):
            raise BadInput("give either --data PATH or --preset NAME")
        if self.training_count is not None and self.training_count < 1:
            raise BadInput("--training-count must be at least 1")
        if self.folds is not None and self.data is None:
            raise BadInput("--folds splits --data: give both")


@contextmanager
def sets_here(options: SetOptions) -> Iterator[SetOptions]:
    """The options with images at URLs on this machine; the copies are removed at the end.

    Raises:
        BadInput: If there is nothing at a URL, or it cannot be read.
    """
    with ExitStack() as held:

        def here(path: Path | None) -> Path | None:
            return None if path is None else held.enter_context(fetched(path))

        yield replace(
            options,
            generated=here(options.generated),
            data=here(options.data),
            training=here(options.training),
        )


@dataclass(frozen=True)
class EvaluatedSets:
    """The sets of one evaluation.

    Attributes:
        real: Real images.
        generated: The same number of generated images.
        training: Training images, if available.
        card: The model's card, if there is a model.
        neutral_limit: Number of training images whose neutral features are computed; None for all.
    """

    real: ImageSet
    generated: ImageSet
    training: ImageSet | None
    card: ModelCard | None
    neutral_limit: int | None = None

    @classmethod
    def open(cls, options: SetOptions) -> "EvaluatedSets":
        """Open the sets without reading images.

        Raises:
            DarklensError: If something is missing or does not match.
        """
        folder = open_images(options.generated) if options.generated is not None else None
        count = options.count
        if folder is not None:
            count = min(count or len(folder), len(folder))
        real, training = _real(options, count)
        if options.training is not None:
            dataset = open_images(options.training)
            training = read_image_set(
                dataset, options.training.name, count=options.training_count, seed=options.seed
            )
        if folder is None or options.generated is None:
            made, card = _from_model(str(options.model), options, real)
            if training is None and _learned_from(card, options.preset):
                return cls(real, made, _simulated_again(card.training, options), card, _NEUTRAL)
            return cls(real, made, training, card)
        made = read_image_set(
            folder,
            options.generated.name,
            count=len(real),
            classes=real.classes,
            seed=options.seed,
        )
        return cls(real, made, training, None)

    def parts(self) -> dict[str, ImageSet]:
        """The sets by name, the real one first."""
        found = {"real": self.real, "generated": self.generated}
        return found if self.training is None else {**found, "training": self.training}


def _real(options: SetOptions, count: int | None) -> tuple[ImageSet, ImageSet | None]:
    """Real images, and the training images if the data are split into folds."""
    if options.data is not None:
        return _from_data(options.data, options, count)
    preset = str(options.preset)
    simulator = Simulator(preset)
    if options.expected:
        simulator = simulator.expectation()
    kind = "expected counts of" if options.expected else "fresh"
    words = f"{kind} simulations of {Path(preset).name}, seed {options.seed}"
    count = count or _SIMULATIONS
    return simulated_image_set(simulator, words, count=count, seed=options.seed), None


def _from_data(
    path: Path, options: SetOptions, count: int | None
) -> tuple[ImageSet, ImageSet | None]:
    """The images of a folder or store, or the fold held out in training and the rest."""
    dataset = open_images(path, options.split)
    words = path.name + (f", {options.split}" if options.split else "")
    if options.folds is None:
        return read_image_set(dataset, words, count=count, seed=options.seed), None
    rest, kept = stratified_folds(dataset, options.folds, seed=options.split_seed)[0]
    real = f"{words}, one of {options.folds} folds"
    return (
        read_image_set(kept, real, count=count, seed=options.seed),
        read_image_set(
            rest, f"{words}, the other folds", count=options.training_count, seed=options.seed
        ),
    )


def _learned_from(card: ModelCard, preset: str | None) -> bool:
    """Whether a model learned from simulations of this preset that can be simulated again."""
    training = card.training
    known = training.simulations is not None and training.simulations_seed is not None
    return known and training.preset == preset and preset in preset_names()


def _simulated_again(training: TrainingCard, options: SetOptions) -> ImageSet:
    """The first of the simulations that a model learned from."""
    seed, total = training.simulations_seed or 0, training.simulations or 0
    if options.seed == seed:
        raise BadInput(f"--seed {seed} is that of the model's training images: give another")
    simulator = Simulator(str(options.preset))
    if options.expected:
        simulator = simulator.expectation()
    count = min(options.training_count or _SIMULATIONS, total)
    words = (
        f"the first {count:,} of the {total:,} simulations of {options.preset} that the model "
        f"learned from, seed {seed}, simulated again"
    )
    return simulated_image_set(simulator, words, count=count, seed=seed)


def _from_model(name: str, options: SetOptions, real: ImageSet) -> tuple[ImageSet, ModelCard]:
    """Images to be generated by a model, with the classes of the real ones."""
    model = load_generator(name, options.device)
    card = card_of(model)
    if options.expected and (card.output is None or card.output.noise == "none"):
        raise BadInput(f"--expected: the model '{card.name}' adds no photon noise")
    seed = (options.seed + 1) % 2**64  # different from the photon noise of the simulations
    sampling = SamplingOptions(options.steps, options.guidance, seed, expected=options.expected)
    steps = model.steps(sampling)
    made = generated_image_set(
        model,
        f"{card.name}, {steps} steps, guidance {options.guidance:g}, seed {seed}",
        real.labels,
        real.classes,
        sampling,
    )
    return made, card
