"""A one-minute demonstration: a few lenses are simulated, generated, classified and shown."""

import os
from pathlib import Path

import numpy as np

from darklens.classify import Classifier
from darklens.data import ImageDataset, open_dataset
from darklens.diffusion import Generator
from darklens.errors import BadInput, BadModel
from darklens.evaluate import (
    LabelledImages,
    LensCard,
    LensSection,
    SimulatedImages,
    answer_images,
    demo_report,
    lens_card,
)
from darklens.files.atomic import atomic_folder
from darklens.files.configuration import own_folder, write_configuration
from darklens.files.places import check_folder
from darklens.hub import card_of, load_classifier, load_generator
from darklens.progress import say
from darklens.simulation import Simulator

__all__ = ["demo"]

_DEMO = own_folder("demo", ["report.html"])
_SHARED = "common_test_1"


def demo(
    *,
    output: Path = Path("demo"),
    model: str = "default",
    generator: str = "common-test-1",
    count: int = 12,
    generated: int = 16,
    seed: int = 2_000_003,
    real: Path | None = None,
    device: str = "cpu",
    quiet: bool = False,
) -> list[LensSection]:
    """Simulate and generate a few lenses, classify them and real images, and write a report.

    Args:
        output: Folder to write; an earlier demo there is replaced.
        model: Name of a shipped model, path of a model folder, or owner/name on the hub.
        generator: The generator, named in the same way.
        count: Number of lenses to simulate.
        generated: Number of lenses to generate; 0 generates none.
        seed: Seed of the simulations and of the generated lenses.
        real: Folder of real images in the DeepLense layout. By default common_test_1 in the
            folder that the environment variable DARKLENS_SHARED_DATA names, if it exists.
        device: Torch device, such as cpu or cuda.
        quiet: Show no progress.

    Returns:
        The sections of the report.

    Raises:
        BadInput: If an argument is out of range.
        BadModel: If a model cannot be loaded, or its card gives no preset.
    """
    settings = dict(locals())
    if count < 1 or generated < 0:
        raise BadInput("--count must be at least 1, and --generated at least 0")
    check_folder(output, replaces=_DEMO)
    real = real or _shared_images()
    classifier = load_classifier(model, device)
    card = card_of(classifier)
    if card.training.preset is None:
        raise BadModel(f"the model '{card.name}' gives no simulation preset for the demonstration")
    maker = load_generator(generator, device) if generated else None
    say(f"simulating {count} lenses of {card.training.preset} and classifying them", quiet=quiet)
    sections = [_simulated(classifier, card.training.preset, count, seed)]
    if maker is not None:
        say(f"generating {generated} lenses with '{generator}' and classifying them", quiet=quiet)
        sections.append(_generated(classifier, maker, generator, generated, seed))
    if real is not None:
        say(f"classifying the images in {real}", quiet=quiet)
        sections.append(_observed(classifier, real))
    with atomic_folder(output, replaces=_DEMO) as temporary:
        html = demo_report(card.name, sections)
        (temporary / "report.html").write_text(html, encoding="utf-8")
        write_configuration(temporary / "config.yaml", "demo", settings)
    return sections


def _simulated(classifier: Classifier, preset: str, count: int, seed: int) -> LensSection:
    return LensSection(
        title="Simulated lenses",
        note=f"Fresh simulations of the preset {preset}, seed {seed}.",
        lenses=_classified(SimulatedImages(Simulator(preset), count=count, seed=seed), classifier),
    )


def _generated(
    classifier: Classifier, maker: Generator, name: str, count: int, seed: int
) -> LensSection:
    made = maker.generate(count, seed=seed)
    images = ImageDataset.from_arrays(made.images, made.labels, classes=maker.classes)
    return LensSection(
        title="Generated lenses",
        note=f"Generated from noise by the model {name}, seed {seed}. The true class is the one "
        "requested.",
        lenses=_classified(images, classifier),
    )


def _observed(classifier: Classifier, folder: Path) -> LensSection:
    return LensSection(
        title="Observed images",
        note=f"Images from the folder {folder.name}; its subfolders give the true classes.",
        lenses=_classified(open_dataset(folder), classifier),
    )


def _shared_images() -> Path | None:
    """The default folder of real images, if it exists."""
    root = os.environ.get("DARKLENS_SHARED_DATA")
    folder = Path(root) / _SHARED if root else None
    return folder if folder is not None and folder.is_dir() else None


def _classified(images: LabelledImages, classifier: Classifier) -> list[LensCard]:
    """Report cards of all images, with prediction and true class."""
    answers = answer_images(classifier, images)
    truth = np.asarray(images.classes)[images.labels]
    return [
        lens_card(
            images[index][0],
            answers[index],
            classifier.classes,
            name=images.ids[index],
            truth=str(truth[index]),
        )
        for index in range(len(images))
    ]
