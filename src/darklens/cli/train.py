"""`darklens train classifier`: train a network and write a model folder.

A run has a folder: `config.yaml`, logs, checkpoints, and at the end `model/`, which
`load_classifier` reads. A stopped run continues with `--resume`.
"""

import time
from collections.abc import Sequence
from functools import partial
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
from darklens.cli.folds import cross_validate
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
from darklens.data import (
    Augmentation,
    ImageDataset,
    LensDataModule,
    Preprocessing,
)
from darklens.hub import Metric, ModelCard, TrainingCard, model_preprocessing, save_model
from darklens.metrics import accuracy, bootstrap_interval, fit_temperature, macro_auc
from darklens.nn import Budget, RunConfig, can_resume, is_first_process

__all__ = ["classifier"]

_READ_AT_ONCE = 256


DATA = DataOptions()
NETWORK = {"name": "backbone"}
TRAINING = TrainingConfig()
AUGMENTATION = Augmentation()
BUDGET = Budget()
RUN = RunConfig()
CARD = CardOptions(description="A classifier of dark-matter substructure in lens images.")


def classifier(
    *,
    name: str = "classifier",
    data: DataOptions = DATA,
    preprocessing: Sequence[dict[str, Any]] = ({"min_max": {}},),
    network: dict[str, Any] = NETWORK,
    training: TrainingConfig = TRAINING,
    augmentation: Augmentation = AUGMENTATION,
    budget: Budget = BUDGET,
    run: RunConfig = RUN,
    card: CardOptions = CARD,
    pretrained: bool | Path | None = None,
    trainer: dict[str, Any] | None = None,
    output: Path | None = None,
    resume: bool = False,
    seed: int = 0,
    quiet: bool = False,
) -> None:
    """Train a classifier and write it as a model folder.

    Args:
        name: Name of the model.
        data: Training data: a folder, a store, or a simulation preset.
        preprocessing: Steps from a raw image to the network's input, each {step: {parameters}}.
        network: Name and settings of the network, as build_network takes them.
        training: Optimiser, learning rates and loss.
        augmentation: Random changes of the training images that keep their class.
        budget: When training ends.
        run: Checkpoints, early stopping.
        card: Words for the model's card.
        pretrained: Start from ImageNet weights: true for the local cache or the hub, or a file.
        trainer: Further arguments of Lightning's Trainer, such as devices or gradient_clip_val.
        output: Folder of the run; runs/NAME by default.
        resume: Continue the run in that folder where it stopped.
        seed: Seed of the weights, the order of the images and the dropout.
        quiet: Show no progress.
    """
    settings = dict(locals())
    if data.fold == "all":
        cross_validate(classifier, settings, verb="train classifier")
        return
    folder = open_run(name, output, resume=resume, seed=seed)
    quiet = quiet or not is_first_process()
    steps = model_preprocessing(preprocessing)
    started = time.monotonic()
    parts = training_data(data, steps, folder, quiet=quiet)
    preparation = time.monotonic() - started
    net = _network(network, parts, pretrained)
    started = time.monotonic()
    if net.smooth_images and not can_resume(folder):  # a checkpoint holds what is found here
        say(f"looking at {net.smooth_images} smooth lenses", quiet=quiet)
        count, classes = net.smooth_images, len(parts.val.classes)
        net.fit_smooth(_smooth_images(parts, count, classes))
    prepared = time.monotonic() - started
    task = ClassifierTask(net, training, budget=budget, seed=seed, seconds=prepared)
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
    if not carry_out(
        task,
        module,
        folder,
        verb="train classifier",
        settings=settings,
        run=run,
        trainer=trainer,
        quiet=quiet,
    ):
        return
    command = command_line("train classifier", folder)
    made = training_card(name, task, data, command=command, preparation=preparation)
    model = _model_card(name, task, parts, steps, card, made)
    written = save_model(folder / "model", task.best_network, model)
    for metric in written.metrics:
        say(f"{metric.name} {metric.value:.4f} on {metric.data}", quiet=quiet)
    say(f"model: {folder / 'model'}", quiet=quiet)


def _network(
    spec: dict[str, Any], parts: TrainingData, pretrained: bool | Path | None
) -> ClassifierNetwork:
    """The network for the data, tried on one image so that what does not fit shows at once."""
    image = torch.from_numpy(parts.preprocessing.batch(parts.val.images([0])))
    net = build_network(spec, in_channels=image.shape[1], classes=len(parts.val.classes))
    if pretrained:
        load_imagenet(net, None if pretrained is True else pretrained)
    with torch.inference_mode():
        net.eval().logits(image)
    net.train()
    return net


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


def _model_card(
    name: str,
    task: ClassifierTask,
    parts: TrainingData,
    steps: Preprocessing,
    words: CardOptions,
    made: TrainingCard,
) -> ModelCard:
    """The card of the trained model, with its temperature and, if there is a test part, scores."""
    classes = parts.val.classes
    classifier = Classifier(task.best_network, classes, parts.preprocessing)
    temperature = fit_temperature(_logits(classifier, parts.val), parts.val.labels)
    channels = parts.shape[0]
    prepared = parts.preprocessing.batch(parts.val.images([0])).shape[1]
    network = network_spec(task.best_network)
    return ModelCard(
        name=name,
        kind="classifier",
        description=words.description,
        classes=classes,
        input=input_card(parts, words),
        preprocessing=tuple(steps.spec),
        network=network if prepared == channels else {**network, "in_channels": prepared},
        temperature=round(temperature, 4),
        training=made,
        licence=words.licence,
        metrics=() if parts.test is None else _scores(classifier, parts.test, made.command),
    )


def _scores(classifier: Classifier, test: ImageDataset, command: str) -> tuple[Metric, ...]:
    """Accuracy and macro AUC on the test part, with 95 % bootstrap intervals."""
    logits = torch.from_numpy(_logits(classifier, test))
    probabilities = logits.softmax(dim=1).numpy()
    where = f"test part of the training data, {len(test)} images"
    metrics = []
    for name, function in (("accuracy", accuracy), ("macro_auc", macro_auc)):
        interval = bootstrap_interval(partial(function, test.labels, probabilities), test.labels)
        numbers = (float(interval.value), float(interval.low), float(interval.high))
        metrics.append(Metric(name, *numbers, data=where, command=command))
    return tuple(metrics)


def _logits(classifier: Classifier, dataset: ImageDataset) -> np.ndarray:
    """Logits of a whole data set, read in pieces."""
    starts = range(0, len(dataset), _READ_AT_ONCE)
    pieces = [slice(start, start + _READ_AT_ONCE) for start in starts]
    return np.concatenate([classifier.logits(dataset.images(piece)) for piece in pieces])
