"""`darklens train generator`: train a network that makes new lenses and write a model folder.

A run has a folder: `config.yaml`, logs, checkpoints, `previews/`, and at the end `model/`, which
`load_generator` reads. A stopped run continues with `--resume`.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from darklens.atomic import atomic_file
from darklens.cli.coded import CodedImages, encoded
from darklens.cli.data_check import DataNeeds
from darklens.cli.progress import say
from darklens.cli.training_data import DataOptions, TrainingData, training_data
from darklens.cli.training_run import (
    CardOptions,
    carry_out,
    command_line,
    input_card,
    open_run,
    training_card,
)
from darklens.data import Augmentation, LensDataModule, Preprocessing, undo_preprocessing
from darklens.diffusion import (
    ComponentSpace,
    DiffusersConfig,
    DiscreteDiffusion,
    Generator,
    GeneratorNetwork,
    GeneratorTask,
    Previews,
    build_generator,
    generator_spec,
)
from darklens.errors import BadConfig, BadModel
from darklens.evaluate import grid_picture, write_picture
from darklens.hub import Metric, ModelCard, OutputCard, model_preprocessing, save_model
from darklens.hub.output import build_restore
from darklens.nn import Budget, OptimiserConfig, RunConfig, is_first_process

__all__ = ["generator"]

_ADVICE = (
    "recipes/generator-reference-scaled.yaml is for images from 0 to 1,"
    " recipes/generator-reference.yaml for grey levels from 0 to 255; for others change the affine"
    " step and --data.value-range together, or set --normalise true"
)
_LEAST_CONTRAST = 0.05
_PREVIEWED = 16
_MEASURED = 1024

DATA = DataOptions()
NETWORK = {"name": "components"}
TRAINING = OptimiserConfig(average_decay=0.999)
AUGMENTATION = Augmentation(flips=False, rotations=False)
BUDGET = Budget()
RUN = RunConfig(monitor="val_loss", mode="min")
CARD = CardOptions(description="A generator of lens images.")
IMAGES = OutputCard(values="those of the training images")


def generator(
    *,
    name: str = "generator",
    data: DataOptions = DATA,
    preprocessing: Sequence[dict[str, Any]] = (),
    normalise: bool = False,
    network: dict[str, Any] = NETWORK,
    training: OptimiserConfig = TRAINING,
    augmentation: Augmentation = AUGMENTATION,
    budget: Budget = BUDGET,
    run: RunConfig = RUN,
    images: OutputCard = IMAGES,
    card: CardOptions = CARD,
    preview_epochs: int = 5,
    preview_steps: int = 50,
    trainer: dict[str, Any] | None = None,
    output: Path | None = None,
    resume: bool = False,
    seed: int = 0,
    quiet: bool = False,
) -> None:
    """Train a generator and write it as a model folder.

    Args:
        name: Name of the model.
        data: Training data: a folder, a store, or a simulation preset.
        preprocessing: Steps from a raw image to the network's values, each {step: {parameters}};
            generated images go the same way back.
        normalise: Measure mean and scale of the data and add the step that makes them 0 and 1.
        network: Name and settings of the network, as build_generator takes them.
        training: Optimiser, learning rates and moving average.
        augmentation: Random changes of the training images that leave them as likely. A network of
            components takes flips alone, along both axes.
        budget: When training ends.
        run: Checkpoints, early stopping.
        images: What becomes of generated images: unit, limits, photon noise.
        card: Words for the model's card.
        preview_epochs: Epochs between two pictures of 16 generated images; 0 draws none.
        preview_steps: Steps of the sampler for these pictures.
        trainer: Further arguments of Lightning's Trainer, such as devices or gradient_clip_val.
        output: Folder of the run; runs/NAME by default.
        resume: Continue the run in that folder where it stopped.
        seed: Seed of the weights, the order of the images and the noise.
        quiet: Show no progress.
    """
    settings = dict(locals())
    folder = open_run(name, output, resume=resume, seed=seed)
    quiet = quiet or not is_first_process()
    steps = model_preprocessing(preprocessing)
    undo_preprocessing(steps.spec)  # what cannot be undone shows at once
    started = time.monotonic()
    parts = training_data(data, steps, folder, needs=_needs(images), quiet=quiet)
    left = parts.preprocessing  # of prepared images none is left to do
    if normalise:
        last = _normalising(left, parts)
        steps, left = _then(steps, last), _then(left, last)
    _check_prepared(left, parts)
    net = _network(network, parts, left)
    if preview_epochs < 0:
        raise BadConfig("preview_epochs must be at least 0")
    net.check_steps(preview_steps)
    if net.space is None and data.expected and data.prepared_images:
        raise BadConfig("expected images are prepared for a network of components only")
    budget.check_ends()  # before the images are encoded
    if net.space is not None:
        parts, augmentation = _coded(net.space, parts, left, data, augmentation, folder, quiet)
        left = parts.preprocessing
    preparation = time.monotonic() - started
    task = GeneratorTask(net, training, budget=budget, seed=seed)

    def model_card(command: str, metrics: tuple[Metric, ...] = ()) -> ModelCard:
        return ModelCard(
            name=name,
            kind="generator",
            description=card.description,
            classes=parts.val.classes,
            input=input_card(parts, card),
            preprocessing=tuple(steps.spec),
            network=generator_spec(net),
            output=images,
            training=training_card(name, task, data, command=command, preparation=preparation),
            licence=card.licence,
            metrics=metrics,
        )

    restore = build_restore(model_card(""))
    module = LensDataModule(
        parts.train,
        left,
        val=parts.val,
        augmentation=augmentation,
        batch_size=data.batch_size,
        workers=0 if data.prepared_images or net.space is not None else data.workers,
        seed=seed,
        images_per_epoch=data.epoch_images,
        check_leaks=False,  # training_data has checked all parts, before they were encoded
    )

    def draw(followed: GeneratorNetwork, epochs: int) -> None:
        shown = Generator(followed, parts.val.classes, restore, device=str(task.device))
        try:
            made = shown.generate(_PREVIEWED, steps=preview_steps, seed=seed)
        except BadModel as error:  # the training may recover, and keeps its best weights
            say(f"no preview after epoch {epochs}: {error}", quiet=quiet)
            return
        path = folder / "previews" / f"epoch-{epochs:04d}.png"
        with atomic_file(path) as temporary:
            write_picture(temporary, grid_picture(made.images, columns=4))

    if not carry_out(
        task,
        module,
        folder,
        verb="train generator",
        settings=settings,
        run=run,
        trainer=trainer,
        quiet=quiet,
        callbacks=[Previews(draw, every_epochs=preview_epochs)] if preview_epochs else [],
    ):
        return
    command = command_line("train generator", folder)
    best = task.best_network
    plain = isinstance(best, DiscreteDiffusion) and isinstance(best.config, DiffusersConfig)
    write_more = best.save_diffusers if plain and isinstance(best, DiscreteDiffusion) else None
    save_model(folder / "model", best, model_card(command), write_more=write_more)
    say(f"model: {folder / 'model'}", quiet=quiet)


def _needs(images: OutputCard) -> DataNeeds:
    """What the data must be; the limits of the generated images tell those of the genuine ones."""
    low, high = images.minimum, images.maximum
    known = None if low is None or high is None else (low * images.unit, high * images.unit)
    return DataNeeds(classes=1, value_range=known, advice=_ADVICE)


def _coded(
    space: ComponentSpace,
    parts: TrainingData,
    left: Preprocessing,
    data: DataOptions,
    augmentation: Augmentation,
    folder: Path,
    quiet: bool,
) -> tuple[TrainingData, Augmentation]:
    """The data as codes, and what of the augmentation is still to be done: nothing."""
    if augmentation.rotations or augmentation.shifts:
        raise BadConfig("a network of components takes flips, but neither rotations nor shifts")
    if data.preset is not None and data.prepared_images < 1:
        raise BadConfig("--data.prepared-images: say how many simulations are to be encoded")
    source = {
        "path": None if data.path is None else str(data.path),
        "preset": data.preset,
        "expected": data.expected,
        "seeds": [data.split_seed, data.stream_seed, data.validation_seed],
        "folds": data.folds,
        "fold": data.fold,
        "validation_images": data.validation_images,
        "preprocessing": list(left.spec),
        "space": [space.grid, len(space.basis), space.whitening],
    }
    wanted = CodedImages(data.prepared_images, augmentation.flips, source)
    parts = replace(parts, preprocessing=left)
    path = folder / "prepared" / "codes.npz"
    return encoded(parts, space, wanted, path, quiet=quiet), AUGMENTATION


def _normalising(left: Preprocessing, parts: TrainingData) -> dict[str, dict[str, float]]:
    """The step that gives the data zero mean and unit scale, behind those that are left to do."""
    values = _prepared_sample(left, parts, _MEASURED)
    mean, scale = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    if not scale > 0:
        raise BadConfig("normalise: all pixels of the data are the same")
    return {"affine": {"scale": float(f"{1 / scale:.6g}"), "shift": float(f"{-mean / scale:.6g}")}}


def _check_prepared(left: Preprocessing, parts: TrainingData) -> None:
    """Refuse a preprocessing that leaves nothing to be seen, such as that of other values."""
    values = _prepared_sample(left, parts, _PREVIEWED)
    low, high = float(values.min()), float(values.max())
    if high - low < _LEAST_CONTRAST:
        raise BadConfig(
            f"after the preprocessing all pixels lie between {low:.5g} and {high:.5g}, where the"
            f" network sees nothing: it is made for other values. {_ADVICE}"
        )


def _prepared_sample(
    left: Preprocessing, parts: TrainingData, most: int
) -> Float32[np.ndarray, "n c h w"]:
    """Some images, evenly from all of the validation set, as the network gets them."""
    count = min(len(parts.val), most)
    chosen = np.linspace(0, len(parts.val) - 1, count).astype(np.int64)
    sample: Float32[np.ndarray, "n c h w"] = left.batch(parts.val.images(chosen))
    return sample


def _then(steps: Preprocessing, last: dict[str, dict[str, float]]) -> Preprocessing:
    return model_preprocessing([*steps.spec, last])


def _network(spec: dict[str, Any], parts: TrainingData, left: Preprocessing) -> GeneratorNetwork:
    """The network for the data, whose images must have its size."""
    shape = left.batch(parts.val.images([0])).shape[1:]
    net = build_generator(spec, channels=shape[0], classes=len(parts.val.classes))
    if shape != net.shape:
        sizes = [" x ".join(map(str, item)) for item in (shape, net.shape)]
        raise BadConfig(
            f"the data are {sizes[0]} after preprocessing, but the network makes {sizes[1]}: "
            "change --network.size, or resize or crop"
        )
    return net
