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
from darklens.display import grid_picture, write_picture
from darklens.errors import BadConfig, BadModel
from darklens.files.atomic import atomic_file
from darklens.hub import (
    InitialModel,
    ModelCard,
    OutputCard,
    check_card,
    initial_model,
    model_preprocessing,
    save_model,
)
from darklens.hub.output import build_restore
from darklens.nn import Budget, OptimiserConfig, RunConfig
from darklens.progress import say
from darklens.train.data import DataOptions, TrainingData, training_data
from darklens.train.data_check import DataNeeds
from darklens.train.latents import LatentImages, encode_data
from darklens.train.run import (
    CardOptions,
    Run,
    command_line,
    input_card,
    open_run,
    training_card,
)

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
) -> None:
    """Train a generator and write it as a model folder.

    Args:
        name: Name of the model.
        data: Training data: a folder, a store, or a simulation preset.
        preprocessing: Steps from a raw image to the network's values, each {step: {parameters}};
            generated images go the same way back. That of the model in init, or none, by default.
        normalise: Measure mean and scale of the data and add the step that makes them 0 and 1.
        network: Name and settings of the network, as build_generator takes them; that of the model
            in init, or one of components, by default. Settings without a name change the default.
        training: Optimiser, learning rates and moving average.
        augmentation: Random changes of the training images that leave them as likely. A network of
            components takes flips alone, along both axes.
        budget: When training ends.
        run: Checkpoints, early stopping.
        images: What becomes of generated images: unit, limits, photon noise; as for the model in
            init by default.
        card: Words for the model's card.
        preview_epochs: Epochs between two pictures of 16 generated images; 0 draws none.
        preview_steps: Steps of the sampler for these pictures.
        init: Start from the weights of this model: a shipped one by its name, or a model folder.
        trainer: Further arguments of Lightning's Trainer, such as devices or gradient_clip_val.
        output: Folder of the run; runs/NAME by default.
        resume: Continue the run in that folder where it stopped.
        seed: Seed of the weights, the order of the images and the noise.
        quiet: Show no progress.
    """
    settings = dict(locals())
    if preview_epochs < 0:
        raise BadConfig("preview_epochs must be at least 0")
    if init and normalise and preprocessing is None:
        raise BadConfig("--normalise: the values of the model in --init are normalised already")
    with open_run("train generator", settings, GeneratorTask.METRICS) as opened:
        begin = None if init is None else initial_model(init, "generator")
        settings |= _beginning(network, preprocessing, images, begin)
        images = settings["images"]
        steps = model_preprocessing(settings["preprocessing"])
        undo_preprocessing(steps.spec)  # what cannot be undone shows at once
        started = time.monotonic()
        parts = training_data(data, steps, opened.folder, needs=_needs(images), quiet=opened.quiet)
        left = parts.preprocessing  # of prepared images none is left to do
        if normalise:
            last = _normalising(left, parts)
            steps, left = _then(steps, last), _then(left, last)
        _check_prepared(left, parts)
        net = _network(settings["network"], parts, left, begin)
        net.check_steps(preview_steps)
        if net.space is None and data.expected and data.prepared_images:
            raise BadConfig("expected images are prepared for a network of components only")
        if net.space is not None:
            parts, augmentation = _coded(net.space, parts, left, data, augmentation, opened, begin)
            left = parts.preprocessing
        preparation = time.monotonic() - started
        task = GeneratorTask(net, training, budget=budget, seed=seed)

        def model_card() -> ModelCard:
            command = command_line("train generator", opened.folder)
            return ModelCard(
                name=name,
                kind="generator",
                description=card.description,
                classes=parts.val.classes,
                input=input_card(parts, card),
                preprocessing=tuple(steps.spec),
                network=generator_spec(net),
                output=images,
                training=training_card(
                    name, task, data, command=command, preparation=preparation, init=init
                ),
                licence=card.licence,
            )

        check_card(model_card())  # what no card can hold shows before the training
        restore = build_restore(model_card())
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
                say(f"no preview after epoch {epochs}: {error}", quiet=opened.quiet)
                return
            path = opened.folder / "previews" / f"epoch-{epochs:04d}.png"
            with atomic_file(path) as temporary:
                write_picture(temporary, grid_picture(made.images, columns=4))

        previews = [Previews(draw, every_epochs=preview_epochs)] if preview_epochs else []
        if opened.train(task, module, previews):
            _write(opened, task.best_network, model_card())


def _beginning(
    network: dict[str, Any] | None,
    preprocessing: Sequence[dict[str, Any]] | None,
    images: OutputCard,
    begin: InitialModel | None,
) -> dict[str, Any]:
    """Settings that the model in init decides where the command line and the recipe do not."""
    usual = NETWORK if begin is None else begin.network
    steps = () if begin is None else begin.card.preprocessing
    if begin is not None and begin.card.output is not None and images == IMAGES:
        images = begin.card.output
    return {
        "network": network if network and "name" in network else {**usual, **(network or {})},
        "preprocessing": list(steps if preprocessing is None else preprocessing),
        "images": images,
    }


def _write(opened: Run, best: GeneratorNetwork, card: ModelCard) -> None:
    """Write the model folder, and for plain networks of diffusers what that library reads."""
    plain = isinstance(best, DiscreteDiffusion) and isinstance(best.config, DiffusersConfig)
    write_more = best.save_diffusers if plain and isinstance(best, DiscreteDiffusion) else None
    save_model(opened.folder / "model", best, card, write_more=write_more)
    say(f"model: {opened.folder / 'model'}", quiet=opened.quiet)


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
    opened: Run,
    begin: InitialModel | None,
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
    if begin is not None and begin.card.weights is not None:
        source["init"] = begin.card.weights.sha256
    wanted = LatentImages(data.prepared_images, augmentation.flips, source)
    parts = replace(parts, preprocessing=left)
    path = opened.folder / "prepared" / "codes.npz"
    known = begin is not None
    return encode_data(parts, space, wanted, path, known=known, quiet=opened.quiet), AUGMENTATION


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


def _network(
    spec: dict[str, Any], parts: TrainingData, left: Preprocessing, begin: InitialModel | None
) -> GeneratorNetwork:
    """The network for the data, whose images must have its size."""
    shape = left.batch(parts.val.images([0])).shape[1:]
    net = build_generator(spec, channels=shape[0], classes=len(parts.val.classes))
    if shape != net.shape:
        sizes = [" x ".join(map(str, item)) for item in (shape, net.shape)]
        raise BadConfig(
            f"the data are {sizes[0]} after preprocessing, but the network makes {sizes[1]}: "
            "change --network.size, or resize or crop"
        )
    if begin is not None:
        begin.load_into(net, parts.val.classes)
    return net
