"""Draw the picture of the README: simulated lenses of the three classes, in two presets.

Run `python docs/figures/readme_picture.py`; it writes `classes.png` beside this file.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from darklens.lensing import Simulator

PRESETS = ("common-test-1", "model-1-legacy")
TITLES = {"no": "no substructure", "sphere": "subhalos", "vort": "vortex (line mass)"}
SEED = 0
EXAMPLES = 2


def main() -> None:
    """Simulate and draw."""
    columns = EXAMPLES * len(TITLES)
    figure, axes = plt.subplots(
        len(PRESETS), columns, figsize=(12, 4.3), layout="constrained", dpi=110
    )
    for row, preset in zip(axes, PRESETS, strict=True):
        lenses = Simulator(preset).simulate(count=columns, seed=SEED)
        order = np.argsort(lenses.labels, kind="stable")
        for axis, i in zip(row, order, strict=True):
            image = lenses.images[i, 0].astype(float)
            axis.imshow(np.arcsinh(8 * image / image.max()), cmap="magma", origin="lower")
            axis.set(xticks=[], yticks=[])
            if row is axes[0]:
                axis.set_title(TITLES[lenses.classes[lenses.labels[i]]])
        row[0].set_ylabel(preset)
    figure.savefig(Path(__file__).with_name("classes.png"))


if __name__ == "__main__":
    main()
