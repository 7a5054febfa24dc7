"""All scores of a generator together, their figures and the report, on small made-up sets."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from darklens.cli.evaluate_generator import show
from darklens.display import write_picture
from darklens.evaluate import (
    INCEPTION_PROTOCOLS,
    GeneratorScores,
    Measured,
    Measurer,
    Pixels,
    SummaryStatistics,
    closest_picture,
    frechet_figure,
    generator_report,
    images_picture,
    physics_figure,
    score_generator,
    write_figure,
)
from darklens.hub import load_card, load_classifier

CLASSES = ("no", "sphere", "vort")
SIDE = 150
PROTOCOLS = [INCEPTION_PROTOCOLS[name] for name in ("fid-3040", "fid-10000")]


def lenses(count: int, *, seed: int, bright: float = 1.0) -> np.ndarray:
    """Rings of random radius as photon counts."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] - 0.5 * (SIDE - 1)
    radii = generator.normal(30, 3, (count, 1, 1, 1))
    light = bright * 100 * np.exp(-((np.hypot(x, y) - radii) ** 2) / 40) + 5
    return generator.poisson(light).astype(np.uint16)


def blocks(images: np.ndarray) -> np.ndarray:
    """Nine features: means over a grid of 3 x 3 blocks."""
    return images.reshape(-1, 3, 50, 3, 50).mean(axis=(2, 4)).reshape(-1, 9).astype(np.float64)


@pytest.fixture(scope="module")
def statistics() -> SummaryStatistics:
    return SummaryStatistics.for_images(lenses(8, seed=0)[:, 0].astype(np.float32))


@pytest.fixture(scope="module")
def measured(statistics: SummaryStatistics, tiny_model: Path) -> dict[str, Measured]:
    """A real set, a set that is too bright, a training set with one of its images."""
    classifier = load_classifier(tiny_model)
    limits = {protocol.name: 30 for protocol in PROTOCOLS}
    names = ("neutral", "inception", *limits)
    measurer = Measurer(
        statistics, dict.fromkeys(names, blocks), {"tiny": classifier}, limits=limits
    )
    reference = Measurer(statistics, {"neutral": blocks})
    generated = lenses(36, seed=2, bright=1.5)
    training = np.concatenate([lenses(30, seed=3), generated[:1]])
    sets = {"real": lenses(36, seed=1), "generated": generated, "training": training}
    return {
        name: (reference if name == "training" else measurer).measure(
            [(images, np.arange(len(images)) % 3)], Pixels("counts")
        )
        for name, images in sets.items()
    }


@pytest.fixture(scope="module")
def scores(measured: dict[str, Measured]) -> GeneratorScores:
    return score_generator(
        *measured.values(),
        classes=CLASSES,
        known={"tiny": CLASSES},
        protocols=PROTOCOLS,
        splits=2,
        per_class=10,
    )


def test_everything_is_scored(scores: GeneratorScores) -> None:
    assert list(scores.features) == ["neutral", "tiny"]
    assert scores.inception == scores.features["neutral"].frechet, "the same features here"
    assert (scores.real, scores.generated) == (36, 36)
    assert not scores.passes("flux and radius")
    assert all(test.corrected > 0.01 for test in scores.physics_baseline)
    assert max(test.images for test in scores.physics) == 10
    assert list(scores.memorisation) == ["pixels", "neutral"]
    for found in scores.memorisation.values():
        assert (found.closest[0], found.closest_training[0]) == (0, 30)
    assert set(scores.agreement["tiny"].real) == set(CLASSES)
    assert scores.not_computed == {}
    assert len(scores.notes) == 2
    assert "36 images are few for the features of inception" in scores.notes[1]


def test_scores_are_plain_json(scores: GeneratorScores) -> None:
    plain = json.loads(json.dumps(scores.as_dict(), allow_nan=False))
    assert plain["classes"] == list(CLASSES)
    assert plain["agreement"]["tiny"]["chi_square"] is None
    assert plain["features"]["neutral"]["frechet"]["splits"] == 2


def test_what_is_missing_is_said(measured: dict[str, Measured]) -> None:
    unknown = measured["generated"]
    unlabelled = Measured(**{**vars(unknown), "labels": np.full(36, -1), "failures": {"x": "why"}})
    scores = score_generator(
        measured["real"],
        unlabelled,
        classes=CLASSES,
        known={"tiny": CLASSES},
        not_computed={"other": "not computed: no reason"},
        protocols=PROTOCOLS,
        splits=1,
    )
    assert list(scores.not_computed) == ["other", "x", "memorisation", "transfer"]
    assert scores.agreement["tiny"].generated == {}
    assert {test.label for test in scores.physics} == {"all"}
    assert scores.as_dict()["features"]["neutral"]["frechet"]["baseline_spread"] is None


def test_figures_and_report(
    measured: dict[str, Measured],
    scores: GeneratorScores,
    statistics: SummaryStatistics,
    tiny_model: Path,
    tmp_path: Path,
) -> None:
    real, generated = measured["real"], measured["generated"]
    assert images_picture(real, generated).shape[1] > 8 * SIDE
    write_figure(physics_figure(real, generated, statistics), tmp_path, "physics")
    write_figure(
        frechet_figure({"neutral": scores.features["neutral"].frechet}), tmp_path, "frechet"
    )
    picture = closest_picture(scores.memorisation["pixels"], generated, measured["training"])
    assert picture.ndim == 3
    write_picture(tmp_path / "closest.png", picture)
    html = generator_report(
        scores,
        real,
        generated,
        words=("<b>real</b>", "made & more"),
        figures=tmp_path,
        card=load_card(tiny_model),
    )
    assert "&lt;b&gt;real&lt;/b&gt;" in html
    assert not re.search(r'(src|href)="(?!data:)', html), "nothing to load"
    assert html.count("data:image/svg+xml;base64,") == 2
    assert html.count("data:image/png;base64,") == 1 + 24
    shown = re.findall(r'class="card lens (real|generated)"', html)
    assert sorted(shown) == ["generated"] * 12 + ["real"] * 12
    assert shown[:12] != ["real"] * 12, "in random order"
    assert not re.search(r'alt="[^"]*(real|generated)', html), "nothing gives them away"
    assert ".truth { visibility: hidden; }" in html
    for part in ("Memorisation", "tiny: vort", "ratio to", "flux, sphere", "Inception (FID)"):
        assert part.lower() in html.lower(), part
    assert "Not computed" not in html
    for name, published in (("fid-3040", "6.01"), ("fid-10000", "none")):
        _, _, table = html.partition(f"<h2>Inception FID, protocol {name}</h2>")
        cells = re.findall(r"<td[^>]*>([^<]*)</td>", table)
        assert cells[1:3] == [f"{scores.protocols[name].fid:.4g}", published]
        assert INCEPTION_PROTOCOLS[name].steps() in table


def test_protocols_are_shown_beside_published_figures(
    scores: GeneratorScores, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scores.protocols["fid-3040"].frechet.sizes[0] == 30
    show(scores, output=tmp_path, quiet=True)
    lines = capsys.readouterr().out.splitlines()
    found = [line for line in lines if line.startswith("fid-")]
    assert [", published 6.01, " in line for line in found] == [True, False]
    assert "no published figure" in found[1]


def test_a_report_without_figures_and_model_lists_what_is_missing(
    measured: dict[str, Measured], tmp_path: Path
) -> None:
    scores = score_generator(
        measured["real"],
        measured["generated"],
        classes=CLASSES,
        known={"tiny": ("other", "names")},
        protocols=PROTOCOLS,
        splits=1,
    )
    html = generator_report(
        scores, measured["real"], measured["generated"], words=("a", "b"), figures=tmp_path
    )
    assert "give the training images with --training" in html
    assert "The model" not in html
    assert "Agreement with classifiers" not in html, "none of them knows the classes"


def test_few_different_images_have_no_pqmass(
    measured: dict[str, Measured], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)  # a few outliers decide
    real, generated = (
        replace(
            measured[name],
            features={"neutral": rng.standard_cauchy((36, 50)).astype(np.float32)},
            embeddings={},
        )
        for name in ("real", "generated")
    )
    scores = score_generator(real, generated, classes=CLASSES, splits=1)
    assert scores.features["neutral"].pqmass is None
    show(scores, output=tmp_path, quiet=True)
    reason = "not computed: too few different images for PQMass: of 18 and 18, most of 9 regions"
    assert f"pqmass          {reason} hold none (features of neutral)" in capsys.readouterr().out
