"""The fast generator and the reference: quality after equal training time, speed, and steps.

    python benchmarks/generator.py equal speed steps --data lenses_2021

`equal` trains both generators from scratch at the same time, one core each, on the training part of
the same images, and compares images of each with real images that neither has seen. Runs and
samples are kept in `--runs`; an interrupted benchmark continues where it stopped, and `--as_is`
scores the samples of the reference that exist so far. `speed` times 16 images on all cores. `steps`
plots Fréchet distance and time against the number of steps, with the reference of `equal`. The
tables go to `benchmarks/results/generator_*.md`, the figure to `docs/figures/generator_steps.png`.
"""

import argparse
import datetime
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from generator_equal import (
    BATCH,
    RECIPES,
    REFERENCE_STEPS,
    ROOT,
    SEED,
    SIZE,
    Features,
    features,
    in_turn,
    kept_out,
    measure_equal,
)

from darklens.diffusion import Generator, build_generator
from darklens.diffusion.noise import SeededNoise
from darklens.evaluate import common_pixels, neutral_features
from darklens.evaluate.generator.comparison import FrechetScores, score_frechet
from darklens.evaluate.generator.sets import EvaluatedSets, SetOptions
from darklens.hub import find_model, load_card, load_generator
from darklens.train.cards import machine_name

RESULTS = ROOT / "benchmarks" / "results"
FIGURE = ROOT / "docs" / "figures" / "generator_steps.png"
PART = 20  # of the reference's steps, from which all are extrapolated
STEPS = (1, 2, 3, 4, 6, 8, 10, 15, 25, 50)


# Speed.


def measure_speed(chosen: argparse.Namespace) -> list[str]:
    """Time of 16 images on all cores, for ours and for the reference."""
    load = os.getloadavg()[0]
    folder = find_model(chosen.model)
    name, ours = load_card(folder).name, load_generator(folder)
    reference = fresh_reference()
    generate = partial(ours.generate, BATCH)
    generate()
    list(reference_steps(reference, 2))
    times: list[float] = []
    all_steps: list[float] = []
    for _ in range(chosen.repeats):
        times += [timed(generate) for _ in range(3)]
        all_steps += reference_steps(reference, PART)
    seconds, step = float(np.median(times)), float(np.median(all_steps))
    most = reference.network.most_steps
    size, steps = ours.shape[1], ours.network.default_steps
    return [
        f"{BATCH} images on all {torch.get_num_threads()} cores in one batch, weights loaded, "
        f"after a warm-up. Medians of {len(times)} runs of ours and, in between, of "
        f"{len(all_steps)} steps of the reference ({chosen.repeats} times {PART} of {most:,}, "
        "with untrained weights), from which its totals are extrapolated. "
        f"Load average of the machine before: {load:.1f}.",
        "",
        f"| generator | size | evaluations per image | {BATCH} images [s] | per image [ms] |",
        "|---|---|---|---|---|",
        speed_row(f"`{name}`", size, steps, seconds),
        speed_row("reference, extrapolated", SIZE, most, most * step),
        speed_row("reference by DDIM, extrapolated", SIZE, REFERENCE_STEPS, REFERENCE_STEPS * step),
        "",
        f"The reference's {most:,} steps take {most * step / seconds:,.0f} times as long as ours. "
        "The bar is 3 s, the goal 1 s.",
    ]


def speed_row(name: str, size: int, steps: int, seconds: float) -> str:
    """A row of the table."""
    each = 1000 * seconds / BATCH
    return f"| {name} | {size} x {size} | {steps:,} | {rounded(seconds)} | {rounded(each)} |"


def rounded(number: float) -> str:
    """Three digits, or all of a large number."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def timed(work: Callable[[], object]) -> float:
    """Wall time [s]."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def fresh_reference() -> Generator:
    """The reference with untrained weights."""
    recipe = yaml.safe_load((ROOT / "recipes" / RECIPES["reference"]).read_text())
    network = build_generator(recipe["network"], channels=1, classes=2)
    return Generator(network, ("no_sub", "sub"), lambda images: images)


def reference_steps(reference: Generator, count: int) -> list[float]:
    """Times of the first of all steps, with 16 images in each [s]."""
    network = reference.network
    noise = SeededNoise(SEED, range(BATCH), network.noise_shape)
    labels = torch.full((BATCH,), -1)
    times = []
    with torch.inference_mode():
        work = network.sample(noise, labels, steps=network.most_steps, guidance=1.0)
        next(work)  # draws the noise, too
        for _ in range(count):
            times.append(timed(partial(next, work)))
    return times


# Steps.


@dataclass(frozen=True)
class Point:
    """Cost and quality at one number of steps."""

    steps: int
    scores: FrechetScores
    seconds: float

    def row(self, name: str) -> str:
        """Its row of the table."""
        found = self.scores
        return (
            f"| {name} | {self.steps} | {found.value:.3f} | {found.halves:.3f} "
            f"± {found.halves_spread:.3f} | {found.ratio:.2f} | {rounded(1000 * self.seconds)} |"
        )


def measure_steps(chosen: argparse.Namespace) -> list[str]:
    """Distance and time against the number of steps, as a table and a figure."""
    load = os.getloadavg()[0]
    options = partial(
        SetOptions, model=chosen.model, data=chosen.data, folds=chosen.folds, count=chosen.images
    )
    name = load_card(find_model(chosen.model)).name
    sets = [EvaluatedSets.open(options(steps=steps)) for steps in STEPS]
    real = features_of_set(chosen, sets[0], "real")
    made = [features_of_set(chosen, item, "generated") for item in sets]
    points = []
    for steps, item, rows in zip(STEPS, sets, made, strict=True):
        labels = item.real.labels, item.generated.labels
        scores = score_frechet(real, rows, *labels, seed=SEED)
        points.append(Point(steps, scores, image_seconds(chosen.model, steps)))
    references = reference_points(chosen)
    draw(name, points, references)
    usual = load_generator(find_model(chosen.model)).network.default_steps
    lines = [
        f"`{name}` (by default {usual} steps) and real images held out of its training, "
        f"{chosen.images} of each. Fréchet distance in neutral features: of all images, of halves, "
        "and of halves over the split-half baseline, the distance between two halves of the real "
        f"images ({points[0].scores.baseline:.3f} ± {points[0].scores.baseline_spread:.3f}), as in "
        "`darklens evaluate generator`. Times are for batches of 16 on all cores; load average of "
        f"the machine before: {load:.1f}.",
        "",
        "| generator | steps | Fréchet distance | of halves | over the baseline | per image [ms] |",
        "|---|---|---|---|---|---|",
        *(point.row(f"`{name}`") for point in points),
    ]
    if references is None:
        return [*lines, "", "There are no images of the reference yet: run `equal`."]
    seconds = load_card(chosen.runs / "reference" / "model").training.seconds
    number, reference, ours = references
    return [
        *lines,
        reference.row("reference"),
        ours.row(f"`{name}`, as many images"),
        "",
        f"The reference had {seconds / 60:.1f} minutes of training and validation (`equal`). The "
        f"last two rows: {number} images each at {SIZE} x {SIZE} pixels, where the baseline is "
        f"{reference.scores.baseline:.3f}. The shipped model trained longer; for equal time see "
        "`equal`.",
    ]


def features_of_set(chosen: argparse.Namespace, sets: EvaluatedSets, name: str) -> Features:
    """Neutral features of a set, as in `darklens evaluate generator`; kept for the next time."""
    image_set = sets.parts()[name]
    words = f"{image_set.description}, {len(image_set)} images"
    if name == "generated" and (card := sets.card) is not None:
        made_by = repr((card.weights, card.network, card.preprocessing, card.output))
        words += f", {hashlib.sha256(made_by.encode()).hexdigest()[:12]}"
    path = chosen.runs / "features" / f"{words.replace('/', '_')}.npy"
    if path.exists():
        kept: Features = np.load(path)
        return kept
    pixels = common_pixels(*(next(part.batches(32))[0] for part in (image_set, sets.real)))[0]
    rows = np.concatenate(
        [
            neutral_features(pixels.for_features(pixels.values(images)))
            for images, _ in image_set.batches(32)
        ]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, rows)
    print(words, flush=True)
    return rows


def image_seconds(model: str, steps: int) -> float:
    """Time of an image in a batch of 16, the median of nine batches after a warm-up [s]."""
    generate = partial(load_generator(find_model(model)).generate, BATCH, steps=steps)
    generate()
    return float(np.median([timed(generate) for _ in range(9)])) / BATCH


def reference_points(chosen: argparse.Namespace) -> tuple[int, Point, Point] | None:
    """The reference's samples of `equal` and as many of ours, both at the image size of `equal`."""
    files = sorted((chosen.runs / "samples").glob("*.npy"))
    if not files:
        return None
    made = np.concatenate([np.load(path) for path in files])
    count = len(made)
    images, labels = in_turn(kept_out(chosen), count)
    real = features(images)
    model = load_generator(find_model(chosen.model))
    ours = model.generate(count, seed=SEED)
    step = float(np.median(reference_steps(fresh_reference(), PART)))
    usual = model.network.default_steps
    found = [
        score_frechet(real, features(part), labels, known, seed=SEED)
        for part, known in ((made, np.full(count, -1)), (ours.images, ours.labels))
    ]
    return (
        count,
        Point(REFERENCE_STEPS, found[0], REFERENCE_STEPS * step / BATCH),
        Point(usual, found[1], image_seconds(chosen.model, usual)),
    )


def draw(name: str, points: Sequence[Point], references: tuple[int, Point, Point] | None) -> None:
    """Plot distance and time against the number of steps."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    figure = Figure(figsize=(8.4, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    steps = [point.steps for point in points]
    style: dict[str, Any] = {"marker": "o", "ms": 4, "lw": 1.2, "color": "C0", "label": name}
    left.plot(steps, [point.scores.ratio for point in points], **style)
    right.plot(steps, [1000 * point.seconds for point in points], **style)
    left.axhline(1, lw=1, ls=":", color="0.5")
    left.text(1, 1.05, "two halves of the real images", color="0.4", va="bottom")
    if references is not None:
        reference = references[1]
        style |= {"marker": "s", "ls": "", "color": "C1", "label": "reference"}
        left.plot(reference.steps, reference.scores.ratio, **style)
        right.plot(reference.steps, 1000 * reference.seconds, **style)
    for axes in (left, right):
        axes.set(xscale="log", yscale="log", xlabel="steps of the sampler")
        axes.set_xticks(steps, [str(number) for number in steps], minor=False)
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.minorticks_off()
    right.legend(frameon=False)
    left.set(ylabel="Fréchet distance / baseline", ylim=(0.7, None))
    right.set(ylabel="time per image [ms]")
    FIGURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(FIGURE, dpi=160)


def main() -> None:
    """Run the chosen measurements and write the tables."""
    work = {"equal": measure_equal, "speed": measure_speed, "steps": measure_steps}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="+", choices=list(work))
    parser.add_argument("--data", type=Path, default=Path("lenses_2021"), help="real images")
    parser.add_argument("--folds", type=int, default=4, help="folds, one of them held out")
    parser.add_argument("--model", default="lenses-2021", help="generator of `speed` and `steps`")
    parser.add_argument("--minutes", type=float, default=8.0, help="training time in `equal` [min]")
    parser.add_argument(
        "--allowance", type=float, default=1.25, help="extra training time of the reference [min]"
    )
    parser.add_argument("--count", type=int, default=512, help="images of each set of `equal`")
    parser.add_argument("--images", type=int, default=1000, help="images of each set of `steps`")
    parser.add_argument("--workers", type=int, default=2, help="processes that generate")
    parser.add_argument("--repeats", type=int, default=3, help="repetitions of `speed`")
    parser.add_argument("--as_is", action="store_true", help="score the existing samples only")
    parser.add_argument("--runs", type=Path, default=Path("runs") / "bench_generator")
    parser.add_argument("--circumstances", default="", help="a remark for the table")
    chosen = parser.parse_args()
    for part in chosen.parts:
        lines = [
            f"# Generator: {part}",
            "",
            f"{machine_name()}, {datetime.datetime.now(datetime.UTC).date()}, "
            f"`{call(part, parser, chosen)}`.",
            "",
            *work[part](chosen),
        ]
        (RESULTS / f"generator_{part}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print("\n".join(lines))


def call(part: str, parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> str:
    """The command that repeats the measurement."""
    silent = ("parts", "runs", "as_is", "circumstances")
    words = [
        f"--{name} {value}"
        for name, value in vars(chosen).items()
        if name not in silent and value != parser.get_default(name)
    ]
    return " ".join(["python benchmarks/generator.py", part, *words])


if __name__ == "__main__":
    main()
