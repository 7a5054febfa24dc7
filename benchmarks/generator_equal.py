"""Both generators trained from scratch for the same time, for `benchmarks/generator.py equal`.

Runs and samples are kept, so that an interrupted measurement continues where it stopped.
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from darklens.data import ImageDataset, build_preprocessing, open_dataset, stratified_folds
from darklens.diffusion import SamplingOptions
from darklens.evaluate import neutral_features
from darklens.hub import load_card, load_generator
from darklens.metrics import Interval, frechet_distance, kernel_distance_interval

ROOT = Path(__file__).resolve().parents[1]
RECIPES = {"ours": "generator-lenses-2021.yaml", "reference": "generator-reference.yaml"}
SIZE = 144  # pixels of a side at which images are compared
BATCH = 16
REFERENCE_STEPS = 50
SEED = 1_000_003

Features = np.ndarray


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
        f"Both were trained from scratch at the same time on the same "
        f"{(chosen.folds - 1) * len(kept)} images, one core each; one of {chosen.folds} folds was "
        "held out and selects the best epoch. Our generator encodes its images before the "
        "training; the reference trained longer to make up for it. The training time includes "
        "validation, which the reference did once, at its end; the total time also includes "
        "start-up and encoding.",
        *(["", chosen.circumstances] if chosen.circumstances else []),
        "",
        "| generator | images seen | training [s] | total time [s] | processor time [s] "
        "| evaluations per image |",
        "|---|---|---|---|---|---|",
        *training,
        "",
        f"{count} images of each, compared with {count} real ones held out of both trainings, all "
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
        Total and processor time of each [s], as cells of the table.
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
    """Images of the reference, generated in batches by several processes and kept in `samples`."""
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
    """Generate one batch of the reference on one core, unless it exists."""
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
    """The real images that were held out of both trainings."""
    return stratified_folds(open_dataset(chosen.data), chosen.folds, seed=0)[0][1]


def in_turn(kept: ImageDataset, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images from 0 to 1, as many of each class, with their labels."""
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
        """Its cells in the table."""
        ends = (self.kernel.value, self.kernel.low, self.kernel.high)
        value, low, high = (1000 * float(end) for end in ends)
        return f"{value:.3f} ({low:.3f} to {high:.3f}) | {self.frechet:.3f}"
