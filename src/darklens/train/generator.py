"""Training of a generator: `train_generator`, which `darklens train generator` calls."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from darklens.data import Augmentation, Preprocessing, undo_preprocessing
from darklens.diffusion import (
    ComponentSpace,
    DiffusersConfig,
    DiscreteDiffusion,
    GeneratorNetwork,
    GeneratorTask,
    LensAndMasses,
    Previews,
    build_generator,
    generator_spec,
)
from darklens.errors import BadConfig
from darklens.hub import ModelCard, OutputCard, check_card, model_preprocessing, save_model
from darklens.hub.output import build_restore
from darklens.nn import Budget, OptimiserConfig, RunConfig
from darklens.progress import say
from darklens.train.cards import model_card
from darklens.train.contrast import check_contrast, normalising_step, value_needs
from darklens.train.data import TrainingData, training_data
from darklens.train.data_options import DataOptions
from darklens.train.descriptions import describe_data
from darklens.train.latents import encode_data, latent_images
from darklens.train.previews import PreviewImages
from darklens.train.results import TrainedModel
from darklens.train.run import Run, open_run
from darklens.train.settings import CardOptions, RunSettings, Start, resolved, starting_point

__all__ = ["GeneratorSettings", "train_generator"]

DATA = DataOptions()
NETWORK = {"name": "components"}
TRAINING = OptimiserConfig(average_decay=0.999)
AUGMENTATION = Augmentation(flips=False, rotations=False)
BUDGET = Budget()
RUN = RunConfig(monitor="val_loss", mode="min")
CARD = CardOptions(description="A generator of lens images.")
IMAGES = OutputCard(values="those of the training images")


def train_generator(
    *,
    name: str = "generator",
    data: DataOptions = DATA,
    preprocessing: Sequence[dict[str, Any]] | None = None,
    normalise: bool = False,
    network: dict[str, Any] | None = None,
    training: OptimiserConfig = TRAINING,
    augmentation: Augmentation = AUGMENTATION,
    budget: Budget = BUDGET,
    run: RunConfig = RUN,
    images: OutputCard = IMAGES,
    card: CardOptions = CARD,
    preview_epochs: int = 5,
    preview_steps: int = 50,
    init: str | None = None,
    trainer: dict[str, Any] | None = None,
    output: Path | None = None,
    resume: bool = False,
    seed: int = 0,
    quiet: bool = False,
) -> TrainedModel:
    """Train a generator of lens images on files or on simulations.

    Args:
        name: Name of the model.
        data: Training data: a folder, a store, the URL of one, or a simulation preset.
        preprocessing: Steps from a raw image to the network's values, each {step: {parameters}},
            undone for generated images; by default those of the model in init, or none.
        normalise: Measure mean and standard deviation of the data and add the step that brings
            them to 0 and 1.
        network: Name and settings of the network, as for build_generator; by default those of the
            model in init, or a network of components. Settings without a name change the default.
        training: Optimiser, learning rate and moving average.
        augmentation: Random changes of the training images; for a network of components flips
            only, along both axes.
        budget: When training ends.
        run: Checkpoints and early stopping.
        images: Unit, limits and noise of generated images; by default those of the model in init.
        card: Description, licence and pixel scale for the model card.
        preview_epochs: Epochs between two previews of 16 generated images; 0 draws none.
        preview_steps: Steps of the sampler for the previews.
        init: Start from the weights of this model: name of a shipped model, or a model folder.
        trainer: Further arguments of Lightning's Trainer, such as devices or gradient_clip_val.
        output: Folder of the run; runs/NAME by default.
        resume: Continue the run in that folder where it stopped.
        seed: Seed of the initial weights, the order of the images and the noise.
        quiet: Show no progress.
    """
    return _train(GeneratorSettings(**locals()))


@dataclass(frozen=True, kw_only=True)
class GeneratorSettings(RunSettings):
    """The arguments of `train_generator`.

    Raises:
        BadConfig: If they contradict each other.
    """

    KIND: ClassVar[Literal["classifier", "generator"]] = "generator"

    normalise: bool
    images: OutputCard
    preview_epochs: int
    preview_steps: int

    def __post_init__(self) -> None:
        """Check the previews and the normalisation."""
        if self.preview_epochs < 0:
            raise BadConfig("preview_epochs must be at least 0")
        if self.init and self.normalise and self.preprocessing is None:
            raise BadConfig(
                "--normalise: the preprocessing of the model in --init normalises already"
            )


def _train(settings: GeneratorSettings) -> TrainedModel:
    """Train one model."""
    with open_run(settings, GeneratorTask.METRICS) as run:
        start = starting_point(settings, network=NETWORK)
        settings = replace(resolved(settings, start), images=_output(settings.images, start))
        began = time.monotonic()
        steps, data = _images(settings, start, run)
        network = _network(settings, start, data)
        data, augmentation = _for_network(network, settings, start, data, run)
        preparation = time.monotonic() - began
        task = GeneratorTask(network, settings.training, budget=settings.budget, seed=settings.seed)

        def card() -> ModelCard:
            return model_card(
                settings,
                task,
                data,
                preprocessing=steps,
                network=generator_spec(network),
                preparation=preparation,
                output=settings.images,
            )

        check_card(card())  # before the training: what no card can hold is an error now
        callbacks = _previews(settings, card(), run)
        done = run.train(settings, task, data, augmentation=augmentation, callbacks=callbacks)
        return _save(run, task, card()) if done else TrainedModel(run.folder / "model", card())


def _output(images: OutputCard, start: Start) -> OutputCard:
    """Final processing of generated images: that of the model in `init`, unless given."""
    model = start.model
    usual = None if model is None else model.card.output
    return usual if usual is not None and images == IMAGES else images


def _images(
    settings: GeneratorSettings, start: Start, run: Run
) -> tuple[Preprocessing, TrainingData]:
    """The whole preprocessing, and the images with the steps that are still to be applied."""
    steps = model_preprocessing(start.preprocessing)
    undo_preprocessing(steps.spec)  # a step that cannot be undone is an error now
    needs = value_needs(settings.images)
    data = training_data(
        settings.data, steps, run.folder, needs=needs, place=run.data_place, quiet=run.quiet
    )
    if settings.normalise:
        last = normalising_step(data)
        steps = model_preprocessing([*steps.spec, last])
        left = model_preprocessing([*data.preprocessing.spec, last])
        data = replace(data, preprocessing=left)
    check_contrast(data)
    return steps, data


def _network(settings: GeneratorSettings, start: Start, data: TrainingData) -> GeneratorNetwork:
    """The network for the data, whose images must have its size."""
    shape = data.preprocessing.batch(data.val.images([0])).shape[1:]
    network = build_generator(start.network, channels=shape[0], classes=len(data.val.classes))
    if shape != network.shape:
        sizes = [" x ".join(map(str, item)) for item in (shape, network.shape)]
        raise BadConfig(
            f"the data are {sizes[0]} after preprocessing, but the network makes {sizes[1]}: "
            "change --network.size, or resize or crop"
        )
    if start.model is not None:
        start.model.load_into(network, data.val.classes)
    network.check_steps(settings.preview_steps)
    return network


def _for_network(
    network: GeneratorNetwork,
    settings: GeneratorSettings,
    start: Start,
    data: TrainingData,
    run: Run,
) -> tuple[TrainingData, Augmentation]:
    """Training data of the network, images or latents, and the augmentation still to be applied."""
    options, augmentation = settings.data, settings.augmentation
    path = run.folder / "prepared" / "codes.npz"
    known = start.model is not None
    if isinstance(network, LensAndMasses):
        described = describe_data(
            data, network, options, augmentation, path, init=start.model, quiet=run.quiet
        )
        return described, AUGMENTATION
    if network.space is None:
        if options.expected and options.prepared_images:
            raise BadConfig("expected images are prepared for a network of components only")
        return data, augmentation
    assert isinstance(network.space, ComponentSpace)
    wanted = latent_images(options, augmentation, network.space, data, start.model)
    latents = encode_data(data, network.space, wanted, path, known=known, quiet=run.quiet)
    return latents, AUGMENTATION


def _previews(settings: GeneratorSettings, card: ModelCard, run: Run) -> list[Previews]:
    """The callback that draws previews, if requested."""
    restore = build_restore(card)
    if not settings.preview_epochs:
        return []
    draw = PreviewImages(
        run.folder, card.classes, restore, settings.preview_steps, settings.seed, run.quiet
    )
    return [Previews(draw, every_epochs=settings.preview_epochs)]


def _save(run: Run, task: GeneratorTask, card: ModelCard) -> TrainedModel:
    """Write the model folder; for diffusers networks also the files that diffusers reads."""
    best, folder = task.best_network, run.folder / "model"
    write_more = None
    if isinstance(best, DiscreteDiffusion) and isinstance(best.config, DiffusersConfig):
        write_more = best.save_diffusers
    card = save_model(folder, best, card, write_more=write_more)
    say(f"model: {folder}", quiet=run.quiet)
    return TrainedModel(folder, card)
