"""Tables that compare generators with real images, from the results of their evaluations.

    darklens evaluate generator --model common-test-1 --preset common-test-1 --count 3000 \
        --expected --classifier default --output runs/evaluation
    python benchmarks/generator_scores.py runs/evaluation

Each folder of an evaluation gives one table, `benchmarks/results/generator_MODEL.md`. It holds the
command, machine and date; nothing in it is typed by hand.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from darklens.train.cards import machine_name

RESULTS = Path(__file__).resolve().parent / "results"
PATHS = {"data", "generated", "training", "inception"}
LEFT_OUT = {"output", "record", "quiet", "batch", "device"}


def command(folder: Path) -> str:
    """The command of the evaluation, with folders by their names only."""
    settings = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    words = ["darklens evaluate generator"]
    for name, value in settings.items():
        if value in (None, False) or name in LEFT_OUT:
            continue
        shown = Path(value).name if name in PATHS else value
        words.append(f"--{name}" if value is True else f"--{name} {shown}")
    return " ".join(words)


def with_baseline(found: dict[str, float]) -> tuple[str, str]:
    """A score and its split-half baseline, with their intervals."""
    value = f"{found['value']:.4g} [{found['low']:.4g}, {found['high']:.4g}]"
    return (
        value,
        f"{found['baseline']:.4g} [{found['baseline_low']:.4g}, {found['baseline_high']:.4g}]",
    )


def feature_rows(name: str, found: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The scores in one kind of features."""
    frechet = found["frechet"]
    yield (
        f"{name}: Fréchet distance of halves",
        f"{frechet['halves']:.4g} ± {frechet['halves_spread']:.2g}: "
        f"**{frechet['ratio']:.2f} x baseline**",
        f"{frechet['baseline']:.4g} ± {frechet['baseline_spread']:.2g}",
    )
    yield (
        f"{name}: Fréchet distance of all, of infinitely many",
        f"{frechet['value']:.4g}, {frechet['limit']:.3g} ± {frechet['limit_error']:.2g}",
        "",
    )
    yield (f"{name}: kernel distance", *with_baseline(found["kernel"]))
    for part in ("precision", "recall", "density", "coverage"):
        yield (
            f"{name}: {part}",
            f"{found['coverage'][part]:.3f}",
            f"{found['coverage_baseline'][part]:.3f}",
        )
    for kind, scores in found["two_sample"].items():
        yield (f"{name}: two-sample AUC, {kind}", *with_baseline(scores))
    if found["transfer"]:
        yield (
            f"{name}: trained on these, accuracy on real images",
            *with_baseline(found["transfer"]),
        )


def rows(scores: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """All rows: score, value for generated images, split-half baseline or value for real images."""
    for name, found in scores["features"].items():
        yield from feature_rows(name, found)
    for name, found in scores["protocols"].items():
        published = found["protocol"]["published"]
        yield (
            f"Inception FID by the protocol {name}",
            f"{found['fid']:.3g}: {found['frechet']['ratio']:.2f} x baseline",
            "" if published is None else f"published: {published:.2f}",
        )
    for family in dict.fromkeys(test["family"] for test in scores["physics"]):
        values = [
            min(t["corrected"] for t in scores[kind] if t["family"] == family)
            for kind in ("physics", "physics_baseline")
        ]
        word = "passes" if values[0] >= 0.01 else "fails"
        yield f"{family}: smallest corrected p", f"{values[0]:.3g} ({word})", f"{values[1]:.3g}"
    for kind, test in scores["memorisation"].items():
        yield (
            f"memorised, by {kind}",
            f"{100 * test['share_close']:.2f} % close (1 % by chance), p = {test['p_value']:.2g}; "
            f"median distance {test['median_generated']:.4g}",
            f"{test['median_real']:.4g}",
        )
    for name, found in scores["agreement"].items():
        shares = [
            ", ".join(f"{label} {100 * share:.1f} %" for label, share in found[kind].items())
            for kind in ("generated", "real")
        ]
        yield f"recognised by `{name}`", *shares
        if found["chi_square"]:
            low = [
                "{:.3f} ({:.3f} to {:.3f})".format(
                    *(found["chi_square"][kind][k] for k in (1, 0, 2))
                )
                for kind in ("generated", "real")
            ]
            yield "chi-square of the smooth fit to `no`: median, 16 to 84 %", *low
            test = found["chi_square"]
            words = f"p = {test['p_value']:.2g}, {test['images']} images of each"
            yield "the same: Kolmogorov-Smirnov test", words, ""


def table(folder: Path) -> tuple[str, str]:
    """Name of the model, and its table."""
    scores = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    lines = [
        f"# The generator `{scores['model']}` against real images",
        "",
        f"{machine_name()}, {scores['date'][:10]}. `{command(folder)}`, then "
        "`python benchmarks/generator_scores.py`. "
        f"{scores['generated']:,} generated and {scores['real']:,} real images: "
        f"{scores['real_images']}. The split-half baseline is that between two halves of the real "
        "images.",
        "",
        "| score | generated | baseline, or real |",
        "|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows(scores)),
        "",
        *(
            f"{name}: {why.replace(str(Path.home()), '~')}."
            for name, why in scores["not_computed"].items()
        ),
    ]
    return scores["model"], "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Write the table of each evaluation."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, help="folders of evaluations")
    for folder in parser.parse_args().folders:
        name, text = table(folder)
        (RESULTS / f"generator_{name}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
