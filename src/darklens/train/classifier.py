"""Training of a classifier: `train_classifier`, which `darklens train classifier` calls."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from darklens.classify import (
    ClassifierNetwork,
    ClassifierTask,
    TrainingConfig,
    build_network,
    load_imagenet,
    network_spec,
)
from darklens.data import Augmentation, ImageDataset, Preprocessing
from darklens.errors import BadConfig
from darklens.hub import InitialModel, ModelCard, check_card, model_preprocessing
from darklens.nn import Budget, RunConfig, can_resume, freeze_up_to
from darklens.progress import say
from darklens.train.cards import model_card
from darklens.train.cross_validation import cross_validate
from darklens.train.data import TrainingData, training_data
from darklens.train.data_options import DataOptions
from darklens.train.results import CrossValidation, TrainedModel
from darklens.train.run import Run, open_run
from darklens.train.scores import absent_classes, save_measured
from darklens.train.settings import CardOptions, RunSettings, Start, resolved, starting_point

__all__ = ["ClassifierSettings", "train_classifier"]

_READ_AT_ONCE = 256

DATA = DataOptions()
NETWORK = {"name": "backbone"}
PREPROCESSING: tuple[dict[str, Any], ...] = ({"min_max": {}},)
TRAINING = TrainingConfig()
AUGMENTATION = Augmentation()
BUDGET = Budget()
RUN = RunConfig()
CARD = CardOptions(description="A classifier of dark-matter substructure in lens images.")


def train_classifier(
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
) -> TrainedModel | CrossValidation:
    """Train a classifier on files or on new simulations.

    Args:
        name: Name of the model.
        data: Training data: a folder, a store, the URL of one, or a simulation preset.
        preprocessing: Steps from a raw image to the network's input, each {step: {parameters}};
            by default those of the model in init, or min_max.
        network: Name and settings of the network, as for build_network; by default those of the
            model in init, or a timm backbone. Settings without a name change the default.
        training: Optimiser, learning rate and loss.
        augmentation: Random changes of the training images that keep their class.
        budget: When training ends.
        run: Checkpoints and early stopping.
        card: Description, licence and pixel scale for the model card.
        pretrained: Start from ImageNet weights: true for the local cache or the hub, or a file.
        init: Start from the weights of this model: name of a shipped model, or a model folder.
        freeze: Keep the backbone from init or pretrained fixed and train only what follows; or fix
            everything up to a named part, as in --freeze=backbone.layers.3.
        trainer: Further arguments of Lightning's Trainer, such as devices or gradient_clip_val.
        output: Folder of the run; runs/NAME by default.
        resume: Continue the run in that folder where it stopped.
        seed: Seed of the initial weights, the order of the images and the dropout.
        quiet: Show no progress.

    Returns:
        The model; for data.fold all the models of the cross-validation.
    """
    settings = ClassifierSettings(**locals())
    return cross_validate(_train, settings) if data.fold == "all" else _train(settings)


@dataclass(frozen=True, kw_only=True)
class ClassifierSettings(RunSettings):
    """The arguments of `train_classifier`.

    Raises:
        BadConfig: If they contradict each other.
    """

    KIND: ClassVar[Literal["classifier", "generator"]] = "classifier"

    training: TrainingConfig
    pretrained: bool | Path | None
    freeze: bool | str

    def __post_init__(self) -> None:
        """Check where the weights come from."""
        if self.freeze and not (self.init or self.pretrained):
            raise BadConfig("--freeze keeps existing weights: give --init or --pretrained as well")
        if self.init and self.pretrained:
            raise BadConfig("give either --init or --pretrained")


def _train(settings: ClassifierSettings, data_place: Path | None = None) -> TrainedModel:
    """Train one model, on images that may have been copied to a place on this machine."""
    with open_run(settings, ClassifierTask.METRICS, data_place) as run:
        start = starting_point(settings, network=NETWORK, preprocessing=PREPROCESSING)
        settings = resolved(settings, start)
        steps = model_preprocessing(start.preprocessing)
        began = time.monotonic()
        data = training_data(
            settings.data, steps, run.folder, place=run.data_place, quiet=run.quiet
        )
        preparation = time.monotonic() - began
        _check_monitor(settings.run, data)
        task = _task(settings, start, data, run)

        def card() -> ModelCard:
            return _card(settings, task, data, steps, preparation)

        check_card(card())  # before the training: what no card can hold is an error now
        if not run.train(settings, task, data, augmentation=settings.augmentation):
            return TrainedModel(run.folder / "model", card())
        return _save(run, task, data, card(), start.model)


def _check_monitor(run: RunConfig, data: TrainingData) -> None:
    """Refuse to select the best weights by an AUC that is not defined."""
    absent = absent_classes(data.val)
    if run.monitor == "val_auc" and absent:
        raise BadConfig(
            "--run.monitor: val_auc is not defined, because the validation images lack the class "
            f"{absent[0]}; use val_accuracy or val_loss"
        )


def _task(
    settings: ClassifierSettings, start: Start, data: TrainingData, run: Run
) -> ClassifierTask:
    """The network, with the weights it starts from, and its training."""
    network = _network(settings, start, data, run)
    freeze, frozen = settings.freeze, []
    if freeze:
        frozen = freeze_up_to(network, "backbone" if freeze is True else freeze)
    seconds = 0.0 if start.model is not None else _fit_smooth(network, data, run)
    return ClassifierTask(
        network,
        settings.training,
        budget=settings.budget,
        seed=settings.seed,
        seconds=seconds,
        frozen=frozen,
    )


def _network(
    settings: ClassifierSettings, start: Start, data: TrainingData, run: Run
) -> ClassifierNetwork:
    """The network for the data, built for the size of the first image."""
    image = torch.from_numpy(data.preprocessing.batch(data.val.images([0])))
    size = (int(image.shape[2]), int(image.shape[3]))
    classes = data.val.classes
    network = build_network(
        start.network, in_channels=image.shape[1], classes=len(classes), size=size
    )
    if settings.pretrained:
        load_imagenet(network, None if settings.pretrained is True else settings.pretrained)
    if start.model is not None:
        new_layer = start.model.load_into(network, classes)
        if new_layer is not None:
            say(new_layer, quiet=run.quiet)
    return network


def _fit_smooth(network: ClassifierNetwork, data: TrainingData, run: Run) -> float:
    """Show the network smooth lenses if it needs them; the time this took [s]."""
    began = time.monotonic()
    if network.smooth_images and not can_resume(run.folder):  # a checkpoint holds the result
        say(f"looking at {network.smooth_images} smooth lenses", quiet=run.quiet)
        network.fit_smooth(_smooth_images(data, network.smooth_images))
    return time.monotonic() - began


def _smooth_images(data: TrainingData, count: int) -> torch.Tensor:
    """The first images of the first class of the training data, preprocessed."""
    train, steps = data.train, data.preprocessing
    if isinstance(train, ImageDataset):
        indices = np.flatnonzero(train.labels == 0)[:count]
        images = [
            train.images(indices[i : i + _READ_AT_ONCE])
            for i in range(0, len(indices), _READ_AT_ONCE)
        ]
        return torch.from_numpy(np.concatenate([steps.batch(batch) for batch in images]))
    stride = len(data.val.classes)  # image i of the stream is of class i % classes
    smooth = (steps(image) for image, _ in train(0, stride))
    return torch.from_numpy(np.stack(list(islice(smooth, count))))


def _card(
    settings: ClassifierSettings,
    task: ClassifierTask,
    data: TrainingData,
    steps: Preprocessing,
    preparation: float,
) -> ModelCard:
    """The card of the model, before it is tested."""
    network = network_spec(task.best_network)
    channels = data.preprocessing.batch(data.val.images([0])).shape[1]
    if channels != data.shape[0]:
        network["in_channels"] = channels
    return model_card(
        settings, task, data, preprocessing=steps, network=network, preparation=preparation
    )


def _save(
    run: Run, task: ClassifierTask, data: TrainingData, card: ModelCard, model: InitialModel | None
) -> TrainedModel:
    """Write and test the model; one that has not seen an image keeps its temperature."""
    same = model is not None and not task.images_seen and model.card.classes == card.classes
    if model is not None and same:
        card = replace(card, temperature=model.card.temperature)
    return save_measured(
        run.folder / "model", task.best_network, card, data, calibrate=not same, quiet=run.quiet
    )
