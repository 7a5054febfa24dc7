"""`darklens train classifier`: train a network and write a model folder.

A run has a folder: `config.yaml`, logs, checkpoints, and at the end `model/`, which
`load_classifier` reads. A stopped run continues with `--resume`.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from darklens.classify import (
    Classifier,
    ClassifierNetwork,
    ClassifierTask,
    TrainingConfig,
    build_network,
    load_imagenet,
    network_spec,
)
from darklens.data import Augmentation, ImageDataset, LensDataModule, Preprocessing
from darklens.errors import BadConfig, DarklensError
from darklens.hub import (
    InitialModel,
    ModelCard,
    TrainingCard,
    check_card,
    initial_model,
    model_preprocessing,
    save_model,
    write_card,
)
from darklens.nn import Budget, RunConfig, can_resume, freeze_up_to
from darklens.progress import say
from darklens.train.cross_validation import cross_validate
from darklens.train.data import DataOptions, TrainingData, training_data
from darklens.train.run import (
    CardOptions,
    Run,
    command_line,
    input_card,
    open_run,
    training_card,
)
from darklens.train.scores import absent_classes, fitted_temperature, measured_scores

__all__ = ["classifier"]

_READ_AT_ONCE = 256


DATA = DataOptions()
NETWORK = {"name": "backbone"}
PREPROCESSING: tuple[dict[str, Any], ...] = ({"min_max": {}},)
TRAINING = TrainingConfig()
AUGMENTATION = Augmentation()
BUDGET = Budget()
RUN = RunConfig()
CARD = CardOptions(description="A classifier of dark-matter substructure in lens images.")


def classifier(
    *,
    name: str = "classifier",
    data: DataOptions = DATA,
    preprocessing: Sequence[dict[str, Any]] | None = None,
    network: dict[str, Any] | None = None,
    training: TrainingConfig = TRAINING,
    augmentation: Augmentation = AUGMENTATION,
    budget: Budget = BUDGET,
    run: RunConfig = RUN,
    card: CardOptions = CARD,
    pretrained: bool | Path | None = None,
    init: str | None = None,
    freeze: bool | str = False,
    trainer: dict[str, Any] | None = None,
    output: Path | None = None,
    resume: bool = False,
    seed: int = 0,
    quiet: bool = False,
) -> int:
    """Train a classifier and write it as a model folder.

    Args:
        name: Name of the model.
        data: Training data: a folder, a store, or a simulation preset.
        preprocessing: Steps from a raw image to the network's input, each {step: {parameters}};
            that of the model in init, or min_max, by default.
        network: Name and settings of the network, as build_network takes them; that of the model
            in init, or a backbone of timm, by default. Settings without a name change the default.
        training: Optimiser, learning rates and loss.
        augmentation: Random changes of the training images that keep their class.
        budget: When training ends.
        run: Checkpoints, early stopping.
        card: Words for the model's card.
        pretrained: Start from ImageNet weights: true for the local cache or the hub, or a file.
        init: Start from the weights of this model: a shipped one by its name, or a model folder.
        freeze: Keep the backbone as it is in init or pretrained and train what follows it; or keep
            all parts up to a named one, as in --freeze=backbone.layers.3.
        trainer: Further arguments of Lightning's Trainer, such as devices or gradient_clip_val.
        output: Folder of the run; runs/NAME by default.
        resume: Continue the run in that folder where it stopped.
        seed: Seed of the weights, the order of the images and the dropout.
        quiet: Show no progress.

    Returns:
        Exit code: 1 if the model is written, but could not be measured on all of its images.
    """
    settings = dict(locals())
    if data.fold == "all":
        return cross_validate(classifier, settings, verb="train classifier")
    if freeze and not (init or pretrained):
        raise BadConfig("--freeze keeps weights that are there: give --init or --pretrained too")
    if init and pretrained:
        raise BadConfig("give either --init or --pretrained")
    with open_run("train classifier", settings, ClassifierTask.METRICS) as opened:
        begin = None if init is None else initial_model(init, "classifier")
        settings |= {"network": _network_of(network, begin)}
        settings |= {"preprocessing": _steps_of(preprocessing, begin)}
        steps = model_preprocessing(settings["preprocessing"])
        started = time.monotonic()
        parts = training_data(data, steps, opened.folder, quiet=opened.quiet)
        preparation = time.monotonic() - started
        _check_monitor(run, parts)
        net = _network(settings["network"], parts, pretrained, begin, opened)
        frozen = freeze_up_to(net, "backbone" if freeze is True else freeze) if freeze else []
        prepared = 0.0 if begin is not None else _look_at_smooth_lenses(net, parts, opened)
        task = ClassifierTask(
            net, training, budget=budget, seed=seed, seconds=prepared, frozen=frozen
        )

        def described() -> ModelCard:
            command = command_line("train classifier", opened.folder)
            made = training_card(
                name, task, data, command=command, preparation=preparation, init=init
            )
            return _model_card(name, task, parts, steps, card, made)

        check_card(described())  # what no card can hold shows before the training
        module = LensDataModule(
            parts.train,
            parts.preprocessing,
            val=parts.val,
            augmentation=augmentation,
            batch_size=data.batch_size,
            workers=0 if data.prepared_images else data.workers,
            seed=seed,
            images_per_epoch=data.epoch_images,
            check_leaks=False,  # training_data has checked all parts
        )
        if not opened.train(task, module):
            return 0
        return _write(opened, task, parts, described(), begin)


def _network_of(given: dict[str, Any] | None, begin: InitialModel | None) -> dict[str, Any]:
    """Name and settings of the network; those without a name change the default."""
    usual = NETWORK if begin is None else begin.network
    return dict(given) if given and "name" in given else {**usual, **(given or {})}


def _steps_of(
    given: Sequence[dict[str, Any]] | None, begin: InitialModel | None
) -> list[dict[str, Any]]:
    usual = PREPROCESSING if begin is None else begin.card.preprocessing
    return list(usual if given is None else given)


def _check_monitor(run: RunConfig, parts: TrainingData) -> None:
    """Refuse to choose the best weights by an AUC that is not defined."""
    absent = absent_classes(parts.val)
    if run.monitor == "val_auc" and absent:
        raise BadConfig(
            "--run.monitor: val_auc is not defined, for the validation images lack the class "
            f"{absent[0]}; take val_accuracy or val_loss"
        )


def _network(
    spec: dict[str, Any],
    parts: TrainingData,
    pretrained: bool | Path | None,
    begin: InitialModel | None,
    opened: Run,
) -> ClassifierNetwork:
    """The network for the data, tried on one image so that what does not fit shows at once."""
    image = torch.from_numpy(parts.preprocessing.batch(parts.val.images([0])))
    size = (int(image.shape[2]), int(image.shape[3]))
    net = build_network(spec, in_channels=image.shape[1], classes=len(parts.val.classes), size=size)
    if pretrained:
        load_imagenet(net, None if pretrained is True else pretrained)
    if begin is not None:
        afresh = begin.load_into(net, parts.val.classes)
        if afresh is not None:
            say(afresh, quiet=opened.quiet)
    return net


def _look_at_smooth_lenses(net: ClassifierNetwork, parts: TrainingData, opened: Run) -> float:
    """Show the network smooth lenses if it wants to see some; the time that this took [s]."""
    started = time.monotonic()
    if net.smooth_images and not can_resume(opened.folder):  # a checkpoint holds what is found
        say(f"looking at {net.smooth_images} smooth lenses", quiet=opened.quiet)
        net.fit_smooth(_smooth_images(parts, net.smooth_images, len(parts.val.classes)))
    return time.monotonic() - started


def _smooth_images(parts: TrainingData, count: int, classes: int) -> torch.Tensor:
    """The first images of the first class of the training data, preprocessed."""
    train, steps = parts.train, parts.preprocessing
    if isinstance(train, ImageDataset):
        indices = np.flatnonzero(train.labels == 0)[:count]
        images = [
            train.images(indices[i : i + _READ_AT_ONCE])
            for i in range(0, len(indices), _READ_AT_ONCE)
        ]
        return torch.from_numpy(np.concatenate([steps.batch(batch) for batch in images]))
    smooth = (steps(image) for image, _ in train(0, classes))  # label i of the stream: i % classes
    return torch.from_numpy(np.stack(list(islice(smooth, count))))


def _write(
    opened: Run,
    task: ClassifierTask,
    parts: TrainingData,
    card: ModelCard,
    begin: InitialModel | None,
) -> int:
    """Write the model, then its temperature and, if there is a test part, its scores."""
    folder = opened.folder / "model"
    untouched = begin is not None and not task.images_seen and begin.card.classes == card.classes
    if begin is not None and untouched:
        card = replace(card, temperature=begin.card.temperature)
    card = save_model(folder, task.best_network, card)
    classifier = Classifier(task.best_network, card.classes, parts.preprocessing)
    code = 0
    try:
        if not untouched:
            card = replace(card, temperature=fitted_temperature(classifier, parts.val, say))
            write_card(folder, card)
        if parts.test is None:
            say("no test scores: the data have no test part", quiet=opened.quiet)
        else:
            scores = measured_scores(
                classifier, parts.test, command=card.training.command, report=say
            )
            card = replace(card, metrics=scores)
            write_card(folder, card)
    except DarklensError as error:
        say(f"the model is written, but could not be measured: {' '.join(str(error).split())}")
        code = 1
    for metric in card.metrics:
        say(f"{metric.name} {metric.value:.4f} on {metric.data}", quiet=opened.quiet)
    say(f"model: {folder}", quiet=opened.quiet)
    return code


def _model_card(
    name: str,
    task: ClassifierTask,
    parts: TrainingData,
    steps: Preprocessing,
    words: CardOptions,
    made: TrainingCard,
) -> ModelCard:
    """The card of the trained model, before it is measured."""
    prepared = parts.preprocessing.batch(parts.val.images([0])).shape[1]
    network = network_spec(task.best_network)
    return ModelCard(
        name=name,
        kind="classifier",
        description=words.description,
        classes=parts.val.classes,
        input=input_card(parts, words),
        preprocessing=tuple(steps.spec),
        network=network if prepared == parts.shape[0] else {**network, "in_channels": prepared},
        training=made,
        licence=words.licence,
    )
