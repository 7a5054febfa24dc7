"""Draw the picture of the README: simulated lenses, and generated ones next to them.

Run `python docs/figures/readme_picture.py`; it writes `classes.png` next to this file.
"""

from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from darklens.diffusion import Generator
from darklens.hub import load_generator
from darklens.lensing import Perturbers
from darklens.simulation import Simulator

NAME = "common-test-1"
TITLES = {"no": "no substructure", "sphere": "subhalos", "vort": "vortex (line mass)"}
SEED = 1
HALF_WIDTH = 2.9  # shown around the lens [arcsec]


def draw_column(image_axis: Axes, change_axis: Axes, simulator: Simulator, index: int) -> None:
    """Draw one lens, and below it how far its noiseless image is from that of the smooth lens."""
    lens = simulator.lens(index, seed=SEED)
    smooth = replace(lens.scene, perturbers=Perturbers())
    expected = simulator.expected_rate(lens.scene)
    change = (expected - simulator.expected_rate(smooth)) / expected.max()
    half = simulator.preset.grid.pixel_scale * simulator.shape[-1] / 2
    shared = {"origin": "lower", "extent": (-half, half, -half, half)}
    image_axis.imshow(lens.image[0], cmap="inferno", **shared)
    change_axis.imshow(change, cmap="RdBu_r", vmin=-0.3, vmax=0.3, **shared)
    for axis in (image_axis, change_axis):
        axis.set(xlim=(-HALF_WIDTH, HALF_WIDTH), ylim=(-HALF_WIDTH, HALF_WIDTH))
        axis.set(xticks=[], yticks=[])
    image_axis.set_title(TITLES[simulator.classes[lens.label]])


def draw_generated(axes: np.ndarray, model: Generator) -> None:
    """Draw as many generated lenses as there are axes, a class in each column."""
    made = model.generate(axes.size, seed=SEED)
    half = Simulator(NAME).preset.grid.pixel_scale * model.shape[-1] / 2
    for axis, image, label in zip(axes.flat, made.images, made.labels, strict=True):
        axis.imshow(image[0], cmap="inferno", origin="lower", extent=(-half, half, -half, half))
        axis.set(xlim=(-HALF_WIDTH, HALF_WIDTH), ylim=(-HALF_WIDTH, HALF_WIDTH))
        axis.set(xticks=[], yticks=[])
        if axis in axes[0]:
            axis.set_title(TITLES[model.classes[label]])


def main() -> None:
    """Draw all columns and save the picture."""
    figure = plt.figure(figsize=(12.6, 4.7), layout="constrained", dpi=110)
    left, right = figure.subfigures(1, 2)
    simulator, model = Simulator(NAME), load_generator(NAME)
    left.suptitle(f"simulated: preset {NAME}", weight="bold")
    axes = left.subplots(2, len(simulator.classes))
    for index, (image_axis, change_axis) in enumerate(axes.T):
        draw_column(image_axis, change_axis, simulator, index)
    axes[0, 0].set_ylabel("observed")
    axes[1, 0].set_ylabel("change by substructure")
    right.suptitle(f"generated from noise: model {NAME}", weight="bold")
    draw_generated(right.subplots(2, len(model.classes)), model)
    figure.savefig(Path(__file__).with_name("classes.png"))


if __name__ == "__main__":
    main()
