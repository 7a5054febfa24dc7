"""The HTML report of a generator: a blind comparison, tables, figures, all in one file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from darklens.display import data_uri, lens_picture, picture_uri
from darklens.evaluate.generator.comparison import FeatureScores, FrechetScores, ScoreWithBaseline
from darklens.evaluate.generator.measurement import Measured
from darklens.evaluate.generator.scores import GeneratorScores, ProtocolScore
from darklens.evaluate.generator.summary_statistics import FAMILIES, PhysicsTest
from darklens.evaluate.report import render_page
from darklens.hub import ModelCard

__all__ = ["generator_report"]

_BLIND = 12  # images of each kind
_CAPTIONS = {
    "physics": (
        "Real (grey) and generated images (red): median and central 68 % of the power spectrum "
        "and the brightness histogram; distributions of flux, ring radius and ellipticity."
    ),
    "frechet": (
        "Fréchet distance against the inverse number of images. The line extrapolates to "
        "infinitely many images, for which the split-half baseline is zero."
    ),
    "closest": (
        "The generated images (above) closest to a training image (below), averaged over blocks "
        "of pixels."
    ),
}


@dataclass(frozen=True)
class _Table:
    title: str
    note: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def generator_report(
    scores: GeneratorScores,
    real: Measured,
    generated: Measured,
    *,
    words: tuple[str, str],
    figures: Path,
    card: ModelCard | None = None,
    seed: int = 0,
) -> str:
    """Make the HTML report of an evaluation.

    Args:
        scores: Scores of the generator.
        real: The real set.
        generated: The generated set.
        words: Descriptions of the real and the generated set.
        figures: Folder with `physics.svg`, `frechet.svg` and, optionally, `closest.png`.
        card: The model's card, if there is a model.
        seed: Seed of the order in the blind comparison.
    """
    return render_page(
        "generator.html",
        title=f"The generator “{card.name}”" if card else "Generated images",
        real=words[0],
        generated=words[1],
        real_count=scores.real,
        generated_count=scores.generated,
        classes="classes " + ", ".join(scores.classes),
        blind=_blind(real, generated, seed),
        tiles=_tiles(scores),
        notes=scores.notes,
        tables=_tables(scores),
        figures=_figures(figures),
        missing={k: why.removeprefix("not computed: ") for k, why in scores.not_computed.items()},
        model=_facts(card) if card else {},
    )


def _blind(real: Measured, generated: Measured, seed: int) -> list[dict[str, str]]:
    """Pictures of both kinds in random order, numbered."""
    count = min(_BLIND, len(real.examples), len(generated.examples))
    lenses = [
        {"kind": kind, "picture": picture_uri(lens_picture(image[np.newaxis]))}
        for kind, part in (("real", real), ("generated", generated))
        for image in part.examples[:count]
    ]
    order = np.random.default_rng(seed).permutation(len(lenses))
    return [{**lenses[k], "number": str(i)} for i, k in enumerate(order, 1)]


def _tiles(scores: GeneratorScores) -> list[dict[str, str]]:
    tiles = []
    for name, found in list(scores.features.items())[:1]:
        auc = found.two_sample["network"]
        tiles += [
            {
                "name": f"Fréchet distance ({name})",
                "value": f"{found.frechet.ratio:.2f} × baseline",
                "note": "1 if the sets differ only by chance",
            },
            {
                "name": "Distinguished by a small network",
                "value": f"AUC {auc.value:.3f}",
                "note": f"{auc.low:.3f} to {auc.high:.3f}; 0.5 is chance",
            },
        ]
    passed = [family for family in FAMILIES if scores.passes(family)]
    tiles.append(
        {
            "name": "Tests of the physics passed",
            "value": f"{len(passed)} of {len(FAMILIES)}",
            "note": ", ".join(passed) or "none",
        }
    )
    for name, test in list(scores.memorisation.items())[-1:]:
        tiles.append(
            {
                "name": f"Close to a training image ({name})",
                "value": f"{100 * test.share_close:.1f} %",
                "note": f"1 % is chance; p = {test.p_value:.3g}",
            }
        )
    return tiles


def _tables(scores: GeneratorScores) -> list[_Table]:
    head = ("Score", "Generated", "Baseline")
    tables = [
        _Table(
            f"In the features of {name}",
            "Intervals are 95 %. Distances marked “halves” use as many images as the baseline.",
            head,
            _feature_rows(found),
        )
        for name, found in scores.features.items()
    ]
    if scores.inception is not None:
        rows = _frechet_rows(scores.inception)
        tables.append(
            _Table("Inception (FID)", "As usually reported in the literature.", head, rows)
        )
    tables += [_protocol_table(name, found) for name, found in scores.protocols.items()]
    tables.append(_physics_table(scores))
    if scores.memorisation:
        tables.append(_memorisation_table(scores))
    tables.append(_agreement_table(scores))
    return [table for table in tables if table.rows]


def _frechet_rows(found: FrechetScores) -> list[tuple[str, ...]]:
    return [
        ("Fréchet distance, all images", f"{found.value:.4g}", ""),
        (
            "Fréchet distance, halves",
            f"{found.halves:.4g} ± {found.halves_spread:.2g}",
            f"{found.baseline:.4g} ± {found.baseline_spread:.2g}",
        ),
        ("Ratio to the split-half baseline", f"{found.ratio:.3g}", "1"),
        ("Limit of infinitely many images", f"{found.limit:.4g} ± {found.limit_error:.2g}", "0"),
    ]


def _protocol_table(name: str, found: ProtocolScore) -> _Table:
    protocol = found.protocol
    published = "none" if protocol.published is None else f"{protocol.published:.2f}"
    first = ("Inception FID by the protocol; published figure", f"{found.fid:.4g}", published)
    of = f" Published: {protocol.source}." if protocol.source else ""
    return _Table(
        f"Inception FID, protocol {name}",
        f"{protocol.steps()}.{of} A published figure is of other images.",
        ("Score", "Generated", "Published or baseline"),
        [first, *_frechet_rows(found.frechet)[1:]],
    )


def _feature_rows(found: FeatureScores) -> list[tuple[str, ...]]:
    rows = [*_frechet_rows(found.frechet), ("Kernel distance (KID)", *_interval(found.kernel))]
    for name in ("precision", "recall", "density", "coverage"):
        values = (getattr(part, name) for part in (found.coverage, found.coverage_baseline))
        rows.append((name.capitalize() + ", halves", *(f"{value:.3f}" for value in values)))
    rows += [
        (f"Two-sample test, {name} (AUC)", *_interval(auc))
        for name, auc in found.two_sample.items()
    ]
    if found.pqmass is not None and found.pqmass_baseline is not None:
        parts = found.pqmass, found.pqmass_baseline
        name = f"PQMass, {found.pqmass.regions} regions, halves (reduced chi-square)"
        rows.append(
            (name, *(f"{p.chi_square:.3f} ± {p.spread:.2f} (p = {p.p_value:.2g})" for p in parts))
        )
    if found.transfer is not None:
        name = "Accuracy on real images, trained on generated (real)"
        rows.append((name, *_interval(found.transfer)))
    return rows


def _interval(found: ScoreWithBaseline) -> tuple[str, str]:
    return (
        f"{found.value:.3g} ({found.low:.3g} to {found.high:.3g})",
        f"{found.baseline:.3g} ({found.baseline_low:.3g} to {found.baseline_high:.3g})",
    )


def _physics_table(scores: GeneratorScores) -> _Table:
    images = max(test.images for test in scores.physics)
    note = (
        f"Kolmogorov-Smirnov tests of {images} images per class: the largest distance between the "
        "cumulative distributions, and the smallest p value, corrected for the number of tests in "
        "the family. Differences are significant at p < 0.01."
    )
    rows = []
    for quantity, label in dict.fromkeys((t.quantity, t.label) for t in scores.physics):
        cells = (
            _worst([t for t in tests if (t.quantity, t.label) == (quantity, label)])
            for tests in (scores.physics, scores.physics_baseline)
        )
        rows.append((f"{quantity.replace('_', ' ').capitalize()}, {label}", *cells))
    return _Table("Physics", note, ("Quantity, class", "Generated", "Baseline"), rows)


def _worst(tests: list[PhysicsTest]) -> str:
    if not tests:
        return ""
    distance = max(test.statistic for test in tests)
    return f"{distance:.3f} (p = {min(test.corrected for test in tests):.3g})"


def _memorisation_table(scores: GeneratorScores) -> _Table:
    note = (
        "Distances of images to the nearest training image. For a generator that repeats its "
        "training images the p value is small, or more than 1 % of its images are close to one."
    )
    head = (
        "Distance in",
        "Training images",
        "Fraction close",
        "p value",
        "Median, generated",
        "Median, real",
    )
    rows = [
        (
            name,
            f"{test.training:,}",
            f"{100 * test.share_close:.1f} %",
            f"{test.p_value:.3g}",
            f"{test.median_generated:.4g}",
            f"{test.median_real:.4g}",
        )
        for name, test in scores.memorisation.items()
    ]
    return _Table("Memorisation", note, head, rows)


def _agreement_table(scores: GeneratorScores) -> _Table:
    rows: list[tuple[str, ...]] = []
    for name, found in scores.agreement.items():
        rows += [
            (
                f"{name}: {label}",
                f"{100 * share:.1f} %" if (share := found.generated.get(label)) is not None else "",
                f"{100 * right:.1f} %",
            )
            for label, right in found.real.items()
        ]
        if (fit := found.chi_square) is not None:
            middle, usual = (
                f"{low:.3f}, {median:.3f}, {high:.3f}"
                for low, median, high in (fit.generated, fit.real)
            )
            rows.append((f"{name}: reduced chi-square of no (16, 50, 84 %)", middle, usual))
    note = "Fraction of the images that a classifier assigns to their true class."
    return _Table(
        "Agreement with classifiers", note, ("Classifier, class", "Generated", "Real"), rows
    )


def _figures(folder: Path) -> list[dict[str, str]]:
    found = []
    for name, caption in _CAPTIONS.items():
        for ending, media_type in (("svg", "image/svg+xml"), ("png", "image/png")):
            path = folder / f"{name}.{ending}"
            if path.is_file():
                source = data_uri(path.read_bytes(), media_type)
                found.append({"name": name, "caption": caption, "source": source})
                break
    return found


def _facts(card: ModelCard) -> Mapping[str, Any]:
    training = card.training
    return {
        "Description": card.description,
        "Classes": ", ".join(card.classes),
        "Network": str(card.network["name"]),
        "Trained on": training.preset or training.data or "not stated",
        "Training": f"{training.images} images in {training.seconds:.0f} s on {training.machine}",
        "Command": training.command,
        "Licence": card.licence,
        "SHA-256 of the weights": card.weights.sha256 if card.weights else "",
    }
