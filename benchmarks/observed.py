"""A classifier on images that were not simulated here: of the benchmark, of others, of telescopes.

    python benchmarks/observed.py --model default

Labelled images of the benchmark Common Test I and of DeepLenseSim, source by source, and images
that belong to no class of the model: those of the generator test, the lenses of 2021, telescope
images. They are read from DARKLENS_SHARED_DATA, or from `../shared/data` next to the repository.
The tables go to `benchmarks/results/observed_MODEL.md`.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
import csv
import datetime
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.io import fits
from PIL import Image

from darklens.classify import Classifier
from darklens.cutouts import central_cutout
from darklens.data.containers import transformed
from darklens.errors import BadInput
from darklens.evaluate.classifier.stress.answers import Answers, answers_to, joined
from darklens.evaluate.classifier.stress.scores import score_answers
from darklens.evaluate.classifier.stress.tables import (
    NOTES,
    WITH_TRUTH,
    WITHOUT_TRUTH,
    shown_table,
)
from darklens.hub import card_of, load_classifier
from darklens.simulation import Simulator
from darklens.train.cards import machine_name

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
CLASSES = ("no", "sphere", "vort")
FILES_FROM = "coderpheonix/ML4Sci_DeepLense_GSoC (files)"
SEED = 1_000_003
BATCH = 50
COLUMNS = WITH_TRUTH | {"familiarity_auc": WITHOUT_TRUTH["familiarity_auc"]}
FIT = ("fit", "chi_square", "set", "familiarity")


@dataclass(frozen=True)
class Labelled:
    """Images (n, 1, h, w) with their classes, -1 for none, and the source of each."""

    images: np.ndarray
    labels: np.ndarray
    sources: list[str]


def common_test_1(shared: Path) -> Iterator[Labelled]:
    """The benchmark's files, and the images recovered from published figures."""
    for label, name in enumerate(CLASSES):
        files = sorted((shared / "common_test_1" / name).glob("*.npy"))
        images = np.stack([np.load(file) for file in files])
        yield Labelled(images, np.full(len(files), label), [FILES_FROM] * len(files))
    folder = shared / "common_test_1_figures"
    with (folder / "sources.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for label, name in enumerate(CLASSES):
        images = np.load(folder / f"{name}.npz")["images"]
        named = {int(row["index"]): row["repository"] for row in rows if row["label"] == name}
        sources = [named[index] for index in range(len(images))]
        yield Labelled(images, np.full(len(images), label), sources)


def deeplensesim(shared: Path) -> Iterator[Labelled]:
    """Images that DeepLenseSim's own code made, Model I."""
    for label, name in enumerate(CLASSES):
        images = np.load(shared / "deeplensesim_model1" / f"{name}.npz")["images"][:, None]
        yield Labelled(images, np.full(len(images), label), ["DeepLenseSim, Model I"] * len(images))


def lenses_2021(shared: Path, count: int) -> np.ndarray:
    """The first JPEGs of the data set of 2021, the same number of each class."""
    found: dict[str, list[np.ndarray]] = {"no_sub": [], "sub": []}
    with tarfile.open(shared / "lenses_2021" / "train.tar") as archive:
        for member in archive:
            kept = found.get(Path(member.name).parent.name)
            file = archive.extractfile(member) if kept is not None else None
            if kept is None or file is None or len(kept) >= count // 2:
                continue
            kept.append(np.asarray(Image.open(BytesIO(file.read())).convert("L")))
            if all(len(images) >= count // 2 for images in found.values()):
                break
    return np.stack([*found["no_sub"], *found["sub"]])[:, None]


def telescope_images(shared: Path, side: int) -> Iterator[tuple[str, np.ndarray]]:
    """Every telescope image with its name, prepared in three ways for a model of `side` pixels."""
    for path in sorted((shared / "telescope").rglob("*.fits")):
        if path.stem in ("psf", "noise_map"):
            continue
        with fits.open(path) as file:
            for part in file:
                if part.data is None or part.name.endswith(("_PSF", "_RMS")):
                    continue
                pixels = np.ascontiguousarray(part.data, dtype=np.float32)
                name = f"{path.parent.name} {part.name if len(file) > 1 else ''}".strip()
                cut = np.ascontiguousarray(central_cutout(pixels, side))[None]
                whole = np.asarray(Image.fromarray(pixels).resize((side, side)))[None]
                yield f"{name}, centre", cut
                yield f"{name}, centre, 8 bits", transformed(cut, {"integers": 8})
                yield f"{name}, resized", whole


def answered(classifier: Classifier, images: np.ndarray, labels: np.ndarray) -> Answers:
    """Answers to images of one type, in batches."""
    parts = [slice(first, first + BATCH) for first in range(0, len(images), BATCH)]
    return joined([answers_to(classifier, images[part], labels[part]) for part in parts])


def scored(
    name: str, answers: Answers, classes: tuple[str, ...], own: Answers
) -> dict[str, object]:
    """One row of a table."""
    return {"shift": name, **asdict(score_answers(answers, classes, own.familiarity))}


def labelled_rows(
    title: str, parts: list[Labelled], classifier: Classifier, own: Answers
) -> list[dict[str, object]]:
    """Scores of all images of a set, of its files and its figures, and of each source."""
    answers = [answered(classifier, part.images, part.labels) for part in parts]
    together = joined(answers)
    sources = np.array([source for part in parts for source in part.sources])
    groups = {f"{title}: all": np.ones(len(sources), bool)}
    if len(set(sources)) > 1:
        groups |= {f"{title}: figures": sources != FILES_FROM}
        groups |= {f"- {name}": sources == name for name in sorted(set(sources))}
    return [
        scored(name, selected(together, chosen), classifier.classes, own)
        for name, chosen in groups.items()
    ]


def selected(answers: Answers, chosen: np.ndarray) -> Answers:
    """The answers to some of the images."""
    return Answers(
        answers.labels[chosen],
        answers.probabilities[chosen],
        answers.answered[chosen],
        None if answers.in_set is None else answers.in_set[chosen],
        None if answers.familiarity is None else answers.familiarity[chosen],
    )


def telescope_table(classifier: Classifier, shared: Path, side: int) -> list[str]:
    """The model's answer for each telescope image."""
    rows = []
    for name, image in telescope_images(shared, side):
        try:
            row = classifier.predict(image[None]).iloc[0]
        except BadInput as error:
            rows.append([name, f"refused: {error}", None, *[None] * len(FIT)])
            continue
        most = max(float(row[f"p_{label}"]) for label in classifier.classes)
        rows.append([name, row["label"], most, *(row.get(column) for column in FIT)])
    head = ["image", "label", "highest probability", *FIT]
    lines = [head, ["---"] * len(head), *([cell(value) for value in row] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def cell(value: object) -> str:
    """A value as text."""
    if isinstance(value, str):
        return value.replace("|", ", ")
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "-" if value is None or pd.isna(value) else f"{value:.3f}"


def measure(classifier: Classifier, shared: Path, count: int) -> list[str]:
    """All tables."""
    card = card_of(classifier)
    preset = card.training.preset or "common-test-1"
    fresh = Simulator(preset).simulate(count, seed=SEED)
    own = answered(classifier, fresh.images, fresh.labels)
    labelled = [scored(f"new simulations of {preset}", own, classifier.classes, own)]
    sets = {
        "Common Test I": list(common_test_1(shared)),
        "DeepLenseSim": list(deeplensesim(shared)),
    }
    for title, parts in sets.items():
        labelled += labelled_rows(title, parts, classifier, own)
    others = {
        "generator test, figures": np.load(shared / "diffusion_test_figures.npz")["images"],
        "lenses of 2021": lenses_2021(shared, count),
    }
    unlabelled = []
    for name, images in others.items():
        answers = answered(classifier, images, np.full(len(images), -1))
        unlabelled.append(scored(name, answers, classifier.classes, own))
    return [
        shown_table("", pd.DataFrame(labelled), COLUMNS).markdown(),
        "",
        shown_table("", pd.DataFrame(unlabelled), WITHOUT_TRUTH).markdown(),
        "",
        *telescope_table(classifier, shared, card.input.height),
        "",
        NOTES,
    ]


def main() -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="default")
    parser.add_argument("--count", type=int, default=300, help="simulations, and lenses of 2021")
    parser.add_argument("--device", default="cpu")
    chosen = parser.parse_args()
    shared = Path(os.environ.get("DARKLENS_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not shared.is_dir():
        sys.exit(f"no real images at {shared}; set DARKLENS_SHARED_DATA")
    classifier = load_classifier(chosen.model, chosen.device)
    name = card_of(classifier).name
    command = " ".join(["python benchmarks/observed.py", *sys.argv[1:]])
    lines = [
        f"# Images that were not simulated here: {name}",
        "",
        f"{machine_name()}, {datetime.date.today()}, `{command}`.",
        "",
        "No shipped model was trained on any image below. The priors of `common-test-1` were "
        "chosen with the images of Common Test I in view, those of every source.",
        "",
        *measure(classifier, shared, chosen.count),
    ]
    text = "\n".join(lines) + "\n"
    (RESULTS / f"observed_{name}.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
