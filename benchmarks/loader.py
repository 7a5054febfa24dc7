"""The cost of reading, preparing and augmenting training images, compared with a training step.

    python benchmarks/loader.py

Processor time per image, which other programs on the machine hardly change, for the networks and
the preprocessing of two recipes on a data set of simulated lenses, and for the recipe `default`,
whose images are fitted once before the training and are arrays of several channels (here random
numbers). The table goes to `benchmarks/results/loader.md`.
"""

import datetime
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import yaml

from darklens.classify import build_network
from darklens.data import (
    Augmentation,
    ImageDataset,
    NpyTreeWriter,
    Preprocessing,
    StoreWriter,
    build_preprocessing,
    open_dataset,
)
from darklens.data.batches import PreparedImages, ShuffledBatches
from darklens.hub import find_model, load_card
from darklens.simulation import Simulator
from darklens.train.cards import machine_name

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "loader.md"
RECIPES = {
    "default-pixels": ROOT / "recipes" / "classifier-default-pixels.yaml",
    "reference": ROOT / "recipes" / "classifier-reference.yaml",
}
PREPARED = ROOT / "recipes" / "classifier-default.yaml"
IMAGES, BATCH = 512, 32
EVERYTHING = Augmentation(flips=True, rotations=True, shifts=True)


def processor_time(work: Callable[[int], object], repeats: int, images: int) -> float:
    """Processor time per image of all threads [ms], after one call to warm up."""
    work(0)
    begin = time.process_time()
    for i in range(1, repeats + 1):
        work(i)
    return 1e3 * (time.process_time() - begin) / (repeats * images)


def write_datasets(folder: Path) -> dict[str, ImageDataset]:
    """The same simulated lenses as a store and as a tree."""
    simulator = Simulator("common-test-1")
    batch = simulator.simulate(count=IMAGES, seed=0)
    for writer_class, name in ((StoreWriter, "store"), (NpyTreeWriter, "npy")):
        writer = writer_class(
            folder / name,
            shape=batch.images.shape[1:],
            dtype=batch.images.dtype,
            count=IMAGES,
            classes=batch.classes,
        )
        writer.write(0, batch.images, batch.labels, batch.parameters)
        writer.finish()
    return {name: open_dataset(folder / name) for name in ("store", "npy")}


def step_cost(network_spec: dict[str, object], inputs: torch.Tensor, labels: torch.Tensor) -> float:
    """One training step on a batch: forward, backward, Adam."""
    network = build_network(network_spec, in_channels=inputs.shape[1])
    optimiser = torch.optim.Adam(network.parameters())

    def step(_: int) -> None:
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(inputs), labels).backward()
        optimiser.step()

    return processor_time(step, 4, len(inputs))


def loader_batches(
    datasets: dict[str, ImageDataset], preprocessing: Preprocessing
) -> dict[str, ShuffledBatches]:
    """Batches from memory and from disk, prepared and with every augmentation."""
    sources = {
        "memory, prepared at the start": PreparedImages(datasets["store"], preprocessing, 1e9),
        "a store too large for memory": PreparedImages(datasets["store"], preprocessing, 0),
        "a tree too large for memory": PreparedImages(datasets["npy"], preprocessing, 0),
    }
    return {
        name: ShuffledBatches(images, EVERYTHING, batch_size=BATCH, seed=0)
        for name, images in sources.items()
    }


def prepared_rows() -> list[str]:
    """Rows of the recipe whose images are prepared before training."""
    recipe = yaml.safe_load(PREPARED.read_text())
    card = load_card(find_model(recipe["name"]))
    side = recipe["preprocessing"][0]["smooth_residual"]["size"] // 2
    shape = (IMAGES, card.channels, side, side)
    images = np.random.default_rng(0).standard_normal(shape).astype(np.float16)
    dataset = ImageDataset.from_arrays(images, np.arange(IMAGES) % 3, classes=card.classes)
    nothing, batch = build_preprocessing([]), recipe["data"]["batch_size"]
    inputs = torch.from_numpy(nothing.batch(images[:batch]))
    step = step_cost(recipe["network"], inputs, torch.from_numpy(dataset.labels[:batch]))
    rows = []
    for source, memory in (("memory", 1e9), ("the file of prepared images", 0)):
        prepared = PreparedImages(dataset, nothing, memory)
        augmentation = Augmentation(**recipe["augmentation"])
        batches = ShuffledBatches(prepared, augmentation, batch_size=batch, seed=0)
        rows.append(table_row(recipe["name"], step, source, batches, batch))
    return rows


def table_row(name: str, step: float, source: str, batches: ShuffledBatches, batch: int) -> str:
    """One row of the table."""
    cost = processor_time(batches.__getitem__, 15, batch)
    return f"| {name} | {step:.2f} | {source} | {cost:.3f} | {100 * cost / step:.1f} % |"


def main() -> None:
    """Measure and write the table."""
    lines = [
        "# Reading and augmenting compared with a training step",
        "",
        f"{machine_name()}, {datetime.date.today()}, `python benchmarks/loader.py`.",
        f"Processor time per image in milliseconds; 150 x 150 uint16 images, batches of {BATCH},",
        "with flips, right-angle rotations and sub-pixel shifts all on. By default the data module",
        "keeps the prepared images in memory when they fit into 4 GB. The recipe `default` turns",
        "flips and rotations on, with batches of its own size.",
        "",
        "| network of the recipe | training step | batches from | loader | share of a step |",
        "|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        datasets = write_datasets(Path(folder))
        for name, path in RECIPES.items():
            recipe = yaml.safe_load(path.read_text())
            preprocessing = build_preprocessing(recipe["preprocessing"])
            first = datasets["store"].subset(range(BATCH))
            inputs = torch.from_numpy(preprocessing.batch(first.images()))
            labels = torch.from_numpy(first.labels)
            step = step_cost(recipe["network"], inputs, labels)
            for source, batches in loader_batches(datasets, preprocessing).items():
                lines.append(table_row(name, step, source, batches, BATCH))
    lines += prepared_rows()
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
