"""All scores of a generator, computed from the measurements of its images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from darklens.evaluate.generator.classifier_agreement import ClassifierAgreement, measure_agreement
from darklens.evaluate.generator.comparison import (
    FeatureScores,
    FrechetScores,
    MemorisationScores,
    score_features,
    score_frechet,
    score_memorisation,
    stratified_halves,
)
from darklens.evaluate.generator.measurement import Measured
from darklens.evaluate.generator.protocols import InceptionProtocol
from darklens.evaluate.generator.summary_statistics import PhysicsTest, physics_tests

__all__ = ["GeneratorScores", "ProtocolScore", "score_generator"]

_ENOUGH = {"neutral": 2000, "inception": 10_000}
_LEVEL = 0.01  # of the tests of the physics

Say = Callable[[str], object]


@dataclass(frozen=True)
class ProtocolScore:
    """The Inception FID measured by a named protocol.

    Attributes:
        protocol: The protocol, with the published figure.
        fid: Fréchet distance between the protocol's number of generated and of real images.
        frechet: The same with its split-half baseline and its limit.
    """

    protocol: InceptionProtocol
    fid: float
    frechet: FrechetScores


@dataclass(frozen=True)
class GeneratorScores:
    """The scores of a generator against real images.

    Attributes:
        classes: Classes of the real images.
        real: Number of real images.
        generated: Number of generated images.
        features: Comparisons by kind of features: `neutral`, or the name of a classifier.
        inception: Fréchet distance of Inception features (FID).
        physics: Tests of the physics between generated and real images.
        physics_baseline: The same between two halves of the real images.
        memorisation: Whether training images are repeated, by kind of distance.
        agreement: Agreement with classifiers, by name.
        protocols: Inception FIDs by named protocols.
        notes: Caveats.
        not_computed: Reasons for missing scores, by name.
    """

    classes: tuple[str, ...]
    real: int
    generated: int
    features: dict[str, FeatureScores]
    inception: FrechetScores | None
    physics: list[PhysicsTest]
    physics_baseline: list[PhysicsTest]
    memorisation: dict[str, MemorisationScores]
    agreement: dict[str, ClassifierAgreement]
    protocols: dict[str, ProtocolScore] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    not_computed: dict[str, str] = field(default_factory=dict)

    def passes(self, family: str) -> bool:
        """Whether no test in a family is significant at 1 %."""
        return all(test.corrected >= _LEVEL for test in self.physics if test.family == family)

    def as_dict(self) -> dict[str, Any]:
        """The scores for JSON, with null for undefined numbers."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def score_generator(
    real: Measured,
    generated: Measured,
    training: Measured | None = None,
    *,
    classes: Sequence[str],
    known: Mapping[str, Sequence[str]] | None = None,
    not_computed: Mapping[str, str] | None = None,
    protocols: Sequence[InceptionProtocol] = (),
    splits: int = 5,
    per_class: int = 500,
    seed: int = 0,
    say: Say = str,
) -> GeneratorScores:
    """Compute all scores of a generated set against a real one.

    Args:
        real: Real images that the generator was not trained on.
        generated: Generated images.
        training: Training images of the generator, if available.
        classes: Classes of the sets; labels are their indices.
        known: Classes of each classifier.
        not_computed: Scores already known to be missing, with reasons.
        protocols: Protocols by whose name there are features of the first images of both sets.
        splits: Number of random splits for the Fréchet distance.
        per_class: Maximum number of images per class for the physics tests.
        seed: Seed of random splits, folds and resamples.
        say: Called with progress messages.

    Raises:
        BadData: If there are too few images.
    """
    missing = {**(not_computed or {}), **real.failures, **generated.failures}
    seen = [name for name in generated.embeddings if name in real.embeddings]
    labels = real.labels, generated.labels
    named = {protocol.name: protocol for protocol in protocols}
    kinds = {
        **{
            name: (real.features[name], rows)
            for name, rows in generated.features.items()
            if name not in named
        },
        **{
            name: (real.embeddings[name].features, generated.embeddings[name].features)
            for name in seen
        },
    }
    features, inception = {}, None
    for name, (ours, theirs) in kinds.items():
        say(f"distances in the features of {name}")
        pair = ours.astype(np.float64), theirs.astype(np.float64)
        if name == "inception":
            inception = score_frechet(*pair, *labels, splits=splits, seed=seed)
        else:
            features[name] = score_features(*pair, *labels, splits=splits, seed=seed)
    missing |= _missing(features)
    by_protocol = {}
    for name, protocol in named.items():
        say(f"the Inception FID of {name}")
        by_protocol[name] = _by_protocol(protocol, real, generated, splits=splits, seed=seed)
    say("tests of the physics and of memorisation")
    physics, baseline = _physics(real, generated, classes, per_class, seed)
    if training is None:
        missing["memorisation"] = "not computed: give the training images with --training"
    if all(scores.transfer is None for scores in features.values()):
        missing["transfer"] = "not computed: the classes of the images are unknown"
    return GeneratorScores(
        classes=tuple(classes),
        real=len(real),
        generated=len(generated),
        features=features,
        inception=inception,
        physics=physics,
        physics_baseline=baseline,
        memorisation={} if training is None else _memorisation(real, generated, training),
        agreement={
            name: measure_agreement(
                real.embeddings[name],
                generated.embeddings[name],
                *labels,
                classes=classes,
                known=(known or {})[name],
            )
            for name in seen
        },
        protocols=by_protocol,
        notes=_notes(real, generated, kinds),
        not_computed=missing,
    )


def _missing(features: Mapping[str, FeatureScores]) -> dict[str, str]:
    """Reasons for scores that are missing in some features."""
    reasons: dict[str, list[str]] = {}
    for kind, found in features.items():
        for name, why in found.not_computed.items():
            reasons.setdefault(name, []).append(f"{why} (features of {kind})")
    return {name: f"not computed: {'; '.join(why)}" for name, why in reasons.items()}


def _by_protocol(
    protocol: InceptionProtocol, real: Measured, generated: Measured, *, splits: int, seed: int
) -> ProtocolScore:
    ours, theirs = (x.features[protocol.name].astype(np.float64) for x in (real, generated))
    labels = real.labels[: len(ours)], generated.labels[: len(theirs)]
    found = score_frechet(ours, theirs, *labels, splits=splits, seed=seed)
    return ProtocolScore(protocol, found.value, found)


def _physics(
    real: Measured,
    generated: Measured,
    classes: Sequence[str],
    per_class: int,
    seed: int,
) -> tuple[list[PhysicsTest], list[PhysicsTest]]:
    """Tests between the two sets, and between two halves of the real set."""
    first, second = stratified_halves(real.labels, np.random.default_rng(seed))
    rows = [{name: x[half] for name, x in real.physics.items()} for half in (first, second)]
    baseline = _groups(real.labels[first], real.labels[second], classes)
    groups = _groups(real.labels, generated.labels, classes)
    return (
        physics_tests(real.physics, generated.physics, groups, per_class=per_class),
        physics_tests(rows[0], rows[1], baseline, per_class=per_class),
    )


def _groups(
    first: np.ndarray, second: np.ndarray, classes: Sequence[str]
) -> dict[str, tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " m"]]]:
    """Images of each class in both sets; all in one group if the classes are unknown."""
    groups = {name: (first == k, second == k) for k, name in enumerate(classes)}
    groups = {name: (a, b) for name, (a, b) in groups.items() if a.any() and b.any()}
    if (second < 0).any() or not groups:
        return {"all": (np.ones(len(first), bool), np.ones(len(second), bool))}
    return groups


def _memorisation(
    real: Measured, generated: Measured, training: Measured
) -> dict[str, MemorisationScores]:
    kinds = {"pixels": (generated.thumbnails, real.thumbnails, training.thumbnails)}
    for name, rows in training.features.items():
        kinds[name] = (generated.features[name], real.features[name], rows)
    return {name: score_memorisation(*sets) for name, sets in kinds.items()}


def _notes(
    real: Measured,
    generated: Measured,
    kinds: Mapping[str, tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "m d"]]],
) -> list[str]:
    count = min(len(real), len(generated))
    return [
        f"{count} images are few for the features of {name}: compare only with scores from as "
        f"many images ({enough} are usual)"
        for name, enough in _ENOUGH.items()
        if name in kinds and count < enough
    ]


def _plain(value: Any) -> Any:
    """Undefined numbers as null, tuples as lists."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
