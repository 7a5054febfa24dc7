"""How well the residual classifier works, where it fails, and what the fit costs.

    python benchmarks/residual.py strength families bound

`strength` measures the accuracy of the shipped `default` and `model-1-legacy` against the strength
of the perturber, the fraction of the halo's mass in substructure, as a figure and a table.
`families` measures the accuracy of `default` on images that violate the assumptions of its fit, and
what the column `fit` says of them. `bound` compares a network that is given the residual against
the true smooth lens, which no fit can improve on, with one that is given the fitted residual; both
are trained on the same few images for the same time. The tables go to
`benchmarks/results/residual_*.md`, the figure to `docs/figures/strength.png`.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
import datetime
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cached_property, partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from darklens.metrics import accuracy, bootstrap_interval, macro_auc
from darklens.modelling import LineFitter, SmoothFit, scene_parameters
from darklens.modelling.fit import fit_result
from darklens.modelling.levenberg_marquardt import optimise
from darklens.residual.smooth_residual import SmoothResidual
from darklens.simulation import Lens, Preset, Simulator, parse_preset
from darklens.simulation.presets import preset_text

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
FIGURE = ROOT / "docs" / "figures" / "strength.png"
SEED = 3_000_002
HALO = 1e12
WORKERS = 2
STEP = {
    "preset": "common-test-1",
    "size": 120,
    "binning": 2,
    "half_lengths": [0.85],
    "orientations": 12,
}


def changed(changes: dict[str, Any]) -> Preset:
    """`common-test-1` with some of its keys replaced."""
    content = yaml.safe_load(preset_text("common-test-1"))
    for key, value in changes.items():
        part, name = key.split(".")
        content.setdefault(part, {})[name] = value
    if "lens_light" in content:
        content["lens_light"] |= LENS_LIGHT
    return parse_preset(content)


LENS_LIGHT = {"radius": 0.6, "sersic_index": 4, "position_angle": {"uniform": [0, 180]}}
FAMILIES: dict[str, dict[str, Any]] = {
    "as assumed": {},
    "ellipsoid of axis ratio 0.95 instead of the sphere": {
        "lens.axis_ratio": 0.95,
        "lens.position_angle": {"uniform": [0, 180]},
    },
    "ellipsoid of axis ratio 0.8 instead of the sphere": {
        "lens.axis_ratio": 0.8,
        "lens.position_angle": {"uniform": [0, 180]},
    },
    "Sersic index 1 instead of 1.5": {"source.sersic_index": 1.0},
    "PSF 5 % narrower than assumed": {
        "instrument.psf": {"gaussian": {"fwhm": 0.2048693439 / 1.05, "truncation": 2.9}}
    },
    "lens light not subtracted, 1 % of the source's brightness": {"lens_light.amplitude": 400},
    "lens light not subtracted, 20 % of the source's brightness": {"lens_light.amplitude": 8000},
}


# Predictions for simulated images, by several processes.

_worker: dict[str, Any] = {}


def start(model: str, preset: Preset) -> None:
    """Set up a process."""
    import torch

    from darklens.hub import load_classifier

    torch.set_num_threads(1)
    _worker.update(model=load_classifier(model), simulator=Simulator(preset))


def predict(index: int) -> tuple[int, list[float], float, float, str]:
    """Label, probabilities, strength, chi-square and verdict of one image."""
    lens = _worker["simulator"].lens(index, seed=SEED)
    probabilities, said = _worker["model"].explain(lens.image[None])
    row = probabilities[0].tolist()
    return lens.label, row, strength(lens), said["chi_square"][0], said["fit"][0]


def strength(lens: Lens) -> float:
    """Fraction of the halo's mass in substructure."""
    masses = [*lens.parameters.get("subhalo_mass", []), lens.parameters.get("line_mass", 0.0)]
    return float(sum(masses)) / HALO


def predictions(model: str, preset: Preset, count: int) -> tuple[np.ndarray, ...]:
    """Columns of `predict` for `count` images."""
    context = get_context("spawn")
    with ProcessPoolExecutor(WORKERS, context, start, (model, preset)) as pool:
        rows = list(pool.map(predict, range(count), chunksize=50))
    return tuple(np.array(column) for column in zip(*rows, strict=True))


def measure_strength(count: int) -> list[str]:
    """Accuracy of each class in bins of the strength, as a table and a figure."""
    from matplotlib.figure import Figure

    lines = ["| model | class | mass share | images | accuracy |", "|---|---|---|---|---|"]
    figure = Figure(figsize=(8.4, 3.4), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("default", "model-1-legacy"), strict=True):
        preset = "common-test-1" if name == "default" else name
        simulator = Simulator(preset)
        labels, probabilities, shares, *_ = predictions(name, simulator.preset, count)
        right = probabilities.argmax(axis=1) == labels
        for label, kind in enumerate(simulator.classes):
            chosen = labels == label
            edges = np.unique(np.quantile(shares[chosen], np.linspace(0, 1, 9)))
            if edges.size < 2:
                value = right[chosen].mean()
                lines.append(f"| {name} | {kind} | {edges[0]:.3f} | {chosen.sum()} | {value:.4f} |")
                axes.axhline(value, lw=1, ls=":", color=f"C{label}", label=f"{kind}: {value:.3f}")
                continue
            points = []
            for low, high in pairwise(edges):
                inside = chosen & (shares >= low) & (shares <= high)
                value = right[inside].mean()
                points.append((shares[inside].mean(), value, inside.sum()))
                lines.append(
                    f"| {name} | {kind} | {low:.4f} to {high:.4f} | {inside.sum()} | {value:.4f} |"
                )
            x, y, n = map(np.array, zip(*points, strict=True))
            error = np.sqrt(np.maximum(y * (1 - y), 1 / n) / n)
            axes.errorbar(x, y, error, marker="o", ms=4, lw=1.2, color=f"C{label}", label=kind)
        axes.set(title=f"{name} on {preset}", xlabel="fraction of the mass in substructure")
        axes.set(ylabel="accuracy", ylim=(None, 1.005))
        axes.legend(frameon=False)
    FIGURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(FIGURE, dpi=160)
    return [
        "New simulations of seed 3000002; each class is divided into eighths by strength.",
        "",
        *lines,
    ]


def measure_families(count: int) -> list[str]:
    """Accuracy where the parametrisation is wrong, and median reduced chi-square of each class."""
    lines = [
        "| images | accuracy (95 %) | macro AUC | answers no / sphere / vort for images of no "
        "| chi-square of no, sphere, vort (median) | fit column |",
        "|---|---|---|---|---|---|",
    ]
    for words, changes in FAMILIES.items():
        labels, probabilities, _, chi, verdicts = predictions("default", changed(changes), count)
        interval = bootstrap_interval(partial(accuracy, labels, probabilities), labels)
        answers = np.bincount(probabilities.argmax(axis=1)[labels == 0], minlength=3)
        medians = ", ".join(f"{np.median(chi[labels == k]):.2f}" for k in range(3))
        kinds, counts = np.unique(verdicts, return_counts=True)
        said = ", ".join(f"{kind} {n / count:.0%}" for kind, n in zip(kinds, counts, strict=True))
        lines.append(
            f"| {words} | {interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f}) "
            f"| {float(macro_auc(labels, probabilities)):.4f} "
            f"| {' / '.join(map(str, answers))} | {medians} | {said} |"
        )
        print(lines[-1], flush=True)
    return [
        f"`default`, {count} simulations of each kind, seed 3000002, a third of each class.",
        "",
        *lines,
    ]


class TrueResidual(SmoothResidual):
    """The step with the true smooth lens in place of the fit; only a line is still fitted."""

    truth: np.ndarray

    def fit(self, image: np.ndarray) -> tuple[np.ndarray, SmoothFit, str]:
        """The residual against the truth, with all parameters of the smooth lens fixed."""
        values, model = image[0].astype(np.float64), self._fitter.model
        there = fit_result(model, values, optimise(model, values, self.truth, 0))
        return values, replace(there, whitened_jacobian=np.zeros((1, *values.shape))), "stored"

    @cached_property
    def _line_fitter(self) -> LineFitter:
        return LineFitter(self._preset, hold_smooth=True)


def start_maps(truth: bool) -> None:
    """Set up a process that computes maps."""
    step = (TrueResidual if truth else SmoothResidual)(**STEP)
    _worker.update(step=step, simulator=Simulator("common-test-1"), truth=truth)


def maps(job: tuple[int, int]) -> np.ndarray:
    """The maps of one image of a seed, in half precision."""
    seed, index = job
    lens = _worker["simulator"].lens(index, seed=seed)
    if _worker["truth"]:
        _worker["step"].truth = scene_parameters(lens.scene)
    made: np.ndarray = _worker["step"](lens.image[None].astype(np.float32))[0]
    return made.astype(np.float16)


def measure_bound(images: int, minutes: float, count: int) -> list[str]:
    """Accuracy of the same network with and without the true smooth lens."""
    lines = ["| residual against | accuracy (95 %) | macro AUC |", "|---|---|---|"]
    for truth, words in ((True, "the true smooth lens"), (False, "the fitted smooth lens")):
        context = get_context("spawn")
        with ProcessPoolExecutor(WORKERS, context, start_maps, (truth,)) as pool:
            train, test = (
                np.stack(list(pool.map(maps, [(seed, i) for i in range(n)], chunksize=50)))
                for seed, n in ((SEED + 1, images), (SEED, count))
            )
        probabilities = trained(train, np.arange(images) % 3, minutes)(test)
        labels = np.arange(count) % 3
        interval = bootstrap_interval(partial(accuracy, labels, probabilities), labels)
        lines.append(
            f"| {words} | {interval.value:.4f} ({interval.low:.4f} to {interval.high:.4f}) "
            f"| {float(macro_auc(labels, probabilities)):.4f} |"
        )
        print(lines[-1], flush=True)
    return [
        f"The network of `default`, trained on {images} images for {minutes:g} minutes and tested "
        f"on {count} others. With the true lens, a line is fitted and the smooth lens is fixed.",
        "",
        *lines,
    ]


def trained(images: np.ndarray, labels: np.ndarray, minutes: float) -> Any:
    """Train the network of the recipe; returns a function from maps to probabilities."""
    import tempfile

    import torch
    from lightning.pytorch import seed_everything

    from darklens.classify import ClassifierTask, TrainingConfig, build_network
    from darklens.data import Augmentation, ImageDataset, LensDataModule, build_preprocessing
    from darklens.nn import Budget, RunConfig, build_trainer
    from darklens.nn import fit as fit_network

    recipe = yaml.safe_load((ROOT / "recipes" / "classifier-default.yaml").read_text())
    seed_everything(0, verbose=False)
    network = build_network(recipe["network"], in_channels=images.shape[1], classes=3)
    task = ClassifierTask(
        network, TrainingConfig(**recipe["training"]), budget=Budget(minutes=minutes)
    )
    names = ("no", "sphere", "vort")
    data = LensDataModule(
        ImageDataset.from_arrays(images, labels, classes=names),
        build_preprocessing([]),
        val=ImageDataset.from_arrays(images[:300], labels[:300], classes=names),
        augmentation=Augmentation(**recipe["augmentation"]),
        batch_size=recipe["data"]["batch_size"],
        check_leaks=False,  # the validation images are not used
    )
    with tempfile.TemporaryDirectory() as folder:
        trainer = build_trainer(
            Path(folder), RunConfig(), progress_bar=False, report=None, arguments={"max_epochs": -1}
        )
        fit_network(trainer, task, data, Path(folder))
    best = task.best_network.eval()

    def probabilities(maps: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            pieces = [best(torch.from_numpy(batch).float()) for batch in batches(maps)]
        result: np.ndarray = torch.cat(pieces).double().softmax(1).numpy()
        return result

    return probabilities


def batches(maps: np.ndarray) -> Iterator[np.ndarray]:
    """Batches of 250 images."""
    for first in range(0, len(maps), 250):
        yield maps[first : first + 250]


def main() -> None:
    """Run the chosen measurements and write the tables."""
    from darklens.train.cards import machine_name

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="+", choices=["strength", "families", "bound"])
    parser.add_argument("--count", type=int, default=3000, help="images in each measurement")
    parser.add_argument("--images", type=int, default=9000, help="training images in `bound`")
    parser.add_argument("--minutes", type=float, default=8.0, help="training time in `bound` [min]")
    chosen = parser.parse_args()
    work = {
        "strength": lambda: measure_strength(3 * chosen.count),
        "families": lambda: measure_families(chosen.count),
        "bound": lambda: measure_bound(chosen.images, chosen.minutes, chosen.count),
    }
    options = [word for word in sys.argv[1:] if word not in chosen.parts]
    for part in chosen.parts:
        lines = [
            f"# Residual classifier: {part}",
            "",
            f"{machine_name()}, {datetime.date.today()}, `python benchmarks/residual.py "
            f"{' '.join([part, *options])}`.",
            "",
            *work[part](),
        ]
        (RESULTS / f"residual_{part}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print("\n".join(lines))


if __name__ == "__main__":
    main()
