"""Evaluate a generator: generated images compared with real ones, and an HTML report."""

import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num

from darklens import __version__
from darklens.classify import Classifier
from darklens.display import write_picture
from darklens.errors import BadData, BadInput, NotComputed
from darklens.evaluate import (
    GeneratorScores,
    ImageSet,
    Measured,
    Measurer,
    Pixels,
    SummaryStatistics,
    closest_picture,
    common_pixels,
    frechet_figure,
    generator_report,
    images_picture,
    load_inception,
    load_neutral,
    physics_figure,
    score_generator,
    write_figure,
)
from darklens.evaluate.folder import EVALUATION
from darklens.evaluate.generator.comparison import share_interval
from darklens.evaluate.generator.features import Features
from darklens.evaluate.generator.inception import Inception
from darklens.evaluate.generator.protocols import (
    InceptionProtocol,
    check_counts,
    named_protocols,
)
from darklens.evaluate.generator.sets import EvaluatedSets, SetOptions, sets_here
from darklens.files.atomic import atomic_folder
from darklens.files.configuration import write_configuration
from darklens.files.places import check_folder
from darklens.hub import (
    Metric,
    find_model,
    load_card,
    load_classifier,
    record_metrics,
)
from darklens.hub.output import photon_noise
from darklens.progress import progress, say

__all__ = ["evaluate_generator"]

_PEEK = 32  # number of images that set the unit and the brightness bins


def evaluate_generator(
    *,
    model: str | None = None,
    generated: Path | None = None,
    data: Path | None = None,
    split: str | None = None,
    folds: int | None = None,
    split_seed: int = 0,
    preset: str | None = None,
    count: int | None = None,
    seed: int = 1_000_003,
    expected: bool = False,
    training: Path | None = None,
    training_count: int | None = None,
    steps: int | None = None,
    guidance: float = 1.0,
    classifier: str = "default-pixels",
    inception: Path | None = None,
    inception_protocol: str | None = None,
    splits: int = 5,
    per_class: int = 500,
    output: Path = Path("evaluation"),
    batch: int = 32,
    device: str = "cpu",
    record: bool = False,
    quiet: bool = False,
) -> GeneratorScores:
    """Evaluate a generator: distances to real images, tests, figures and an HTML report.

    Args:
        model: Name of a shipped model, path of a model folder, or owner/name on the hub.
        generated: Folder, store or stack of generated images, or its URL, instead of a model. A
            folder without class folders is one set of unknown class.
        data: Folder in the DeepLense layout or without class folders, store or stack of real
            images, or its URL.
        split: Part of the data, such as test; all of it by default.
        folds: Use as real images the fold held out in training with this many folds, and the
            rest as training images.
        split_seed: Seed of the split into folds, as in training.
        preset: Compare with new simulations of this preset (name or YAML file) instead of data.
        count: Number of images in each set. By default 3,000 simulations, or all images.
        seed: Seed of simulations, generated images, order and random splits.
        expected: Compare expected counts without photon noise; noise is added for classifiers.
        training: Folder, store or stack of the training images, or its URL, to find memorised ones.
            By default the other folds, or simulations: if the model learned from those of
            --preset, they are simulated again.
        training_count: Number of training images. By default all of a folder and 3,000
            simulations.
        steps: Number of sampling steps. By default that of the model.
        guidance: Strength of the class condition.
        classifier: Comma-separated classifiers whose features and predictions are compared;
            none for no classifier.
        inception: File with the weights of Inception for the FID. By default torch's cache or a
            download.
        inception_protocol: Comma-separated protocols by which the FID is measured, so that it can
            be compared with a published one: fid-3040, clean-fid-1000-64, fid-10000.
        splits: Number of random splits for the split-half baseline of the Fréchet distance.
        per_class: Maximum number of images of each class for the physics tests.
        output: Folder to write; an earlier evaluation there is replaced.
        batch: Images in memory at once.
        device: Torch device, such as cpu or cuda.
        record: Write the main scores into the model's card.
        quiet: Show no progress.

    Returns:
        All scores, as in metrics.json.

    Raises:
        BadInput: If arguments contradict each other or are out of range.
        BadData: If images cannot be read or the sets do not match.
        BadModel: If a model cannot be loaded.
    """
    settings = dict(locals())
    options = SetOptions(**{item.name: settings[item.name] for item in fields(SetOptions)})
    if record and model is None:
        raise BadInput("--record needs --model")
    if min(count or 1, splits, per_class, batch) < 1:
        raise BadInput("--count, --splits, --per-class and --batch must be at least 1")
    protocols = named_protocols(inception_protocol)
    check_folder(output, replaces=EVALUATION)
    with sets_here(options) as here:
        sets = EvaluatedSets.open(here)
        check_counts(protocols, real=len(sets.real), generated=len(sets.generated))
        tools = _Tools(batch=batch, quiet=quiet)
        tools.load_protocols(protocols, inception, device)
        peeks = {name: _first(image_set) for name, image_set in sets.parts().items()}
        _check_shapes(peeks)
        tools.load(classifier, inception, device, peeks["real"].shape[1:])
        measured, statistics = _measure(sets, peeks, tools, seed=seed, expected=expected)
        scores = score_generator(
            measured["real"],
            measured["generated"],
            measured.get("training"),
            classes=sets.real.classes,
            known={name: found.classes for name, found in tools.classifiers.items()},
            not_computed=tools.missing,
            protocols=protocols,
            splits=splits,
            per_class=per_class,
            seed=seed,
            say=partial(say, quiet=quiet),
        )
        with atomic_folder(output, replaces=EVALUATION) as temporary:
            _write_metrics(temporary / "metrics.json", scores, sets)
            _write_figures(temporary, scores, measured, statistics)
            _write_report(temporary, scores, measured, sets, seed)
            write_configuration(temporary / "config.yaml", "evaluate generator", settings)
    if record and sets.card is not None:
        record_metrics(find_model(str(model)), _card_metrics(scores, options, sets, classifier))
    return scores


@dataclass
class _Tools:
    """The networks that measure images, and why some are missing."""

    batch: int
    quiet: bool
    features: dict[str, Features] = field(default_factory=dict)
    classifiers: dict[str, Classifier] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)

    def load_protocols(
        self, protocols: Sequence[InceptionProtocol], inception: Path | None, device: str
    ) -> None:
        """Load Inception for named protocols; they are wanted, so missing weights are an error."""
        if not protocols:
            return
        try:
            network = Inception(inception, device=device)
        except NotComputed as error:
            raise BadInput(f"--inception-protocol: {error}") from error
        for protocol in protocols:
            self.features[protocol.name] = protocol.features(network)
            self.limits[protocol.name] = protocol.images
        self.missing["inception"] = "not computed: measured by --inception-protocol instead"

    def load(self, names: str, inception: Path | None, device: str, shape: tuple[int, ...]) -> None:
        """Load everything available for images of this shape."""
        loaders = {
            "neutral": partial(load_neutral, device=device),
            "inception": partial(load_inception, inception, device=device),
        }
        for name, load in loaders.items():
            if name in self.missing:
                continue
            try:
                self.features[name] = load()
            except NotComputed as error:
                self.missing[name] = f"not computed: {error}"
        for name in filter(None, (word.strip() for word in names.split(","))):
            if name != "none":
                self._load_classifier(name, shape, device)

    def _load_classifier(self, name: str, shape: tuple[int, ...], device: str) -> None:
        card = load_card(find_model(name))
        reason = card.unsuitable(shape)
        if reason is None:
            self.classifiers[card.name] = load_classifier(name, device)
        else:
            self.missing[card.name] = f"not computed: the images' shape {reason}"


def _write_report(
    folder: Path,
    scores: GeneratorScores,
    measured: Mapping[str, Measured],
    sets: EvaluatedSets,
    seed: int,
) -> None:
    """Write the HTML report; the figures must already be in the folder."""
    html = generator_report(
        scores,
        measured["real"],
        measured["generated"],
        words=(sets.real.description, sets.generated.description),
        figures=folder,
        card=sets.card,
        seed=seed,
    )
    (folder / "report.html").write_text(html, encoding="utf-8")


def _first(image_set: ImageSet) -> Num[np.ndarray, "n c h w"]:
    """A few images of a set."""
    images, _ = next(image_set.batches(min(_PEEK, len(image_set))))
    return images


def _check_shapes(peeks: Mapping[str, Num[np.ndarray, "_ c h w"]]) -> None:
    shapes = {name: " x ".join(map(str, images.shape[1:])) for name, images in peeks.items()}
    for name, shape in shapes.items():
        if shape != shapes["real"]:
            raise BadData(f"{name} images are {shape} pixels, real ones {shapes['real']}")


def _measure(
    sets: EvaluatedSets,
    peeks: Mapping[str, Num[np.ndarray, "_ c h w"]],
    tools: _Tools,
    *,
    seed: int,
    expected: bool,
) -> tuple[dict[str, Measured], SummaryStatistics]:
    """Measure all sets in the same way."""
    pixels: dict[str, Pixels] = {}
    pixels["real"], pixels["generated"] = common_pixels(peeks["real"], peeks["generated"])
    if "training" in peeks:
        pixels["training"] = common_pixels(peeks["training"], peeks["real"])[0]
    values = pixels["real"].values(peeks["real"])
    statistics = SummaryStatistics.for_images(values)
    measurer = Measurer(
        statistics,
        tools.features,
        tools.classifiers,
        limits=tools.limits,
    )
    reference = replace(
        measurer,
        statistics=None,
        classifiers={},
        limits={} if sets.neutral_limit is None else {"neutral": sets.neutral_limit},
        features={name: see for name, see in tools.features.items() if name == "neutral"},
    )
    measured = {}
    for number, (name, image_set) in enumerate(sets.parts().items()):
        tool = reference if name == "training" else measurer
        if expected:
            tool = replace(tool, observe=partial(_observed, seed + 2 + number))
        batches = _counted(image_set, tools.batch, f"measuring {name} images", quiet=tools.quiet)
        measured[name] = tool.measure(batches, pixels[name])
    return measured, statistics


def _observed(
    seed: int, images: Num[np.ndarray, "n c h w"], start: int
) -> Num[np.ndarray, "n c h w"]:
    indices = range(start, start + len(images))
    return photon_noise(images.astype(np.float32), seed, indices)


def _counted(image_set: ImageSet, size: int, stage: str, *, quiet: bool) -> Iterator[Any]:
    total = -(-len(image_set) // size)
    yield from progress(image_set.batches(size), stage, total=total, unit="batch", quiet=quiet)


def _write_figures(
    folder: Path,
    scores: GeneratorScores,
    measured: Mapping[str, Measured],
    statistics: SummaryStatistics,
) -> None:
    real, generated = measured["real"], measured["generated"]
    write_picture(folder / "images.png", images_picture(real, generated))
    write_figure(physics_figure(real, generated, statistics), folder, "physics")
    kinds = {name: found.frechet for name, found in scores.features.items()}
    if scores.inception is not None:
        kinds["inception"] = scores.inception
    kinds |= {name: found.frechet for name, found in scores.protocols.items()}
    if kinds:
        write_figure(frechet_figure(kinds), folder, "frechet")
    if scores.memorisation:
        *_, found = scores.memorisation.values()
        picture = closest_picture(found, generated, measured["training"])
        write_picture(folder / "closest.png", picture)


def _write_metrics(path: Path, scores: GeneratorScores, sets: EvaluatedSets) -> None:
    card = sets.card
    document: dict[str, Any] = {
        "model": card.name if card else None,
        "weights_sha256": card.weights.sha256 if card and card.weights else None,
        "generated_images": sets.generated.description,
        "real_images": sets.real.description,
        "training_images": sets.training.description if sets.training else None,
        **scores.as_dict(),
        "version": __version__,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    text = json.dumps(document, indent=2, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _card_metrics(
    scores: GeneratorScores, options: SetOptions, sets: EvaluatedSets, classifiers: str
) -> list[Metric]:
    """The scores to record in a card."""
    found = scores.features.get("neutral")
    rows: list[tuple[str, float, float | None, float | None]] = []
    if found is not None:
        auc, frechet = found.two_sample["network"], found.frechet
        rows += [
            ("frechet_distance", frechet.value, None, None),
            ("frechet_over_baseline", frechet.ratio, None, None),
            ("two_sample_auc", auc.value, auc.low, auc.high),
        ]
    for agreement in list(scores.agreement.values())[:1]:
        for name, share in agreement.generated.items():
            interval = share_interval(share, agreement.images[name])
            rows.append((f"recognised_{name}", share, float(interval.low), float(interval.high)))
        if agreement.chi_square is not None:
            rows.append(("chi_square_p_value", agreement.chi_square.p_value, None, None))
    return [
        Metric(
            name,
            round(value, 5),
            low if low is None else round(low, 5),
            high if high is None else round(high, 5),
            data=sets.real.description,
            command=_command(options, sets, classifiers if scores.agreement else ""),
        )
        for name, value, low, high in rows
    ]


def _command(options: SetOptions, sets: EvaluatedSets, classifiers: str) -> str:
    """The command that reproduces the evaluation, with folders by name."""
    words = ["darklens evaluate generator --model", sets.card.name if sets.card else ""]
    if options.data is not None:
        words += ["--data", options.data.name]
    if options.preset is not None:
        words += ["--preset", Path(options.preset).name]
    for name in ("split", "folds", "steps"):
        if getattr(options, name) is not None:
            words += [f"--{name}", str(getattr(options, name))]
    words += ["--count", str(len(sets.real)), "--seed", str(options.seed)]
    words += ["--expected"] * options.expected
    return " ".join(words + ["--classifier", classifiers] * bool(classifiers))
