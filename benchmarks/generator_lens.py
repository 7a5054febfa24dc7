"""A generator of lens parameters and masses against the number of steps.

    python benchmarks/generator_lens.py --images 500 --fits 50

For each number of steps: Kolmogorov-Smirnov tests of the generated lens parameters against those of
new simulations, the share of each class that `default` recognises, and the time of 16 images.
"""

import argparse
import datetime
import os
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import ks_2samp

from darklens.diffusion import Generator, SeededNoise
from darklens.hub import card_of, load_classifier, load_generator
from darklens.hub.described_images import lens_describer
from darklens.simulation import Simulator
from darklens.train.cards import machine_name

RESULTS = Path(__file__).parent / "results"
STEPS = (1, 2, 4, 10)
SEED = 3_000_001
BATCH = 16


def generated(model: Generator, count: int, steps: int) -> Float[np.ndarray, "n d"]:
    """Descriptions of the classes in turn."""
    network = model.network
    noise = SeededNoise(SEED, range(count), network.noise_shape)
    labels = torch.arange(count) % len(model.classes)
    with torch.inference_mode():
        *_, last = network.sample(noise, labels, steps=steps, guidance=1.0)
    return np.asarray(last[:, 0, 0].numpy())


def seconds(model: Generator, steps: int) -> float:
    """Time of 16 images, the median of nine batches after a warm-up [s]."""
    work = partial(model.generate, BATCH, steps=steps)
    work()
    times = []
    for _ in range(9):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="common-test-1")
    parser.add_argument("--images", type=int, default=500, help="of each class, for the tests")
    parser.add_argument("--fits", type=int, default=50, help="images of each class to classify")
    chosen = parser.parse_args()
    load = os.getloadavg()[0]
    model, classifier = load_generator(chosen.model), load_classifier("default")
    card = card_of(model)
    describer = lens_describer(card.network)
    simulator = Simulator(describer.preset)
    count = chosen.images * len(model.classes)
    names = describer.coordinates.names
    real = np.array(
        [describer.describe(simulator.scene(i, seed=SEED)[0])[: len(names)] for i in range(count)]
    )
    rows = []
    for steps in STEPS:
        made = generated(model, count, steps)
        tests = [float(ks_2samp(made[:, j], real[:, j]).pvalue) for j in range(len(names))]
        images = model.generate(chosen.fits * len(model.classes), steps=steps, seed=SEED)
        labels = classifier.predict(images.images)["label"].to_numpy()
        right = labels == np.asarray(model.classes)[images.labels]
        shares = [f"{right[images.labels == k].mean():.0%}" for k in range(len(model.classes))]
        worst = names[int(np.argmin(tests))]
        time_ = f"{1000 * seconds(model, steps):.0f}"
        rows.append(f"| {steps} | {min(tests):.2g} ({worst}) | {' | '.join(shares)} | {time_} |")
        print(rows[-1], flush=True)
    today = datetime.datetime.now(datetime.UTC).date()
    words = f"--model {card.name} --images {chosen.images} --fits {chosen.fits}"
    lines = [
        f"# The generator `{card.name}` by the number of steps",
        "",
        f"{machine_name()}, {today}, `python benchmarks/generator_lens.py {words}`; load average "
        f"before: {load:.1f}.",
        "",
        f"Smallest p value of Kolmogorov-Smirnov tests of the lens parameters ({', '.join(names)}) "
        f"of {count:,} generated against {count:,} simulated lenses; share of {chosen.fits} images "
        f"of each class that `default` recognises; time of {BATCH} images on "
        f"{torch.get_num_threads()} cores, weights loaded.",
        "",
        f"| steps | smallest p | {' | '.join(model.classes)} | {BATCH} images [ms] |",
        "|---|---|" + "---|" * (len(model.classes) + 1),
        *rows,
        "",
    ]
    (RESULTS / "generator_lens_steps.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
