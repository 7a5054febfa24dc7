"""Whether channels_last, bf16 and `torch.compile` pay off, in training and in prediction.

    python benchmarks/training_speed.py

Processor time per image on one core, which other programs on the machine hardly change, of the
networks of shipped models and of the reference with untrained weights and random images of their
size: the median over some batches, with the variants in turn. `plain` is a loop in PyTorch as one
would write it. bf16 is `trainer.precision: auto` on a processor that computes in it. The table goes
to `benchmarks/results/training_speed.md`.
"""

import argparse
import datetime
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import yaml

from darklens.classify import ClassifierNetwork, build_network
from darklens.train.cards import machine_name

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "training_speed.md"
NETWORKS = {
    "default": ("classifier-default.yaml", (23, 60, 60)),
    "default-pixels": ("classifier-default-pixels.yaml", (1, 100, 100)),
    "reference": ("classifier-reference.yaml", (1, 100, 100)),
}
"""Recipe of each network, and the shape of its images."""
BATCH = 32
VARIANTS = (
    "plain",
    "channels_last",
    "channels_last, bf16",
    "compiled, channels_last",
    "compiled, channels_last, bf16",
)


def variant(spec: dict[str, object], channels: int, name: str) -> ClassifierNetwork:
    """An untrained network in one of the variants."""
    torch.manual_seed(0)
    network = build_network(
        {**spec, "channels_last": "channels_last" in name}, in_channels=channels
    )
    if "compiled" in name:
        network.compile()
    return network


def training_step(
    network: ClassifierNetwork, images: torch.Tensor, *, bf16: bool
) -> Callable[[], None]:
    """Forward, backward and one step of the optimiser."""
    labels = torch.arange(len(images)) % 3
    optimiser = torch.optim.AdamW(network.parameters())

    def step() -> None:
        network.train()
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = torch.nn.functional.cross_entropy(network(images).float(), labels)
        torch.autograd.backward(loss)
        optimiser.step()

    return step


def prediction(
    network: ClassifierNetwork, images: torch.Tensor, *, bf16: bool
) -> Callable[[], None]:
    """One pass without gradients."""

    def step() -> None:
        network.eval()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            network(images)

    return step


def costs(works: dict[str, Callable[[], None]], batches: int) -> dict[str, tuple[float, float]]:
    """Median processor time per image [ms] and time of the first call [s] of each task."""
    first = {name: _seconds(work) for name, work in works.items()}
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(batches):
        for name, work in works.items():
            seconds[name].append(_seconds(work))
    return {name: (1e3 * float(np.median(seconds[name])) / BATCH, first[name]) for name in works}


def _seconds(work: Callable[[], None]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def rows(network: str, batches: int) -> list[str]:
    """The rows of one network."""
    recipe, shape = NETWORKS[network]
    settings = yaml.safe_load((ROOT / "recipes" / recipe).read_text(encoding="utf-8"))
    images = torch.rand(BATCH, *shape) * 100
    lines = []
    for kind, make in (("training", training_step), ("prediction", prediction)):
        works = {
            name: make(variant(settings["network"], shape[0], name), images, bf16="bf16" in name)
            for name in VARIANTS
        }
        found = costs(works, batches)
        plain = found["plain"][0]
        for name, (cost, first) in found.items():
            lines.append(
                f"| {network} | {kind} | {name} | {cost:.2f} | {plain / cost:.2f} | {first:.1f} |"
            )
            print(lines[-1], flush=True)
    return lines


def run() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, default=7, help="timed batches of each variant")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--output", type=Path, default=RESULT, help="Markdown file to write")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    lines = [line for network in chosen.networks for line in rows(network, chosen.batches)]
    text = "\n".join(
        [
            "# channels_last, bf16 and torch.compile",
            "",
            f"Command: `python benchmarks/training_speed.py --batches {chosen.batches} "
            f"--networks {' '.join(chosen.networks)}`. "
            f"Machine: {machine_name()}, one of them used; torch {torch.__version__}. "
            f"Load average at the start: {load:.1f}. "
            f"Date: {datetime.datetime.now(datetime.UTC).date()}.",
            "",
            f"Batches of {BATCH} images; the variants run in turn, and the cost is that of the "
            "median batch.",
            "",
            "| network | work | variant | processor time per image [ms] | times as fast as plain "
            "| first call [s] |",
            "|---|---|---|---|---|---|",
            *lines,
            "",
        ]
    )
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run()
