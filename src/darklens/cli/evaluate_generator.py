"""`darklens evaluate generator`: the scores on stdout."""

from pathlib import Path

from darklens.evaluate import GeneratorScores
from darklens.evaluate.generator.summary_statistics import FAMILIES
from darklens.progress import say

__all__ = ["show"]


def show(scores: GeneratorScores, *, output: Path, quiet: bool) -> None:
    """Print distances, tests and what was not computed."""
    for name, found in scores.features.items():
        auc, frechet = found.two_sample["network"], found.frechet
        print(
            f"{name:<16}Fréchet {frechet.value:.4g}, {frechet.ratio:.2f} x split-half baseline, "
            f"limit {frechet.limit:.3g}   AUC {auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f})"
        )
    for name, scored in scores.protocols.items():
        known = scored.protocol.published
        beside = "no published figure" if known is None else f"published {known:.2f}"
        ratio = scored.frechet.ratio
        print(f"{name:<19}FID {scored.fid:.4g}, {beside}, {ratio:.2f} x split-half baseline")
    for family in FAMILIES:
        p_value = min((t.corrected for t in scores.physics if t.family == family), default=1.0)
        print(f"{family:<16}{'passes' if scores.passes(family) else 'fails'}, p = {p_value:.3g}")
    for name, test in scores.memorisation.items():
        share = f"{100 * test.share_close:.2f} %"
        among = f"to one of {test.training:,} training images in {name}"
        print(f"{'memorised':<16}{share} close {among}, p = {test.p_value:.3g}")
    for name, reason in scores.not_computed.items():
        print(f"{name:<16}{reason}")
    say(f"report: {output / 'report.html'}", quiet=quiet)
