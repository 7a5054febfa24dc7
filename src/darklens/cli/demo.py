"""`darklens demo`: a few lenses simulated, generated, classified and shown, in a minute."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from darklens.classify import Classifier
from darklens.data import ImageDataset, open_dataset
from darklens.errors import BadInput, BadModel
from darklens.evaluate import (
    LabelledImages,
    LensCard,
    LensSection,
    SimulatedImages,
    classify_images,
    demo_report,
    lens_card,
)
from darklens.files.atomic import atomic_folder
from darklens.files.configuration import own_folder, write_configuration
from darklens.files.places import check_folder
from darklens.hub import ModelCard, find_model, load_card, load_classifier, load_generator
from darklens.progress import say
from darklens.simulation import Simulator

__all__ = ["demo"]

_DEMO = own_folder("demo", ["report.html"])
_GENUINE = "common_test_1"


def demo(
    *,
    output: Path = Path("demo"),
    model: str = "default",
    generator: str = "common-test-1",
    count: int = 12,
    generated: int = 16,
    seed: int = 2_000_003,
    genuine: Path | None = None,
    device: str = "cpu",
    quiet: bool = False,
) -> None:
    """Simulate and generate a few lenses, classify them and genuine images, write a report.

    Args:
        output: Folder to write; an earlier demo there is replaced.
        model: Name of a shipped model, path of a model folder, or owner/name on the hub.
        generator: The model that makes new lenses, given as `model` is.
        count: Number of lenses to simulate.
        generated: Number of lenses to generate; 0 generates none.
        seed: Seed of the simulations and of the generated lenses.
        genuine: Folder of genuine images in the DeepLense layout. By default common_test_1 in
            the folder that the environment variable DARKLENS_SHARED_DATA names, where it exists.
        device: Torch device, such as cpu or cuda.
        quiet: Show no progress.
    """
    settings = dict(locals())
    if count < 1 or generated < 0:
        raise BadInput("--count must be at least 1, and --generated at least 0")
    check_folder(output, replaces=_DEMO)
    genuine = genuine or _shared_images()
    folder = find_model(model)
    card = load_card(folder)
    preset = card.training.preset
    if preset is None:
        raise BadModel(f"the model '{card.name}' names no simulation preset to demonstrate it on")
    classifier = load_classifier(folder, device)
    maker = load_generator(generator, device) if generated else None
    say(f"simulating {count} lenses of the preset '{preset}' and classifying them", quiet=quiet)
    simulated = SimulatedImages(Simulator(preset), count=count, seed=seed)
    sections = [
        LensSection(
            title="Simulated lenses",
            note=f"Fresh simulations of the preset {preset}, seed {seed}.",
            lenses=_classified(simulated, classifier, card),
        )
    ]
    if maker is not None:
        say(f"generating {generated} lenses with '{generator}' and classifying them", quiet=quiet)
        made = maker.generate(generated, seed=seed)
        images = ImageDataset.from_arrays(made.images, made.labels, classes=maker.classes)
        sections.append(
            LensSection(
                title="Generated lenses",
                note=f"Made from noise by the model {generator}, seed {seed}; true is the class "
                "that it was asked for. A classifier that fits the smooth lens sees departures of "
                "a tenth of the noise, and mostly takes a generator's for subhalos.",
                lenses=_classified(images, classifier, card),
            )
        )
    if genuine is not None:
        say(f"classifying the images in {genuine}", quiet=quiet)
        sections.append(
            LensSection(
                title="Genuine images",
                note=f"Images of the folder {genuine.name}; the folders in it name the classes.",
                lenses=_classified(open_dataset(genuine), classifier, card),
            )
        )
    with atomic_folder(output, replaces=_DEMO) as temporary:
        html = demo_report(card.name, sections)
        (temporary / "report.html").write_text(html, encoding="utf-8")
        write_configuration(temporary / "config.yaml", "demo", settings)
    for section in sections:
        print("\n".join([section.title, *_table(section.lenses, card.classes), ""]))
    print(f"report: {output / 'report.html'}")


def _shared_images() -> Path | None:
    """Genuine images at their usual place, if they are there."""
    root = os.environ.get("DARKLENS_SHARED_DATA")
    folder = Path(root) / _GENUINE if root else None
    return folder if folder is not None and folder.is_dir() else None


def _classified(images: LabelledImages, classifier: Classifier, card: ModelCard) -> list[LensCard]:
    """Every image with its prediction and true class."""
    probabilities = classify_images(classifier, card, images)
    truth = np.asarray(images.classes)[images.labels]
    return [
        lens_card(
            images[index][0],
            probabilities[index],
            card.classes,
            name=images.ids[index],
            truth=str(truth[index]),
        )
        for index in range(len(images))
    ]


def _table(lenses: Iterable[LensCard], classes: tuple[str, ...]) -> list[str]:
    """Lines of the table on the terminal, with the share of right answers below."""
    lenses = list(lenses)
    head = f"  {'true':<8}{'predicted':<11}" + "".join(f"p_{name:<8}" for name in classes)
    rows = [
        f"  {lens.truth:<8}{lens.label:<11}"
        + "".join(f"{lens.probabilities[name]:<10.3f}" for name in classes)
        for lens in lenses
    ]
    right = sum(lens.label == lens.truth for lens in lenses)
    return [head.rstrip(), *(row.rstrip() for row in rows), f"  {right} of {len(lenses)} right"]
