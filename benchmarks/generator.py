"""The fast generator against the reference: quality at equal training time, speed, steps.

    python benchmarks/generator.py equal speed steps --data lenses_2021

`equal`: both generators are trained from scratch at the same time, one core each, on the training
part of the same images; then images of each are compared with real ones that neither has seen.
Runs and samples are kept in `--runs`; a stopped benchmark continues where it was, and `--as_is`
scores the samples of the reference that are there. `speed`: 16 images on all cores. `steps`:
Fréchet distance and time against the number of steps, with the reference of `equal` beside it. The
tables go to `benchmarks/results/generator_*.md`, the figure to `docs/figures/generator_steps.png`.
"""

import argparse
import datetime
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from darklens.data import ImageDataset, build_preprocessing, open_dataset, stratified_folds
from darklens.diffusion import Generator, SamplingOptions, build_generator
from darklens.diffusion.noise import SeededNoise
from darklens.evaluate import common_pixels, neutral_features
from darklens.evaluate.generator.comparison import FrechetScores, score_frechet
from darklens.evaluate.generator.sets import EvaluatedSets, SetOptions
from darklens.hub import find_model, load_card, load_generator
from darklens.metrics import Interval, frechet_distance, kernel_distance_interval
from darklens.train.cards import machine_name

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
FIGURE = ROOT / "docs" / "figures" / "generator_steps.png"
RECIPES = {"ours": "generator-lenses-2021.yaml", "reference": "generator-reference.yaml"}
SIZE = 144  # pixels of a side at which `equal` compares
BATCH = 16
REFERENCE_STEPS = 50
PART = 20  # of the reference's steps, from which all are extrapolated
STEPS = (1, 2, 3, 4, 6, 8, 10, 15, 25, 50)
SEED = 1_000_003

Features = np.ndarray


# Equal training time.


def measure_equal(chosen: argparse.Namespace) -> list[str]:
    """Train, sample and compare both generators."""
    times = train(chosen)
    made = reference_images(chosen)
    count = min(chosen.count, len(made))
    kept = kept_out(chosen)
    real, _ = in_turn(kept, 2 * count)
    ours = load_generator(chosen.runs / "ours" / "model")
    sets = {
        "ours": ours.generate(count, seed=SEED).images,
        "ours, without grain and compression": ours.generate(
            count, seed=SEED, expected=True
        ).images,
        "reference": made[:count],
        "other real images": real[count:],
    }
    target = features(real[:count])
    found = {name: Comparison.of(features(images), target) for name, images in sets.items()}
    best, other = found["ours"], found["reference"]
    worst_case = float(best.kernel.high) / max(float(other.kernel.low), 1e-12)
    missing = chosen.count - count
    cards = {name: load_card(chosen.runs / name / "model") for name in RECIPES}
    steps = {"ours": ours.network.default_steps, "reference": REFERENCE_STEPS}
    training = [
        f"| {name} | {card.training.images} | {card.training.seconds:.0f} | {times[name]} "
        f"| {steps[name]} |"
        for name, card in cards.items()
    ]
    return [
        f"Both trained from scratch at the same time on the same {(chosen.folds - 1) * len(kept)} "
        f"images (one of {chosen.folds} folds is kept out of the training and chooses the best "
        "epoch), one core each. Ours encodes its images before it trains; the reference trained "
        "longer for that. The first time includes validation, which the reference did once, at "
        "its end; the whole time start and encoding, too.",
        *(["", chosen.circumstances] if chosen.circumstances else []),
        "",
        "| generator | images seen | training [s] | whole time [s] | processor time [s] "
        "| evaluations an image |",
        "|---|---|---|---|---|---|",
        *training,
        "",
        f"{count} images of each beside {count} real ones kept out of both trainings, all "
        f"resized to {SIZE} x {SIZE} pixels (bilinear, antialiased)"
        + (f"; {missing} more of the reference were not ready in time" if missing > 0 else "")
        + ". Features of EfficientNet-Lite0. The kernel distance is unbiased and multiplied by "
        "1,000; the Fréchet distance is biased upwards, since there are fewer than 1,280 images.",
        "",
        "| images | kernel distance (95 %) | Fréchet distance |",
        "|---|---|---|",
        *(f"| {name} | {comparison.words()} |" for name, comparison in found.items()),
        "",
        f"Ours over reference: kernel distance {best.kernel.value / other.kernel.value:.4f} "
        f"(at most {worst_case:.4f} from the ends of the intervals), Fréchet distance "
        f"{best.frechet / other.frechet:.4f}; the bar is 0.5.",
    ]


def train(chosen: argparse.Namespace) -> dict[str, str]:
    """Train both generators, each on one core.

    Returns:
        Whole and processor time of each [s], as cells of the table.
    """
    cores = sorted(os.sched_getaffinity(0))

    def run(number: int, name: str) -> str:
        place = chosen.runs / f"{name}.time"
        if not (chosen.runs / name / "model" / "card.yaml").exists():
            minutes = chosen.minutes + (chosen.allowance if name == "reference" else 0)
            words = [sys.executable, "-m", "darklens", "train", "generator"]
            words += [f"--config={ROOT / 'recipes' / RECIPES[name]}", f"--data.path={chosen.data}"]
            words += [f"--data.folds={chosen.folds}", f"--budget.minutes={minutes:g}"]
            words += ["--budget.epochs=null", "--preview_epochs=0", "--resume"]
            words += [f"--output={chosen.runs / name}"]
            begin = time.monotonic()
            process = subprocess.Popen(words, env={**os.environ, "OMP_NUM_THREADS": "1"})
            os.sched_setaffinity(process.pid, {cores[number % len(cores)]})
            _, status, used = os.wait4(process.pid, 0)
            if status:
                raise SystemExit(f"the training of '{name}' failed")
            whole = time.monotonic() - begin
            place.write_text(f"{whole:.0f} | {used.ru_utime + used.ru_stime:.0f}")
        return place.read_text().strip() if place.exists() else "not measured | not measured"

    chosen.runs.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(len(RECIPES)) as pool:
        return dict(zip(RECIPES, pool.map(run, range(len(RECIPES)), RECIPES), strict=True))


def reference_images(chosen: argparse.Namespace) -> np.ndarray:
    """Images of the reference, made batch by batch in `samples` by several processes."""
    folder = chosen.runs / "samples"
    folder.mkdir(exist_ok=True)
    starts = range(0, chosen.count, BATCH)
    if not chosen.as_is:
        context = get_context("spawn")
        with ProcessPoolExecutor(chosen.workers, context) as pool:
            list(pool.map(partial(sample, chosen.runs), starts))
    files = [path for start in starts if (path := folder / f"{start:05d}.npy").exists()]
    return np.concatenate([np.load(path) for path in files])[: chosen.count]


def sample(runs: Path, start: int) -> None:
    """One batch of the reference on one core, unless it is there."""
    path = runs / "samples" / f"{start:05d}.npy"
    if path.exists():
        return
    torch.set_num_threads(1)
    model = load_generator(runs / "reference" / "model")
    stop = start + BATCH
    (made,) = model.batches(
        stop, SamplingOptions(REFERENCE_STEPS, seed=SEED, batch=BATCH), start=start
    )
    partial_file = path.with_suffix(".partial")
    with partial_file.open("wb") as file:
        np.save(file, made.images)
    partial_file.rename(path)
    print(f"{stop} images of the reference", flush=True)


def kept_out(chosen: argparse.Namespace) -> ImageDataset:
    """The real images that neither training saw."""
    return stratified_folds(open_dataset(chosen.data), chosen.folds, seed=0)[0][1]


def in_turn(kept: ImageDataset, count: int) -> tuple[np.ndarray, np.ndarray]:
    """So many images from 0 to 1, classes in turn, with their labels."""
    rng = np.random.default_rng(SEED)
    classes = [rng.permutation(np.flatnonzero(kept.labels == k)) for k in np.unique(kept.labels)]
    smallest = min(map(len, classes))
    order = np.stack([members[:smallest] for members in classes], axis=1).ravel()[:count]
    return kept.images(order).astype(np.float32) / 255, kept.labels[order]


def features(images: np.ndarray) -> Features:
    """Neutral features of images from 0 to 1, all at the same size."""
    resized = build_preprocessing([{"resize": {"size": SIZE}}]).batch(images)
    return neutral_features(resized[:, 0])


@dataclass(frozen=True)
class Comparison:
    """Distances of a set from real images."""

    kernel: Interval
    frechet: float

    @classmethod
    def of(cls, images: Features, real: Features) -> "Comparison":
        """Compare the features of two sets."""
        return cls(kernel_distance_interval(images, real), frechet_distance(images, real))

    def words(self) -> str:
        """Its cells of the table."""
        ends = (self.kernel.value, self.kernel.low, self.kernel.high)
        value, low, high = (1000 * float(end) for end in ends)
        return f"{value:.3f} ({low:.3f} to {high:.3f}) | {self.frechet:.3f}"


# Speed.


def measure_speed(chosen: argparse.Namespace) -> list[str]:
    """Time of 16 images on all cores, ours beside the reference."""
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
        f"after a warm-up. Medians of {len(times)} runs of ours and, between them, of "
        f"{len(all_steps)} steps of the reference ({chosen.repeats} times {PART} of {most:,}, "
        "with fresh weights); "
        f"its totals are extrapolated from that step. Load of the machine before: {load:.1f}.",
        "",
        f"| generator | size | evaluations an image | {BATCH} images [s] | an image [ms] |",
        "|---|---|---|---|---|",
        speed_row(f"`{name}`", size, steps, seconds),
        speed_row("reference, extrapolated", SIZE, most, most * step),
        speed_row("reference by DDIM, extrapolated", SIZE, REFERENCE_STEPS, REFERENCE_STEPS * step),
        "",
        f"The reference's {most:,} steps take {most * step / seconds:,.0f} times as long as ours. "
        "The bar is 3 s, the goal 1 s.",
    ]


def speed_row(name: str, size: int, steps: int, seconds: float) -> str:
    """A line of the table."""
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
    """The reference with weights that have learned nothing."""
    recipe = yaml.safe_load((ROOT / "recipes" / RECIPES["reference"]).read_text())
    network = build_generator(recipe["network"], channels=1, classes=2)
    return Generator(network, ("no_sub", "sub"), lambda images: images)


def reference_steps(reference: Generator, count: int) -> list[float]:
    """Times of the first steps of all, 16 images in each [s]."""
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
    """What a number of steps costs and gives."""

    steps: int
    scores: FrechetScores
    seconds: float

    def row(self, name: str) -> str:
        """Its line of the table."""
        found = self.scores
        return (
            f"| {name} | {self.steps} | {found.value:.3f} | {found.halves:.3f} "
            f"± {found.halves_spread:.3f} | {found.ratio:.2f} | {rounded(1000 * self.seconds)} |"
        )


def measure_steps(chosen: argparse.Namespace) -> list[str]:
    """Distance and time against steps, as a table and a figure."""
    load = os.getloadavg()[0]
    options = partial(
        SetOptions, model=chosen.model, data=chosen.data, folds=chosen.folds, count=chosen.images
    )
    name = load_card(find_model(chosen.model)).name
    sets = [EvaluatedSets.open(options(steps=steps)) for steps in STEPS]
    real = stream_features(chosen, sets[0], "real")
    made = [stream_features(chosen, item, "generated") for item in sets]
    points = []
    for steps, item, rows in zip(STEPS, sets, made, strict=True):
        labels = item.real.labels, item.generated.labels
        scores = score_frechet(real, rows, *labels, seed=SEED)
        points.append(Point(steps, scores, image_seconds(chosen.model, steps)))
    beside = reference_points(chosen)
    draw(name, points, beside)
    usual = load_generator(find_model(chosen.model)).network.default_steps
    lines = [
        f"`{name}` (its own number of steps is {usual}) and real images kept out of its "
        f"training, {chosen.images} of each. Fréchet distance in neutral features: of all images; "
        "between halves; that over the split-half baseline, the distance between two halves of the "
        f"real images ({points[0].scores.baseline:.3f} ± "
        f"{points[0].scores.baseline_spread:.3f}), as "
        "`darklens evaluate generator` reports it. Times are of batches of 16 on all cores; load "
        f"of the machine before: {load:.1f}.",
        "",
        "| generator | steps | Fréchet distance | of halves | over the baseline | an image [ms] |",
        "|---|---|---|---|---|---|",
        *(point.row(f"`{name}`") for point in points),
    ]
    if beside is None:
        return [*lines, "", "There are no images of the reference: `equal` makes them."]
    seconds = load_card(chosen.runs / "reference" / "model").training.seconds
    number, reference, ours = beside
    return [
        *lines,
        reference.row("reference"),
        ours.row(f"`{name}` on as many images"),
        "",
        f"The reference had {seconds / 60:.1f} minutes of training and validation (`equal`). The "
        f"last two lines: {number} images each at {SIZE} x {SIZE} pixels, where the baseline is "
        f"{reference.scores.baseline:.3f}. The shipped model trained longer; for equal time see "
        "`equal`.",
    ]


def stream_features(chosen: argparse.Namespace, sets: EvaluatedSets, name: str) -> Features:
    """Neutral features of a set, as in `darklens evaluate generator`; kept for the next time."""
    stream = sets.parts()[name]
    words = f"{stream.words}, {len(stream)} images"
    if name == "generated" and (card := sets.card) is not None:
        made_by = repr((card.weights, card.network, card.preprocessing, card.output))
        words += f", {hashlib.sha256(made_by.encode()).hexdigest()[:12]}"
    path = chosen.runs / "features" / f"{words.replace('/', '_')}.npy"
    if path.exists():
        kept: Features = np.load(path)
        return kept
    pixels = common_pixels(*(next(part.batches(32))[0] for part in (stream, sets.real)))[0]
    rows = np.concatenate(
        [
            neutral_features(pixels.for_features(pixels.values(images)))
            for images, _ in stream.batches(32)
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
    """The reference's samples of `equal` and as many of ours, both at the size of `equal`."""
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


def draw(name: str, points: Sequence[Point], beside: tuple[int, Point, Point] | None) -> None:
    """Distance and time against steps."""
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
    if beside is not None:
        reference = beside[1]
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
    right.set(ylabel="time of an image [ms]")
    FIGURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(FIGURE, dpi=160)


def main() -> None:
    """Measure what is asked for and write the tables."""
    work = {"equal": measure_equal, "speed": measure_speed, "steps": measure_steps}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="+", choices=list(work))
    parser.add_argument("--data", type=Path, default=Path("lenses_2021"), help="real images")
    parser.add_argument("--folds", type=int, default=4, help="one in so many images is kept out")
    parser.add_argument("--model", default="lenses-2021", help="generator of `speed` and `steps`")
    parser.add_argument("--minutes", type=float, default=8.0, help="training time of `equal`")
    parser.add_argument(
        "--allowance", type=float, default=1.25, help="further minutes for the reference"
    )
    parser.add_argument("--count", type=int, default=512, help="images of each set of `equal`")
    parser.add_argument("--images", type=int, default=1000, help="images of each set of `steps`")
    parser.add_argument("--workers", type=int, default=2, help="processes that sample")
    parser.add_argument("--repeats", type=int, default=3, help="repetitions of `speed`")
    parser.add_argument("--as_is", action="store_true", help="sample no more, score what is there")
    parser.add_argument("--runs", type=Path, default=Path("runs") / "bench_generator")
    parser.add_argument("--circumstances", default="", help="a remark for the result")
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
    """The command that measures the same again."""
    silent = ("parts", "runs", "as_is", "circumstances")
    words = [
        f"--{name} {value}"
        for name, value in vars(chosen).items()
        if name not in silent and value != parser.get_default(name)
    ]
    return " ".join(["python benchmarks/generator.py", part, *words])


if __name__ == "__main__":
    main()
